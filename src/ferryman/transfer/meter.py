"""Speed, remaining time, and why it is not faster. Pure: the time is an argument. Loop thread only."""

from collections import deque
from typing import Final

WINDOW: Final = 10.0
WEIGHT: Final = 0.3
_SAMPLE: Final = 0.5


class Meter:
    """Speed over the last 10 s, smoothed: a new sample (every half second) weighs 0.3."""

    def __init__(self, now: float) -> None:
        """Start with nothing received at `now`."""
        self._samples: deque[tuple[float, int]] = deque([(now, 0)])
        self.rate = 0.0

    def update(self, now: float, received: int) -> None:
        """Tell the total of received bytes; cheap when called more often than samples are taken."""
        last_at, _ = self._samples[-1]
        if now - last_at < _SAMPLE and self.rate:
            return
        if now <= last_at:
            return
        self._samples.append((now, received))
        while len(self._samples) > 2 and now - self._samples[0][0] > WINDOW:
            self._samples.popleft()
        first_at, first = self._samples[0]
        sample = (received - first) / (now - first_at)
        self.rate = sample if not self.rate else self.rate + WEIGHT * (sample - self.rate)

    def eta(self, left: int | None) -> float | None:
        """Seconds until `left` more bytes are there; None when that cannot be known."""
        if left is None or self.rate <= 0:
            return None
        return left / self.rate


def why_slow(
    *, limited: bool, refusing: bool, disk_share: float, lane_rates: list[float], lanes_limit: int
) -> str | None:
    """Say what holds a transfer back, the most certain reason first; None when nothing stands out."""
    if limited:
        return "our own rate limit"
    if refusing:
        return "the host refuses more connections"
    if disk_share > 0.6:
        return "the disk"
    if len(lane_rates) >= min(2, lanes_limit) and lane_rates:
        middle = sorted(lane_rates)[len(lane_rates) // 2]
        if middle > 0 and all(0.7 < rate / middle < 1.4 for rate in lane_rates):
            return "the server's rate per connection"
    return None
