"""Signing in and out, and one's own password: `/api/v1/session`."""

import time
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from ferryman.accounts.model import MAX_PASSWORD, MIN_PASSWORD, Principal, Role
from ferryman.accounts.service import Accounts
from ferryman.web.auth import COOKIE, Caller, Identity, clear_session, identity, set_session
from ferryman.web.shapes import Strict

NewPassword = Annotated[str, Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]


class SignIn(Strict):
    """Name and password."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    password: Annotated[str, Field(min_length=1, max_length=MAX_PASSWORD)]


class PasswordChange(Strict):
    """The password in use and the one wanted."""

    current: Annotated[str, Field(min_length=1, max_length=MAX_PASSWORD)]
    new: NewPassword


class Me(BaseModel):
    """Who the caller is. `csrf` goes into `X-CSRF-Token` of every change; null for token callers."""

    user_id: str | None
    name: str
    role: Role
    scopes: list[str]
    via: str
    csrf: str | None


def me(principal: Principal, csrf: str | None) -> Me:
    """Return `principal` as the API shows it."""
    return Me(
        user_id=principal.user_id,
        name=principal.name,
        role=principal.role,
        scopes=sorted(principal.scopes),
        via=principal.via,
        csrf=csrf,
    )


def client_of(request: Request) -> str:
    """Return the address the request came from, for throttling and the audit log."""
    return request.client.host if request.client else "unknown"


async def sign_in(
    accounts: Accounts, request: Request, response: Response, name: str, password: str
) -> Identity:
    """Check name and password and put the session into `response`. Raises what `Accounts.login` raises."""
    session, secret = await accounts.login(name, password, client_of(request))
    found = await accounts.principal_of_session(secret)
    assert found is not None, "a session just made is valid"
    set_session(request, response, secret, max(60, int(session.expires_at - time.time())))
    return Identity(*found)


async def sign_out(accounts: Accounts, request: Request, response: Response) -> None:
    """End the session of `request` and make the browser forget it."""
    if secret := request.cookies.get(COOKIE):
        await accounts.logout(secret)
    clear_session(request, response)


def router(accounts: Accounts) -> APIRouter:
    """Return the routes of the session."""
    routes = APIRouter(prefix="/session", tags=["session"])

    @routes.post("")
    async def login(request: Request, response: Response, body: SignIn) -> Me:
        """Sign in; the answer sets the session cookie."""
        found = await sign_in(accounts, request, response, body.name, body.password)
        return me(found.principal, found.csrf)

    @routes.get("")
    async def who_am_i(request: Request, caller: Caller) -> Me:
        """Tell who the caller is and what they may do."""
        found = await identity(request)
        return me(caller, found.csrf if found else None)

    @routes.delete("", status_code=204)
    async def logout(request: Request, response: Response, _caller: Caller) -> None:
        """Sign out; a token stays as it is."""
        await sign_out(accounts, request, response)

    @routes.post("/password", status_code=204)
    async def change_password(
        request: Request, response: Response, caller: Caller, body: PasswordChange
    ) -> None:
        """Change one's own password; every session ends, so sign in again."""
        await accounts.change_password(body.current, body.new, actor=caller, client=client_of(request))
        clear_session(request, response)

    return routes
