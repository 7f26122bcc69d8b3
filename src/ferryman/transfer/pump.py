"""The loop: one thread, one epoll, one tick. Everything that touches a transfer's state runs on it."""

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

READ: Final = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR
WRITE: Final = select.EPOLLOUT | select.EPOLLHUP | select.EPOLLERR

Handler = Callable[[int], None]

_WINDOW: Final = 0.05
"""Seconds over which it is measured how busy the loop is."""


class Pump:
    """Runs handlers of ready descriptors, posted calls and a tick. `post` is thread-safe, the rest is loop-only.

    `tick(now)` is called at least every `interval()` seconds; one tick serves all time-outs and retries, so nothing
    can pile up timers. `broken` hears of faults that handlers raise. `interval` returns None while nothing is at work: then the thread sleeps until it is posted to.
    `busy` is the share of the last moment (0 to 1) in which it did not wait for anything. Loop only.
    """

    def __init__(
        self,
        tick: Callable[[float], None],
        interval: Callable[[], float | None],
        broken: Callable[[Exception], None],
    ) -> None:
        """Create the descriptors; `start` starts the thread."""
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._handlers: dict[int, Handler] = {}
        self._posted: deque[Callable[[], None]] = deque()
        self._soon: deque[Callable[[], None]] = deque()
        self._tick, self._interval, self._broken = tick, interval, broken
        self._last_tick = 0.0
        self.busy = 0.0
        self._window, self._waited = time.monotonic(), 0.0
        self._closing = self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="ferry-pump", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread after what is already posted. Thread-safe; returns when it ended."""
        self.post(self._end)
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            if not self._closed:
                self._closed = True
                self._epoll.close()
                os.close(self._wake)

    def post(self, call: Callable[[], None]) -> None:
        """Run `call` on the loop, soon and in order; after `close` it is dropped. Thread-safe."""
        self._posted.append(call)
        with self._lock:
            if not self._closed:  # the descriptor's number may belong to somebody else by then
                os.eventfd_write(self._wake, 1)

    def soon(self, call: Callable[[], None]) -> None:
        """Run `call` in the next turn, after other descriptors had theirs. Loop only."""
        self._soon.append(call)

    def watch(self, fd: int, mask: int, handler: Handler) -> None:
        """Call `handler(events)` while `fd` is ready for `mask`; replaces an earlier watch. Loop only."""
        if fd in self._handlers:
            self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)
        self._handlers[fd] = handler

    def unwatch(self, fd: int) -> None:
        """Forget `fd`; harmless when it is not watched. Must come before it is closed. Loop only."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def _end(self) -> None:
        self._closing = True

    def _run(self) -> None:
        while not self._closing:
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - a fault of ours ends the transfers, never the loop they wait for
                self._broken(error)

    def _turn(self) -> None:
        for fd, events in self._poll():
            if fd == self._wake:
                os.eventfd_read(fd)
            elif handler := self._handlers.get(fd):
                handler(events)
        for _ in range(len(self._soon)):
            self._soon.popleft()()
        while self._posted:
            self._posted.popleft()()
        now = time.monotonic()
        if now - self._last_tick >= (self._interval() or 0.0):
            self._last_tick = now
            self._tick(now)

    def _poll(self) -> list[tuple[int, int]]:
        timeout, begun = self._timeout(), time.monotonic()
        ready = self._epoll.poll(timeout)
        now = time.monotonic()
        self._waited += now - begun
        if now - self._window >= _WINDOW:
            self.busy = 1.0 - self._waited / (now - self._window)
            self._window, self._waited = now, 0.0
        return ready

    def _timeout(self) -> float:
        if self._soon or self._posted:
            return 0.0
        interval = self._interval()
        if interval is None:
            return -1.0
        return max(0.0, self._last_tick + interval - time.monotonic())
