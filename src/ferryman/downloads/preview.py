"""Looking at what addresses lead to before anything is fetched: the first answer, and then the transfer is ended."""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field

from ferryman.accounts.model import Principal
from ferryman.core.errors import FerryError, Unavailable
from ferryman.downloads.handler import DownloadHandler
from ferryman.downloads.model import KIND, DownloadOrder
from ferryman.downloads.order import Draft, OrderReader
from ferryman.downloads.service import Downloads
from ferryman.downloads.trail import length_of
from ferryman.jobs.model import Query, State
from ferryman.jobs.service import Ledger
from ferryman.transfer.model import Overwrite, Request
from ferryman.transfer.naming import name_from
from ferryman.transfer.service import Engine

PATIENCE: Final = 20.0
"""Seconds one address may take."""
AT_ONCE: Final = 8
_KNOWN: Final = (State.QUEUED, State.RUNNING, State.PAUSED, State.WAITING, State.SUCCEEDED)


class Preview(BaseModel):
    """What an entry of `urls` leads to. `size` is bytes, null when the server does not say."""

    url: str = Field(description="The first address, without credentials.")
    name: str | None = Field(None, description="Name of the file.")
    size: int | None = None
    mime: str | None = None
    resumable: bool | None = Field(
        None, description="Whether an interrupted download can go on where it was."
    )
    duplicate_of: str | None = Field(None, description="Id of a job that fetches or has fetched the same.")
    code: str | None = Field(None, description="Code of the error, when it cannot be fetched.")
    error: str | None = None
    advice: str | None = None


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
    ) -> None:
        """Ask with `engine`, as `handler` would fetch; one address may take `patience` seconds."""
        self._engine = engine
        self._handler = handler
        self._downloads = downloads
        self._ledger = ledger
        self._patience = patience
        self._places = asyncio.Semaphore(AT_ONCE)

    async def look(self, order: DownloadOrder, caller: Principal) -> list[Preview]:
        """Return what each entry leads to, in order. Raises what is wrong with the order but for its addresses."""
        reader = OrderReader(order, self._downloads.rights(caller))
        try:
            drafts = reader.read(partial=True)
        except FerryError:
            if len(reader.refused) < len(order.urls):
                raise
            drafts = []
        found = iter(await asyncio.gather(*(self._one(draft, caller) for draft in drafts)))
        refused = {one.index: _failed(one.url, one.error) for one in reader.refused}
        return [refused[index] if index in refused else next(found) for index in range(len(order.urls))]

    async def _one(self, draft: Draft, caller: Principal) -> Preview:
        url = draft.spec.urls[0]
        try:
            async with self._places, asyncio.timeout(self._patience):
                headers, final = await self._answer(draft)
        except TimeoutError:
            late = Unavailable("preview_timeout", f"There was no answer within {self._patience:.0f} seconds.")
            return _failed(url, late)
        except FerryError as error:
            return _failed(url, error)
        ranges = headers.get("accept-ranges", "").lower() == "bytes" or "content-range" in headers
        return Preview(
            url=url,
            name=draft.spec.name or name_from(headers, final),
            size=length_of(headers),
            mime=headers.get("content-type", "").partition(";")[0].strip() or None,
            resumable=ranges,
            duplicate_of=await self._duplicate(draft, caller),
        )

    async def _answer(self, draft: Draft) -> tuple[Mapping[str, str], str]:
        """Return headers (names in lower case) and address of the first answer."""
        known: list[tuple[Mapping[str, str], str]] = []

        def name(headers: Mapping[str, str], url: str) -> str:
            known.append((dict(headers), url))
            raise _Enough("preview", "The first answer is known.")

        with tempfile.TemporaryDirectory(prefix="ferry-", ignore_cleanup_errors=True) as folder:
            transfer = self._engine.submit(self._request(draft, Path(folder), name))
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
            overwrite=Overwrite.OVERWRITE,
            options=replace(request.options, connections=1, rate_limit=0),
        )

    async def _duplicate(self, draft: Draft, caller: Principal) -> str | None:
        """Return the id of a job within the caller's reach that has one of the same addresses."""
        owner = None if caller.allows("jobs:all") else caller.user_id or "-"
        page = await self._ledger.list(
            Query(kinds=(KIND,), states=_KNOWN, text=draft.title, owner=owner, limit=50)
        )
        urls = set(draft.spec.urls)
        return next((job.id for job in page.items if urls.intersection(job.spec.get("urls", ()))), None)


def _failed(url: str, error: FerryError) -> Preview:
    return Preview(url=url, code=error.code, error=error.message, advice=error.advice or None)
