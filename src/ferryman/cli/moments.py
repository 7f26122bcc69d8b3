"""Moments as people type them: `22:30`, `2026-12-24T18:00`, `2h`."""

from datetime import datetime

from ferryman.core.errors import Invalid
from ferryman.core.units import parse_duration


def moment_of(text: str, now: datetime) -> datetime:
    """Read a moment: a time of day (the next one), a date with time, or how long from `now`. Raises `Invalid`."""
    try:
        found = datetime.strptime(text, "%H:%M").replace(tzinfo=now.tzinfo)
        today = now.replace(hour=found.hour, minute=found.minute, second=0, microsecond=0)
        return today if today > now else datetime.fromtimestamp(today.timestamp() + 86_400, now.tzinfo)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.astimezone()
    except ValueError:
        pass
    try:
        return datetime.fromtimestamp(now.timestamp() + parse_duration(text), now.tzinfo)
    except Invalid as error:
        raise Invalid(
            "moment_invalid",
            f"'{text[:40]}' is no moment.",
            advice="Write 22:30, 2026-12-24T18:00, or 2h.",
        ) from error
