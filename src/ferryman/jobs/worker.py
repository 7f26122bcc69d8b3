"""The worker: leases jobs, runs their handlers, renews leases, and honours what people want of running jobs."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TypeVar

import structlog

from ferryman.core.errors import FerryError
from ferryman.jobs.execution import Execution
from ferryman.jobs.holder import holder_name, is_dead
from ferryman.jobs.model import TERMINAL, Desired, Document, Job
from ferryman.jobs.ports import Claim, Handler, Held, Save
from ferryman.jobs.run import Run, StopReason
from ferryman.jobs.service import WISHED, Ledger
from ferryman.jobs.windows import is_open

LEASE = 30.0
"""Seconds a lease lasts without a heartbeat."""
BEAT = 1.0
"""Seconds between two looks at what is wanted and two records of progress, while jobs run."""
LOOK = 15.0
"""Most seconds until a worker looks for work without having been called."""
GRACE = 8.0
"""Seconds handlers have to stop before they are cancelled."""
STUMBLE = 2.0
"""Seconds before another try when the ledger does not answer."""

T = TypeVar("T")
_log = structlog.get_logger("ferryman.worker")


class Worker:
    """Runs jobs of the kinds its handlers know, up to `concurrency` at once. A `core.lifecycle.Service`.

    Its life hangs on nothing but its event loop: whatever the ledger or a handler raises is logged, and it goes on.
    """

    def __init__(
        self,
        ledger: Ledger,
        handlers: Mapping[str, Handler],
        *,
        concurrency: int = 16,
        limits: Callable[[], Mapping[str, int]] = dict,
        holder: str | None = None,
        node: str | None = None,
        alone: bool = False,
        lease: float = LEASE,
    ) -> None:
        """`limits` says how many run at once per kind, and of all (`*`, instead of `concurrency`); it is asked each time.

        `node` is where it runs jobs for, none by default.

        `alone` says that no other worker can be alive on this ledger when this one starts, as with one daemon on a
        SQLite home: then everything that is leased goes back to the queue at once, also after a power cut.
        """
        self._ledger = ledger
        self._handlers = dict(handlers)
        self._concurrency = concurrency
        self._limits = limits
        self.holder = holder or holder_name()
        self._node = node
        self._alone = alone
        self._lease = lease
        self._runs: dict[str, tuple[Run, asyncio.Task[None]]] = {}
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take back what dead workers held, then begin to look for work. Raises what the ledger raises."""
        await self._reclaim(everything=self._alone)
        self._loops = [
            asyncio.create_task(self._serve(), name="ferryman-worker"),
            asyncio.create_task(self._heartbeat(), name="ferryman-heartbeat"),
            asyncio.create_task(self._guard(self._ledger.complete_reports), name="ferryman-reports"),
        ]

    async def stop(self) -> None:
        """Stop all runs, which have `GRACE` seconds; their jobs go back to the queue with their checkpoints."""
        await _end(self._loops[:1])
        for run, _ in self._runs.values():
            run.stop(StopReason.SHUTDOWN)
        tasks = [task for _, task in self._runs.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GRACE)
            await _end(late)
        await _end(self._loops)
        self._loops = []
        await self._guard(lambda: self._put_back([self.holder]))

    # looking for work

    async def _serve(self) -> None:
        kinds = [*self._handlers, WISHED]
        while True:
            pause = await self._guard(self._look)
            await self._ledger.dispatch.wait(kinds, STUMBLE if pause is None else pause)

    async def _look(self) -> float:
        """Start what can start; return the seconds until the next look."""
        clock, store = self._ledger.clock, self._ledger.store
        for job in await store.wake(clock.now()):
            self._ledger.tell(job)
        for job in await store.defer(clock.now()):
            self._ledger.log(job.id).info(f"waits for {job.window}")
            self._ledger.tell(job)
        await self._follow_wishes()
        limits = self._limits()
        free = limits.get("*", self._concurrency) - len(
            self._runs
        )  # when there is none, urgent jobs begin all the same
        claim = Claim(self.holder, list(self._handlers), free, limits, self._node)
        now = clock.now()
        for job in await store.lease(claim, now, now + self._lease):
            self._begin(job)
        due = await store.next_due()
        return LOOK if due is None else max(0.05, min(LOOK, due - clock.now()))

    async def _reclaim(self, *, everything: bool = False) -> None:
        holders = [name for name in await self._ledger.store.holders() if name != self.holder]
        await self._put_back(holders if everything else [name for name in holders if is_dead(name)])

    async def _put_back(self, dead: list[str]) -> None:
        for job in await self._ledger.store.reclaim(self._ledger.clock.now(), dead):
            self._ledger.log(job.id).warning(f"its worker is gone: {job.state}")
            self._ledger.tell(job)
            self._ledger.dispatch.announce(job.kind)
            if job.state in TERMINAL:
                await self._ledger.write_report(job)

    # heartbeat

    async def _heartbeat(self) -> None:
        monotonic = self._ledger.clock.monotonic
        pace = self._lease / 4
        beat = min(BEAT, pace)
        renewed = monotonic()
        time = asyncio.get_running_loop().time
        turn = time()
        while True:
            turn = next_turn(turn, time(), beat)
            await asyncio.sleep(turn - time())
            await self._guard(self._record_progress)
            self._close()
            if monotonic() - renewed < pace:
                await self._guard(self._follow_wishes)
            elif await self._guard(self._renew):
                renewed = monotonic()
                await self._guard(self._reclaim)
            elif monotonic() - renewed > self._lease * 0.8:
                self._give_up()

    async def _renew(self) -> bool:
        runs = self._present()
        if runs:
            until = self._ledger.clock.now() + self._lease
            _follow(runs, await self._ledger.store.renew(self.holder, list(runs), until))
        return True

    def _close(self) -> None:
        """Stop the runs whose time of day is over; they go on when it comes again."""
        now = self._ledger.clock.now()
        for run, _ in self._runs.values():
            if not run.job.urgent and not is_open(run.job.window, now):
                run.stop(StopReason.CLOSED)

    def _give_up(self) -> None:
        """The ledger was out of reach for so long that others may soon take these jobs for lost: end them before."""
        for run, _ in self._runs.values():
            run.stop(StopReason.LOST)

    async def _follow_wishes(self) -> None:
        runs = self._present()
        if runs:
            _follow(runs, await self._ledger.store.held(self.holder))

    def _present(self) -> dict[str, Run]:
        return {job_id: run for job_id, (run, _) in self._runs.items()}

    async def _record_progress(self) -> None:
        changed = [run for run, _ in self._runs.values() if run.dirty]
        for run in changed:
            run.dirty = False
            self._tell_progress(run)
        if changed:
            await asyncio.to_thread(_keep_series, changed, self._ledger.clock.now())
            saves = [Save(run.job.id, run.job.epoch, progress=run.latest) for run in changed]
            await self._ledger.store.save(saves, self._ledger.clock.now())

    def _tell_progress(self, run: Run) -> None:
        fields = {name: getattr(run.latest, name) for name in run.latest.__dataclass_fields__}
        self._ledger.hub.publish("progress", {"id": run.job.id, "phase": run.current_phase, **fields})

    # running

    def _begin(self, job: Job) -> None:
        run = Run(job, self._ledger.folder(job.id), self._ledger.log(job.id), self._record)
        execution = Execution(self._ledger, self._handlers[job.kind], run)
        earlier, before = self._runs.get(job.id, (None, None))
        if earlier is not None:  # this worker itself lost the lease and now got it again
            earlier.stop(StopReason.LOST)
        task = asyncio.create_task(_after(before, execution), name=f"ferryman-job-{job.id}")
        self._runs[job.id] = (run, task)
        task.add_done_callback(lambda done: self._ended(job, done))
        self._ledger.tell(job)

    def _ended(self, job: Job, task: asyncio.Task[None]) -> None:
        if self._runs.get(job.id, (None, None))[1] is task:
            del self._runs[job.id]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a run ended badly", job=job.id, error=repr(error))
        self._ledger.dispatch.announce(job.kind)

    async def _record(
        self, run: Run, *, phase: str | None = None, checkpoint: Document | None = None
    ) -> bool:
        save = Save(run.job.id, run.job.epoch, phase=phase, checkpoint=checkpoint)
        if await self._ledger.store.save([save], self._ledger.clock.now()):
            return False
        if phase is not None:
            self._tell_progress(run)
        return True

    async def _guard(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """Do `work`; when it fails, log it and return `None`: the next round tries again."""
        try:
            return await work()
        except FerryError as error:
            _log.warning("the ledger does not answer", error=error.message)
        except Exception:  # noqa: BLE001 - no fault may end the worker
            _log.exception("a fault in the worker")
        return None


def next_turn(before: float, now: float, beat: float) -> float:
    """Return when the turn after the one of `before` is due, in the same seconds as `now`.

    Turns are a beat apart whatever their own work takes. After one that took longer than a beat the next comes soon, and
    what was missed is not made up for.
    """
    return max(before + beat, now + beat / 4)


def _follow(runs: Mapping[str, Run], held: Mapping[str, Held]) -> None:
    """Stop the runs that are not wanted any more, and those whose lease is gone; one that just ended does not care."""
    for job_id, run in runs.items():
        lease = held.get(job_id)
        if lease is None or lease.epoch != run.job.epoch:
            run.stop(StopReason.LOST)
        elif lease.desired is Desired.PAUSE:
            run.stop(StopReason.PAUSE)
        elif lease.desired is Desired.CANCEL:
            run.stop(StopReason.CANCEL)


def _keep_series(runs: Sequence[Run], now: float) -> None:
    for run in runs:
        run.series.add(run.latest, run.job.epoch, now)


async def _after(before: "asyncio.Task[None] | None", execution: Execution) -> None:
    """Run, but never at the same time as an earlier run of the same job."""
    if before is not None:
        await asyncio.wait({before})
    await execution.run()


async def _end(tasks: "Collection[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
