"""What a setting is made of: `core.settings` has the settings themselves, and those of one area may have a file beside it."""

import typing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from ferryman.core.access_lines import parse_access, parse_upstreams
from ferryman.core.errors import Invalid
from ferryman.core.retention import parse_rules
from ferryman.core.timetable import Timetable
from ferryman.core.units import parse_rate, parse_size
from ferryman.core.upstream_logins import parse_logins


class Section(StrEnum):
    """Where a setting stands on the page; in this order."""

    SPEED = "Speed"
    DOWNLOADS = "Downloads"
    DEPOT = "Depot"
    REGISTRY = "Registry"
    QUEUE = "Queue"
    ACCESS = "Access"
    SERVER = "Server"


def setting(
    default: Any,
    description: str,
    *,
    section: Section,
    live: bool,
    label: str = "",
    unit: str = "",
    secret: bool = False,
    machine: bool = False,
    **bounds: Any,
) -> Any:
    """Return a field of `Settings`. `default` may be a function that makes it.

    `live`: a change takes effect at once, otherwise at the next start. `unit` is shown behind the value. `secret`: kept
    encrypted and never shown. `machine`: is needed before the database is open, or decides who reaches the daemon or runs programs here, so
    it is set on the machine only. `bounds` are those of `pydantic.Field`.
    """
    more: dict[str, Any] = {
        "section": section,
        "live": live,
        "label": label,
        "unit": unit,
        "secret": secret,
        "machine": machine,
    }
    if callable(default):
        return Field(default_factory=default, description=description, json_schema_extra=more, **bounds)
    return Field(default, description=description, json_schema_extra=more, **bounds)


def as_rate(text: str) -> str:
    """Return `text` when it is a speed. Raises `ValueError`."""
    return _read(parse_rate, text)


def as_size(text: str) -> str:
    """Return `text` when it is a number of bytes. Raises `ValueError`."""
    return _read(parse_size, text)


def as_timetable(text: str) -> str:
    """Return `text` when it is a timetable. Raises `ValueError`."""
    return _read(Timetable.parse, text)


def as_retention(text: str) -> str:
    """Return `text` when it is rules for tags. Raises `ValueError`."""
    return _read(parse_rules, text)


def as_access(text: str) -> str:
    """Return `text` when it is lines of access. Raises `ValueError`."""
    return _read(parse_access, text)


def as_upstreams(text: str) -> str:
    """Return `text` when it is lines of upstreams. Raises `ValueError`."""
    return _read(parse_upstreams, text)


def as_logins(text: str) -> str:
    """Return `text` when it is logins of upstreams. Raises `ValueError`."""
    return _read(parse_logins, text)


def _read(read: typing.Callable[[str], object], text: str) -> str:
    try:
        read(text)
    except Invalid as error:
        raise ValueError(f"{error.message} {error.advice.rstrip('.')}.") from error
    return text.strip()


def _absolute(path: Path) -> Path:
    found = path.expanduser()
    if not found.is_absolute():
        raise ValueError(f"'{str(path)[:80]}' is not a whole path. Begin it with / or ~.")
    return found


Size = Annotated[str, AfterValidator(as_size)]
"""A number of bytes as people write it, such as `100GB`."""
Rate = Annotated[str, AfterValidator(as_rate)]
"""A speed as people write it, such as `2MB/s`; 0 means no limit."""
Hours = Annotated[str, AfterValidator(as_timetable)]
"""Speed limits by weekday and time, see `core.timetable`."""
Folder = Annotated[Path, AfterValidator(_absolute)]
"""A whole path; `~` is the home of the user who runs Ferryman."""
Retention = Annotated[str, AfterValidator(as_retention)]
"""Which tags of the depot stay, see `core.retention`."""
AccessLines = Annotated[str, AfterValidator(as_access)]
"""Who may do what in which repository, see `core.access_lines`."""
UpstreamLines = Annotated[str, AfterValidator(as_upstreams)]
"""Registries that are asked for what is not here, see `core.access_lines`."""
UpstreamLogins = Annotated[str, AfterValidator(as_logins)]
"""Who we are at registries that are asked, see `core.upstream_logins`."""
