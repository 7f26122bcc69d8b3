"""One connection fetching one span: takes the bytes a carrier brings and puts them where they belong. Loop only."""

from typing import TYPE_CHECKING, Final

from ferryman.core.errors import FerryError
from ferryman.transfer.carrier import Exchange
from ferryman.transfer.disk import REGION, PartFile
from ferryman.transfer.http import Head
from ferryman.transfer.judge import Asked
from ferryman.transfer.plan import LaneView

if TYPE_CHECKING:
    from ferryman.transfer.task import Task

OPEN_END: Final = 1 << 62
"""Where a span ends while the length is not known."""


class Mirror:
    """One source of the file: its origin URL and where redirects led to last."""

    __slots__ = ("origin", "url")

    def __init__(self, origin: str) -> None:
        """Start at the origin."""
        self.origin = origin
        self.url = origin


class Lane:
    """A span in arrival: `[start, end)`, written up to `pos`, `ahead` bytes more on their way into the file.

    Implements `carrier.Sink`.
    """

    def __init__(self, task: "Task", mirror: Mirror, host: str, asked: Asked, now: float) -> None:
        """Know the task and what was asked; the exchange is set by the task."""
        self.task, self.mirror, self.host, self.asked = task, mirror, host, asked
        self.start = self.pos = self._flushed = asked.start
        self.end = OPEN_END if asked.end is None else asked.end
        self.ahead = 0
        self.body_end = OPEN_END
        self.exchange: Exchange | None = None
        self.begun = self.answered_at = self.last_at = now
        self.first_byte = 0.0
        self.rate = 0.0
        self.answered_yes = False
        self.paused = False
        self._rate_pos, self._rate_at = self.pos, now

    @property
    def part(self) -> PartFile:
        """Where bytes go."""
        part = self.task.arrival.part
        assert part
        return part

    @property
    def limited(self) -> bool:
        """Whether a rate limit is on."""
        return bool(self.task.bucket.rate or self.task.core.bucket.rate)

    def view(self, now: float) -> LaneView:
        """The lane as the planner sees it."""
        return LaneView(self.offset(), self.end, self.rate, now - self.last_at)

    def answered(self, head: Head) -> bool:
        """Let the task judge the answer."""
        now = self.task.core.now()
        self.first_byte = now - self.begun
        self.last_at = self._rate_at = self.answered_at = now
        return self.task.answers.answered(self, head)

    def room(self, limit: int) -> int:
        """At most up to the end of the span and what the rate limits allow."""
        left = self.end - self.offset()
        if left <= 0:
            left = self.task.extend(self) - self.ahead
            if left <= 0:
                return -1
        allowed = self.task.allowance(min(limit, left))
        self.paused = allowed == 0
        return allowed

    def offset(self) -> int:
        """The next byte."""
        return self.pos + self.ahead

    def lent(self, count: int) -> None:
        """Bytes were read and are being written."""
        self.ahead += count

    def took(self, count: int) -> None:
        """Count bytes that are in the file."""
        self.pos += count
        self.ahead = max(0, self.ahead - count)
        self.last_at = self.task.core.now()
        if self.pos - self._flushed >= REGION:
            self.flush()
        self.task.arrived(count)

    def put(self, data: memoryview) -> int:
        """Write bytes, up to the end of the span."""
        room = self.end - self.pos
        while room < len(data) and (grown := self.task.extend(self)) > room:
            room = grown
        wanted = data[: max(0, room)]
        if wanted:
            self.part.write(wanted, self.pos)
            self.took(len(wanted))
        return len(wanted)

    def ended(self, error: FerryError | OSError | None) -> None:
        """Tell the task."""
        self.task.lane_over(self, error)

    def flush(self) -> None:
        """Let the flusher write back what arrived since the last time."""
        arrival = self.task.arrival
        if arrival.big and arrival.part and self.pos > self._flushed:
            self.task.core.flusher.wrote(arrival.part, self._flushed, self.pos)
        self._flushed = self.pos

    def restart(self) -> None:
        """The answer turned out to be the whole object from its first byte."""
        self.start = self.pos = self._flushed = self._rate_pos = 0

    def stalled(self, now: float) -> bool:
        """Whether a connected lane got nothing for too long."""
        connected = self.exchange is not None and self.exchange.connected
        return connected and now - self.last_at >= self.task.request.options.stall_timeout

    def tick(self, now: float) -> None:
        """Measure the lane's speed; wake it when it waited for a rate limit."""
        elapsed = now - self._rate_at
        if elapsed >= 0.1 and self.answered_yes:
            sample = (self.pos - self._rate_pos) / elapsed
            self.rate = sample if not self.rate else self.rate + 0.5 * (sample - self.rate)
            self._rate_pos, self._rate_at = self.pos, now
        if self.exchange:
            self.exchange.tick(now)
            if self.paused:
                self.last_at = now
                self.paused = False
                self.exchange.resume()
