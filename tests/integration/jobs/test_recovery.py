"""When something else fails: a lost lease, a ledger that does not answer, a handler out of its mind, a job that kills workers."""

import asyncio

import pytest

from ferryman.core.clock import SystemClock
from ferryman.core.errors import Unavailable
from ferryman.jobs.model import Desired, NewJob, Reason, State
from ferryman.jobs.ports import Claim, Save
from ferryman.jobs.retry import MOST_LOSSES
from ferryman.jobs.run import StopReason
from ferryman.jobs.worker import Worker


async def test_a_run_that_lost_its_lease_stops_and_another_goes_on(
    ledger, worker, toy, submit, until, happens
):
    job = await submit("wait")
    await happens(lambda: toy.runs[job.id] == 1)
    await ledger.store.reclaim(SystemClock().now(), [worker.holder])
    await happens(lambda: StopReason.LOST in toy.stops)
    toy.go.set()
    done = await until(job.id, State.SUCCEEDED)
    assert done.result == {"checkpoint": {"step": 2}}
    assert done.epoch == 2


async def test_a_wish_nobody_announced_is_followed_within_a_beat(ledger, worker, toy, submit, until, happens):
    job = await submit("wait")
    await happens(lambda: toy.runs[job.id] == 1)
    running = await ledger.get(job.id)
    await ledger.store.act(running, Desired.PAUSE, None, SystemClock().now())
    assert (await until(job.id, State.PAUSED)).attempt == 0


async def test_all_leases_return_at_once_when_no_other_worker_can_be_alive(ledger, toy, submit, until):
    job = await submit()
    now = SystemClock().now()
    await ledger.store.lease(Claim("host-after-a-power-cut", ["toy"], 1), now, now + 9999)
    worker = Worker(ledger, {"toy": toy}, alone=True)
    await worker.start()
    await until(job.id, State.SUCCEEDED)
    await worker.stop()


async def test_a_living_worker_elsewhere_keeps_its_lease(ledger, worker, toy, submit):
    await worker.stop()
    job = await submit()
    now = SystemClock().now()
    await ledger.store.lease(Claim("elsewhere", ["toy"], 1), now, now + 9999)
    other = Worker(ledger, {"toy": toy})
    await other.start()
    await other.stop()
    assert (await ledger.get(job.id)).lease_holder == "elsewhere"


async def test_a_job_that_takes_its_workers_down_fails_at_last(ledger, submit):
    await submit()
    for number in range(MOST_LOSSES):
        now = SystemClock().now()
        (taken,) = await ledger.store.lease(Claim(f"w{number}", ["toy"], 1), now, now + 9)
        assert taken.attempt == 1
        (back,) = await ledger.store.reclaim(now, [f"w{number}"])
    assert (back.state, back.reason) == (State.FAILED, Reason.LOST)
    assert str(MOST_LOSSES) in back.error
    assert back.advice


async def test_a_job_that_gets_on_may_be_lost_as_often_as_it_likes(ledger, submit):
    await submit()
    for number in range(MOST_LOSSES * 2):
        now = SystemClock().now()
        (taken,) = await ledger.store.lease(Claim(f"w{number}", ["toy"], 1), now, now + 9)
        await ledger.store.save([Save(taken.id, taken.epoch, checkpoint={"n": number})], now)
        (back,) = await ledger.store.reclaim(now, [f"w{number}"])
    assert back.state is State.QUEUED


class Stubborn:
    """A store that refuses its first `refusals` ends of runs."""

    def __init__(self, store, refusals):
        self._store, self.left = store, refusals

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def finish(self, *args):
        if self.left:
            self.left -= 1
            raise Unavailable("database_unavailable", "Not now.")
        return await self._store.finish(*args)


async def test_an_end_is_recorded_when_the_ledger_answers_again(ledger, toy, submit, until, monkeypatch):
    monkeypatch.setattr("ferryman.jobs.execution.PATIENCE", 0.01)
    ledger.store = Stubborn(ledger.store, 3)
    worker = Worker(ledger, {"toy": toy})
    await worker.start()
    job = await submit()
    await until(job.id, State.SUCCEEDED)
    await worker.stop()
    assert (toy.runs[job.id], ledger.store.left) == (1, 0)


@pytest.mark.parametrize("do", ["leave", "nonsense", "broken_wait"])
async def test_a_handler_out_of_its_mind_fails_only_its_job(ledger, worker, submit, until, do):
    job = await submit(do)
    assert (await until(job.id, State.FAILED)).reason is Reason.INTERNAL
    await until((await submit()).id, State.SUCCEEDED)


async def test_a_fault_tells_no_secrets(ledger, worker, submit, until):
    job = await submit("crash")
    failed = await until(job.id, State.FAILED)
    log, _ = await ledger.read_log(job.id)
    assert "hunter2" not in failed.error + log + await ledger.report_text(job.id)


async def test_children_follow_their_parent(ledger, submit):
    parent = await submit()
    child = await submit(parent=parent.id)
    grandchild = await submit(parent=child.id)
    family = [parent, child, grandchild]

    async def states():
        return {(await ledger.get(job.id)).state for job in family}

    await ledger.pause(parent.id)
    assert await states() == {State.PAUSED}
    await ledger.resume(parent.id)
    assert await states() == {State.QUEUED}
    await ledger.cancel(parent.id)
    assert await states() == {State.CANCELLED}
    await ledger.retry(parent.id)
    assert await states() == {State.QUEUED}


async def test_a_report_that_a_crash_prevented_is_written_at_the_next_start(ledger, toy, submit, happens):
    job = await submit()
    await ledger.cancel(job.id)
    report = ledger.folder(job.id) / "report.txt"
    report.unlink()
    worker = Worker(ledger, {"toy": toy})
    await worker.start()
    await happens(report.exists)
    await worker.stop()


async def test_many_jobs_pass_through_one_worker(ledger, worker):
    await ledger.submit_many([NewJob("toy", f"job {n}", {"do": "succeed"}) for n in range(300)])
    async with asyncio.timeout(60):
        while (await ledger.counts())[State.SUCCEEDED] < 300:
            await asyncio.sleep(0.05)
