"""The ledger: what features, faces and workers call."""

import asyncio
import builtins
import contextlib
import dataclasses
import json
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path

from ferryman.core.clock import Clock
from ferryman.core.errors import Conflict, FerryError, Invalid, NotFound
from ferryman.core.ids import is_id, new_id
from ferryman.jobs.hub import Hub
from ferryman.jobs.log import JobLog, read_log
from ferryman.jobs.model import TERMINAL, Document, Event, Job, NewJob, Page, Query, State, Summary
from ferryman.jobs.ports import Dispatch, Store
from ferryman.jobs.report import report, report_text
from ferryman.jobs.series import Series, read_series
from ferryman.jobs.transitions import WISHES, Cause, wish

MOST_LISTED = 200
"""Jobs in one page of a list."""
MOST_BULK = 10_000
"""Jobs one bulk action touches."""
WISHED = "*wishes"
"""What is announced when people want something else of running jobs."""
_AT_ONCE = 32
_PAGE = 500
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,39}")


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
        for asked in new:
            _check_new(asked)
        if not new:
            return []
        now = self.clock.now()
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

    async def each(self, query: Query) -> AsyncIterator[Job]:
        """All jobs that match, in the order of the query, read page by page. Raises `Invalid` for a wrong sort.

        Jobs that stay as they are while it runs come exactly once. Its cursor and limit are ignored.
        """
        asked = dataclasses.replace(query, cursor=None, limit=_PAGE)
        while True:
            page = await self.store.find(asked)
            for job in page.items:
                yield job
            if page.next_cursor is None:
                return
            asked = dataclasses.replace(asked, cursor=page.next_cursor)

    async def summary(self, query: Query) -> Summary:
        """How many jobs match, how many bytes they are, and in which states. Quick, however many there are."""
        return await self.store.summary(query)

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
        return await asyncio.to_thread(read_log, self.folder(job_id) / "job.log", offset, limit)

    async def series(self, job_id: str) -> Series:
        """How a job went over time, as far as it got."""
        return await asyncio.to_thread(read_series, self.folder(job_id))

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
        """Stop a job and its children for now; running ones stop within about a second. Raises `Conflict`."""
        return await self._act(job_id, Cause.PAUSE, actor)

    async def resume(self, job_id: str, actor: str = "") -> Job:
        """Let a paused or waiting job and its children run. Raises `Conflict`."""
        return await self._act(job_id, Cause.RESUME, actor)

    async def cancel(self, job_id: str, actor: str = "") -> Job:
        """End a job and its children for good. Raises `Conflict`."""
        return await self._act(job_id, Cause.CANCEL, actor)

    async def retry(self, job_id: str, actor: str = "") -> Job:
        """Run a finished job again, from its checkpoint, and those of its children that did not succeed. Raises `Conflict`."""
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

    async def change_spec(
        self, job_id: str, edit: Callable[[Job], Job], told: Document, actor: str = ""
    ) -> Job:
        """Change what a job is asked to do: spec, title and category of what `edit` makes of the job as it is.

        `edit` is pure, may be called again when the job moved meanwhile, and raises what speaks against it. A run that
        goes on keeps the spec it began with. `told` is what the events say. Raises `NotFound`, `Conflict` (`job_busy`).
        """
        for _ in range(5):
            job = await self.get(job_id)
            changed = await self.store.change_spec(job, edit(job), told, self.clock.now())
            if changed is not None:
                if actor:
                    self.log(job_id).info("change asked for", by=actor, **told)
                self.tell(changed)
                return changed
        raise Conflict("job_busy", f"Job {job_id} changes too fast.", advice="Try again.")

    async def bulk(self, action: str, jobs: "Query | Sequence[str]", actor: str = "") -> Document:
        """Do `pause`, `resume`, `cancel`, `retry` or `delete` to many; each job succeeds or is refused by itself.

        Answers `done`, a list of ids, and `refused`, a message for each id. A query reaches at most `MOST_BULK` jobs.
        """
        actions: dict[str, Callable[[str, str], Awaitable[object]]] = {
            "pause": self.pause,
            "resume": self.resume,
            "cancel": self.cancel,
            "retry": self.retry,
            "delete": self._delete_one,
        }
        if action not in actions:
            raise Invalid(
                "action_invalid", f"'{action[:80]}' is no action.", advice=f"Use one of {', '.join(actions)}."
            )
        found = await self.store.ids(jobs, MOST_BULK) if isinstance(jobs, Query) else jobs
        ids = list(dict.fromkeys(found))
        refused: dict[str, str] = {}

        async def one(job_id: str) -> None:
            try:
                await actions[action](job_id, actor)
            except FerryError as error:
                refused[job_id] = error.message

        for start in range(0, len(ids), _AT_ONCE):  # what is asked for together is committed together
            await asyncio.gather(*[one(job_id) for job_id in ids[start : start + _AT_ONCE]])
        return {"done": [job_id for job_id in ids if job_id not in refused], "refused": refused}

    async def delete(self, ids: Iterable[str]) -> None:
        """Remove finished jobs with their logs. Raises `Conflict` (`job_active`) for one that is not finished."""
        wanted = list(ids)
        for job_id in wanted:
            job = await self.get(job_id)
            if job.state not in TERMINAL:
                raise Conflict("job_active", f"Job {job_id} is {job.state}.", advice="Cancel it first.")
        for job_id in await self.store.delete(wanted):
            await asyncio.to_thread(shutil.rmtree, self.folder(job_id), ignore_errors=True)
            self.hub.publish("deleted", {"id": job_id})

    async def _delete_one(self, job_id: str, actor: str) -> None:  # noqa: ARG002 - the form of all actions
        await self.delete([job_id])

    async def limits(self) -> dict[str, int]:
        """How many jobs run at once, per kind; `*` is for all."""
        return await self.store.limits()

    async def set_limit(self, kind: str, limit: int | None) -> None:
        """Change a limit while running; `None` takes it away. Raises `Invalid`."""
        if kind != "*":
            _check_kind(kind)
        if limit is not None and not 1 <= limit <= 1000:
            raise Invalid("limit_invalid", f"{limit} jobs at once is not possible.", advice="Use 1 to 1000.")
        await self.store.set_limit(kind, limit)
        self.dispatch.announce(WISHED)

    # for workers and faces

    def folder(self, job_id: str) -> Path:
        """Where a job's log and report are. Raises `NotFound` for what is no id."""
        if not is_id(job_id):
            raise NotFound("job_not_found", f"There is no job '{job_id[:100]}'.")
        return self._folder / job_id

    def log(self, job_id: str) -> JobLog:
        """The log of a job, to write to from any thread. Call it in the event loop of the hub."""
        loop = asyncio.get_running_loop()

        def publish(lines: builtins.list[str]) -> None:
            self.hub.publish("log", {"id": job_id, "lines": lines})

        def tell(lines: builtins.list[str]) -> None:
            try:
                here = asyncio.get_running_loop() is loop
            except RuntimeError:
                here = False
            if here:
                publish(lines)
            elif not loop.is_closed():
                loop.call_soon_threadsafe(publish, lines)

        return JobLog(self.folder(job_id) / "job.log", self.clock, tell)

    async def write_report(self, job: Job) -> None:
        """Write `report.json` and `report.txt` of a job that ended. What cannot be written is only not there."""
        events = await self.events(job.id, 0, 5000)
        document, words = report(job, events), report_text(job, events)
        await asyncio.to_thread(_write_report, self.folder(job.id), document, words)

    async def complete_reports(self) -> None:
        """Write the reports that a crash prevented: those of the jobs that ended last."""
        ended = await self.list(Query(states=tuple(TERMINAL), sort="-finished_at", limit=MOST_LISTED))
        for job in ended.items:
            if not await asyncio.to_thread((self.folder(job.id) / "report.txt").exists):
                await self.write_report(job)

    def tell(self, job: Job) -> None:
        """Publish a job as it is now, without its spec and checkpoint."""
        if self.hub.watched:
            data = dataclasses.asdict(dataclasses.replace(job, spec={}, checkpoint=None))
            data.pop("spec")
            data.pop("checkpoint")
            self.hub.publish("job", data)

    async def _act(self, job_id: str, cause: Cause, actor: str) -> Job:
        for _ in range(5):
            job = await self.get(job_id)
            at_once = wish(job.state, cause)
            changed = await self.store.act(job, WISHES[cause], at_once, self.clock.now())
            if changed is not None:
                await self._acted(changed, cause, actor)
                await self._act_on_children(job_id, cause, actor)
                return changed
        raise Conflict("job_busy", f"Job {job_id} changes too fast.", advice="Try again.")

    async def _acted(self, job: Job, cause: Cause, actor: str) -> None:
        if actor:
            self.log(job.id).info(f"{cause} asked for", by=actor)
        self.dispatch.announce(job.kind if job.state is State.QUEUED else WISHED)
        self.tell(job)
        if job.state in TERMINAL:
            await self.write_report(job)

    async def _act_on_children(self, job_id: str, cause: Cause, actor: str) -> None:
        children = Query(parent=job_id, states=_REACHED[cause], sort="created_at")
        for child in await self.store.ids(children, MOST_BULK):
            with contextlib.suppress(Conflict, NotFound):  # it went its own way meanwhile
                await self._act(child, cause, actor)


_REACHED = {
    Cause.PAUSE: (State.QUEUED, State.RUNNING, State.WAITING),
    Cause.RESUME: (State.PAUSED, State.RUNNING),
    Cause.CANCEL: (State.QUEUED, State.RUNNING, State.WAITING, State.PAUSED),
    Cause.RETRY: (State.FAILED, State.CANCELLED),
}
"""In which states children follow what happens to their parent."""


def _write_report(folder: Path, document: Document, words: str) -> None:
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
        (folder / "report.txt").write_text(words, "utf-8", errors="backslashreplace")


def _check_new(job: NewJob) -> None:
    _check_kind(job.kind)
    if not job.title.strip():
        raise Invalid("title_invalid", "A job without a title was given.", advice="Say what it is about.")
    if not 0 <= job.priority <= 9:
        raise Invalid(
            "priority_invalid", f"{job.priority} is no priority.", advice="Use 0 (first) to 9 (last)."
        )
    if job.max_attempts < 1:
        raise Invalid("attempts_invalid", f"{job.max_attempts} attempts are none.", advice="Use at least 1.")
    if job.idempotency_key is not None and not 1 <= len(job.idempotency_key) <= 300:
        raise Invalid(
            "idempotency_invalid",
            f"An idempotency key of {len(job.idempotency_key)} characters was given.",
            advice="Use 1 to 300 characters.",
        )


def _check_kind(kind: str) -> None:
    if not _KIND.fullmatch(kind):
        raise Invalid(
            "kind_invalid",
            f"'{kind[:80]}' is no kind of jobs.",
            advice="A kind is a lower-case word such as download.",
        )
