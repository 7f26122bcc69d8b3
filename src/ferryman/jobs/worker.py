"""The worker: leases jobs, runs their handlers, renews leases, and honours what people want of running jobs."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import structlog
from pydantic import ValidationError

from ferryman.core.errors import FerryError, Invalid
from ferryman.jobs.model import TERMINAL, Desired, Job, State
from ferryman.jobs.ports import Handler, Outcome, Save
from ferryman.jobs.retry import judge
from ferryman.jobs.run import Run, Stopped, StopReason
from ferryman.jobs.service import Ledger

LEASE = 30.0
"""Seconds a lease lasts without a heartbeat."""
BEAT = 1.0
"""Seconds between two looks at what is wanted and two records of progress, while jobs run."""
RENEW = 8.0
"""Seconds between two renewals of leases."""
LOOK = 15.0
"""Most seconds until a worker looks for work without having been called."""

_log = structlog.get_logger("ferryman.worker")


def holder_name(host: str | None = None) -> str:
    """Name this process so that a later one on this host can tell that it is gone: host, pid, start time."""
    return f"{host or socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def is_dead(holder: str) -> bool:
    """Tell whether a holder was a process of this host that no longer runs."""
    host, _, rest = holder.rpartition(":")[0].rpartition(":")
    started = holder.rpartition(":")[2]
    if host != socket.gethostname() or not rest.isdigit():
        return False
    return _started(int(rest)) != started


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "gone"


class Worker:
    """Runs jobs of the kinds its handlers know, up to `concurrency` at once. A `core.lifecycle.Service`."""

    def __init__(
        self,
        ledger: Ledger,
        handlers: Mapping[str, Handler],
        *,
        concurrency: int = 16,
        kind_limits: Mapping[str, int] | None = None,
        holder: str | None = None,
        lease: float = LEASE,
    ) -> None:
        """`kind_limits` hold for kinds without a limit in the ledger."""
        self._ledger = ledger
        self._handlers = dict(handlers)
        self._kinds = [*self._handlers, "*wishes"]
        self._concurrency = concurrency
        self._defaults = dict(kind_limits or {})
        self.holder = holder or holder_name()
        self._lease = lease
        self._runs: dict[str, tuple[Run, asyncio.Task[None]]] = {}
        self._main: asyncio.Task[None] | None = None
        self._beat: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Take back what dead workers held, then begin to look for work."""
        await self._reclaim()
        self._main = asyncio.create_task(self._serve(), name="ferryman-worker")
        self._beat = asyncio.create_task(self._heartbeat(), name="ferryman-heartbeat")

    async def stop(self) -> None:
        """Stop all runs; their jobs go back to the queue with their checkpoints."""
        self._stopping = True
        if self._main:
            self._main.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._main
        for run, _ in self._runs.values():
            run.stop(StopReason.SHUTDOWN)
        if self._runs:
            tasks = [task for _, task in self._runs.values()]
            _, late = await asyncio.wait(tasks, timeout=8)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        if self._beat:
            self._beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beat

    # looking for work

    async def _serve(self) -> None:
        while True:
            try:
                pause = await self._look()
            except FerryError as error:
                _log.warning("ledger not reached", error=error.message)
                pause = 2.0
            await self._ledger.dispatch.wait(self._kinds, pause)

    async def _look(self) -> float:
        now = self._ledger.clock.now()
        for job in await self._ledger.store.wake(now):
            self._ledger.tell(job)
        await self._apply_wishes()
        free = self._concurrency - len(self._runs)
        if free > 0:
            limits = self._defaults | await self._ledger.limits()
            jobs = await self._ledger.store.lease(
                self.holder, list(self._handlers), free, limits, now, now + self._lease
            )
            for job in jobs:
                self._begin(job)
            if len(jobs) == free:
                return 0.0 if len(self._runs) < self._concurrency else LOOK
        due = await self._ledger.store.next_due()
        return LOOK if due is None else max(0.05, min(LOOK, due - self._ledger.clock.now()))

    async def _reclaim(self) -> None:
        dead = [holder for holder in await self._ledger.store.holders() if is_dead(holder)]
        for job in await self._ledger.store.reclaim(self._ledger.clock.now(), dead):
            self._ledger.log(job.id).warning(
                "its worker is gone: back in the queue", holder=job.lease_holder or ""
            )
            self._ledger.tell(job)
            self._ledger.dispatch.announce(job.kind)

    # heartbeat

    async def _heartbeat(self) -> None:
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(BEAT if self._runs else RENEW)
            try:
                await self._record_progress()
                if time.monotonic() - renewed >= RENEW:
                    renewed = time.monotonic()
                    await self._apply_wishes()
                    await self._reclaim()
            except FerryError as error:
                _log.warning("ledger not reached", error=error.message)

    async def _apply_wishes(self) -> None:
        if not self._runs:
            return
        held = await self._ledger.store.renew(self.holder, self._ledger.clock.now() + self._lease)
        for job_id, (run, _) in list(self._runs.items()):
            found = held.get(job_id)
            if found is None or found[0] != run.job.epoch:
                run.stop(StopReason.LOST)
            elif found[1] is Desired.PAUSE:
                run.stop(StopReason.PAUSE)
            elif found[1] is Desired.CANCEL:
                run.stop(StopReason.CANCEL)

    async def _record_progress(self) -> None:
        saves = []
        for run, _ in self._runs.values():
            if run.dirty:
                run.dirty = False
                saves.append(Save(run.job.id, run.job.epoch, progress=run.latest))
                self._tell_progress(run)
        if saves:
            for job_id in await self._ledger.store.save(saves, self._ledger.clock.now()):
                if job_id in self._runs:
                    self._runs[job_id][0].stop(StopReason.LOST)

    def _tell_progress(self, run: Run) -> None:
        latest = run.latest
        fields = {name: getattr(latest, name) for name in latest.__dataclass_fields__}
        self._ledger.hub.publish("progress", {"id": run.job.id, "phase": run.current_phase, **fields})

    # running

    def _begin(self, job: Job) -> None:
        run = Run(job, self._ledger.folder(job.id), self._ledger.log(job.id), self._save)
        task = asyncio.create_task(self._execute(run), name=f"ferryman-job-{job.id}")
        self._runs[job.id] = (run, task)
        task.add_done_callback(lambda _: self._ended(job))
        self._ledger.tell(job)

    def _ended(self, job: Job) -> None:
        self._runs.pop(job.id, None)
        if not self._stopping:
            self._ledger.dispatch.announce(job.kind)

    async def _save(self, job: Job, **parts: object) -> bool:
        save = Save(job.id, job.epoch, **parts)  # type: ignore[arg-type]
        old = await self._ledger.store.save([save], self._ledger.clock.now())
        if not old and save.phase:
            run = self._runs.get(job.id)
            if run:
                self._tell_progress(run[0])
        return not old

    async def _execute(self, run: Run) -> None:
        job = run.job
        run.log.info(f"attempt {job.attempt} begins")
        try:
            outcome = await self._outcome(run)
        except asyncio.CancelledError:
            await asyncio.shield(self._finish(run, Outcome(State.QUEUED, counts=False)))
            raise
        await self._finish(run, outcome)

    async def _outcome(self, run: Run) -> Outcome:
        job = run.job
        handler = self._handlers[job.kind]
        try:
            spec = handler.spec.model_validate(job.spec)
            return Outcome(State.SUCCEEDED, result=await handler.run(spec, run))
        except Stopped:
            return _stopped(run.stop_reason)
        except ValidationError as error:
            problem: Exception = Invalid(
                "spec_invalid",
                f"The job's specification is wrong: {error}.",
                advice="Start it anew: this version does not understand what an earlier one kept.",
            )
        except FerryError as error:
            problem = error
        except Exception as error:  # noqa: BLE001 - a faulty handler must not take the worker with it
            _log.exception("handler failed", job=job.id, kind=job.kind)
            problem = error
        return self._failed(run, problem)

    def _failed(self, run: Run, error: Exception) -> Outcome:
        verdict = judge(error, run.job.attempt, run.job.max_attempts)
        message = error.message if isinstance(error, FerryError) else f"{type(error).__name__}: {error}"
        advice = (
            error.advice
            if isinstance(error, FerryError)
            else "This is a fault of Ferryman; please report it."
        )
        code = error.code if isinstance(error, FerryError) else "internal"
        run.log.error(message, code=code)
        due = None if verdict.delay is None else self._ledger.clock.now() + verdict.delay
        if verdict.delay is not None:
            run.log.info(f"next attempt in {verdict.delay:.0f} s")
        return Outcome(
            State.FAILED if due is None else State.WAITING,
            reason=verdict.reason,
            error=message,
            error_code=code,
            advice=advice,
            not_before=due,
            counts=verdict.counts,
        )

    async def _finish(self, run: Run, outcome: Outcome) -> None:
        run.dirty = False
        now = self._ledger.clock.now()
        await self._ledger.store.save([Save(run.job.id, run.job.epoch, progress=run.latest)], now)
        job = await self._ledger.store.finish(run.job.id, run.job.epoch, outcome, now)
        if job is None:
            run.log.warning("the lease was lost: what this attempt did is not recorded")
            return
        run.log.info(f"{job.state}")
        if job.state in TERMINAL:
            await self._ledger.write_report(job)
        self._ledger.tell(job)
        await self._follow_wish(job)

    async def _follow_wish(self, job: Job) -> None:
        """A wish that came while the run ended holds for what it became."""
        if job.state in (State.QUEUED, State.WAITING) and job.desired is not Desired.RUN:
            act = self._ledger.pause if job.desired is Desired.PAUSE else self._ledger.cancel
            with contextlib.suppress(FerryError):
                await act(job.id)


def _stopped(reason: StopReason | None) -> Outcome:
    if reason is StopReason.PAUSE:
        return Outcome(State.PAUSED, counts=False)
    if reason is StopReason.CANCEL:
        return Outcome(State.CANCELLED)
    return Outcome(State.QUEUED, counts=False)
