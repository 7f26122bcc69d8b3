"""The lists of the downloads, on a ledger that answers from memory."""

import dataclasses
from types import SimpleNamespace

import pytest

from ferryman.core.errors import Invalid
from ferryman.downloads.tabs import LINGER, once, page_of, tab_named
from ferryman.jobs.model import Desired, Job, Page, Query, State

NOW = 1_700_000_000.0


def job(name, state, position=0.0, **more):
    return Job(
        id=name,
        kind="download",
        title=name,
        spec={},
        state=state,
        desired=Desired.RUN,
        priority=5,
        position=position,
        created_at=NOW,
        updated_at=NOW,
        **more,
    )


class Shelf:
    """Lists what it has; the cursor is the number of what was read."""

    def __init__(self, *jobs):
        self.jobs = jobs
        self.clock = SimpleNamespace(now=lambda: NOW)

    async def list(self, query):
        fit = [
            one
            for one in self.jobs
            if one.state in query.states
            and (query.finished_since is None or (one.finished_at or 0) >= query.finished_since)
        ]
        start = int(query.cursor or 0)
        part = fit[start : start + query.limit]
        more = start + query.limit < len(fit)
        return Page(tuple(part), str(start + query.limit) if more else None)


async def names(shelf, tab, **query):
    page = await page_of(shelf, tab_named(tab), Query(**{"limit": 50, **query}))
    return "".join(one.id for one in page.items), page.next_cursor


async def test_active_shows_what_runs_what_just_ended_in_its_place_and_what_is_paused():
    shelf = Shelf(
        job("p", State.PAUSED),
        job("c", State.RUNNING, started_at=NOW - 1),
        job("b", State.SUCCEEDED, started_at=NOW - 2, finished_at=NOW - LINGER + 0.1),
        job("a", State.RUNNING, started_at=NOW - 3),
        job("f", State.FAILED, started_at=NOW, finished_at=NOW),
        job("o", State.SUCCEEDED, started_at=NOW - 9, finished_at=NOW - LINGER - 0.1),
        job("x", State.CANCELLED, started_at=NOW - 1, finished_at=NOW),
        job("q", State.QUEUED),
    )
    assert await names(shelf, "active") == ("abcfp", None)


async def test_the_second_page_of_the_active_ones_is_of_paused_ones_only():
    shelf = Shelf(job("r", State.RUNNING), *[job(name, State.PAUSED) for name in "abc"])
    first, cursor = await names(shelf, "active", limit=2)
    assert (first, cursor) == ("rab", "2")
    assert await names(shelf, "active", limit=2, cursor=cursor) == ("c", None)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 50])
async def test_the_queue_goes_on_from_what_is_queued_to_what_waits(limit):
    shelf = Shelf(*[job(name, State.WAITING) for name in "xyz"], *[job(name, State.QUEUED) for name in "abc"])
    seen, cursor, turns = "", None, 0
    while turns == 0 or cursor:
        found, cursor = await names(shelf, "queue", limit=limit, cursor=cursor)
        assert len(found) <= limit
        seen, turns = seen + found, turns + 1
    assert seen == "abcxyz"


async def test_a_cursor_of_another_list_is_refused():
    with pytest.raises(Invalid):
        await names(Shelf(), "queue", cursor="running:3")


def test_a_job_that_moved_while_the_list_was_read_is_there_once():
    before, after = job("a", State.RUNNING), job("a", State.PAUSED)
    other = job("b", State.PAUSED)
    assert once(before, other, after) == (other, after)
    assert once(dataclasses.replace(before), other) == (before, other)
