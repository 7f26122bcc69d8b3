"""Windows: the time of day in which a job may run, such as `22:00-06:00`. Pure.

They are read on the wall clock of the place, as people mean them: 06:00 is 06:00, whether an hour came twice or not at all
that night.
"""

import re
from datetime import datetime, timedelta, tzinfo
from typing import Final

from ferryman.core.errors import Invalid

_WINDOW: Final = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})", re.ASCII)
_LEAST: Final = 60.0
"""Seconds until a window is looked at again, when the clock that day has no such time."""


def parse_window(text: str) -> str:
    """Return `text` as it is kept: `HH:MM-HH:MM`. Raises `Invalid` (`window_invalid`)."""
    match = _WINDOW.fullmatch(text.strip())
    if match is not None:
        parts = [int(part) for part in match.groups()]
        start, end = parts[0] * 60 + parts[1], parts[2] * 60 + parts[3]
        fits = parts[0] < 24 and parts[1] < 60 and parts[3] < 60 and end <= 24 * 60
        if fits and start != end % (24 * 60):
            return "{:02}:{:02}-{:02}:{:02}".format(*parts)
    raise Invalid(
        "window_invalid",
        f"'{text[:40]}' is no time of day to run in.",
        advice="Write a start and an end, such as 22:00-06:00.",
        fields={"window": "Write a start and an end, such as 22:00-06:00."},
    )


def is_open(window: str | None, now: float, zone: tzinfo | None = None) -> bool:
    """Whether a job with this window may run now; `zone` is that of the system when not given."""
    if not window:
        return True
    start, end = _minutes(window)
    local = datetime.fromtimestamp(now, zone)
    minute = local.hour * 60 + local.minute
    return start <= minute < end if start < end else minute >= start or minute < end


def opening(window: str | None, now: float, zone: tzinfo | None = None) -> float:
    """The first moment from `now` on at which the window is open."""
    if not window or is_open(window, now, zone):
        return now
    start, _ = _minutes(window)
    local = datetime.fromtimestamp(now, zone)
    there = local.replace(hour=start // 60, minute=start % 60, second=0, microsecond=0)
    if there <= local:
        there = (there + timedelta(days=1)).replace(fold=0)
    return max(there.timestamp(), now + _LEAST) if there.timestamp() <= now else there.timestamp()


def due_at(not_before: float | None, window: str | None, now: float) -> float | None:
    """When a job with this schedule may run; `None` when that is now."""
    due = opening(window, max(now, not_before or now))
    return due if due > now else None


def _minutes(window: str) -> tuple[int, int]:
    start, _, end = window.partition("-")
    return _minute(start), _minute(end)


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
