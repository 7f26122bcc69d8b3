"""Bytes, rates and durations: read what people type, print what people read."""

import math
import re

from ferryman.core.errors import Invalid

_FACTORS = {
    "": 1,
    "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4,
    "ki": 1024, "mi": 1024**2, "gi": 1024**3, "ti": 1024**4,
}  # fmt: skip
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]i?)?b?", re.IGNORECASE | re.ASCII)
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", re.IGNORECASE | re.ASCII)


def parse_size(text: str) -> int:
    """Read a size in bytes: `1500`, `64KiB`, `1.5 MB`. Raises `Invalid`."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise Invalid(
            "size_invalid",
            f"'{text[:80]}' is not a size.",
            advice="Write a number with an optional unit, such as 500K, 20MB or 4GiB.",
        )
    return int(float(found[1]) * _FACTORS[(found[2] or "").lower()])


def parse_rate(text: str) -> int:
    """Read a rate in bytes per second: `2MB/s`, `500K`; `0` and `off` mean no limit. Raises `Invalid`."""
    cleaned = text.strip().lower()
    if cleaned in {"off", "none", "unlimited"}:
        return 0
    try:
        return parse_size(cleaned.removesuffix("/s"))
    except Invalid as error:
        raise Invalid(
            "rate_invalid",
            f"'{text[:80]}' is not a rate.",
            advice="Write bytes per second with an optional unit, such as 500K, 2MB/s or 10MiB/s; 0 means no limit.",
        ) from error


def parse_duration(text: str) -> float:
    """Read seconds: `90`, `90s`, `15m`, `1h30m`, `2d`. Raises `Invalid`."""
    cleaned = text.strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", cleaned):
        return float(cleaned)
    found = _DURATION.fullmatch(cleaned)
    if not cleaned or not found:
        raise Invalid(
            "duration_invalid",
            f"'{text[:80]}' is not a duration.",
            advice="Write seconds, or a form such as 90s, 15m, 1h30m or 2d.",
        )
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def format_size(count: float) -> str:
    """Render bytes with binary units: `1.5 MiB`."""
    if abs(round(count)) < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if abs(round(count, 1)) < 1024:
            return f"{count:.1f} {unit}"
    count /= 1024
    return f"{count:.1f} TiB"


def format_rate(rate: float) -> str:
    """Render bytes per second: `12.0 MiB/s`."""
    return f"{format_size(rate)}/s"


def plain_rate(rate: int) -> str:
    """Write bytes per second the way people type them, exactly: `2MB/s`, `1500B/s`; no limit is `0`."""
    if not rate:
        return "0"
    units = ("T", "G", "M", "K", "Ti", "Gi", "Mi", "Ki")
    fitting = [unit for unit in units if rate % _FACTORS[unit.lower()] == 0]
    best = min(fitting, key=lambda unit: rate // _FACTORS[unit.lower()], default="")
    return f"{rate // _FACTORS[best.lower()]}{best}B/s"


def format_eta(seconds: float | None) -> str:
    """Render a remaining time the way people say it: `about 3 min`; unknown is `—`."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return "—"
    if seconds < 10:
        return "a few seconds"
    if seconds < 55:
        return f"about {round(seconds / 5) * 5} s"
    if seconds < 3300:
        return f"about {max(1, round(seconds / 60))} min"
    if seconds < 86400:
        return f"about {max(1, round(seconds / 3600))} h"
    return f"about {round(seconds / 86400)} d"


def format_duration(seconds: float) -> str:
    """Render how long something took: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
