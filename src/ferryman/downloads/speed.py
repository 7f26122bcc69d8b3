"""The speed limit of all downloads together: what the settings say, put into the engine whenever they change."""

import time
from dataclasses import dataclass

from ferryman.accounts.model import Principal
from ferryman.core.errors import Invalid
from ferryman.core.settings import Settings
from ferryman.core.timetable import Timetable
from ferryman.core.units import parse_rate
from ferryman.settings.service import SettingsService
from ferryman.transfer.service import Engine


@dataclass(frozen=True, slots=True)
class Limit:
    """Bytes per second in force (0 is none), whether a timetable decides, and when it next changes (UNIX time)."""

    rate: int
    scheduled: bool
    changes_at: float | None


class Speed:
    """Tells and changes the limit of one engine. The settings are the truth; this only puts them into the engine."""

    def __init__(self, engine: Engine, settings: SettingsService) -> None:
        """Put the limit in force, now and whenever the settings change."""
        self._engine = engine
        self._settings = settings
        settings.live.subscribe(self._put)
        self._put(settings.live.now())

    def limit(self) -> Limit:
        """Return the limit in force."""
        settings, now = self._settings.live.now(), time.time()
        rate, timetable = parse_rate(settings.rate_limit), Timetable.parse(settings.rate_schedule)
        return Limit(timetable.rate_at(now, rate), bool(timetable.rules), timetable.next_change(now, rate))

    async def change(self, rate: str, caller: Principal) -> Limit:
        """Set the limit, effective at once and after a restart. Raises `Invalid`, `Denied`, `Conflict` (`setting_fixed`).

        The timetable goes on: where it has a rule, the rule counts.
        """
        await self._settings.change({"rate_limit": _checked(rate)}, caller)
        return self.limit()

    def _put(self, settings: Settings) -> None:
        rate, timetable = parse_rate(settings.rate_limit), Timetable.parse(settings.rate_schedule)
        self._engine.set_global_rate(timetable.rate_at(time.time(), rate))
        if timetable.rules:
            self._engine.set_timetable(lambda now: timetable.rate_at(now, rate))


def _checked(rate: str) -> str:
    try:
        parse_rate(rate)
    except Invalid as error:
        error.fields = {"rate_limit": error.message}
        raise
    return rate
