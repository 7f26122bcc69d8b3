"""What every request and answer passes through: host check, origin check, body limit, headers, crash guard."""

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ferryman.web.arriving import is_binary
from ferryman.web.auth import SAFE
from ferryman.web.metrics import RequestCounter
from ferryman.web.problems import crash, plain_problem, respond

BODY_LIMIT: Final = 1024 * 1024
COOKIELESS: Final = frozenset({"/jsonrpc"})
"""Paths that look at no cookie: a page of another site can do there what anyone could who has no token."""
POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def is_loopback(host: str) -> bool:
    """Tell whether `host` (a name or an address) is this machine itself."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_allowed(header: str, bound_to: str) -> bool:
    """Tell whether the Host header fits the address the daemon listens on.

    On loopback only loopback names are right: a foreign name that resolves to 127.0.0.1 is DNS rebinding.
    """
    if not is_loopback(bound_to):
        return True
    try:
        name = urlsplit(f"//{header}").hostname
    except ValueError:
        return False
    return name is not None and is_loopback(name)


def origin_allowed(headers: Headers) -> bool:
    """Tell whether a change may come from where it comes from: this server, or no browser at all."""
    origin = headers.get("origin")
    if origin is not None:
        try:
            return urlsplit(origin).netloc == headers.get("host", "")
        except ValueError:
            return False
    return headers.get("sec-fetch-site", "none") in {"none", "same-origin"}


class Shield:
    """ASGI middleware around the whole application. Keeps no state between requests."""

    def __init__(
        self,
        app: ASGIApp,
        bound_to: str,
        counter: RequestCounter,
        body_limit: int = BODY_LIMIT,
        larger: Mapping[str, int] | None = None,
    ) -> None:
        """Guard `app`, which listens on the host `bound_to`; bodies above `body_limit` bytes get 413.

        `larger` names paths that take more, and how much; one that ends with a slash stands for what is below it, and for
        bodies that nobody but the route reads (`arriving`).
        """
        self._counter = counter
        self._app = app
        self._bound_to = bound_to
        self._limit = body_limit
        self._larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what is wrong from the outside, let the rest through, add the headers to every answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._counter.count(scope["method"], message["status"])
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        request = Request(scope, receive)
        status, detail = self._refusal(request)
        if status:
            await respond(request, plain_problem(status, request, detail))(scope, receive, guarded)
            return
        try:
            await self._app(scope, _limited(receive, self._most(request)), guarded)
        except Exception as error:  # the last place that can answer; it logs and never shows internals
            if started:
                raise
            await crash(request, error)(scope, receive, guarded)

    def _refusal(self, request: Request) -> tuple[int, str]:
        host = request.headers.get("host", "")
        if not host_allowed(host, self._bound_to):
            return 421, f"This server does not answer for the host '{host[:80]}'."
        free = request.method in SAFE or request.url.path in COOKIELESS
        if not free and not origin_allowed(request.headers):
            return 403, "A page of another site sent this request."
        length = request.headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            return 400, f"Content-Length '{length[:40]}' is not a number."
        if int(length[:19]) > (most := self._most(request)):
            return 413, f"The body has {length[:19]} bytes, at most {most} are taken."
        return 0, ""

    def _most(self, request: Request) -> int:
        path = request.url.path
        if is_binary(request.headers.get("content-type", "")):
            return self._larger.get(path[: path.rfind("/") + 1], self._limit)
        return self._larger.get(path, self._limit)


def _limited(receive: Receive, limit: int) -> Receive:
    """Return `receive` that raises 413 once more than `limit` bytes came, whatever Content-Length said."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(413, f"The body has more than the {limit} bytes that are taken.")
        return message

    return counted
