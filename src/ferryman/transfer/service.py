"""What callers use: an `Engine` that runs transfers on its own thread, and a `Transfer` to watch, stop and await."""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from ferryman.core.clock import Clock, SystemClock
from ferryman.core.digests import Digest
from ferryman.core.errors import Unavailable
from ferryman.transfer.engine import Core
from ferryman.transfer.model import Limits, Request, Result, Snapshot
from ferryman.transfer.outcome import Outcome
from ferryman.transfer.prelude import Prelude
from ferryman.transfer.task import Task

Log = Callable[[str, str], None]
"""Receives `(level, message)` with level `info` or `warning`, in the engine's thread; must not block."""


class Stopped(Exception):
    """The transfer was stopped by `Transfer.stop`; what arrived is kept unless asked otherwise."""


class Transfer:
    """A request at work. Every method is thread-safe; callbacks run in the engine's thread and must not block."""

    def __init__(self, core: Core, request: Request, log: Log | None) -> None:
        """Made by `Engine.submit` only."""
        self.request = request
        self._core = core
        self._outcome: Outcome[Result] = Outcome()
        self._log = log or _silent
        if request.checksum_url and not request.checksum:
            prelude = Prelude(request, self._after_prelude)
            self._task = Task(core, prelude.request, self._log, prelude.report)
        else:
            self._task = Task(core, request, self._log, self._report)

    def snapshot(self) -> Snapshot:
        """How far it is, at most about 0.1 s old."""
        return self._task.snapshot

    def stop(self, *, keep: bool = True) -> None:
        """End it soon with `Stopped`; with `keep` the same request goes on later where it stopped."""
        self._core.pump.post(lambda: self._task.fail(Stopped("stopped"), keep=keep))

    def set_rate(self, rate: int) -> None:
        """Change its own limit, bytes per second, 0 for none."""
        self._core.pump.post(lambda: self._task.bucket.set_rate(rate, self._core.now()))

    def set_connections(self, most: int) -> None:
        """Change how many connections it may use; those that are too many end, and what they brought stays."""
        self._core.pump.post(lambda: self._task.set_most(most))

    def done(self) -> bool:
        """Whether it ended, well or not."""
        return self._outcome.done()

    def wait(self, timeout: float | None = None) -> Result:
        """Block until it ended. Raises its `FerryError`, `Stopped`, or `TimeoutError` (it goes on then)."""
        return self._outcome.wait(timeout)

    async def result(self) -> Result:
        """Await the end. Raises like `wait`; cancelling the waiter leaves the transfer running."""
        import asyncio  # noqa: PLC0415 - a fifth of the start of `ferry get`, which never awaits

        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the waiter's loop has ended: nobody waits any more
                loop.call_soon_threadsafe(ended.set)

        self._outcome.when_set(tell)
        await ended.wait()
        return self._outcome.wait(0)

    def add_done_callback(self, fn: Callable[["Transfer"], None]) -> None:
        """Call `fn` when it ended, at once when it has; it must not raise."""
        self._outcome.when_set(lambda: fn(self))

    def begin(self) -> None:
        """Hand the transfer to the loop. Called once, by the engine."""
        self._core.pump.post(lambda: self._core.add(self._task))

    def _after_prelude(self, digest: Digest | None, error: BaseException | None) -> None:
        if error:
            self._report(None, error)
            return
        self._task = Task(self._core, replace(self.request, checksum=digest), self._log, self._report)
        self._core.add(self._task)

    def _report(self, result: Result | None, error: BaseException | None) -> None:
        if result is None and error is None:
            error = Unavailable("transfer_failed", "The transfer failed.")
        self._outcome.set(result, error)


class Engine:
    """Runs transfers. One loop thread owns them all; start once, close once. Methods are thread-safe."""

    def __init__(
        self, limits: Limits | None = None, *, rate_limit: int = 0, clock: Clock | None = None
    ) -> None:
        """Take limits and the global rate in bytes per second (0 is none)."""
        self._core = Core(limits or Limits(), rate_limit, clock or SystemClock())
        self._lock = threading.Lock()
        self._open = False

    def start(self) -> None:
        """Start the loop thread."""
        self._core.pump.start()
        self._open = True

    def close(self) -> None:
        """Stop all transfers (keeping what arrived), end all threads. Harmless when repeated."""
        with self._lock:
            if not self._open:
                return
            self._open = False
        stopped = threading.Event()
        self._core.pump.post(lambda: self._stop_all(stopped))
        stopped.wait()
        self._core.finisher.close()  # what it finishes is still reported through the pump
        self._core.pump.close()
        self._core.flusher.close()

    def submit(self, request: Request, *, log: Log | None = None) -> Transfer:
        """Start a transfer, or queue it when enough are at work."""
        if not self._open:
            raise RuntimeError("the engine is not running")
        transfer = Transfer(self._core, request, log)
        transfer.begin()
        return transfer

    def set_global_rate(self, rate: int) -> None:
        """Change the limit of all transfers together, bytes per second, 0 for none; ends a timetable."""

        def change() -> None:
            self._core.rate_at = None
            self._core.bucket.set_rate(rate, self._core.now())

        self._core.pump.post(change)

    def set_timetable(self, rate_at: Callable[[float], int] | None) -> None:
        """Let `rate_at(unix seconds)` say the global limit, asked every second on the loop; None ends it."""
        self._core.pump.post(lambda: setattr(self._core, "rate_at", rate_at))

    def _stop_all(self, stopped: threading.Event) -> None:
        for task in list(self._core.tasks):
            task.fail(Stopped("engine closed"))
        self._core.close()
        stopped.set()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def _silent(level: str, message: str) -> None:
    """Take messages nobody asked for."""
