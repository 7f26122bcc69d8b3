"""The ledger: what features, faces and workers call."""

import builtins
import contextlib
import dataclasses
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from ferryman.core.clock import Clock
from ferryman.core.errors import Conflict, FerryError, Invalid, NotFound
from ferryman.core.ids import is_id, new_id
from ferryman.jobs.hub import Hub
from ferryman.jobs.log import JobLog, read_log
from ferryman.jobs.model import TERMINAL, Document, Event, Job, NewJob, Page, Query, State
from ferryman.jobs.ports import Dispatch, Store
from ferryman.jobs.report import report, report_text
from ferryman.jobs.transitions import WISHES, Cause, move

MOST_LISTED = 200
"""Jobs in one page of a list."""
MOST_BULK = 10_000
"""Jobs one bulk action touches."""


class Ledger:
    """All jobs of one home. Methods may be called concurrently in the event loop; each is durable when it returns."""

    def __init__(self, store: Store, dispatch: Dispatch, hub: Hub, clock: Clock, home: Path) -> None:
        """Keep rows in `store`, logs and reports below `home/jobs`, tell `hub` what happens."""
        self.store = store
        self.dispatch = dispatch
        self.hub = hub
        self.clock = clock
        self._folder = home / "jobs"

    # accepting

    async def submit(self, new: NewJob) -> Job:
        """Accept one job. Raises `Invalid`, `Conflict` (`idempotency_reused`)."""
        return (await self.submit_many([new]))[0]

    async def submit_many(self, new: Sequence[NewJob]) -> list[Job]:
        """Accept jobs, all or none, in order."""
        now = self.clock.now()
        for asked in new:
            _check_new(asked)
        jobs = await self.store.add([(new_id(now), job) for job in new], now)
        for kind in {job.kind for job in jobs}:
            self.dispatch.announce(kind)
        for job in jobs:
            self.tell(job)
        return jobs

    # reading

    async def get(self, job_id: str) -> Job:
        """One job. Raises `NotFound` (`job_not_found`)."""
        job = await self.store.get(job_id) if is_id(job_id) else None
        if job is None:
            raise NotFound(
                "job_not_found",
                f"There is no job '{job_id[:100]}'.",
                advice="See 'ferry jobs list' for the ids.",
            )
        return job

    async def list(self, query: Query) -> Page:
        """A page of jobs; at most 200. Raises `Invalid` for a wrong sort or cursor."""
        limit = max(1, min(query.limit, MOST_LISTED))
        return await self.store.find(dataclasses.replace(query, limit=limit))

    async def counts(self, kinds: Sequence[str] = (), owner: str | None = None) -> dict[State, int]:
        """How many jobs are in each state."""
        return await self.store.counts(kinds, owner)

    async def events(
        self, job_id: str | None = None, after: int = 0, limit: int = 200
    ) -> builtins.list[Event]:
        """What happened to a job, or to all, after an event."""
        return await self.store.events(job_id, after, max(1, min(limit, 5000)))

    async def last_event(self) -> int:
        """The id of the newest event."""
        return await self.store.last_event()

    async def read_log(self, job_id: str, offset: int = 0, limit: int = 65536) -> tuple[str, int]:
        """Part of a job's log from a byte offset, and the next offset."""
        return read_log(self.folder(job_id) / "job.log", offset, limit)

    async def report(self, job_id: str) -> Document:
        """What a job did so far, as JSON."""
        job = await self.get(job_id)
        return report(job, await self.events(job_id, 0, 5000))

    async def report_text(self, job_id: str) -> str:
        """What a job did so far, as text."""
        job = await self.get(job_id)
        return report_text(job, await self.events(job_id, 0, 5000))

    # acting

    async def pause(self, job_id: str, actor: str = "") -> Job:
        """Stop a job for now; a running one stops within about a second. Raises `Conflict`."""
        return await self._act(job_id, Cause.PAUSE, actor)

    async def resume(self, job_id: str, actor: str = "") -> Job:
        """Let a paused or waiting job run. Raises `Conflict`."""
        return await self._act(job_id, Cause.RESUME, actor)

    async def cancel(self, job_id: str, actor: str = "") -> Job:
        """End a job for good. Raises `Conflict`."""
        return await self._act(job_id, Cause.CANCEL, actor)

    async def retry(self, job_id: str, actor: str = "") -> Job:
        """Run a finished job again, from its checkpoint. Raises `Conflict`."""
        return await self._act(job_id, Cause.RETRY, actor)

    async def set_priority(self, job_id: str, priority: int) -> Job:
        """Change the order; 0 runs first, 9 last. Raises `Invalid`."""
        if not 0 <= priority <= 9:
            raise Invalid(
                "priority_invalid", f"{priority} is no priority.", advice="Use 0 (first) to 9 (last)."
            )
        await self.get(job_id)
        job = await self.store.set_priority(job_id, priority, self.clock.now())
        if job is None:
            raise NotFound("job_not_found", f"There is no job '{job_id}'.")
        self.tell(job)
        return job

    async def bulk(self, action: str, jobs: "Query | Sequence[str]", actor: str = "") -> Document:
        """Do `pause`, `resume`, `cancel`, `retry` or `delete` to many; each job succeeds or is refused by itself."""
        ids = await self.store.ids(jobs, MOST_BULK) if isinstance(jobs, Query) else list(jobs)
        actions = {"pause": self.pause, "resume": self.resume, "cancel": self.cancel, "retry": self.retry}
        if action != "delete" and action not in actions:
            raise Invalid(
                "action_invalid", f"'{action[:80]}' is no action.", advice=f"Use one of {', '.join(actions)}."
            )
        done: list[str] = []
        refused: dict[str, str] = {}
        for job_id in ids:
            try:
                if action == "delete":
                    await self.delete([job_id])
                else:
                    await actions[action](job_id, actor)
                done.append(job_id)
            except FerryError as error:
                refused[job_id] = error.message
        return {"done": done, "refused": refused}

    async def delete(self, ids: Iterable[str]) -> None:
        """Remove finished jobs with their logs. Raises `Conflict` (`job_active`) for one that is not finished."""
        wanted = list(ids)
        for job_id in wanted:
            job = await self.get(job_id)
            if job.state not in TERMINAL:
                raise Conflict("job_active", f"Job {job_id} is {job.state}.", advice="Cancel it first.")
        for job_id in await self.store.delete(wanted):
            shutil.rmtree(self.folder(job_id), ignore_errors=True)
            self.hub.publish("deleted", {"id": job_id})

    async def limits(self) -> dict[str, int]:
        """How many jobs run at once, per kind; `*` is for all."""
        return await self.store.limits()

    async def set_limit(self, kind: str, limit: int | None) -> None:
        """Change a limit while running; `None` takes it away. Raises `Invalid`."""
        if limit is not None and not 1 <= limit <= 1000:
            raise Invalid("limit_invalid", f"{limit} jobs at once is not possible.", advice="Use 1 to 1000.")
        await self.store.set_limit(kind, limit)
        self.dispatch.announce(kind)

    # for workers and faces

    def folder(self, job_id: str) -> Path:
        """Where a job's log and report are. Raises `NotFound` for what is no id."""
        if not is_id(job_id):
            raise NotFound("job_not_found", f"There is no job '{job_id[:100]}'.")
        return self._folder / job_id

    def log(self, job_id: str) -> JobLog:
        """The log of a job, to write to."""

        def tell(lines: builtins.list[str]) -> None:
            self.hub.publish("log", {"id": job_id, "lines": lines})

        return JobLog(self.folder(job_id) / "job.log", self.clock, tell)

    async def write_report(self, job: Job) -> None:
        """Write `report.json` and `report.txt` of a job that ended."""
        events = await self.events(job.id, 0, 5000)
        folder = self.folder(job.id)
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            (folder / "report.json").write_text(json.dumps(report(job, events), indent=2) + "\n")
            (folder / "report.txt").write_text(report_text(job, events))

    def tell(self, job: Job) -> None:
        """Publish a job as it is now."""
        data = dataclasses.asdict(job)
        data.pop("spec")
        data.pop("checkpoint")
        self.hub.publish("job", data)

    async def _act(self, job_id: str, cause: Cause, actor: str) -> Job:
        for _ in range(5):
            job = await self.get(job_id)
            target = (
                move(job.state, cause)
                if (job.state, cause) != (State.RUNNING, Cause.RESUME)
                else State.RUNNING
            )
            at_once = None if job.state is State.RUNNING else target
            changed = await self.store.act(job_id, WISHES[cause], at_once, job, self.clock.now())
            if changed is not None:
                if actor:
                    self.log(job_id).info(f"{cause} asked for", by=actor)
                self.dispatch.announce(changed.kind if at_once is State.QUEUED else "*wishes")
                self.tell(changed)
                if changed.state in TERMINAL:
                    await self.write_report(changed)
                return changed
        raise Conflict("job_busy", f"Job {job_id} changes too fast.", advice="Try again.")


def _check_new(job: NewJob) -> None:
    if not 0 <= job.priority <= 9:
        raise Invalid(
            "priority_invalid", f"{job.priority} is no priority.", advice="Use 0 (first) to 9 (last)."
        )
    if job.idempotency_key is not None and not 1 <= len(job.idempotency_key) <= 300:
        raise Invalid(
            "idempotency_invalid",
            f"An idempotency key of {len(job.idempotency_key)} characters was given.",
            advice="Use 1 to 300 characters.",
        )
