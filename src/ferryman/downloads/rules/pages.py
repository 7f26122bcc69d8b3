"""The page of rules and hooks. It only reads; its forms and buttons use the API everyone else uses."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from ferryman.accounts.model import Principal
from ferryman.core.live import Live
from ferryman.downloads.hooks.service import Hooks
from ferryman.downloads.rules.match import PLACES
from ferryman.downloads.rules.service import Rules
from ferryman.downloads.rules.words import conditions_of, effects_of
from ferryman.web.auth import allow
from ferryman.web.pages import Renderer

Reader = Annotated[Principal, allow("downloads:read")]


def router(rules: Rules, hooks: Hooks, live: Live, renderer: Renderer) -> APIRouter:
    """Return the routes of the page."""
    routes = APIRouter(prefix="/downloads/rules")

    async def context(caller: Principal) -> dict[str, Any]:
        kept, known = await rules.all(), await hooks.all()
        names = {hook.id: hook.kept.name for hook in known}
        rows = [
            {
                "id": rule.id,
                "body": rule.body,
                "values": rule.body.model_dump(mode="json"),
                "conditions": conditions_of(rule.body),
                "effects": effects_of(rule.body, names),
            }
            for rule in kept
        ]
        return {
            "rules": rows,
            "hooks": known,
            "hook_values": {hook.id: hook.kept.model_dump(mode="json", exclude={"host"}) for hook in known},
            "can_write": caller.allows("settings:write"),
            "sees_hooks": caller.allows("settings:read"),
            "commands_on": live.now().hook_commands,
            "places": PLACES,
        }

    @routes.get("")
    async def rules_page(request: Request, caller: Reader) -> HTMLResponse:
        """Show the rules in their order, and the hooks."""
        return renderer.page(request, "downloads/rules.html", **await context(caller))

    @routes.get("/list")
    async def rules_list(request: Request, caller: Reader) -> HTMLResponse:
        """Answer with the live part of the rules."""
        return renderer.page(request, "downloads/rules_list.html", **await context(caller))

    @routes.get("/hooks")
    async def hooks_list(request: Request, caller: Reader) -> HTMLResponse:
        """Answer with the live part of the hooks."""
        caller.require("settings:read")
        return renderer.page(request, "downloads/hooks_list.html", **await context(caller))

    return routes
