"""Who calls: bearer tokens and cookie sessions, rights, and the CSRF check of sessions.

A router asks for `Caller` (anyone who signed in) or `Annotated[Principal, allow("jobs:read")]` (with this right).
The gate that knows tokens and sessions is in `app.state.gate`, put there by `build_app`.
"""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from ferryman.accounts.model import Principal, local_principal
from ferryman.core.errors import Denied

COOKIE: Final = "ferry_session"
CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_bearer = HTTPBearer(
    auto_error=False, scheme_name="token", description="An API token: `ferry tokens create`."
)
_cookie = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    scheme_name="session",
    description="Signed in with `POST /api/v1/session`; changes also need its `X-CSRF-Token`.",
)


class Authority(Protocol):
    """What the web asks of accounts. Both answer None for a secret that is unknown, expired or revoked."""

    async def principal_of_session(self, secret: str) -> tuple[Principal, str] | None:
        """Return who signed in, and the CSRF token of the session."""
        ...

    async def principal_of_token(self, secret: str) -> Principal | None:
        """Return whom the API token stands for."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """A principal and how to prove a change is meant: `csrf` is None for callers that no browser signs in."""

    principal: Principal
    csrf: str | None


class Gate:
    """Turns a request into an `Identity`. Safe to use from many tasks at once."""

    def __init__(self, authority: Authority, local_token: str | None = None) -> None:
        """Ask `authority`; also accept `local_token`, the secret only the owner of the home folder can read."""
        self._authority = authority
        self._local = local_token

    async def identify(self, request: Request) -> Identity | None:
        """Return who sent `request`; None when it carries no credentials. Raises `Denied` for wrong ones."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return Identity(await self._of_token(secret.strip()), None)
        if scheme:
            raise Denied(
                "token_invalid", f"The authorization scheme '{scheme[:20]}' is not known.", advice=_SIGN_IN
            )
        if cookie := request.cookies.get(COOKIE):
            found = await self._authority.principal_of_session(cookie)
            return Identity(found[0], found[1]) if found else None
        return None

    async def _of_token(self, secret: str) -> Principal:
        if self._local and hmac.compare_digest(secret.encode(), self._local.encode()):
            return local_principal()
        principal = await self._authority.principal_of_token(secret) if secret else None
        if principal is None:
            raise Denied("token_invalid", "The API token is unknown, expired or revoked.", advice=_SIGN_IN)
        return principal


_SIGN_IN = "Sign in, or send an API token as Authorization: Bearer ferry_…."


async def identity(request: Request) -> Identity | None:
    """Return who sent the request, or None; remembered for the page layout in `request.state.identity`."""
    known: Identity | None = getattr(request.state, "identity", None)
    if known is None:
        known = await request.app.state.gate.identify(request)
        request.state.identity = known
    return known


async def current(
    request: Request,
    _token: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
    _session: Annotated[str | None, Security(_cookie)] = None,
) -> Principal:
    """Return the caller. Raises `Denied`: `login_required` (401), or `csrf_failed` for an unproven change."""
    found = await identity(request)
    if found is None:
        raise Denied("login_required", "Nobody is signed in.", advice=_SIGN_IN)
    if found.csrf is not None and request.method not in SAFE:
        await check_csrf(request, found.csrf)
    return found.principal


Caller = Annotated[Principal, Depends(current)]
"""Anyone who signed in."""


def allow(scope: str) -> Any:
    """Return the dependency that gives the caller when they hold `scope`, and raises `Denied` otherwise."""

    async def holder(caller: Caller) -> Principal:
        caller.require(scope)
        return caller

    check: Callable[..., Awaitable[Principal]] = holder
    return Depends(check)


async def check_csrf(request: Request, expected: str) -> None:
    """Raise `Denied` (`csrf_failed`) unless the request carries `expected` as header or form field."""
    sent = request.headers.get(CSRF_HEADER, "")
    if not sent and "form" in request.headers.get("content-type", ""):
        field = (await request.form()).get(CSRF_FIELD)
        sent = field if isinstance(field, str) else ""
    if not hmac.compare_digest(sent.encode(), expected.encode()):
        raise Denied(
            "csrf_failed",
            "The request does not prove that it comes from this session.",
            advice="Load the page again; a program sends the X-CSRF-Token it got when it signed in.",
        )


def set_session(request: Request, response: Response, secret: str, seconds: int) -> None:
    """Keep the session in the browser: no script reads it, no other site sends it, TLS only when we have TLS."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def clear_session(request: Request, response: Response) -> None:
    """Make the browser forget the session."""
    response.delete_cookie(
        COOKIE, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )


def local_path(wanted: str | None, default: str = "/") -> str:
    """Return `wanted` when it is a path on this server, else `default`: no redirect leads elsewhere.

    Browsers read a backslash as a slash and drop tabs and line ends, so such paths are refused.
    """
    if not wanted or not wanted.startswith("/") or wanted.startswith("//") or len(wanted) > 2000:
        return default
    if "\\" in wanted or any(ord(letter) < 33 or ord(letter) == 127 for letter in wanted):
        return default
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return default
    return default if parts.scheme or parts.netloc else wanted
