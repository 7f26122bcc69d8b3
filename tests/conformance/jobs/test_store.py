"""Every store of the ledger behaves the same."""

import asyncio

import pytest

from ferryman.core.errors import Conflict, Invalid
from ferryman.core.ids import new_id
from ferryman.jobs.model import Desired, NewJob, Progress, Query, Reason, State
from ferryman.jobs.ports import Claim, Held, Outcome, Save
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.transitions import Cause

NOW = 1_700_000_000.0
KINDS = ["toy"]


@pytest.fixture
def store(db):
    return SqlStore(db)


def new(title="a", **more):
    return NewJob("toy", title, {"n": 1}, **more)


async def add(store, *jobs, now=NOW):
    return await store.add([(new_id(now), job) for job in jobs], now)


async def lease(store, free=10, *, holder="w1", limits=None, now=NOW, kinds=KINDS):
    return await store.lease(Claim(holder, kinds, free, limits or {}), now, now + 30)


async def test_what_is_added_is_found_again_as_it_was(store):
    (job,) = await add(store, new("iso", priority=3, owner="me", not_before=None))
    found = await store.get(job.id)
    assert found == job
    assert found.state is State.QUEUED
    assert found.spec == {"n": 1}
    assert await store.get(new_id()) is None


async def test_a_known_idempotency_key_returns_the_first_job(store):
    (first,) = await add(store, new(idempotency_key="k"))
    (second,) = await add(store, new(idempotency_key="k"))
    assert second.id == first.id
    assert (await store.counts([], None))[State.QUEUED] == 1
    with pytest.raises(Conflict) as error:
        await add(store, NewJob("toy", "a", {"n": 2}, idempotency_key="k"))
    assert error.value.code == "idempotency_reused"


async def test_a_batch_is_accepted_whole_or_not_at_all(store):
    await add(store, new(idempotency_key="k"))
    with pytest.raises(Conflict):
        await add(store, new("other"), NewJob("toy", "a", {"n": 2}, idempotency_key="k"))
    assert (await store.counts([], None))[State.QUEUED] == 1


async def test_jobs_are_leased_in_run_order_and_only_once(store):
    jobs = await add(store, new("late", priority=9), new("first"), new("second"), new("urgent", priority=0))
    taken = await lease(store, 3)
    assert [job.title for job in taken] == ["urgent", "first", "second"]
    assert all(job.epoch == 1 and job.attempt == 1 and job.state is State.RUNNING for job in taken)
    assert [job.title for job in await lease(store)] == ["late"]
    assert await lease(store) == []
    assert (await store.counts([], None))[State.RUNNING] == len(jobs)


async def test_many_workers_at_once_never_take_the_same_job(store):
    await add(store, *[new(str(n)) for n in range(60)])
    taken = await asyncio.gather(*[lease(store, 7, holder=f"w{n}") for n in range(12)])
    ids = [job.id for jobs in taken for job in jobs]
    assert len(ids) == len(set(ids)) == 60


async def test_limits_per_kind_and_over_all_hold(store):
    await add(store, *[new(str(n)) for n in range(5)], *[NewJob("other", str(n), {}) for n in range(5)])
    both = ["toy", "other"]
    taken = await lease(store, 10, limits={"toy": 2}, kinds=both)
    assert sorted(job.kind for job in taken) == ["other"] * 5 + ["toy"] * 2
    assert await lease(store, 10, limits={"*": 7}, kinds=both) == []
    assert len(await lease(store, 10, limits={"*": 8}, kinds=both)) == 1


async def test_a_job_that_has_to_wait_becomes_due(store):
    await add(store, new(not_before=NOW + 60))
    assert await lease(store) == []
    assert await store.next_due() == NOW + 60
    assert await store.wake(NOW + 59) == []
    assert len(await store.wake(NOW + 60)) == 1
    assert len(await lease(store, now=NOW + 61)) == 1


async def test_a_write_with_an_old_epoch_is_refused(store):
    await add(store, new())
    (first,) = await lease(store)
    assert len(await store.reclaim(NOW + 31, [])) == 1
    (second,) = await lease(store, holder="w2", now=NOW + 32)
    assert second.epoch == first.epoch + 1
    assert await store.save([Save(first.id, first.epoch, checkpoint={"old": 1})], NOW) == {first.id}
    assert await store.finish(first.id, first.epoch, Outcome(Cause.SUCCEED), NOW) is None
    assert (await store.get(first.id)).checkpoint is None
    assert await store.save([Save(first.id, second.epoch, checkpoint={"new": 1})], NOW) == set()


async def test_a_live_lease_is_not_reclaimed_however_long_the_job(store):
    (job,) = await add(store, new())
    await lease(store, now=NOW)
    for step in range(1, 10):
        await store.renew("w1", [job.id], NOW + step * 20 + 30)
        assert await store.reclaim(NOW + step * 20, []) == []


async def test_the_jobs_of_a_dead_holder_return_at_once_with_their_checkpoint(store):
    await add(store, new())
    (job,) = await lease(store)
    await store.save([Save(job.id, job.epoch, checkpoint={"at": 5})], NOW)
    (back,) = await store.reclaim(NOW + 1, ["w1"])
    assert back.state is State.QUEUED
    (again,) = await lease(store, holder="w2")
    assert again.checkpoint == {"at": 5}
    assert again.attempt == 1


async def test_progress_phase_and_result_are_recorded(store):
    await add(store, new())
    (job,) = await lease(store)
    progress = Progress(total=10, network=5, disk=4, verified=3, rate=1.5, slow="limit")
    await store.save([Save(job.id, job.epoch, progress=progress, phase="downloading")], NOW + 1)
    done = await store.finish(job.id, job.epoch, Outcome(Cause.SUCCEED, result={"size": 10}), NOW + 2)
    assert (done.progress, done.phase, done.result) == (progress, "downloading", {"size": 10})
    assert done.finished_at == NOW + 2
    kinds = [event.type for event in await store.events(job.id, 0, 10)]
    assert kinds == ["accepted", "state", "phase", "state"]


async def test_a_failure_keeps_reason_and_advice_and_waits_without_spending_an_attempt(store):
    await add(store, new())
    (job,) = await lease(store)
    outcome = Outcome(
        Cause.RETRY_LATER, reason=Reason.DISK_FULL, error="no room", error_code="disk_full", advice="make room",
        not_before=NOW + 30, counts=False,
    )  # fmt: skip
    waiting = await store.finish(job.id, job.epoch, outcome, NOW)
    assert (waiting.state, waiting.reason, waiting.attempt) == (State.WAITING, Reason.DISK_FULL, 0)


async def test_wishes_change_at_once_or_are_told_to_the_worker(store):
    (queued,) = await add(store, new())
    paused = await store.act(queued, Desired.PAUSE, State.PAUSED, NOW)
    assert paused.state is State.PAUSED
    assert await store.act(queued, Desired.RUN, State.QUEUED, NOW) is None
    back = await store.act(paused, Desired.RUN, State.QUEUED, NOW)
    (running,) = await lease(store)
    assert back.id == running.id
    await store.act(running, Desired.CANCEL, None, NOW)
    wanted = {running.id: Held(running.epoch, Desired.CANCEL)}
    assert await store.held("w1") == wanted
    assert await store.renew("w1", [running.id], NOW + 60) == wanted
    assert await store.renew("w2", [running.id], NOW + 60) == {}


async def test_lists_page_through_everything_exactly_once(store):
    await add(store, *[new(f"job {n}", priority=n % 3) for n in range(25)])
    for sort in ("created_at", "-created_at", "title", "-title", "priority", "run_order", "-updated_at"):
        seen, cursor = [], None
        while True:
            page = await store.find(Query(sort=sort, limit=7, cursor=cursor))
            seen += [job.id for job in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 25


@pytest.mark.parametrize("cursor", ["x", "e30", "W10", "WzFd", "////", "\ud800"])
async def test_a_foreign_cursor_is_refused(store, cursor):
    with pytest.raises(Invalid) as error:
        await store.find(Query(cursor=cursor))
    assert error.value.code == "cursor_invalid"


async def test_search_finds_words_and_beginnings_and_is_no_query_language(store):
    await add(store, new("debian-12-amd64.iso"), new("ubuntu 24.04 server"), new('odd " OR * NEAR('))
    assert [job.title for job in (await store.find(Query(text="deb amd"))).items] == ["debian-12-amd64.iso"]
    assert [job.title for job in (await store.find(Query(text="SERVER"))).items] == ["ubuntu 24.04 server"]
    for hostile in ('"', "* OR", "a NEAR(b", "title:x", "'; DROP TABLE jobs", "☃", "%", "-"):
        assert len((await store.find(Query(text=hostile))).items) <= 3
    assert (await store.find(Query(text="nothing like it"))).items == ()


async def test_filters_narrow(store):
    jobs = await add(store, new("a", owner="x"), new("b", owner="y"), NewJob("other", "c", {}))
    (first,) = await lease(store, 1)
    await store.finish(first.id, first.epoch, Outcome(Cause.FAIL, reason=Reason.NETWORK, error="cut"), NOW)
    assert [job.id for job in (await store.find(Query(reasons=(Reason.NETWORK,)))).items] == [first.id]
    assert [job.id for job in (await store.find(Query(states=(State.FAILED,), text="cut"))).items] == [
        first.id
    ]
    assert {job.kind for job in (await store.find(Query(kinds=("other",)))).items} == {"other"}
    assert [job.owner for job in (await store.find(Query(owner="y"))).items] == ["y"]
    assert (await store.find(Query(since=NOW + 1))).items == ()
    assert await store.ids(Query(owner="x"), 10) == [jobs[0].id]


async def test_counts_follow_every_change(store):
    await add(store, new(owner="me"), new(), new())
    (job,) = await lease(store, 1)
    await store.finish(job.id, job.epoch, Outcome(Cause.SUCCEED), NOW)
    counts = await store.counts(["toy"], None)
    assert (counts[State.QUEUED], counts[State.SUCCEEDED], counts[State.RUNNING]) == (2, 1, 0)
    assert (await store.counts([], "me"))[State.SUCCEEDED] == 1
    assert await store.delete([job.id], NOW) == [job.id]
    assert (await store.counts([], None))[State.SUCCEEDED] == 0


async def test_only_finished_jobs_are_deleted(store):
    (job,) = await add(store, new())
    assert await store.delete([job.id], NOW) == []
    assert await store.get(job.id) is not None


async def test_children_are_found_by_their_parent(store):
    (parent,) = await add(store, new("parent"))
    await add(store, new("child", parent=parent.id))
    assert [job.title for job in (await store.find(Query(parent=parent.id))).items] == ["child"]
