"""What callers use: an `Engine` that runs transfers on its own thread, and a `Transfer` to watch, stop and await."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType

from ferryman.core.clock import Clock, SystemClock
from ferryman.core.errors import FerryError
from ferryman.transfer.model import Limits, Request, Result, Snapshot

Log = Callable[[str, str], None]
"""Receives `(level, message)` with level `info` or `warning`, in the engine's thread; must not block."""


class Stopped(Exception):  # noqa: N818 - it is an outcome that was asked for, not an error
    """The transfer was stopped by `Transfer.stop`; what arrived is kept unless asked otherwise."""


class Transfer:
    """A request at work. Every method is thread-safe."""

    def snapshot(self) -> Snapshot: ...
    def stop(self, *, keep: bool = True) -> None: ...
    def set_rate(self, rate: int) -> None: ...
    def wait(self, timeout: float | None = None) -> Result: ...
    async def result(self) -> Result: ...
    def add_done_callback(self, fn: Callable[["Transfer"], None]) -> None: ...


class Engine:
    """Runs transfers. One loop thread owns them all; start once, close once. Methods are thread-safe."""

    def __init__(
        self, limits: Limits | None = None, *, rate_limit: int = 0, clock: Clock | None = None
    ) -> None: ...
    def start(self) -> None: ...
    def close(self) -> None: ...
    def submit(self, request: Request, *, log: Log | None = None) -> Transfer: ...
    def set_global_rate(self, rate: int) -> None: ...
    def set_timetable(self, rate_at: Callable[[float], int] | None) -> None: ...
