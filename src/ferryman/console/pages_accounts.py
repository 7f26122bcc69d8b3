"""The pages of administration: users, tokens and the audit log."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from ferryman.accounts.audit import Audit, AuditQuery
from ferryman.accounts.model import Principal
from ferryman.accounts.service import Accounts
from ferryman.console.api_audit import audit_view
from ferryman.web.auth import Caller, allow
from ferryman.web.pages import Renderer

UserReader = Annotated[Principal, allow("users:read")]
AuditReader = Annotated[Principal, allow("audit:read")]


def router(accounts: Accounts, audit: Audit, renderer: Renderer) -> APIRouter:
    """Return the routes of the pages of administration."""
    routes = APIRouter()
    _add_users(routes, accounts, renderer)
    _add_tokens(routes, accounts, renderer)
    _add_audit(routes, audit, renderer)
    return routes


def _add_users(routes: APIRouter, accounts: Accounts, renderer: Renderer) -> None:
    async def shown(request: Request, caller: Principal, template: str) -> HTMLResponse:
        users = await accounts.users()
        return renderer.page(request, template, users=users, can_write=caller.allows("users:write"))

    @routes.get("/users")
    async def users_page(request: Request, caller: UserReader) -> HTMLResponse:
        """List who may sign in."""
        return await shown(request, caller, "console/users.html")

    @routes.get("/users/list")
    async def users_list(request: Request, caller: UserReader) -> HTMLResponse:
        """Answer with the live part of the users."""
        return await shown(request, caller, "console/users_list.html")


def _add_tokens(routes: APIRouter, accounts: Accounts, renderer: Renderer) -> None:
    async def shown(request: Request, caller: Principal, template: str) -> HTMLResponse:
        own = await accounts.tokens(caller.user_id) if caller.user_id else ()
        return renderer.page(request, template, tokens=own, scopes=sorted(caller.scopes))

    @routes.get("/tokens")
    async def tokens_page(request: Request, caller: Caller) -> HTMLResponse:
        """List the tokens of the person who looks."""
        return await shown(request, caller, "console/tokens.html")

    @routes.get("/tokens/list")
    async def tokens_list(request: Request, caller: Caller) -> HTMLResponse:
        """Answer with the live part of the tokens."""
        return await shown(request, caller, "console/tokens_list.html")


def _add_audit(routes: APIRouter, audit: Audit, renderer: Renderer) -> None:
    @routes.get("/audit")
    async def audit_page(
        request: Request, _caller: AuditReader, before: Annotated[int | None, Query(ge=1, le=2**53)] = None
    ) -> HTMLResponse:
        """Show who did what, and whether the chain of hashes is whole."""
        page = await audit.list(AuditQuery(before=before))
        return renderer.page(
            request,
            "console/audit.html",
            entries=[(audit_view(row), row.at) for row in page.items],
            broken=await audit.verify(),
            next_url=f"/audit?before={page.next_before}" if page.next_before else "",
        )
