"""Time as a value that tests can hold: UNIX seconds for records, monotonic seconds for durations."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where a room reads the time. Implementations are thread-safe."""

    def now(self) -> float:
        """UNIX seconds, for records and schedules."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """UNIX seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


def rfc3339(seconds: float) -> str:
    """Render UNIX seconds as RFC 3339 in UTC with milliseconds: `2026-11-25T04:48:21.000Z`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
