"""The page of settings."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from ferryman.accounts.model import Principal
from ferryman.console.api_settings import SettingView, settings_view
from ferryman.core.settings import Kind, Settings
from ferryman.settings.service import SettingsService, version_of
from ferryman.web.auth import allow
from ferryman.web.pages import Renderer

Reader = Annotated[Principal, allow("settings:read")]


@dataclass(frozen=True, slots=True)
class Group:
    """The settings of one section."""

    id: str
    title: str
    items: Sequence[SettingView]


def groups_of(items: Sequence[SettingView]) -> list[Group]:
    """Return the settings by section, in their order."""
    titles = list(dict.fromkeys(str(item.section) for item in items))
    return [
        Group(
            re.sub(r"\W+", "-", title.lower()), title, [item for item in items if str(item.section) == title]
        )
        for title in titles
    ]


def plain(value: Any) -> str:
    """Return a value as it is typed in."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "" if value is None else str(value)


def saved(item: SettingView) -> str:
    """Return what the field holds while nothing is changed; a secret is never shown, of logins only the names."""
    return "" if item.secret and item.kind is not Kind.LOGINS else plain(item.value)


def router(settings: SettingsService, renderer: Renderer) -> APIRouter:
    """Return the routes of the page."""
    routes = APIRouter()

    async def shown(request: Request, caller: Principal, template: str) -> HTMLResponse:
        stored = await settings.stored()
        problems = settings.live.problems
        return renderer.page(
            request,
            template,
            sections=groups_of(settings_view(settings.live, stored)),
            stored_version=version_of(stored),
            strays={name: why for name, why in problems.items() if name not in Settings.model_fields},
            can_write=caller.allows("settings:write"),
            plain=plain,
            saved=saved,
        )

    @routes.get("/settings")
    async def settings_page(request: Request, caller: Reader) -> HTMLResponse:
        """Show every setting and where it comes from; who may, changes them here."""
        return await shown(request, caller, "console/settings.html")

    @routes.get("/settings/form")
    async def settings_form(request: Request, caller: Reader) -> HTMLResponse:
        """Answer with the form alone, as it is after a change."""
        return await shown(request, caller, "console/settings_form.html")

    return routes
