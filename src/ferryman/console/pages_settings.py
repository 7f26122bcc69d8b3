"""The page of settings."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from ferryman.accounts.model import Principal
from ferryman.console.api_settings import settings_view
from ferryman.settings.service import SettingsService, version_of
from ferryman.web.auth import allow
from ferryman.web.pages import Renderer

Reader = Annotated[Principal, allow("settings:read")]


def router(settings: SettingsService, renderer: Renderer) -> APIRouter:
    """Return the routes of the page."""
    routes = APIRouter()

    @routes.get("/settings")
    async def settings_page(request: Request, caller: Reader) -> HTMLResponse:
        """Show every setting and where it comes from; who may, changes them here."""
        stored = await settings.stored()
        return renderer.page(
            request,
            "console/settings.html",
            settings=settings_view(settings.live, stored),
            version=version_of(stored),
            can_write=caller.allows("settings:write"),
        )

    return routes
