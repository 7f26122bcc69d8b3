"""Speed limits by weekday and time: `mon-fri 08:00-18:00=2MB/s, sat,sun=0, 22:00-06:00=500K`. Pure.

Rules are read on the wall clock of the place, so they need no care when clocks change: at 03:00 it is 03:00, whether
02:30 came twice or not at all that night. The first rule that covers a moment counts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from ferryman.core.errors import Invalid
from ferryman.core.units import parse_rate

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES: Final = 24 * 60
_WEEK_MINUTES: Final = 7 * _DAY_MINUTES
_RULE: Final = re.compile(
    r"(?:(?P<days>[a-z]{3}(?:[-+ ]+[a-z]{3})*)(?:\s+|\s*(?==)))?"
    r"(?:(?P<from>\d{1,2}:\d{2})\s*-\s*(?P<to>\d{1,2}:\d{2}))?\s*=\s*(?P<rate>.+)",
    re.IGNORECASE | re.ASCII,
)
_DAY_WORDS: Final = re.compile(r"[a-z]{3}(?:[-+ ]+[a-z]{3})*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Rule:
    """One span of time and its limit.

    `days` are those on which it begins (0 is Monday); `start` and `end` are minutes after midnight, `end` not
    included; when `end` is not after `start`, the rule goes on past midnight. `rate` is bytes per second, 0 is no limit.
    """

    days: frozenset[int]
    start: int
    end: int
    rate: int

    def covers(self, weekday: int, minute: int) -> bool:
        """Whether minute `minute` of a day `weekday` lies within."""
        if self.start < self.end:
            return weekday in self.days and self.start <= minute < self.end
        begun_today = weekday in self.days and minute >= self.start
        begun_yesterday = (weekday - 1) % 7 in self.days and minute < self.end
        return begun_today or begun_yesterday


@dataclass(frozen=True, slots=True)
class Timetable:
    """Rules in the order they were written. Empty means that no rule ever applies."""

    rules: tuple[Rule, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Timetable":
        """Read rules separated by commas or semicolons. Raises `Invalid` (`timetable_invalid`, `rate_invalid`)."""
        return cls(tuple(_rule(part) for part in _parts(text)))

    def limit_at(self, local: datetime) -> int | None:
        """Return bytes per second at a local time (0 is no limit), or None when no rule covers it."""
        minute = local.hour * 60 + local.minute
        for rule in self.rules:
            if rule.covers(local.weekday(), minute):
                return rule.rate
        return None

    def rate_at(self, now: float, default: int = 0, zone: tzinfo | None = None) -> int:
        """Return the limit at UNIX time `now`; `default` when no rule covers it. `zone` is this machine's unless given."""
        limit = self.limit_at(datetime.fromtimestamp(now, UTC).astimezone(zone))
        return default if limit is None else limit

    def next_change(self, now: float, default: int = 0, zone: tzinfo | None = None) -> float | None:
        """Return when the limit is next another than at UNIX time `now`, None when it never is.

        It is looked for where a rule begins or ends, and at every quarter of an hour, when clocks are set.
        """
        if not self.rules:
            return None
        week = [default if limit is None else limit for limit in self.week()]
        present = week[_minute_of_week(now, zone)]
        for moment in self._moments(now):
            if week[_minute_of_week(moment, zone)] != present:
                return moment
        return None

    def week(self) -> list[int | None]:
        """Return the limit of each minute of a week from Monday 00:00 on; None where no rule counts."""
        found: list[int | None] = [None] * _WEEK_MINUTES
        for rule in reversed(self.rules):
            length = (rule.end - rule.start) % _DAY_MINUTES or _DAY_MINUTES
            for day in rule.days:
                begin = day * _DAY_MINUTES + rule.start
                over = max(0, begin + length - _WEEK_MINUTES)  # a night from Sunday to Monday
                found[begin : begin + length - over] = [rule.rate] * (length - over)
                found[:over] = [rule.rate] * over
        return found

    def hours(self) -> tuple[list[list[int | None]], bool]:
        """Return the limit at the begin of each hour of each day from Monday on, and whether it holds for whole hours."""
        week = self.week()
        cells = [[week[(day * 24 + hour) * 60] for hour in range(24)] for day in range(7)]
        whole = all(week[minute] == week[minute - minute % 60] for minute in range(_WEEK_MINUTES))
        return cells, whole

    def _moments(self, now: float) -> Iterator[float]:
        """Yield in order when the limit can change within eight days after `now`."""
        minutes = {edge % 60 for rule in self.rules for edge in (rule.start, rule.end)} | {0, 15, 30, 45}
        # Time zones differ from UTC by whole quarters of an hour, so a minute of the wall clock is one of these.
        steps = sorted({(minute + shift) % 60 for minute in minutes for shift in (0, 15, 30, 45)})
        hour = now - now % 3600
        for count in range(8 * 24 + 1):
            for step in steps:
                moment = hour + count * 3600 + step * 60
                if moment > now:
                    yield moment


def _minute_of_week(now: float, zone: tzinfo | None) -> int:
    local = datetime.fromtimestamp(now, UTC).astimezone(zone)
    return (local.weekday() * 24 + local.hour) * 60 + local.minute


def _parts(text: str) -> Iterator[str]:
    """Yield the text of each rule. Commas stand between rules, and between days: `sat,sun=0` is one rule."""
    for line in re.split(r"[;\n]", text):
        days = ""
        for part in [one.strip() for one in line.split(",")]:
            if _DAY_WORDS.fullmatch(part):
                days += f"{part}+"
            elif part or days:
                yield days + part
                days = ""
        if days:
            yield days.rstrip("+")


def _rule(text: str) -> Rule:
    found = _RULE.fullmatch(text)
    if not found or (found["days"] is None and found["from"] is None):
        raise _invalid(text)
    if found["from"] is None:
        return Rule(_days(found["days"], text), 0, _DAY_MINUTES, parse_rate(found["rate"]))
    start, end = _minute(found["from"], text), _minute(found["to"], text)
    if start == _DAY_MINUTES:
        raise _invalid(text)
    return Rule(_days(found["days"], text), start, end, parse_rate(found["rate"]))


def _minute(clock: str, text: str) -> int:
    hour, _, minute = clock.partition(":")
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > _DAY_MINUTES:
        raise _invalid(text)
    return total


def _days(words: str | None, text: str) -> frozenset[int]:
    if words is None:
        return frozenset(range(7))
    found: set[int] = set()
    for group in re.split(r"[+\s]+", re.sub(r"\s*-\s*", "-", words.lower())):
        names = group.split("-")
        if len(names) > 2 or any(name not in DAYS for name in names):
            raise _invalid(text)
        first, last = DAYS.index(names[0]), DAYS.index(names[-1])
        found.update((first + step) % 7 for step in range((last - first) % 7 + 1))
    return frozenset(found)


def _invalid(text: str) -> Invalid:
    return Invalid(
        "timetable_invalid",
        f"'{text[:120]}' is not a time with a limit.",
        advice="Write [days] [HH:MM-HH:MM]=RATE, such as: mon-fri 08:00-18:00=2MB/s, sat,sun=0",
    )
