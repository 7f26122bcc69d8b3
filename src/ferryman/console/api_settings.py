"""The settings: what is in force, where it comes from, and changing it; `/api/v1/settings`."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Body, Header, Path, Query, Response
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse

from ferryman.accounts.model import Principal
from ferryman.core.errors import Invalid, NotFound
from ferryman.core.live import Live
from ferryman.core.secrets import mask
from ferryman.core.setting import Section
from ferryman.core.settings import LONGEST, Kind, Origin, Settings, meta_of
from ferryman.core.timetable import Timetable
from ferryman.core.units import parse_rate, plain_rate
from ferryman.settings.exchange import LARGEST, Format, differing, exported, read, written
from ferryman.settings.service import Change, SettingsService, shown, version_of
from ferryman.settings.sql import Stored
from ferryman.web.auth import allow
from ferryman.web.shapes import JsonObject, Moment, Strict, moment

T = TypeVar("T")
Value = bool | int | float | str | list[Any] | None
Reader = Annotated[Principal, allow("settings:read")]
Writer = Annotated[Principal, allow("settings:write")]
Version = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=100,
        description="The ETag read before: refused when it is not that any more.",
    ),
]
MOST_CHANGED: Final = 200


class SettingView(BaseModel):
    """A setting with its value, where it comes from, and what may be put there. Secrets are `***`."""

    name: str
    label: str
    section: Section
    variable: str = Field(description="Its name in the environment.")
    kind: Kind = Field(description="How it is typed in.")
    value: Value = Field(description="The value that is set.")
    in_force: Value = Field(
        description="The value this process works with; another than `value` until the next start."
    )
    default: Value
    fallback: Value = Field(description="The value it has when what was set here is taken back.")
    origin: Origin
    description: str
    live: bool = Field(description="Whether a change takes effect at once, otherwise at the next start.")
    pending: bool = Field(description="Whether `value` takes effect at the next start only.")
    secret: bool
    unit: str
    choices: list[str] = Field(description="What can be chosen; empty when anything can be typed.")
    minimum: int | None
    maximum: int | None
    fixed_by: Origin | str | None = Field(
        description="What wins over the console: `environment`, `command line`, or `machine`; null when it can be changed."
    )
    fixed_because: str = Field(description="The same in words.")
    problem: str = Field(
        description="What is wrong with the stored value, which is left out; empty when nothing is."
    )
    changed_at: Moment | None = Field(description="When it was last changed here.")
    changed_by: str | None


class SettingList(BaseModel):
    """Every setting, in the order of the page."""

    items: list[SettingView]
    version: str = Field(description="Names this state; also the ETag.")


class ChangeView(BaseModel):
    """What a setting was and is."""

    name: str
    label: str
    before: Value
    after: Value


class Changed(BaseModel):
    """What a request changed, or would change."""

    changes: list[ChangeView]
    dry_run: bool = False


class Import(Strict):
    """Settings to take over, as text."""

    text: Annotated[str, Field(max_length=LARGEST)] = Field(description="What an export answered.")
    format: Format = Format.TOML


class TimetableText(Strict):
    """A timetable to look at."""

    rate_schedule: Annotated[str, Field(max_length=LONGEST)] = ""
    rate_limit: Annotated[str, Field(max_length=100)] = "0"


class TimetableView(BaseModel):
    """What a timetable means in the local time of the server."""

    cells: list[list[str | None]] = Field(
        description="For each day from Monday on, for each hour: the limit, `0` for none, null where no rule counts."
    )
    whole_hours: bool = Field(
        description="Whether the cells tell all: no rule begins or ends within an hour."
    )
    weekday: int = Field(description="What day it is now; 0 is Monday.")
    hour: int
    zone: str = Field(description="Name of the time zone.")
    rate_limit: int = Field(description="Bytes per second in force now; 0 means none.")
    changes_at: Moment | None = Field(description="When the limit next changes, null for never.")


def settings_view(live: Live, stored: Mapping[str, Stored]) -> list[SettingView]:
    """Return every setting, by section and then in the order of its definition."""
    sections = list(Section)
    names = sorted(Settings.model_fields, key=lambda name: sections.index(meta_of(name).section))
    return [_view(name, live, stored.get(name)) for name in names]


def _view(name: str, live: Live, stored: Stored | None) -> SettingView:
    meta, after, now = meta_of(name), live.next(), live.now()
    return SettingView(
        name=name,
        label=meta.label,
        section=meta.section,
        variable=meta.variable,
        kind=meta.kind,
        value=_plain(shown(name, after)),
        in_force=_plain(shown(name, now)),
        default=_plain(str(meta.default) if meta.kind is Kind.PATH and meta.default else meta.default),
        fallback=_plain(shown(name, live.base)),
        origin=live.origin(name),
        description=meta.description,
        live=meta.live,
        pending=getattr(after, name) != getattr(now, name),
        secret=meta.secret,
        unit=meta.unit,
        choices=list(meta.choices),
        minimum=meta.minimum,
        maximum=meta.maximum,
        fixed_by=_fixed_by(name, live),
        fixed_because=live.fixed_because(name),
        problem=live.problems.get(name, ""),
        changed_at=moment(stored.changed_at) if stored else None,
        changed_by=stored.changed_by if stored else None,
    )


def _fixed_by(name: str, live: Live) -> str | None:
    if not live.fixed(name):
        return None
    origin = live.origin(name)
    return str(origin) if origin in {Origin.ENVIRONMENT, Origin.COMMAND_LINE} else "machine"


def _plain(value: Any) -> Any:
    """Return a value whose secrets, such as the password of an address, are hidden."""
    return mask(value) if isinstance(value, str) else value


def router(settings: SettingsService) -> APIRouter:
    """Return the routes of the settings."""
    routes = APIRouter(prefix="/settings", tags=["settings"])
    _add_carrying(routes, settings)
    _add_changing(routes, settings)

    @routes.post("/timetable")
    async def look_at_timetable(_caller: Reader, body: TimetableText) -> TimetableView:
        """Say what a timetable means, hour by hour, and what would be in force now. Changes nothing."""
        return await asyncio.to_thread(timetable_view, body.rate_schedule, body.rate_limit)

    return routes


def _add_changing(routes: APIRouter, settings: SettingsService) -> None:
    @routes.get("")
    async def list_settings(_caller: Reader, response: Response) -> SettingList:
        """List every setting: value, origin, whether it can be changed here and what it takes."""
        stored = await settings.stored()
        response.headers["ETag"] = f'"{version_of(stored)}"'
        return SettingList(items=settings_view(settings.live, stored), version=version_of(stored))

    @routes.patch("")
    async def change_settings(
        caller: Writer,
        values: Annotated[
            JsonObject,
            Field(max_length=MOST_CHANGED),
            Body(
                description="Names and their new values; null takes back what was set here.",
                examples=[{"connections": 4}],
            ),
        ],
        if_match: Version = None,
        dry_run: Annotated[bool, Query(description="Only say what would change.")] = False,
    ) -> Changed:
        """Change several settings: all of them, or none when anything is wrong."""
        if dry_run:
            return changed_view(await settings.preview(values), dry_run=True)
        version = if_match.removeprefix("W/").strip('"') if if_match and if_match != "*" else None
        return changed_view(await settings.change(values, caller, version=version))

    @routes.delete("/{name}")
    async def reset_setting(
        caller: Writer, name: Annotated[str, Path(max_length=100, description="Name of the setting.")]
    ) -> Changed:
        """Take back what was set here: what file or default say holds again."""
        if name not in Settings.model_fields and name not in await settings.stored():
            raise NotFound(
                "setting_not_found",
                f"There is no setting '{name[:80]}'.",
                advice="See 'ferry settings list' for the names.",
            )
        return changed_view(await settings.change({name: None}, caller))


def _add_carrying(routes: APIRouter, settings: SettingsService) -> None:
    @routes.get(
        "/export",
        response_class=PlainTextResponse,
        responses={
            200: {
                "content": {
                    "application/toml": {"schema": {"type": "string"}},
                    "application/json": {"schema": {"type": "object"}},
                }
            }
        },
    )
    async def export_settings(
        _caller: Reader,
        format: Annotated[Format, Query(description="How it is written.")] = Format.TOML,  # noqa: A002 - the word people use
    ) -> Response:
        """Answer with everything that is not a default, to import elsewhere. Secrets and what belongs to the machine are left out."""
        text = written(exported(settings.live), format)
        headers = {"Content-Disposition": f'attachment; filename="ferryman-settings.{format}"'}
        return Response(text, media_type=f"application/{format}", headers=headers)

    @routes.post("/import")
    async def import_settings(
        caller: Writer,
        body: Import,
        dry_run: Annotated[bool, Query(description="Only say what would change.")] = False,
    ) -> Changed:
        """Take over exported settings: all of them, or none when anything is wrong. Others stay as they are."""
        wanted = differing(settings.live, read(body.text, body.format))
        if dry_run:
            return changed_view(await settings.preview(wanted), dry_run=True)
        return changed_view(await settings.change(wanted, caller))


def timetable_view(schedule: str, limit: str) -> TimetableView:
    """Return what a timetable means. Raises `Invalid` that names the field."""
    timetable, rate = (
        _named("rate_schedule", Timetable.parse, schedule),
        _named("rate_limit", parse_rate, limit),
    )
    cells, whole = timetable.hours()
    now = time.time()
    local = datetime.fromtimestamp(now, UTC).astimezone()
    return TimetableView(
        cells=[[None if cell is None else plain_rate(cell) for cell in day] for day in cells],
        whole_hours=whole,
        weekday=local.weekday(),
        hour=local.hour,
        zone=local.tzname() or "",
        rate_limit=timetable.rate_at(now, rate),
        changes_at=moment(timetable.next_change(now, rate)),
    )


def _named(field: str, read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except Invalid as error:
        error.fields = {field: f"{error.message} {error.advice.rstrip('.')}."}
        raise


def changed_view(changes: list[Change], *, dry_run: bool = False) -> Changed:
    """Return changes as the API shows them."""
    shown_changes = [
        ChangeView(
            name=change.name,
            label=meta_of(change.name).label,
            before=_plain(change.before),
            after=_plain(change.after),
        )
        for change in changes
    ]
    return Changed(changes=shown_changes, dry_run=dry_run)
