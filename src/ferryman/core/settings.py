"""Every setting: its default, bounds, meaning, section, and whether a change takes effect at once.

A setting is `FERRY_NAME` in the environment and `name` in `$FERRY_HOME/ferry.toml`. What is set on the page of settings
(see `core.live`) wins over the file; the environment and the command line win over both.

Adding one is a line in `Settings`. It appears on the page, in the API, in `ferry settings` and in the reference.
"""

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    PrivateAttr,
    ValidationInfo,
    field_validator,
)

from ferryman.core.home import default_home
from ferryman.core.setting import (
    Folder,
    Hours,
    Rate,
    Section,
    Size,
    as_logins,
    as_rate,
    as_size,
    as_timetable,
    setting,
)
from ferryman.core.settings_depot import DepotSettings
from ferryman.core.settings_registry import RegistrySettings

LONGEST: Final = 4096
"""Characters of a value at most."""


class Origin(StrEnum):
    """Where a value comes from; the later wins."""

    DEFAULT = "default"
    FILE = "file"
    CONSOLE = "console"
    ENVIRONMENT = "environment"
    COMMAND_LINE = "command line"


class Kind(StrEnum):
    """How a value is typed in."""

    NUMBER = "number"
    TEXT = "text"
    CHOICE = "choice"
    SWITCH = "switch"
    PATH = "path"
    RATE = "rate"
    SIZE = "size"
    TIMETABLE = "timetable"
    LOGINS = "logins"


class Settings(DepotSettings, RegistrySettings):
    """The effective settings of one process. Immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)
    _origins: dict[str, Origin] = PrivateAttr(default_factory=dict)

    rate_limit: Rate = setting(
        "0",
        "Speed limit of all downloads together, such as `20MB/s`; 0 means none. Where the timetable has a rule, the rule counts.",
        section=Section.SPEED,
        live=True,
        label="Speed limit",
    )
    rate_schedule: Hours = setting(
        "",
        "Speed limits by weekday and time, such as `mon-fri 08:00-18:00=2MB/s, sat,sun=0`; otherwise the speed limit counts. Local time of this machine.",
        section=Section.SPEED,
        live=True,
        label="Timetable",
    )
    download_folder: Folder | None = setting(
        None,
        "Where finished files go; default `downloads` in the home folder.",
        section=Section.DOWNLOADS,
        live=False,
    )
    download_concurrency: int = setting(
        8,
        "Downloads that run at once.",
        section=Section.DOWNLOADS,
        live=True,
        label="Downloads at once",
        ge=1,
        le=32,
    )
    connections: int = setting(
        8,
        "Most connections one download opens.",
        section=Section.DOWNLOADS,
        live=True,
        label="Connections of a download",
        ge=1,
        le=32,
    )
    rpc: bool = setting(
        True,
        "Whether programs made for aria2, such as browser extensions, reach the downloads at /jsonrpc, with an API token.",
        section=Section.ACCESS,
        live=True,
        label="JSON-RPC of aria2",
    )
    history_days: int = setting(
        0,
        "Days after which ended downloads leave the history; 0 keeps them. Files stay.",
        section=Section.DOWNLOADS,
        live=True,
        label="Keep the history for",
        unit="days",
        ge=0,
        le=36_500,
    )
    history_count: int = setting(
        0,
        "Most ended downloads in the history, the oldest leave first; 0 keeps all. Files stay.",
        section=Section.DOWNLOADS,
        live=True,
        label="Entries in the history at most",
        ge=0,
        le=100_000_000,
    )
    private_addresses: Literal["allow", "operators", "deny"] = setting(
        "operators",
        "Who may fetch from private and loopback addresses: everyone, operators and admins, or nobody.",
        section=Section.ACCESS,
        live=True,
    )
    worker_concurrency: int = setting(
        48,
        "Jobs that run at once, of all kinds.",
        section=Section.QUEUE,
        live=True,
        label="Jobs at once",
        ge=1,
        le=256,
    )
    unpack_entries: int = setting(
        100_000,
        "Most files and folders one archive may have to be unpacked.",
        section=Section.DOWNLOADS,
        live=True,
        label="Entries of an archive",
        ge=1,
        le=5_000_000,
    )
    unpack_size: Size = setting(
        "100GB",
        "Most bytes the content of one archive may have, such as `100GB`.",
        section=Section.DOWNLOADS,
        live=True,
        label="Size of an archive's content",
    )
    unpack_ratio: int = setting(
        200,
        "How many times larger than the archive its content may be; what is below 64 MiB is never too much.",
        section=Section.DOWNLOADS,
        live=True,
        label="Ratio of an archive",
        ge=2,
        le=100_000,
    )
    hook_commands: bool = setting(
        False,
        "Whether hooks may run programs here.",
        section=Section.ACCESS,
        live=False,
        machine=True,
        label="Run programs",
    )
    hook_private: bool = setting(
        False,
        "Whether webhooks may go to private and loopback addresses.",
        section=Section.ACCESS,
        live=True,
        label="Webhooks to private addresses",
    )
    hook_concurrency: int = setting(
        8,
        "Deliveries to hooks that run at once.",
        section=Section.QUEUE,
        live=True,
        label="Deliveries at once",
        ge=1,
        le=64,
    )
    session_hours: int = setting(
        12,
        "Hours until a console session ends; for sessions that begin from now on.",
        section=Section.ACCESS,
        live=True,
        label="Length of a session",
        unit="hours",
        ge=1,
        le=24 * 90,
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "Least level that is logged.", section=Section.SERVER, live=True
    )
    home: Path = setting(
        default_home, "Folder of everything Ferryman keeps.", section=Section.SERVER, live=False, machine=True
    )
    host: str = setting(
        "127.0.0.1",
        "Address the daemon listens on.",
        section=Section.SERVER,
        live=False,
        machine=True,
        label="Address",
        min_length=1,
        max_length=255,
    )
    port: int = setting(
        8470,
        "Port the daemon listens on; 0 takes a free one.",
        section=Section.SERVER,
        live=False,
        machine=True,
        ge=0,
        le=65535,
    )
    database_url: str = setting(
        "",
        "PostgreSQL address; empty means SQLite in the home folder.",
        section=Section.SERVER,
        live=False,
        machine=True,
        label="Database",
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_sane(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what no setting ever is, whatever its type."""
        kind = kind_of(info.field_name or "")
        if isinstance(value, bool) and kind is not Kind.SWITCH:
            raise ValueError("is neither true nor false")
        if isinstance(value, str):
            if len(value) > LONGEST:
                raise ValueError(f"has {len(value)} characters. Use at most {LONGEST}.")
            allowed = "\n" if kind in {Kind.TIMETABLE, Kind.LOGINS} else ""
            if any(not letter.isprintable() and letter not in allowed for letter in value):
                raise ValueError("has control characters. Leave them out.")
        return value

    @property
    def downloads(self) -> Path:
        """Folder of finished files."""
        return self.download_folder or self.home / "downloads"

    @property
    def limits(self) -> dict[str, int]:
        """How many jobs run at once, per kind; `*` is all together. A setting `KIND_concurrency` is the limit of KIND."""
        found = {
            name.removesuffix("_concurrency"): getattr(self, name)
            for name in type(self).model_fields
            if name.endswith("_concurrency")
        }
        found["*"] = found.pop("worker")
        return found

    def origin(self, name: str) -> Origin:
        """Return where `name` comes from; what code gave counts as the file's."""
        given = Origin.FILE if name in self.model_fields_set else Origin.DEFAULT
        return self._origins.get(name, given)


@dataclass(frozen=True, slots=True)
class Meta:
    """What is known of a setting beside its value."""

    name: str
    label: str
    description: str
    section: Section
    kind: Kind
    live: bool
    secret: bool
    machine: bool
    unit: str
    default: Any
    choices: tuple[str, ...]
    minimum: int | None
    maximum: int | None

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"FERRY_{self.name.upper()}"


def meta_of(name: str) -> Meta:
    """Return what is known of the setting `name`. Raises `KeyError`."""
    field = Settings.model_fields[name]
    more = typing.cast("dict[str, Any]", field.json_schema_extra)
    limits = {
        key: getattr(item, key) for item in field.metadata for key in ("ge", "le") if hasattr(item, key)
    }
    return Meta(
        name=name,
        label=more["label"] or name.replace("_", " ").capitalize(),
        description=field.description or "",
        section=more["section"],
        kind=kind_of(name),
        live=more["live"],
        secret=more["secret"],
        machine=more["machine"],
        unit=more["unit"],
        default=field.get_default(call_default_factory=True),
        choices=typing.get_args(field.annotation) if typing.get_origin(field.annotation) is Literal else (),
        minimum=limits.get("ge"),
        maximum=limits.get("le"),
    )


def kind_of(name: str) -> Kind:
    """Return how the setting `name` is typed in."""
    field = Settings.model_fields[name]
    if typing.get_origin(field.annotation) is Literal:
        return Kind.CHOICE
    for item in field.metadata:
        if isinstance(item, AfterValidator) and item.func in _SPECIAL:
            return _SPECIAL[item.func]
    types = {field.annotation, *typing.get_args(field.annotation)}
    plain = {bool: Kind.SWITCH, int: Kind.NUMBER, Path: Kind.PATH}
    annotated = {typing.get_args(item)[0] for item in types if typing.get_origin(item) is Annotated}
    return next((kind for type_, kind in plain.items() if type_ in types | annotated), Kind.TEXT)


_SPECIAL: Final[Mapping[Any, Kind]] = {
    as_rate: Kind.RATE,
    as_size: Kind.SIZE,
    as_timetable: Kind.TIMETABLE,
    as_logins: Kind.LOGINS,
}
