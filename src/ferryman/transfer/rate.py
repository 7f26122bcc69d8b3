"""Rate limits as token buckets that may go into debt. Pure: the time is an argument. Loop thread only."""

from typing import Final

BURST_SECONDS: Final = 0.1
LATE_SECONDS: Final = 0.2
"""How much a reader that had to wait may make up for when it is late: on a busy machine ticks come when they come."""


class Bucket:
    """Allows `rate` bytes per second (0 = unlimited) on average, with a burst of a tenth of a second.

    While somebody waits, what a late tick left over is kept up to two tenths: over 5 s that is 4 % at most.
    """

    __slots__ = ("_at", "_level", "_waited_for", "rate")

    def __init__(self, rate: int, now: float) -> None:
        """Start empty, so that a start is no burst."""
        self.rate = rate
        self._level = 0.0
        self._at = now
        self._waited_for = False

    def set_rate(self, rate: int, now: float) -> None:
        """Change the limit from `now` on; of the old one no more than a tenth of a second is left, of debt or of room."""
        self._refill(now)
        self.rate = rate
        most = rate * BURST_SECONDS
        self._level = max(-most, min(most, self._level))

    def allowance(self, now: float, want: int) -> int:
        """How many of `want` bytes may be read now; 0 means wait."""
        if not self.rate:
            return want
        self._refill(now)
        self._waited_for = self._level < min(want, self.rate * BURST_SECONDS / 4)
        if self._waited_for:
            return 0  # reads of a few bytes would cost more than they bring
        return min(want, int(self._level))

    def spend(self, count: int) -> None:
        """Count bytes that were read, also more than was allowed: the debt is worked off."""
        if self.rate:
            self._level -= count

    def _refill(self, now: float) -> None:
        most = self.rate * (LATE_SECONDS if self._waited_for else BURST_SECONDS)
        # What a late tick may make up for is read in several pieces: the first of them must not cost the others.
        self._level = max(self._level, min(most, self._level + (now - self._at) * self.rate))
        self._at = now
