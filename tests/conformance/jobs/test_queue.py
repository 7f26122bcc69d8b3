"""The order of the queue, what runs at once, schedules and the trash: every store behaves the same."""

import asyncio
import dataclasses
from datetime import datetime

import pytest

from ferryman.core.errors import Conflict
from ferryman.core.ids import new_id
from ferryman.jobs.model import NewJob, Progress, Query, Reason, State
from ferryman.jobs.ports import Claim, Outcome, Place, Save
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.transitions import Cause

NOW = 1_700_000_000.0


@pytest.fixture
def store(db):
    return SqlStore(db)


def new(title="a", **more):
    return NewJob("toy", title, {"n": 1}, **more)


async def add(store, *jobs, now=NOW):
    return await store.add([(new_id(now), job) for job in jobs], now)


def lease(store, free=10, *, limits=None, now=NOW, holder="w1"):
    return store.lease(Claim(holder, ["toy"], free, limits or {}), now, now + 30)


async def order(store):
    page = await store.find(Query(states=(State.QUEUED,), sort="run_order", limit=200))
    return "".join(job.title for job in page.items)


# order


@pytest.mark.parametrize(
    ("moved", "place", "then"),
    [
        ("d", {"before": "b"}, "adbce"),
        ("a", {"after": "d"}, "bcdae"),
        ("e", {"top": True}, "eabcd"),
        ("a", {"bottom": True}, "bcdea"),
        ("db", {"before": "a"}, "dbace"),
        ("ae", {"after": "c"}, "bcaed"),
        ("c", {"before": "d"}, "abcde"),
        ("abcde", {"top": True}, "abcde"),
        ("edcba", {"bottom": True}, "edcba"),
    ],
)
async def test_jobs_go_where_they_are_dragged(store, moved, place, then):
    jobs = {job.title: job for job in await add(store, *[new(title) for title in "abcde"])}
    where = {name: jobs[value].id if isinstance(value, str) else value for name, value in place.items()}
    answer = await store.move([jobs[title].id for title in moved], Place(**where), NOW + 1)
    assert await order(store) == then
    assert "".join(job.title for job in answer) == moved
    for job in answer:
        assert await store.get(job.id) == job
    assert "".join(job.title for job in await lease(store)) == then


async def test_a_job_dragged_among_others_of_another_priority_takes_theirs(store):
    jobs = await add(store, new("a", priority=0), new("b", priority=0), new("c"), new("d", priority=9))
    await store.move([jobs[3].id], Place(after=jobs[0].id), NOW)
    assert await order(store) == "adbc"
    assert (await store.get(jobs[3].id)).priority == 0
    await store.move([jobs[0].id], Place(bottom=True), NOW)
    assert await order(store) == "dbca"
    assert (await store.get(jobs[0].id)).priority == 5


async def test_a_place_is_found_however_often_it_was_halved(store):
    jobs = {job.title: job for job in await add(store, *[new(title) for title in "abcdefgh"])}
    expected = "abcdefgh"
    for turn in range(60):  # always between the first two: each time half of the room is left
        title = expected[-1]
        await store.move([jobs[title].id], Place(after=jobs[expected[0]].id), NOW + turn)
        expected = expected[0] + title + expected[1:-1]
        assert await order(store) == expected


async def test_what_is_accepted_later_comes_after_what_went_to_the_bottom(store):
    jobs = await add(store, new("a"), new("b"))
    await store.move([jobs[0].id], Place(bottom=True), NOW + 1)
    await add(store, new("c"), now=NOW + 2)
    assert await order(store) == "bac"


async def test_only_queued_jobs_move_and_only_next_to_queued_ones(store):
    jobs = await add(store, new("a"), new("b"), new("c"))
    (running,) = await lease(store, 1)
    assert await store.move([running.id], Place(bottom=True), NOW) == []
    for gone in (running.id, new_id(), jobs[1].id):
        with pytest.raises(Conflict) as error:
            await store.move([jobs[1].id], Place(before=gone), NOW)
        assert error.value.code == "place_gone"
    assert [job.title for job in await store.move([running.id, jobs[2].id], Place(top=True), NOW)] == ["c"]
    assert await order(store) == "cb"


async def test_many_who_reorder_at_once_lose_nothing(store):
    jobs = await add(store, *[new(title) for title in "abcdefghij"])
    moves = [
        store.move([job.id], Place(top=True) if number % 2 else Place(after=jobs[0].id), NOW)
        for number, job in enumerate(jobs[1:])
    ]
    await asyncio.gather(*moves, lease(store, 0))
    assert sorted(await order(store)) == list("abcdefghij")
    assert len({job.position for job in (await store.find(Query(limit=50))).items}) == 10


# start now


async def urgent(store, job, now=NOW):
    return await store.alter(job, {"urgent": True}, now)


async def test_an_urgent_job_is_taken_beyond_every_limit_and_counts_like_others(store):
    jobs = await add(store, *[new(str(n)) for n in range(6)])
    limits = {"toy": 2, "*": 2}
    assert len(await lease(store, 2, limits=limits)) == 2
    assert await lease(store, 0, limits=limits) == []
    await urgent(store, jobs[5])
    (taken,) = await lease(store, 0, limits=limits)
    assert (taken.id, taken.urgent, taken.state) == (jobs[5].id, True, State.RUNNING)
    assert await lease(store, -1, limits=limits) == []
    await store.finish(taken.id, taken.epoch, Outcome(Cause.SUCCEED), NOW)
    assert await lease(store, 5, limits=limits) == []  # two run, and two may
    await urgent(store, jobs[4])
    assert [job.id for job in await lease(store, 5, limits={"toy": 3, "*": 9})] == [jobs[4].id]


async def test_urgency_ends_with_the_run_and_outlives_a_lost_worker(store):
    (job,) = await add(store, new())
    await urgent(store, job)
    (run,) = await lease(store, 0)
    (back,) = await store.reclaim(NOW + 31, [])
    assert (back.state, back.urgent) == (State.QUEUED, True)
    (run,) = await lease(store, 0, now=NOW + 40)
    outcome = Outcome(Cause.RETRY_LATER, reason=Reason.NETWORK, error="cut", not_before=NOW + 60)
    waiting = await store.finish(run.id, run.epoch, outcome, NOW + 41)
    assert waiting.urgent is False
    assert (await store.get(job.id)).urgent is False


# schedule


def local(hour, minute=0, day=15):
    return datetime(2026, 6, day, hour, minute).timestamp()  # noqa: DTZ001 - the wall clock of this place


async def test_a_job_waits_for_its_window_and_leaves_the_queue_when_that_closes(store):
    noon, night, morning = local(12), local(22), local(6, day=16)
    (job,) = await add(store, new(window="22:00-06:00"), now=noon)
    assert (job.state, job.not_before) == (State.WAITING, night)
    assert await store.wake(night - 1) == []
    assert [woken.state for woken in await store.wake(night)] == [State.QUEUED]
    assert await store.defer(morning - 1) == []
    (deferred,) = await store.defer(morning)
    assert (deferred.state, deferred.not_before) == (State.WAITING, local(22, day=16))
    assert await store.get(job.id) == deferred
    assert await lease(store, now=morning) == []
    assert (await store.counts([], None))[State.WAITING] == 1


async def test_an_urgent_job_does_not_wait_for_its_window(store):
    (job,) = await add(store, new(window="22:00-06:00"), now=local(23))
    await urgent(store, job)
    assert await store.defer(local(12)) == []
    assert len(await lease(store, now=local(12))) == 1


async def test_a_run_that_is_deferred_waits_and_spends_no_attempt(store):
    (job,) = await add(store, new(window="22:00-06:00"), now=local(23))
    (run,) = await lease(store, now=local(23))
    outcome = Outcome(Cause.DEFER, not_before=local(22, day=16), counts=False)
    waiting = await store.finish(run.id, run.epoch, outcome, local(6, day=16))
    assert (waiting.state, waiting.attempt, waiting.error) == (State.WAITING, 0, None)
    assert waiting.not_before == local(22, day=16)
    assert waiting.id == job.id


async def test_altering_is_refused_when_the_job_has_moved_on(store):
    (job,) = await add(store, new())
    await lease(store)
    assert await store.alter(job, {"category": "iso"}, NOW) is None
    assert (await store.get(job.id)).category is None


async def test_a_changed_state_is_booked_and_noted_with_its_cause(store):
    (job,) = await add(store, new())
    changed = await store.alter(job, {"state": State.WAITING, "not_before": NOW + 9}, NOW, Cause.DEFER)
    assert (changed.state, changed.not_before) == (State.WAITING, NOW + 9)
    counts = await store.counts([], None)
    assert (counts[State.QUEUED], counts[State.WAITING]) == (0, 1)
    assert (await store.events(job.id, 0, 10))[-1].data == {
        "from": "queued",
        "to": "waiting",
        "cause": "defer",
    }


# trash


async def ended(store, title="debian.iso", **more):
    await add(store, new(title, owner="me", category="iso", host="example.org", **more))
    (job,) = await lease(store)
    saved = Save(
        job.id, job.epoch, progress=Progress(total=7, network=7, rate=0.1), checkpoint={"at": [1, "ü"]}
    )
    await store.save([saved], NOW)
    return await store.finish(job.id, job.epoch, Outcome(Cause.SUCCEED, result={"size": 7}), NOW + 0.123456)


async def test_a_deleted_job_is_nowhere_and_comes_back_unchanged(store):
    (other,) = await add(store, new("other"))
    await store.alter(other, {"state": State.PAUSED}, NOW)
    job = await ended(store, idempotency_key="k")
    before = await store.get(job.id)
    events = await store.events(job.id, 0, 50)
    assert await store.delete([job.id], NOW + 5) == [job.id]
    assert await store.get(job.id) is None
    assert (await store.find(Query(text="debian"))).items == ()
    assert [found.id for found in (await store.find(Query())).items] == [other.id]
    assert (await store.counts([], None))[State.SUCCEEDED] == 0
    assert await store.delete([job.id], NOW + 5) == []
    assert await store.restore([job.id, new_id()]) == [before]
    assert await store.get(job.id) == before
    assert [found.id for found in (await store.find(Query(text="debian"))).items] == [job.id]
    assert [found.id for found in (await store.find(Query(sort="created_at"))).items] == [other.id, job.id]
    assert (await store.counts([], "me"))[State.SUCCEEDED] == 1
    assert await store.events(job.id, 0, 50) == events
    assert await store.restore([job.id]) == []


async def test_a_key_that_was_used_again_belongs_to_the_later_job(store):
    job = await ended(store, idempotency_key="k")
    await store.delete([job.id], NOW)
    (later,) = await add(store, new("later", owner="me", idempotency_key="k"))
    (back,) = await store.restore([job.id])
    assert back == dataclasses.replace(await store.get(job.id), idempotency_key=None)
    assert (await store.get(later.id)).idempotency_key == "k"


async def test_what_is_doomed_cannot_come_back_and_is_told_until_it_is_removed(store):
    first, second = await ended(store), await ended(store, "other")
    await store.delete([first.id], NOW, files=True)
    await store.delete([second.id], NOW + 30)
    assert await store.doom(NOW - 1) == []
    (doomed,) = await store.doom(NOW)
    assert (doomed.job.id, doomed.files, doomed.job.result) == (first.id, True, {"size": 7})
    assert await store.restore([first.id]) == []
    assert [again.job.id for again in await store.doom(NOW - 1)] == [first.id]  # its process was killed
    assert await store.events(first.id, 0, 50) != []
    await store.remove([first.id, second.id])
    assert await store.events(first.id, 0, 50) == []
    assert await store.doom(NOW) == []
    assert [job.id for job in await store.restore([second.id])] == [second.id]


async def test_delete_restore_and_doom_at_once_leave_each_job_in_one_place(store):
    jobs = [await ended(store, str(number)) for number in range(12)]
    ids = [job.id for job in jobs]
    await store.delete(ids, NOW)
    answers = await asyncio.gather(
        *[store.restore([job_id]) for job_id in ids], store.doom(NOW), store.doom(NOW)
    )
    back = {job.id for jobs in answers[:-2] for job in jobs}
    doomed = {gone.job.id for jobs in answers[-2:] for gone in jobs}
    assert back | doomed == set(ids)
    assert not back & doomed
    assert (await store.counts([], None))[State.SUCCEEDED] == len(back)
