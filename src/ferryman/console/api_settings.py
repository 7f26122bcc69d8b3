"""The effective settings and where each comes from: `/api/v1/settings`, read only."""

import os
import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel

from ferryman.accounts.model import Principal
from ferryman.core.settings import Settings
from ferryman.web.auth import allow
from ferryman.web.shapes import Listed


class Origin(StrEnum):
    """Where a value comes from; the earlier wins."""

    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


class SettingView(BaseModel):
    """A setting with its value in force; passwords inside addresses are hidden."""

    name: str
    variable: str
    value: str
    default: str
    origin: Origin
    description: str


def origin_of(name: str, environment: Mapping[str, str], file: Mapping[str, Any]) -> Origin:
    """Return where the setting `name` comes from. Environment names are not case-sensitive."""
    if f"FERRY_{name}".upper() in {key.upper() for key in environment}:
        return Origin.ENVIRONMENT
    return Origin.FILE if name in file else Origin.DEFAULT


def settings_view(
    settings: Settings, environment: Mapping[str, str], file: Mapping[str, Any]
) -> list[SettingView]:
    """Return every setting in the order of its definition."""
    return [
        SettingView(
            name=name,
            variable=f"FERRY_{name}".upper(),
            value=_shown(getattr(settings, name)),
            default=_shown(field.get_default(call_default_factory=True)),
            origin=origin_of(name, environment, file),
            description=field.description or "",
        )
        for name, field in type(settings).model_fields.items()
    ]


def read_file(path: Path) -> dict[str, Any]:
    """Return what `ferry.toml` says; empty when it is not there or cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def router(settings: Settings) -> APIRouter:
    """Return the routes of the settings. Environment and file are looked at now, when they took effect."""
    routes = APIRouter(prefix="/settings", tags=["settings"])
    items = settings_view(settings, os.environ, read_file(settings.home / "ferry.toml"))

    @routes.get("")
    async def list_settings(_caller: Annotated[Principal, allow("settings:read")]) -> Listed[SettingView]:
        """List the settings in force."""
        return Listed(items=items, next_cursor=None)

    return routes


def _shown(value: object) -> str:
    text = "" if value is None else str(value)
    return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", text)
