"""What each tab of the downloads shows, and in which order. Reads the ledger only."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ferryman.core.errors import Invalid
from ferryman.jobs.model import Job, Page, Query, State
from ferryman.jobs.service import Ledger

LINGER: Final = 5.0
"""Seconds a download that ended stays among the active ones, so that one sees how it ended."""
MOST_RUNNING: Final = 200
"""Running downloads on the page of the active ones."""
PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab: which states it is about, in which order each is listed, and what can be done to many."""

    name: str
    label: str
    states: tuple[State, ...]
    sort: str
    bulk: tuple[str, ...]


TABS: Final = (
    Tab(
        "active",
        "Active",
        (State.RUNNING, State.PAUSED),
        "created_at",
        ("pause", "resume", "category", "cancel"),
    ),
    Tab(
        "queue",
        "Queue",
        (State.QUEUED, State.WAITING),
        "run_order",
        ("start_now", "pause", "priority", "category", "cancel"),
    ),
    Tab("completed", "Completed", (State.SUCCEEDED,), "-finished_at", ("category", "delete")),
    Tab(
        "history",
        "History",
        (State.SUCCEEDED, State.FAILED, State.CANCELLED),
        "-finished_at",
        ("retry", "category", "delete"),
    ),
)


def counted(counts: Mapping[State, int]) -> dict[str, int]:
    """Return how many downloads each tab has."""
    return {tab.name: sum(counts.get(state, 0) for state in tab.states) for tab in TABS}


def tab_named(name: str) -> Tab:
    """Return the tab with this name; there must be one."""
    return next(tab for tab in TABS if tab.name == name)


async def page_of(ledger: Ledger, tab: Tab, query: Query) -> Page:
    """Return a page of `tab`, narrowed by `query`. Raises `Invalid` for a cursor of another list."""
    if tab.name == "active":
        return await _active(ledger, query)
    if tab.name == "queue":
        return await _queue(ledger, query)
    return await ledger.list(dataclasses.replace(query, sort=tab.sort))


def once(*jobs: Job) -> tuple[Job, ...]:
    """Return each job once, as it was read last: it may have moved from one part of a list to the next meanwhile."""
    latest = {job.id: job for job in jobs}
    found = {job.id: latest[job.id] for job in reversed(jobs)}
    return tuple(reversed(found.values()))


async def _active(ledger: Ledger, query: Query) -> Page:
    """What runs in the order in which it began, with what just ended in its place; then what is paused."""
    first: list[Job] = []
    if query.cursor is None:
        running = dataclasses.replace(query, states=(State.RUNNING,), sort="created_at", limit=MOST_RUNNING)
        since = ledger.clock.now() - LINGER
        ended = dataclasses.replace(
            query,
            states=(State.SUCCEEDED, State.FAILED),
            finished_since=since,
            sort="-finished_at",
            limit=PAGE,
        )
        first = [*(await ledger.list(running)).items, *(await ledger.list(ended)).items]
        first.sort(key=lambda job: (job.started_at or job.created_at, job.id))
    paused = await ledger.list(dataclasses.replace(query, states=(State.PAUSED,), sort="created_at"))
    return Page(once(*first, *paused.items), paused.next_cursor)


async def _queue(ledger: Ledger, query: Query) -> Page:
    """What is queued, in the order in which it runs; then what waits for a moment. A cursor says which of the two."""
    part, _, cursor = (query.cursor or "queued:").partition(":")
    if part not in {State.QUEUED, State.WAITING}:
        raise Invalid(
            "cursor_invalid",
            f"'{(query.cursor or '')[:80]}' is no cursor of this list.",
            advice="Begin at the first page.",
        )
    items: tuple[Job, ...] = ()
    for state in (State.QUEUED, State.WAITING)[0 if part == State.QUEUED else 1 :]:
        asked = dataclasses.replace(
            query, states=(state,), sort="run_order", cursor=cursor or None, limit=query.limit - len(items)
        )
        page = await ledger.list(asked)
        items, cursor = once(*items, *page.items), ""
        if page.next_cursor is not None:
            return Page(items, f"{state}:{page.next_cursor}")
        if len(items) >= query.limit and state is State.QUEUED:
            return Page(items, f"{State.WAITING}:")
    return Page(items, None)
