"""One run of one job: its handler is called, and how that ended is judged and recorded."""

import asyncio

import structlog
from pydantic import BaseModel, ValidationError

from ferryman.core.errors import Exhausted, FerryError, Invalid, Unavailable
from ferryman.core.secrets import mask
from ferryman.jobs.model import TERMINAL, Job
from ferryman.jobs.ports import Handler, Outcome
from ferryman.jobs.retry import judge
from ferryman.jobs.run import Run, Stopped, StopReason
from ferryman.jobs.service import Ledger
from ferryman.jobs.transitions import Cause
from ferryman.jobs.windows import opening

PATIENCE = 1.0
"""Seconds between two tries to record an end while the ledger does not answer."""

_log = structlog.get_logger("ferryman.worker")


class Execution:
    """Runs once, as one task."""

    def __init__(self, ledger: Ledger, handler: Handler, run: Run) -> None:
        """Let `handler` do the job of `run`."""
        self._ledger = ledger
        self._handler = handler
        self._run = run

    async def run(self) -> None:
        """Do the work and record how it ended. A cancelled task puts its job back first."""
        job = self._run.job
        self._run.log.info(f"attempt {job.attempt} begins")
        self._run.series.begin(job.progress, job.epoch, self._ledger.clock.now())
        try:
            outcome = await self._outcome()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                await asyncio.shield(self._finish(Outcome(Cause.RELEASE, counts=False)))
                raise
            outcome = self._failed(RuntimeError(f"something the handler waited for was cancelled: {error!r}"))
        await self._finish(outcome)

    async def _outcome(self) -> Outcome:
        job = self._run.job
        try:
            spec = self._spec(job)
            return Outcome(Cause.SUCCEED, result=await self._handler.run(spec, self._run))
        except Stopped:
            if self._run.stop_reason is not None:
                return self._stopped(self._run.stop_reason)
            problem: Exception = RuntimeError("the handler stopped without having been asked to")
        except FerryError as error:
            problem = error
        except Exception as error:  # noqa: BLE001 - a faulty handler must not take the worker with it
            _log.exception("handler failed", job=job.id, kind=job.kind)
            problem = error
        reason = self._run.stop_reason
        if reason in {StopReason.SHUTDOWN, StopReason.CLOSED} and isinstance(
            problem, Unavailable | Exhausted
        ):
            return self._stopped(reason)
        return self._failed(problem)

    def _spec(self, job: Job) -> BaseModel:
        try:
            return self._handler.spec.model_validate(job.spec)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
                for item in error.errors(include_input=False, include_url=False)
            )
            raise Invalid(
                "spec_invalid",
                f"The job's specification is wrong: {wrong}.",
                advice="Start it anew: this version does not understand what an earlier one kept.",
            ) from error

    def _stopped(self, reason: StopReason | None) -> Outcome:
        match reason:
            case StopReason.PAUSE:
                return Outcome(Cause.PAUSE, counts=False)
            case StopReason.CANCEL:
                return Outcome(Cause.CANCEL)
            case StopReason.CLOSED:
                due = opening(self._run.job.window, self._ledger.clock.now())
                return Outcome(Cause.DEFER, not_before=due, counts=False)
        return Outcome(Cause.RELEASE, counts=False)

    def _failed(self, error: Exception) -> Outcome:
        run = self._run
        verdict = judge(error, run.job.attempt, run.job.max_attempts)
        code, message, advice = _told(error)
        run.log.error(message, code=code)
        due = None if verdict.delay is None else self._ledger.clock.now() + verdict.delay
        if verdict.delay is not None:
            run.log.info(f"next attempt in {verdict.delay:.0f} s")
        return Outcome(
            Cause.FAIL if due is None else Cause.RETRY_LATER,
            reason=verdict.reason,
            error=message,
            error_code=code,
            advice=advice,
            not_before=due,
            counts=verdict.counts,
        )

    async def _finish(self, outcome: Outcome) -> None:
        run = self._run
        run.dirty = False
        if run.latest.network:
            now = self._ledger.clock.now()
            await asyncio.to_thread(run.series.add, run.latest, run.job.epoch, now, last=True)
        job = await self._record(outcome)
        if job is None:
            run.log.warning("the lease was lost: what this attempt did is not recorded")
            return
        run.log.info(str(job.state))
        self._ledger.tell(job)
        if job.state in TERMINAL:
            await self._ledger.write_report(job)

    async def _record(self, outcome: Outcome) -> Job | None:
        """Record the end, trying until the ledger answers: an end that is not recorded would be worked for again."""
        run, store = self._run, self._ledger.store
        while True:
            try:
                return await store.finish(
                    run.job.id, run.job.epoch, outcome, self._ledger.clock.now(), run.latest
                )
            except (Unavailable, Exhausted) as error:
                _log.warning("the end of a job is not recorded yet", job=run.job.id, error=error.message)
                await asyncio.sleep(PATIENCE)
            except Exception as error:
                if outcome.cause is Cause.FAIL:
                    raise
                _log.exception("the end of a job cannot be recorded", job=run.job.id)
                outcome = self._failed(error)


def _told(error: Exception) -> tuple[str, str, str]:
    """Code, message and advice as people may see them."""
    if isinstance(error, FerryError):
        return error.code, mask(error.message), mask(error.advice)
    message = mask(f"{type(error).__name__}: {error}")
    return "internal", message, "This is a fault of Ferryman; please report it."
