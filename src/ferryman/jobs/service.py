"""The ledger: what features, faces and workers call."""

import asyncio
import builtins
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from ferryman.core.clock import Clock
from ferryman.core.errors import Conflict, Invalid, NotFound
from ferryman.core.ids import is_id, new_id
from ferryman.jobs.bulk import bulk
from ferryman.jobs.checks import check_category, check_moment, check_new, check_priority
from ferryman.jobs.hub import Hub
from ferryman.jobs.log import JobLog, read_log
from ferryman.jobs.model import (
    TERMINAL,
    Desired,
    Document,
    Event,
    Job,
    NewJob,
    Page,
    Query,
    State,
    Summary,
)
from ferryman.jobs.ports import Dispatch, Place, Store
from ferryman.jobs.report import report, report_text
from ferryman.jobs.series import Series, read_series
from ferryman.jobs.transitions import WISHES, Cause, move, wish
from ferryman.jobs.windows import due_at, parse_window

MOST_LISTED = 200
"""Jobs in one page of a list."""
MOST_BULK = 10_000
"""Jobs one bulk action touches."""
WISHED = "*wishes"
"""What is announced when people want something else of running jobs."""
_PAGE = 500


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
            check_new(asked)
            check_moment(asked.not_before, now)
        if not new:
            return []
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

    async def choices(
        self, name: Literal["host", "category"], owner: str | None = None, most: int = 500
    ) -> builtins.list[str]:
        """The hosts or categories that lists can be narrowed to, of one owner's jobs when given, in order."""
        return await self.store.choices(name, owner, most)

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

    async def due(self, owner: str | None = None, limit: int = 10) -> builtins.list[Job]:
        """The waiting jobs that go on next, of one owner or of all."""
        return await self.store.due(owner, max(1, min(limit, MOST_LISTED)))

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
        check_priority(priority)
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

    async def set_category(self, job_id: str, category: str | None) -> Job:
        """File a job under a category, or under none. Raises `Invalid`."""
        name = check_category(category)
        return await self._alter(job_id, lambda job: {"category": name} if job.category != name else {})

    async def start_now(self, job_id: str, actor: str = "") -> Job:
        """Run a queued, waiting or paused job at once, beyond every limit and outside its window. Raises `Conflict`."""
        job = await self._alter(job_id, _urgent, Cause.START)
        if actor:
            self.log(job.id).info("start now asked for", by=actor)
        self.dispatch.announce(job.kind)
        return job

    async def schedule(
        self, job_id: str, when: float | None, *, window: str | None = None, actor: str = ""
    ) -> Job:
        """Let a job that does not run start at `when` or later, and only within `window` on any day.

        What is not given is taken away: with neither it may run at once, when it is not paused. Raises `Invalid`
        (`window_invalid`, `moment_invalid`) and `Conflict`.
        """
        kept = parse_window(window) if window else None
        now = self.clock.now()
        check_moment(when, now)
        job = await self._alter(job_id, lambda job: _scheduled(job, when, kept, now), Cause.DEFER)
        if actor:
            self.log(job.id).info("another time asked for", by=actor)
        self.dispatch.announce(job.kind)
        return job

    async def move(
        self,
        job_ids: Sequence[str],
        *,
        before: str | None = None,
        after: str | None = None,
        top: bool = False,
        bottom: bool = False,
    ) -> builtins.list[Job]:
        """Reorder queued jobs: put them in this order before or after another one, to the top, or to the bottom.

        They take the priority of their new neighbours. Those that are not queued stay where they are; returns those that
        moved. Raises `Invalid` (`place_invalid`), `Conflict` (`place_gone`).
        """
        if sum((before is not None, after is not None, top, bottom)) != 1:
            raise Invalid(
                "place_invalid",
                "Where to move jobs to was not given, or in more than one way.",
                advice="Give one of before, after, top and bottom.",
            )
        place = Place(before, after, top, bottom)
        moved = await self.store.move(list(job_ids), place, self.clock.now())
        for job in moved:
            self.tell(job)
        return moved

    async def bulk(
        self,
        action: str,
        jobs: "Query | Sequence[str]",
        actor: str = "",
        *,
        value: int | str | None = None,
        files: bool = False,
    ) -> Document:
        """Do one of `bulk.ACTIONS` to many; each job succeeds or is refused by itself.

        `value` is the priority or the category, `files` belongs to `delete`. Answers `done`, a list of ids, and `refused`,
        a message for each id. A query reaches at most `MOST_BULK` jobs.
        """
        found = await self.store.ids(jobs, MOST_BULK) if isinstance(jobs, Query) else jobs
        return await bulk(self, action, found, actor, value=value, files=files)

    async def delete(self, ids: Iterable[str], *, files: bool = False) -> None:
        """Remove finished jobs. Raises `Conflict` (`job_active`) for one that is not finished.

        They are gone from every list at once and can be brought back for `TRASH_SECONDS`; then their logs go too, and with
        `files` what they fetched.
        """
        wanted = list(ids)
        for job_id in wanted:
            job = await self.get(job_id)
            if job.state not in TERMINAL:
                raise Conflict("job_active", f"Job {job_id} is {job.state}.", advice="Cancel it first.")
        for job_id in await self.store.delete(wanted, self.clock.now(), files=files):
            self.hub.publish("deleted", {"id": job_id})

    async def restore(self, ids: Iterable[str], owner: str | None = None) -> builtins.list[Job]:
        """Bring back deleted jobs, only those of `owner` when given, as they were. What is gone for good is left out."""
        back = await self.store.restore([job_id for job_id in ids if is_id(job_id)], owner)
        for job in back:
            self.tell(job)
        return back

    def look(self) -> None:
        """Make workers look at once, as when limits changed. Thread-safe."""
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

    async def _alter(self, job_id: str, change: Callable[[Job], Document], cause: Cause | None = None) -> Job:
        """Set the columns `change` answers with for the job as it is; nothing when that is none."""
        for _ in range(5):
            job = await self.get(job_id)
            values = change(job)
            if not values:
                return job
            changed = await self.store.alter(job, values, self.clock.now(), cause)
            if changed is not None:
                self.tell(changed)
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


def _urgent(job: Job) -> Document:
    if job.state is State.RUNNING:
        return {}  # it already has what is asked for
    values = {"urgent": True, "desired": Desired.RUN, "not_before": None}
    state = move(job.state, Cause.START)
    return values if state is job.state else values | {"state": state}


def _scheduled(job: Job, when: float | None, window: str | None, now: float) -> Document:
    deferred = move(job.state, Cause.DEFER) if job.state is not State.RUNNING else None
    if deferred is None:
        raise Conflict("transition_refused", f"Job {job.id} runs.", advice="Pause it first.")
    due = due_at(when, window, now)
    values: Document = {"window": window, "not_before": due, "urgent": False}
    state = deferred
    if due is not None:
        values["desired"] = Desired.RUN
    elif job.state is State.PAUSED:
        state = job.state
    else:
        state = State.QUEUED
    return values if state is job.state else values | {"state": state}


def _write_report(folder: Path, document: Document, words: str) -> None:
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
        (folder / "report.txt").write_text(words, "utf-8", errors="backslashreplace")
