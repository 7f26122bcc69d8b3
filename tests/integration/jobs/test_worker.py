"""A worker on a real SQLite ledger: what people want of running jobs, failures, retries, limits, shutdown."""

import asyncio

import pytest

from ferryman.core.clock import SystemClock
from ferryman.core.errors import Conflict, Invalid, NotFound
from ferryman.jobs.model import TERMINAL, Query, Reason, State
from ferryman.jobs.worker import Worker


async def test_a_job_runs_and_leaves_log_report_and_events(ledger, worker, submit, until):
    job = await submit()
    done = await until(job.id, State.SUCCEEDED)
    assert done.result == {"attempt": 1, "checkpoint": None}
    assert done.progress.disk == 2
    async with asyncio.timeout(10):
        while not (ledger.folder(job.id) / "report.txt").exists():
            await asyncio.sleep(0.02)
    text, _ = await ledger.read_log(job.id)
    assert "attempt 1 begins" in text
    assert "phase: working" in text
    assert (await ledger.report(job.id))["state"] == "succeeded"


async def test_pause_and_resume_go_on_from_the_checkpoint(ledger, worker, toy, submit, until):
    job = await submit("wait")
    await until(job.id, State.RUNNING)
    while not toy.runs[job.id]:
        await asyncio.sleep(0.01)
    await ledger.pause(job.id)
    await until(job.id, State.PAUSED)
    toy.go.set()
    await ledger.resume(job.id)
    done = await until(job.id, State.SUCCEEDED)
    assert done.result == {"checkpoint": {"step": 2}}
    assert done.attempt == 1


async def test_cancel_ends_a_running_and_a_queued_job(ledger, worker, submit, until):
    job = await submit("wait")
    await until(job.id, State.RUNNING)
    await ledger.cancel(job.id)
    assert (await until(job.id, *TERMINAL)).state is State.CANCELLED
    later = await submit(not_before=SystemClock().now() + 999)
    assert (await ledger.cancel(later.id)).state is State.CANCELLED
    with pytest.raises(Conflict):
        await ledger.pause(later.id)


@pytest.mark.parametrize(
    ("do", "reason", "advice"),
    [("invalid", Reason.INVALID, "Make it right."), ("crash", Reason.INTERNAL, "please report it")],
)
async def test_a_final_failure_has_reason_and_advice(ledger, worker, do, reason, advice, submit, until):
    job = await submit(do)
    failed = await until(job.id, State.FAILED)
    assert failed.reason is reason
    assert advice in failed.advice
    assert "What went wrong" in await ledger.report_text(job.id)


async def test_a_passing_failure_waits_and_is_tried_again(ledger, worker, toy, submit, until):
    job = await submit("gone")
    waiting = await until(job.id, State.WAITING)
    assert waiting.reason is Reason.NETWORK
    assert waiting.not_before > waiting.updated_at
    await ledger.resume(job.id)
    async with asyncio.timeout(20):
        while toy.runs[job.id] < 2:
            await asyncio.sleep(0.02)


async def test_a_full_disk_waits_and_goes_on_when_there_is_room(ledger, worker, toy, submit, until):
    job = await submit("full", max_attempts=1)
    waiting = await until(job.id, State.WAITING)
    assert (waiting.reason, waiting.attempt) == (Reason.DISK_FULL, 0)
    toy.room = True
    await ledger.resume(job.id)
    await until(job.id, State.SUCCEEDED)


async def test_limits_change_while_running(ledger, worker, limits, toy, submit, until):
    limits["toy"] = 2
    jobs = [await submit("wait") for _ in range(6)]
    async with asyncio.timeout(20):
        while toy.now < 2:
            await asyncio.sleep(0.02)
    assert toy.now == 2
    limits["toy"] = 5
    ledger.look()
    async with asyncio.timeout(20):
        while toy.now < 5:
            await asyncio.sleep(0.02)
    assert toy.most == 5
    toy.go.set()
    for job in jobs:
        await until(job.id, State.SUCCEEDED)


async def test_shutdown_puts_running_jobs_back_with_their_checkpoint(ledger, toy, submit):
    worker = Worker(ledger, {"toy": toy})
    await worker.start()
    job = await submit("wait")
    while not toy.runs[job.id]:
        await asyncio.sleep(0.01)
    await worker.stop()
    back = await ledger.get(job.id)
    assert (back.state, back.attempt, back.checkpoint) == (State.QUEUED, 0, {"step": 1})


async def test_a_retry_starts_a_finished_job_anew(ledger, worker, toy, submit, until):
    job = await submit("invalid")
    await until(job.id, State.FAILED)
    await ledger.retry(job.id)
    async with asyncio.timeout(20):
        while toy.runs[job.id] < 2:
            await asyncio.sleep(0.02)
    assert (await until(job.id, State.FAILED)).attempt == 1


async def test_bulk_says_which_were_refused(ledger, worker, submit, until):
    done = await submit()
    await until(done.id, State.SUCCEEDED)
    waiting = await submit(not_before=SystemClock().now() + 999)
    answer = await ledger.bulk("cancel", [done.id, waiting.id, "nonsense"])
    assert answer["done"] == [waiting.id]
    assert set(answer["refused"]) == {done.id, "nonsense"}
    assert (await ledger.bulk("delete", Query()))["refused"] == {}
    with pytest.raises(Invalid):
        await ledger.bulk("explode", [])


async def test_an_unknown_job_is_not_found_whatever_it_is_called(ledger):
    for name in ("", "../../etc/passwd", "019aba3e-6c3f-7cc4-9d3e-0f2c5f6b7a81", "\0", "x" * 10_000):
        with pytest.raises(NotFound):
            await ledger.get(name)
        with pytest.raises(NotFound):
            ledger.folder(name + "/") if name.endswith("81") else ledger.folder(name)


async def test_watchers_hear_of_states_progress_and_log_lines(ledger, worker, submit):
    with ledger.hub.subscribe() as heard:
        job = await submit()
        names = set()
        async with asyncio.timeout(20):
            async for message in heard:
                names.add(message.name)
                if message.name == "job" and message.data["state"] == "succeeded":
                    break
    assert {"job", "log"} <= names
    assert job.id
