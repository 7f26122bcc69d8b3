"""Filters by facets and times, orders by size, sums, choices, and all that match one by one: on every store."""

import dataclasses

import pytest

from ferryman.core.ids import new_id
from ferryman.jobs.dispatch import LocalDispatch
from ferryman.jobs.hub import Hub
from ferryman.jobs.model import NewJob, Progress, Query, Reason, State
from ferryman.jobs.ports import Claim, Outcome
from ferryman.jobs.service import Ledger
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.transitions import Cause

NOW = 1_700_000_000.0
HOSTS = ("a.example", "b.example", None)


class Standing:
    """A clock that stands still."""

    def now(self):
        return NOW


@pytest.fixture
async def store(db):
    """Twelve jobs of two owners: eight ended, one after the other, each larger than the one before."""
    made = SqlStore(db)
    for n in range(12):
        new = NewJob(
            "toy", f"job {n}", {}, owner="ab"[n % 2], host=HOSTS[n % 3], category="x" if n < 4 else None
        )
        await made.add([(new_id(NOW + n), new)], NOW + n)
    for n, job in enumerate(await made.lease(Claim("w", ["toy"], 8), NOW + 20, NOW + 50)):
        end = Outcome(Cause.SUCCEED) if n else Outcome(Cause.FAIL, reason=Reason.NETWORK, error="cut")
        await made.finish(job.id, job.epoch, end, NOW + 30 + n, Progress(total=100 * (n + 1)))
    return made


async def titles(store, **query):
    return [job.title for job in (await store.find(Query(**query))).items]


async def test_lists_are_narrowed_by_facets_sizes_and_the_end(store):
    assert await titles(store, hosts=("a.example",), sort="created_at") == [
        "job 0",
        "job 3",
        "job 6",
        "job 9",
    ]
    assert await titles(store, hosts=("a.example", "b.example"), categories=("x",), sort="title") == [
        "job 0", "job 1", "job 3",
    ]  # fmt: skip
    assert await titles(store, min_size=300, max_size=500, sort="size") == ["job 2", "job 3", "job 4"]
    assert await titles(store, max_size=0) == []
    assert await titles(store, finished_since=NOW + 32, finished_until=NOW + 34, sort="-finished_at") == [
        "job 3", "job 2",
    ]  # fmt: skip


async def test_unknown_sizes_are_the_smallest_and_pages_hold_them_once(store):
    seen, cursor = [], None
    while True:
        page = await store.find(Query(sort="-size", limit=5, cursor=cursor))
        seen += [job.size for job in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [800, 700, 600, 500, 400, 300, 200, 100, None, None, None, None]


async def test_sums_follow_states_owners_and_deleting(store):
    whole = await store.summary(Query())
    assert (whole.number, whole.size, whole.at_least) == (12, 3600, False)
    assert (whole.states[State.SUCCEEDED], whole.states[State.FAILED], whole.states[State.QUEUED]) == (
        7,
        1,
        4,
    )
    mine = await store.summary(Query(owner="a", states=(State.SUCCEEDED,)))
    assert (mine.number, mine.size) == (3, 300 + 500 + 700)
    some = await store.summary(Query(hosts=("b.example",), text="job"))
    assert (some.number, some.size) == (4, 200 + 500 + 800)
    gone = (await store.find(Query(sort="-size", limit=1))).items[0]
    await store.delete([gone.id], NOW + 60)
    after = await store.summary(Query())
    assert (after.number, after.size) == (11, 2800)
    await store.restore([gone.id])
    assert await store.summary(Query()) == whole


async def test_choices_are_those_of_the_owner(store):
    assert await store.choices("host", None, 10) == ["a.example", "b.example"]
    assert await store.choices("host", None, 1) == ["a.example"]
    assert await store.choices("category", "a", 10) == ["x"]
    assert await store.choices("host", "nobody", 10) == []


async def test_each_brings_all_that_stay_once_while_others_come_and_go(store, tmp_path, monkeypatch):
    monkeypatch.setattr("ferryman.jobs.service._PAGE", 3)
    ledger = Ledger(store, LocalDispatch(), Hub(), Standing(), tmp_path)
    before = {job.id for job in (await store.find(Query(limit=50))).items}
    ended = [job.id for job in (await store.find(Query(states=(State.SUCCEEDED,), limit=50))).items]
    seen, gone = [], set()
    async for job in ledger.each(Query(sort="created_at", cursor="nonsense", limit=1)):
        seen.append(job.id)
        if len(seen) == 4:
            gone = {ended[0], ended[-1]}
            await store.delete(list(gone), NOW + 60)
            await store.add([(new_id(NOW + 70), NewJob("toy", "new", {}))], NOW + 70)
    assert len(seen) == len(set(seen))
    assert before - gone <= set(seen)


async def test_old_jobs_are_found_by_their_end_however_late_it_came(store):
    old = Query(until=NOW + 4, sort="-finished_at", states=(State.SUCCEEDED, State.FAILED))
    assert [job.title for job in (await store.find(old)).items] == ["job 3", "job 2", "job 1", "job 0"]
    (first,) = (await store.find(dataclasses.replace(old, text="job 0"))).items
    again = await store.act(first, first.desired, State.QUEUED, NOW + 100)
    (again,) = await store.lease(Claim("w", ["toy"], 1), NOW + 100, NOW + 200)
    await store.finish(again.id, again.epoch, Outcome(Cause.SUCCEED), NOW + 150, Progress(total=1))
    assert [job.title for job in (await store.find(old)).items] == ["job 0", "job 3", "job 2", "job 1"]
