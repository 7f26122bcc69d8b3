"""What the faces call: saved filters, import of lists, and removing what is older or more than wanted."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Final

from ferryman.accounts.model import Principal
from ferryman.core.clock import Clock
from ferryman.core.errors import FerryError, Invalid, NotFound
from ferryman.core.ids import new_id
from ferryman.downloads.history.model import MOST_SAVED, SavedFilter, SavedQuery
from ferryman.downloads.history.reading import ListForm, ReadList, WrongLine, read_exported
from ferryman.downloads.history.sql import FilterStore
from ferryman.downloads.model import KIND
from ferryman.downloads.order import OrderReader, Refused
from ferryman.downloads.service import Downloads
from ferryman.jobs.model import TERMINAL, Job, Query
from ferryman.jobs.service import Ledger

BATCH: Final = 200
"""Entries that are removed at a time."""
MOST_PRUNED: Final = 10_000
"""Entries one request removes."""
MOST_TOLD: Final = 1000
"""Wrong lines that are told one by one."""
DAY: Final = 86_400.0
_FIELDS: Final = {"urls": "urls", "text": "", "entries": ""}


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many entries were removed, or would be, and whether there are more to remove."""

    number: int
    more: bool


class History:
    """The history of downloads. Safe to use from many tasks at once."""

    def __init__(self, ledger: Ledger, downloads: Downloads, filters: FilterStore, clock: Clock) -> None:
        """Read from `ledger`, add with `downloads`, keep filters in `filters`."""
        self._ledger = ledger
        self._downloads = downloads
        self._filters = filters
        self._clock = clock

    # saved filters

    async def filters(self, caller: Principal) -> list[SavedFilter]:
        """Return what `caller` saved, by name."""
        return await self._filters.all(owner_of(caller))

    async def save(self, name: str, query: SavedQuery, caller: Principal) -> SavedFilter:
        """Keep a filter under a name; one with this name is replaced. Raises `Invalid` (`filters_full`)."""
        now = self._clock.now()
        kept = query.model_dump(mode="json", exclude_defaults=True)
        saved = SavedFilter(new_id(now), owner_of(caller), name.strip(), kept, now)
        if not saved.name:
            raise Invalid(
                "filter_unnamed",
                "The filter has no name.",
                advice="Give it one.",
                fields={"name": "Give it a name."},
            )
        if not await self._filters.save(saved, MOST_SAVED):
            raise Invalid(
                "filters_full",
                f"There are {MOST_SAVED} saved filters already.",
                advice="Delete one first.",
                fields={"name": f"There are {MOST_SAVED} already."},
            )
        return saved

    async def forget(self, filter_id: str, caller: Principal) -> None:
        """Remove a saved filter. Raises `NotFound` (`filter_not_found`)."""
        if not await self._filters.remove(owner_of(caller), filter_id):
            raise NotFound(
                "filter_not_found",
                f"There is no saved filter '{filter_id[:100]}'.",
                advice="See 'ferry downloads filters' for the ids.",
            )

    # lists

    async def take(
        self, text: str, form: ListForm, caller: Principal, key: str | None = None, *, partial: bool = False
    ) -> tuple[list[Job], list[WrongLine]]:
        """Add all downloads of a list, or none when a line is wrong; with `partial` those that can be.

        Raises `Invalid` (`list_invalid`) with a message for each wrong line (`lines.12`), and what `Downloads.add` does.
        """
        read = await asyncio.to_thread(read_exported, text, form)
        wrong = read.wrong + await asyncio.to_thread(self._refused, read, caller)
        wrong.sort(key=lambda one: one.line)
        good = (
            len(read.entries) if not read.text else sum(1 for line in read.text.splitlines() if line.strip())
        )
        if wrong and (not partial or good + len(read.wrong) <= len(wrong)):
            raise _refusal(wrong)
        try:
            jobs, refused = await self._downloads.add(read.order(), caller, key, partial=partial)
        except FerryError as error:
            error.fields = _by_line(read, error.fields)
            raise
        known = {one.line for one in wrong}
        wrong += [one for one in _lines(read, refused) if one.line not in known]
        await self._file(read, jobs, refused)
        return jobs, wrong

    def _refused(self, read: ReadList, caller: Principal) -> list[WrongLine]:
        """What the order refuses, line by line; nothing is added."""
        if not read.entries and not read.text:
            return []
        reader = OrderReader(read.order(), self._downloads.rights(caller))
        try:
            reader.read(partial=True)
        except FerryError:
            if not reader.refused:
                raise
        return _lines(read, reader.refused)

    async def _file(self, read: ReadList, jobs: list[Job], refused: list[Refused]) -> None:
        """Put jobs under the category that their lines name."""
        left = {one.place.index for one in refused}
        categories = [name for index, name in enumerate(read.categories) if index not in left]
        if len(categories) != len(jobs):
            return
        wanted = [
            (job, name) for job, name in zip(jobs, categories, strict=True) if name and job.category != name
        ]
        for start in range(0, len(wanted), BATCH):
            some = wanted[start : start + BATCH]
            await asyncio.gather(*[self._ledger.set_category(job.id, name) for job, name in some])

    # retention

    async def prune(
        self,
        *,
        days: int,
        count: int,
        owner: str | None = None,
        most: int = MOST_PRUNED,
        dry: bool = False,
    ) -> Pruned:
        """Remove ended downloads that ended more than `days` ago, and the oldest beyond `count`; 0 keeps all.

        Entries are removed in small batches; files stay. With `dry` nothing is removed. At most `most` in one call.
        """
        number = 0
        while number < most:
            size = most + 1 if dry else min(BATCH, most - number)
            ids = await self._due(days, count, owner, size)
            if dry:
                return Pruned(min(len(ids), most), len(ids) > most)
            if not ids:
                return Pruned(number, more=False)
            await self._ledger.delete(ids)
            number += len(ids)
            await asyncio.sleep(0)
        return Pruned(number, bool(await self._due(days, count, owner, 1)))

    async def _due(self, days: int, count: int, owner: str | None, most: int) -> list[str]:
        ended = Query(kinds=(KIND,), states=tuple(TERMINAL), owner=owner, sort="finished_at")
        found: dict[str, None] = {}
        if days:
            old = replace(ended, finished_until=self._clock.now() - days * DAY)
            found = dict.fromkeys(await self._ledger.store.ids(old, most))
        if count:
            counts = await self._ledger.counts((KIND,), owner)
            over = sum(counts[state] for state in TERMINAL) - count
            if over > 0:
                found |= dict.fromkeys(await self._ledger.store.ids(ended, min(most, over)))
        return list(found)[:most]


def owner_of(caller: Principal) -> str:
    """Return whose saved filters `caller` sees."""
    return caller.user_id or caller.name


def _lines(read: ReadList, refused: list[Refused]) -> list[WrongLine]:
    return [
        WrongLine(read.line_of(one.place.field, one.place.index), one.url, one.error, one.field)
        for one in refused
    ]


def _by_line(read: ReadList, fields: dict[str, str]) -> dict[str, str]:
    """Return messages about parts of the order as messages about lines."""
    found: dict[str, str] = {}
    for name, message in fields.items():
        place, index, *_ = [*name.split("."), "", ""]
        if place in {"entries", "text"} and index.isdecimal():
            found[f"lines.{read.line_of(place, int(index))}"] = message
        else:
            found[name] = message
    return found


def _refusal(wrong: list[WrongLine]) -> Invalid:
    number = len(wrong)
    details: list[dict[str, Any]] = [
        {"line": one.line, "field": one.field, "url": one.url, "code": one.error.code, "detail": one.text}
        for one in wrong[:MOST_TOLD]
    ]
    error = Invalid(
        "list_invalid",
        f"{number:,} line{'s are' if number > 1 else ' is'} wrong, the first: line {wrong[0].line}: {wrong[0].text}",
        advice="Correct them, or take the rest; nothing was added.",
        fields={f"lines.{one.line}": one.text for one in wrong[:MOST_TOLD]},
    )
    error.details = {"wrong": number, "lines": details}
    return error
