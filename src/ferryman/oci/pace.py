"""How many requests a registry gets at once: fewer when it says so or slows down, slowly more when it is well.

Reading and writing have places of their own, so that who writes and waits for something to read never waits for itself.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

_SLOW_FACTOR: Final = 4.0
_SLOW_FLOOR: Final = 1.0
_RECOVERY_SECONDS: Final = 1.0
_WEIGHT: Final = 0.2


@dataclass(frozen=True, slots=True)
class Flow:
    """What was learned: how many may ask at once, how quick answers are (s), when it was last changed, when to go on.

    `best` and `recent` are seconds to the head of an answer; `not_before` and `changed` are monotonic seconds.
    """

    most: int
    limit: float
    best: float = float("inf")
    recent: float = 0.0
    changed: float = float("-inf")
    not_before: float = float("-inf")


def refused(flow: Flow, now: float, wait: float) -> Flow:
    """Learn from a 429 or 503: half as many, and none for `wait` seconds."""
    not_before = max(flow.not_before, now + wait)
    if now - flow.changed < _RECOVERY_SECONDS:
        return replace(flow, not_before=not_before)  # the others of the same moment say nothing new
    return replace(flow, limit=max(1.0, flow.limit / 2), changed=now, not_before=not_before)


def answered(flow: Flow, now: float, seconds: float) -> Flow:
    """Learn from an answer that took `seconds`: fewer when they slow down much, slowly more otherwise."""
    best = min(flow.best, seconds)
    recent = seconds if flow.recent == 0.0 else flow.recent + _WEIGHT * (seconds - flow.recent)
    if recent > max(_SLOW_FLOOR, best * _SLOW_FACTOR):
        if now - flow.changed < _RECOVERY_SECONDS:
            return replace(flow, best=best, recent=recent)
        return replace(flow, best=best, recent=recent, limit=max(2.0, flow.limit - 1), changed=now)
    limit = min(float(flow.most), flow.limit + 1 / flow.limit)
    return replace(flow, best=best, recent=recent, limit=limit)


class Pace:
    """The gate of one registry. Thread-safe."""

    def __init__(
        self,
        most: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Let at most `most` ask at once, for reading and for writing."""
        self._flow = Flow(most, float(most))
        self._active = {False: 0, True: 0}
        self._clock, self._sleep = clock, sleep
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """How many may ask at once now."""
        with self._changed:
            return int(self._flow.limit)

    @contextmanager
    def turn(self, *, writing: bool) -> Iterator[None]:
        """Wait for a place, and for the end of a pause; hold the place inside."""
        with self._changed:
            self._changed.wait_for(lambda: self._active[writing] < int(self._flow.limit))
            self._active[writing] += 1
        try:
            self._pause()
            yield
        finally:
            with self._changed:
                self._active[writing] -= 1
                self._changed.notify()

    def answered(self, seconds: float) -> None:
        """Tell that an answer took `seconds`."""
        with self._changed:
            before = int(self._flow.limit)
            self._flow = answered(self._flow, self._clock(), seconds)
            if int(self._flow.limit) > before:
                self._changed.notify_all()

    def refused(self, wait: float) -> None:
        """Tell that the registry wants fewer requests, and none for `wait` seconds."""
        with self._changed:
            self._flow = refused(self._flow, self._clock(), wait)

    def _pause(self) -> None:
        while True:
            with self._changed:
                left = self._flow.not_before - self._clock()
            if left <= 0:
                return
            self._sleep(min(left, 1.0))
