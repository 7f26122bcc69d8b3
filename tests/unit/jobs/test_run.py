import asyncio

import pytest

from ferryman.jobs.log import JobLog
from ferryman.jobs.model import Desired, Job, Progress, State
from ferryman.jobs.run import Run, Stopped, StopReason

JOB = Job(
    id="j", kind="toy", title="t", spec={}, state=State.RUNNING, desired=Desired.RUN, priority=5, position=1.0,
    created_at=1.0, updated_at=1.0, checkpoint={"at": 1}, epoch=3,
)  # fmt: skip


class Book:
    def __init__(self):
        self.kept, self.holds = [], True

    async def __call__(self, run, *, phase=None, checkpoint=None):
        self.kept.append((run.job.epoch, phase, checkpoint))
        return self.holds


class Clock:
    def now(self):
        return 0.0


@pytest.fixture
def book():
    return Book()


@pytest.fixture
def run(tmp_path, book):
    return Run(JOB, tmp_path, JobLog(tmp_path / "job.log", Clock(), lambda lines: None), book)


async def test_a_phase_is_recorded_once_and_a_checkpoint_each_time(run, book):
    assert run.checkpoint == {"at": 1}
    await run.phase("a")
    await run.phase("a")
    await run.save({"at": 2})
    assert book.kept == [(3, "a", None), (3, None, {"at": 2})]
    assert run.checkpoint == {"at": 2}


async def test_a_lost_lease_stops_the_run_and_keeps_no_checkpoint(run, book):
    book.holds = False
    with pytest.raises(Stopped):
        await run.save({"at": 2})
    assert run.checkpoint == {"at": 1}
    assert await run.stopped() is StopReason.LOST


async def test_progress_is_only_remembered(run, book):
    run.progress(Progress(disk=5))
    assert run.dirty
    assert run.latest.disk == 5
    assert book.kept == []


@pytest.mark.parametrize(
    ("reasons", "last"),
    [
        ([StopReason.PAUSE, StopReason.SHUTDOWN], StopReason.PAUSE),
        ([StopReason.PAUSE, StopReason.CANCEL], StopReason.CANCEL),
        ([StopReason.CANCEL, StopReason.PAUSE], StopReason.CANCEL),
        ([StopReason.LOST, StopReason.CANCEL], StopReason.LOST),
        ([StopReason.SHUTDOWN, StopReason.LOST], StopReason.LOST),
    ],
)
async def test_the_strongest_reason_to_stop_counts(run, reasons, last):
    waiting = asyncio.ensure_future(run.stopped())
    for reason in reasons:
        run.stop(reason)
    assert await waiting is last
