"""Looking at what addresses lead to before anything is fetched: the first answer, and then the transfer is ended."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field

from ferryman.accounts.model import Principal
from ferryman.core.errors import FerryError, Unavailable
from ferryman.core.paths import join_within
from ferryman.downloads.earlier import Earlier
from ferryman.downloads.handler import DownloadHandler
from ferryman.downloads.model import DownloadOrder
from ferryman.downloads.order import Draft, OrderReader
from ferryman.downloads.rules.service import Rules
from ferryman.downloads.service import Downloads
from ferryman.downloads.trail import length_of
from ferryman.jobs.service import Ledger
from ferryman.transfer.model import Overwrite, Request
from ferryman.transfer.naming import name_from
from ferryman.transfer.service import Engine

PATIENCE: Final = 20.0
"""Seconds one address may take."""
AT_ONCE: Final = 8
MOST_LOOKED_AT: Final = 50
"""Downloads of one order that are looked at."""


class Preview(BaseModel):
    """What one download of an order leads to. `size` is bytes, null when the server does not say."""

    place: str = Field("", description="Where it stands: `urls.0`, `text.12` (a line, from 1), `entries.3`.")
    url: str = Field(description="The first address, without credentials.")
    seen: bool = Field(True, description="Whether it was looked at; the others are only what they say.")
    name: str | None = Field(None, description="Name of the file.")
    folder: str = Field("", description="Folder below the download folder.")
    size: int | None = None
    mime: str | None = None
    resumable: bool | None = Field(
        None, description="Whether an interrupted download can go on where it was."
    )
    duplicate_of: str | None = Field(None, description="Id of a job that fetches or has fetched the same.")
    exists: str | None = Field(None, description="Path of a file with this name that is there already.")
    rule: str | None = Field(None, description="Name of the rule that counts.")
    category: str | None = Field(None, description="What it would be filed under.")
    unpack: bool = Field(False, description="Whether it would be unpacked.")
    code: str | None = Field(None, description="Code of the error, when it cannot be fetched.")
    error: str | None = None
    advice: str | None = None


class Previewed(BaseModel):
    """What the downloads of an order lead to, in order."""

    items: list[Preview]
    unseen: int = Field(description="How many were not looked at.")
    size: int = Field(description="Bytes of all files whose size is known.")
    free: int | None = Field(description="Bytes that are free where the downloads go.")


_Name = Callable[[Mapping[str, str], str], str]


class _Enough(FerryError):
    """The first answer is known; ends the transfer."""


class Previews:
    """Looks at addresses with the daemon's engine. Safe to use from many tasks at once."""

    def __init__(
        self,
        engine: Engine,
        handler: DownloadHandler,
        downloads: Downloads,
        ledger: Ledger,
        *,
        patience: float = PATIENCE,
        rules: Rules | None = None,
    ) -> None:
        """Ask with `engine`, as `handler` would fetch; one address may take `patience` seconds."""
        self._engine = engine
        self._handler = handler
        self._downloads = downloads
        self._earlier = Earlier(ledger)
        self._patience = patience
        self._rules = rules
        self._places = asyncio.Semaphore(AT_ONCE)

    async def look(self, order: DownloadOrder, caller: Principal, most: int = MOST_LOOKED_AT) -> Previewed:
        """Look at the first `most` downloads of an order. Raises what is wrong with it but for its addresses."""
        rights = self._downloads.rights(caller)
        reader = OrderReader(order, rights)
        try:
            drafts = await asyncio.to_thread(reader.read, partial=True)
        except FerryError:
            if not reader.refused or reader.wrong:
                raise
            drafts = []
        seen = await asyncio.gather(*(self._one(draft, caller) for draft in drafts[:most]))
        unseen = [_unseen(draft) for draft in drafts[most:]]
        ruled = await self._ruled(order, drafts, [*seen, *unseen])
        found = [(draft.place.order, item) for draft, item in zip(drafts, ruled, strict=True)]
        found += [(one.place.order, _failed(str(one.place), one.url, one.error)) for one in reader.refused]
        found.sort(key=lambda pair: pair[0])
        items = [item for _, item in found]
        await asyncio.to_thread(_note_existing, rights.root, items)
        return Previewed(
            items=items,
            unseen=len(unseen),
            size=sum(item.size or 0 for item in items),
            free=await asyncio.to_thread(free_room, rights.root),
        )

    async def _one(self, draft: Draft, caller: Principal) -> Preview:
        url, place = draft.spec.urls[0], str(draft.place)
        try:
            async with self._places, asyncio.timeout(self._patience):
                headers, final = await self._answer(draft)
        except TimeoutError:
            late = Unavailable("preview_timeout", f"There was no answer within {self._patience:.0f} seconds.")
            return _failed(place, url, late)
        except FerryError as error:
            return _failed(place, url, error)
        ranges = headers.get("accept-ranges", "").lower() == "bytes" or "content-range" in headers
        size = length_of(headers)
        earlier = await self._earlier.of(draft, caller)
        return Preview(
            place=place,
            url=url,
            name=draft.spec.name or name_from(headers, final),
            folder=draft.spec.folder,
            size=draft.spec.size if size is None else size,
            mime=headers.get("content-type", "").partition(";")[0].strip()[:100] or None,
            resumable=ranges,
            duplicate_of=earlier.id if earlier else None,
        )

    async def _ruled(
        self, order: DownloadOrder, drafts: list[Draft], previews: list[Preview]
    ) -> list[Preview]:
        """Add what the rules make of each, now that name and size are known."""
        if self._rules is None:
            return previews
        rules, shown = await self._rules.all(), []
        for draft, preview in zip(drafts, previews, strict=True):
            if preview.seen and preview.name is not None:
                self._rules.saw(draft.spec.urls[0], preview.name, preview.size)
            try:
                ruled = self._rules.apply(rules, draft, order.model_fields_set)
            except FerryError as error:
                shown.append(_failed(preview.place, preview.url, error))
                continue
            own = {
                "rule": ruled.rule.body.name if ruled.rule else None,
                "category": ruled.category if order.category is None else order.category,
                "folder": ruled.draft.spec.folder,
                "unpack": ruled.draft.spec.unpack,
            }
            shown.append(preview.model_copy(update=own))
        return shown

    async def _answer(self, draft: Draft) -> tuple[Mapping[str, str], str]:
        """Return headers (names in lower case) and address of the first answer."""
        known: list[tuple[Mapping[str, str], str]] = []

        def name(headers: Mapping[str, str], url: str) -> str:
            known.append((dict(headers), url))
            raise _Enough("preview", "The first answer is known.")

        with tempfile.TemporaryDirectory(prefix="ferry-", ignore_cleanup_errors=True) as folder:
            request = self._request(draft, Path(folder), name)
            with self._handler.lending(request, draft.secrets) as given:
                transfer = self._engine.submit(given)
                try:
                    await transfer.result()
                except _Enough:
                    return known[0]
                finally:
                    transfer.stop(keep=False)
        raise Unavailable("preview_failed", "The server sent no answer that can be understood.")

    def _request(self, draft: Draft, folder: Path, name: _Name) -> Request:
        request = self._handler.asked(draft.spec, draft.secrets, folder)
        return replace(
            request,
            target=folder,
            folder=True,
            name=name,
            checksum=None,
            checksum_url=None,
            size=None,
            overwrite=Overwrite.OVERWRITE,
            options=replace(request.options, connections=1, rate_limit=0),
        )


def free_room(root: Path) -> int | None:
    """Return the free bytes where `root` is, or will be; None when that cannot be told. Looks at the disk."""
    place = next((path for path in (root, *root.parents) if path.exists()), root)
    try:
        system = os.statvfs(place)
    except OSError:
        return None
    return system.f_bavail * system.f_frsize


def _note_existing(root: Path, items: list[Preview]) -> None:
    for item in items:
        if item.name and item.code is None:
            path = join_within(root, f"{item.folder}/{item.name}" if item.folder else item.name)
            if os.path.lexists(path):
                item.exists = str(path)


def _unseen(draft: Draft) -> Preview:
    return Preview(
        place=str(draft.place),
        url=draft.spec.urls[0],
        seen=False,
        name=draft.guess or None,
        folder=draft.spec.folder,
        size=draft.spec.size,
    )


def _failed(place: str, url: str, error: FerryError) -> Preview:
    return Preview(place=place, url=url, code=error.code, error=error.message, advice=error.advice or None)
