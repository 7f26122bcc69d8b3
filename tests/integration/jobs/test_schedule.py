"""Start now, windows on a clock that is held, and the trash, with a worker on a real ledger."""

import asyncio
import contextlib
from datetime import datetime

import pytest

from ferryman.core.errors import Conflict
from ferryman.jobs.model import State
from ferryman.jobs.purge import Purger
from ferryman.jobs.run import StopReason
from ferryman.jobs.worker import Worker

NIGHT = "22:00-06:00"


class HeldClock:
    """Stands still until somebody moves it."""

    def __init__(self, hour):
        self.at(hour)

    def at(self, hour, minute=0, day=15):
        self.time = datetime(2026, 6, day, hour, minute).timestamp()  # noqa: DTZ001 - the wall clock of this place

    def now(self):
        return self.time

    def monotonic(self):
        return asyncio.get_running_loop().time()


@pytest.fixture
def clock(ledger):
    ledger.clock = HeldClock(12)
    return ledger.clock


async def test_a_job_for_the_night_runs_at_night_and_goes_on_the_next_one(
    ledger, clock, worker, toy, submit, until
):
    job = await submit("wait", window=NIGHT)
    assert job.state is State.WAITING
    clock.at(22)
    ledger.dispatch.announce("toy")
    await until(job.id, State.RUNNING)
    clock.at(6, day=16)
    waiting = await until(job.id, State.WAITING)
    assert toy.stops == [StopReason.CLOSED]
    assert (waiting.attempt, waiting.error, waiting.reason) == (0, None, None)
    assert datetime.fromtimestamp(waiting.not_before).hour == 22  # noqa: DTZ006 - the wall clock of this place
    clock.at(23, day=16)
    toy.go.set()
    ledger.dispatch.announce("toy")
    done = await until(job.id, State.SUCCEEDED)
    assert done.result == {"checkpoint": {"step": 2}}


async def test_a_pause_wins_over_the_end_of_the_night(ledger, clock, worker, submit, until):
    clock.at(23)
    job = await submit("wait", window=NIGHT)
    await until(job.id, State.RUNNING)
    await ledger.pause(job.id)
    clock.at(7)
    assert (await until(job.id, State.PAUSED, State.WAITING)).state is State.PAUSED
    await ledger.resume(job.id)
    assert (await until(job.id, State.WAITING)).window == NIGHT


async def test_start_now_runs_at_noon_beyond_the_limit_and_is_an_ordinary_job_afterwards(
    ledger, clock, worker, toy, limits, submit, until
):
    limits["toy"] = 1
    ordinary = await submit("wait")
    await until(ordinary.id, State.RUNNING)
    nightly = await submit("wait", window=NIGHT)
    queued = await submit("wait")
    for job in (nightly, queued):
        await ledger.start_now(job.id)
        assert (await until(job.id, State.RUNNING)).urgent
    assert toy.most == 3
    await ledger.pause(queued.id)
    assert not (await until(queued.id, State.PAUSED)).urgent
    toy.go.set()
    assert not (await until(nightly.id, State.SUCCEEDED)).urgent


async def test_a_schedule_is_changed_while_it_waits(ledger, clock, worker, submit, until):
    job = await submit(not_before=clock.now() + 3600)
    planned = await ledger.schedule(job.id, clock.now() + 60, window="13:00-14:00")
    assert datetime.fromtimestamp(planned.not_before).hour == 13  # noqa: DTZ006 - the wall clock of this place
    await ledger.schedule(job.id, None)
    await until(job.id, State.SUCCEEDED)
    with pytest.raises(Conflict):
        await ledger.schedule(job.id, clock.now() + 60)


# the trash


@pytest.fixture
async def ended(ledger, worker, submit, until):
    job = await submit()
    return await until(job.id, State.SUCCEEDED)


async def test_the_log_stays_as_long_as_the_job_can_come_back(ledger, clock, ended):
    purger = Purger(ledger, {}, after=60)
    await ledger.delete([ended.id])
    clock.time += 59
    assert await purger.purge() == 0
    assert (ledger.folder(ended.id) / "job.log").exists()
    assert [job.id for job in await ledger.restore([ended.id])] == [ended.id]
    await ledger.delete([ended.id])
    clock.time += 60
    assert await purger.purge() == 1
    assert not ledger.folder(ended.id).exists()
    assert await ledger.restore([ended.id]) == []


async def test_what_was_fetched_goes_only_when_that_was_asked(ledger, clock, ended, submit, until):
    discarded = []

    async def discard(job):
        discarded.append(job.id)

    other = await until((await submit()).id, State.SUCCEEDED)
    await ledger.delete([ended.id], files=True)
    await ledger.delete([other.id])
    clock.time += 61
    assert await Purger(ledger, {"toy": discard}).purge() == 2
    assert discarded == [ended.id]


async def test_a_purge_that_is_killed_half_way_is_finished_by_the_next(ledger, clock, ended):
    calls = []

    class Killed(BaseException):
        pass

    async def discard(job):
        calls.append(job.id)
        if len(calls) == 1:
            raise Killed

    await ledger.delete([ended.id], files=True)
    clock.time += 61
    with contextlib.suppress(Killed):
        await Purger(ledger, {"toy": discard}).purge()
    assert await ledger.restore([ended.id]) == []
    assert (ledger.folder(ended.id) / "job.log").exists()
    assert await Purger(ledger, {"toy": discard}).purge() == 1
    assert calls == [ended.id, ended.id]
    assert not ledger.folder(ended.id).exists()


async def test_the_purger_works_by_itself_and_outlives_faults(ledger, clock, ended, happens):
    async def discard(job):
        raise OSError("in use")

    purger = Purger(ledger, {"toy": discard}, after=0.05)
    await purger.start()
    await ledger.delete([ended.id], files=True)
    clock.time += 1
    await happens(lambda: not ledger.folder(ended.id).exists())
    await purger.stop()


async def test_an_urgent_job_runs_though_every_place_of_the_worker_is_taken(ledger, toy, submit, until):
    worker = Worker(ledger, {"toy": toy}, concurrency=1)
    await worker.start()
    first = await submit("wait")
    await until(first.id, State.RUNNING)
    second = await submit("wait")
    await ledger.start_now(second.id)
    await until(second.id, State.RUNNING)
    assert toy.most == 2
    toy.go.set()
    await worker.stop()
