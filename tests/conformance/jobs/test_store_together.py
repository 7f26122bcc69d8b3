"""Many at once, hostile values and lost workers: every store of the ledger keeps its promises."""

import asyncio
from collections import Counter

import pytest

from ferryman.core.errors import Conflict
from ferryman.core.ids import new_id
from ferryman.jobs.model import Desired, NewJob, Progress, Query, Reason, State
from ferryman.jobs.ports import Claim, Outcome, Save
from ferryman.jobs.retry import MOST_LOSSES
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.transitions import Cause

NOW = 1_700_000_000.0


@pytest.fixture
def store(db):
    return SqlStore(db)


async def add(store, number=1, **more):
    jobs = [(new_id(NOW), NewJob("toy", f"job {n}", {"n": n}, **more)) for n in range(number)]
    return await store.add(jobs, NOW)


def lease(store, holder="w1", free=10, now=NOW, **more):
    return store.lease(Claim(holder, ["toy"], free, **more), now, now + 30)


async def right_counts(store):
    page = await store.find(Query(limit=1000))
    seen = Counter(job.state for job in page.items)
    assert {state: number for state, number in (await store.counts([], None)).items() if number} == seen
    return seen


async def test_many_who_reclaim_at_once_put_each_job_back_once(store):
    await add(store, 20)
    await lease(store, free=20)
    back = await asyncio.gather(*[store.reclaim(NOW + 31, []) for _ in range(8)])
    assert len([job for jobs in back for job in jobs]) == 20
    assert await right_counts(store) == {State.QUEUED: 20}


async def test_people_and_workers_at_once_leave_every_job_in_one_state(store):
    jobs = await add(store, 40)
    acts = [store.act(job, Desired.PAUSE, State.PAUSED, NOW) for job in jobs[::2]]
    taken, *done = await asyncio.gather(lease(store, free=40), *acts)
    paused = [job.id for job in done if job is not None]
    assert not {job.id for job in taken} & set(paused)
    ends = [store.finish(job.id, job.epoch, Outcome(Cause.SUCCEED), NOW + 1) for job in taken]
    removals = [store.delete([job.id], NOW) for job in taken]
    renewals = [store.renew("w1", [job.id for job in taken], NOW + 60) for _ in range(3)]
    await asyncio.gather(*ends, *removals, *renewals)
    seen = await right_counts(store)
    assert State.RUNNING not in seen
    assert seen[State.PAUSED] == len(paused)


async def test_the_same_request_at_once_is_accepted_once(store):
    new = NewJob("toy", "same", {"n": 1}, idempotency_key="k", owner="me")
    answers = await asyncio.gather(*[store.add([(new_id(NOW), new)], NOW) for _ in range(8)])
    assert len({job.id for (job,) in answers}) == 1
    assert await right_counts(store) == {State.QUEUED: 1}


async def test_the_key_of_one_owner_tells_another_one_nothing(store):
    await store.add([(new_id(NOW), NewJob("toy", "a", {}, idempotency_key="k", owner="me"))], NOW)
    with pytest.raises(Conflict):
        await store.add([(new_id(NOW), NewJob("toy", "a", {}, idempotency_key="k", owner="you"))], NOW)


async def test_a_repeated_request_is_recognised_after_its_way_through_the_database(store):
    spec = {"pairs": [("a", 1)], "rate": 1.5, "text": "ü\udcff"}
    answers = [
        await store.add([(new_id(NOW), NewJob("toy", "a", spec, idempotency_key="k"))], NOW) for _ in "ab"
    ]
    assert answers[0][0].id == answers[1][0].id


async def test_jobs_of_a_node_are_for_its_worker_only(store):
    await add(store, 1)
    await add(store, 1, node="n1")
    assert [job.node for job in await lease(store)] == [None]
    assert await lease(store, node="n2") == []
    assert [job.node for job in await lease(store, node="n1")] == ["n1"]


@pytest.mark.parametrize(
    "title", ["nul \0 inside", "lone \udcff surrogate", "x" * 5000, "'; -- \"", "日本 ☃"]
)
async def test_any_title_is_stored_and_listed(store, title):
    (job,) = await store.add([(new_id(NOW), NewJob("toy", title, {"title": title}))], NOW)
    found = await store.get(job.id)
    assert found.title
    assert len(found.title) <= 1000
    assert len((await store.find(Query(sort="title"))).items) == 1
    (running,) = await lease(store)
    end = Outcome(Cause.FAIL, result={"name": title}, error=title, advice=title, reason=Reason.CORRUPT)
    assert (await store.finish(running.id, running.epoch, end, NOW)).state is State.FAILED
    assert (await store.get(job.id)).error


async def test_numbers_that_are_none_do_no_harm(store):
    await add(store)
    (job,) = await lease(store)
    odd = Progress(rate=float("inf"), eta=float("nan"), total=5)
    assert (
        await store.save([Save(job.id, job.epoch, progress=odd, checkpoint={"x": float("nan")})], NOW)
        == set()
    )
    found = await store.get(job.id)
    assert found.progress == Progress(total=5)
    assert found.checkpoint == {"x": None}


async def test_a_phase_of_a_lost_lease_leaves_no_event(store):
    await add(store)
    (job,) = await lease(store)
    await store.reclaim(NOW + 31, [])
    before = await store.events(job.id, 0, 50)
    assert await store.save([Save(job.id, job.epoch, phase="late")], NOW) == {job.id}
    assert await store.events(job.id, 0, 50) == before


async def test_a_wish_counts_when_the_worker_dies(store):
    for desired, state in ((Desired.PAUSE, State.PAUSED), (Desired.CANCEL, State.CANCELLED)):
        await add(store)
        (job,) = await lease(store)
        await store.act(job, desired, None, NOW)
        (back,) = await store.reclaim(NOW + 31, [])
        assert back.state is state
        assert (back.finished_at is not None) == (state is State.CANCELLED)


async def test_a_job_lost_again_and_again_fails(store):
    (job,) = await add(store)
    for number in range(MOST_LOSSES):
        assert len(await lease(store, holder=f"w{number}")) == 1
        await store.reclaim(NOW, [f"w{number}"])
    found = await store.get(job.id)
    assert (found.state, found.reason, found.error_code) == (State.FAILED, Reason.LOST, "worker_lost")
    again = await store.act(found, Desired.RUN, State.QUEUED, NOW)
    assert (again.reason, again.error, again.attempt) == (None, None, 0)
    assert len(await lease(store)) == 1


async def test_lists_by_time_of_acceptance(store):
    for minute in range(30):
        await store.add([(new_id(NOW), NewJob("toy", f"at {minute}", {}))], NOW + minute * 60)
    query = Query(since=NOW + 600, until=NOW + 900, sort="created_at")
    assert [job.title for job in (await store.find(query)).items] == [f"at {n}" for n in range(10, 15)]
    assert (await store.find(Query(since=NOW + 600, until=NOW + 600))).items == ()


async def test_thousands_are_accepted_at_once_and_deleted_at_once(store):
    jobs = await add(store, 2500)
    assert len(await store.ids(Query(sort="run_order"), 5000)) == 2500
    assert [job.id for job in jobs] == await store.ids(Query(sort="created_at"), 5000)
    taken = await lease(store, free=2500)
    assert len(taken) == 2500
    await asyncio.gather(
        *[store.finish(job.id, job.epoch, Outcome(Cause.CANCEL), NOW) for job in taken[:200]]
    )
    assert len(await store.delete([job.id for job in taken], NOW)) == 200
    assert (await store.counts([], None))[State.RUNNING] == 2300
