"""Counting failures: when to try again and when to give up. Pure: the time is an argument."""

from typing import Final

from ferryman.transfer.plan import backoff

STRANGERS: Final = 2
"""Tries while nobody was ever reached: a wrong name or port does not get right by waiting."""


class Tries:
    """Failures in a row that brought nothing. Several lanes failing at one moment count once."""

    def __init__(self, most: int, first_wait: float, strangers: int = STRANGERS) -> None:
        """Give up at the `most`-th, or at the `strangers`-th as long as nobody was reached.

        Wait `first_wait` seconds after the first, twice as long after each.
        """
        self._most, self._first, self._strangers = most, first_wait, strangers
        self._fruitless = 0
        self._best = 0
        self._reached = False
        self.not_before = 0.0

    @property
    def spent(self) -> bool:
        """Whether it is time to give up."""
        return self._fruitless >= (self._most if self._reached else min(self._most, self._strangers))

    def begin_with(self, disk: int) -> None:
        """Tell what earlier runs brought: only more than that is progress."""
        self._best = disk
        self._reached = self._reached or disk > 0

    def failed(self, now: float, disk: int, retry_after: float | None, *, reached: bool = True) -> float:
        """Count a failure when `disk` bytes are here; returns the seconds to wait, 0 when it was counted already.

        `reached` tells whether somebody was there at all.
        """
        self._reached = self._reached or reached or disk > 0
        if disk > self._best:
            self._best, self._fruitless = disk, 0
        if now < self.not_before:
            return 0.0
        self._fruitless += 1
        wait = backoff(self._fruitless, self._first, retry_after)
        self.not_before = now + wait
        return wait
