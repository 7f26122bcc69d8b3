"""The speed limit of all downloads together, changed while they run."""

import time

from ferryman.transfer.service import Engine
from ferryman.transfer.timetable import Timetable


class Speed:
    """Tells and changes the limit of one engine. A change holds until the next start, and ends the timetable."""

    def __init__(self, engine: Engine, rate: int, timetable: Timetable) -> None:
        """Begin with `rate` bytes per second (0 is no limit), and with `timetable` where it has a rule."""
        self._engine = engine
        self._rate = rate
        self._timetable = timetable
        if timetable.rules:
            engine.set_timetable(lambda now: timetable.rate_at(now, rate))

    @property
    def scheduled(self) -> bool:
        """Whether the time of day decides."""
        return bool(self._timetable.rules)

    def limit(self) -> int:
        """Return the limit in force, bytes per second; 0 is none."""
        return self._timetable.rate_at(time.time(), self._rate)

    def change(self, rate: int) -> None:
        """Set the limit, effective at once."""
        self._rate, self._timetable = rate, Timetable()
        self._engine.set_global_rate(rate)
