"""Errors on the wire: problem documents (RFC 9457) for the API, a readable page for people.

`STATUSES` is the one table from error to HTTP status. A page needs a renderer, kept in `app.state.renderer`.
"""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Match

from ferryman.core.errors import (
    Conflict,
    Corrupt,
    Denied,
    Exhausted,
    FerryError,
    Invalid,
    NotFound,
    Unavailable,
)

MEDIA_TYPE: Final = "application/problem+json"
API: Final = "/api/"
STATUSES: Final[Mapping[type[FerryError], int]] = {
    Invalid: 422,
    Denied: 403,
    NotFound: 404,
    Conflict: 409,
    Exhausted: 507,
    Unavailable: 503,
    Corrupt: 500,
}
"""Status of each branch of the error tree."""

CODES: Final[Mapping[str, int]] = {
    "login_required": 401,
    "login_failed": 401,
    "token_invalid": 401,
    "session_expired": 401,
    "login_throttled": 429,
    "cursor_invalid": 404,
}
"""Codes whose status differs from that of their branch. A cursor names a place in a list that does not exist."""

_METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")
_ADVICE: Final = {
    404: "Check the address.",
    405: "Use one of the methods named in the Allow header.",
    413: "Send less at once.",
    415: "Send JSON with Content-Type: application/json, and the bytes of files with application/octet-stream.",
    500: "Look into the log of the daemon; it has the details.",
}
_log = logging.getLogger("ferryman.web")


def _sendable(value: object) -> object:
    """Return text that UTF-8 can carry: what callers send comes back in messages and may hold lone surrogates."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


Words = Annotated[str, BeforeValidator(_sendable)]


class Problem(BaseModel):
    """An error (RFC 9457, section 3.1) with a stable `code`, `advice` and a message per wrong field."""

    type: str = Field("about:blank", description="Always about:blank: `code` tells errors apart.")
    title: str = Field(description="Name of the status.")
    status: int = Field(description="The HTTP status.")
    detail: Words = Field(description="What happened, naming the value that was wrong.")
    code: str = Field(description="Stable name of the error.")
    advice: str = Field("", description="What to do next.")
    errors: dict[Words, Words] = Field({}, description="What is wrong with each field of the request.")
    instance: Words = Field("", description="Path of the request.")
    details: dict[str, Any] = Field({}, description="Facts for programs, by the `code`.")


def status_of(error: FerryError) -> int:
    """Return the HTTP status for `error`."""
    if error.code in CODES:
        return CODES[error.code]
    return next((status for branch, status in STATUSES.items() if isinstance(error, branch)), 500)


def problem_of(error: FerryError, instance: str) -> Problem:
    """Return the problem document for `error`."""
    status = status_of(error)
    return Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.message,
        code=error.code,
        advice=error.advice,
        errors=error.fields,
        instance=instance,
        details=error.details,
    )


def wants_page(request: Request) -> bool:
    """Tell whether a person in a browser waits for the answer."""
    accepted = request.headers.get("accept", "")
    return not request.url.path.startswith(API) and "text/html" in accepted


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document or an error page."""

    async def on_ferry(request: Request, error: Exception) -> Response:
        assert isinstance(error, FerryError)
        headers = {}
        if isinstance(error, Unavailable) and error.retry_after is not None:
            headers["Retry-After"] = str(max(1, round(error.retry_after)))
        return respond(request, problem_of(error, request.url.path), headers)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return respond(request, validation_problem(error, request.url.path))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(allowed_methods(app, request))
        return respond(request, plain_problem(error.status_code, request, str(error.detail)), headers)

    app.add_exception_handler(FerryError, on_ferry)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)


def respond(request: Request, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with `problem`: a page for people, sign-in first when that is all that lacks, JSON otherwise."""
    extra = dict(headers or {})
    if problem.status == 401:
        extra.setdefault("WWW-Authenticate", 'Bearer realm="ferryman"')
    if wants_page(request):
        return _page(request, problem, extra)
    return JSONResponse(problem.model_dump(), problem.status, extra, media_type=MEDIA_TYPE)


def plain_problem(status: int, request: Request, detail: str = "") -> Problem:
    """Return the problem of an HTTP `status` that no `FerryError` explains."""
    title = HTTPStatus(status).phrase
    path = request.url.path
    words = {
        404: f"There is nothing at {path}.",
        405: f"{request.method} is not possible at {path}.",
        500: "Something went wrong inside Ferryman.",
    }
    said = detail if detail and detail != title else words.get(status, f"{title}.")
    return Problem(
        type="about:blank",
        title=title,
        status=status,
        detail=said,
        code=title.lower().replace(" ", "_").replace("-", "_"),
        advice=_ADVICE.get(status, ""),
        errors={},
        instance=path,
    )


def crash(request: Request, error: Exception) -> Response:
    """Log an error nobody expected and answer without its internals."""
    _log.error("%r %r failed", request.method, request.url.path, exc_info=error)
    problem = plain_problem(500, request)
    try:
        return respond(request, problem)
    except Exception:  # noqa: BLE001 - the error page itself may be what is broken
        _log.exception("The error page cannot be shown")
        return JSONResponse(problem.model_dump(), 500, media_type=MEDIA_TYPE)


def validation_problem(error: RequestValidationError, instance: str) -> Problem:
    """Return the problem of a request that does not fit its description. Never repeats the input whole."""
    fields: dict[str, str] = {}
    for item in error.errors():
        fields.setdefault(_field(item), str(item["msg"]))
    named = "; ".join(f"{name}: {what}" for name, what in list(fields.items())[:5])
    return Problem(
        type="about:blank",
        title=HTTPStatus(422).phrase,
        status=422,
        detail=f"The request is wrong: {named}.",
        code="request_invalid",
        advice="Correct the named fields.",
        errors=fields,
        instance=instance,
    )


def allowed_methods(app: FastAPI, request: Request) -> list[str]:
    """Return every method answered at the path of `request` (RFC 9110, section 15.5.6).

    What the API describes decides, the path with fewest parameters first; other routes are asked one by one.
    """
    described = [
        (template.count("{"), operations)
        for template, operations in app.openapi()["paths"].items()
        if re.fullmatch(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template)), request.url.path)
    ]
    if described:
        return sorted(method.upper() for method in min(described, key=lambda item: item[0])[1])
    return [
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL for route in app.router.routes
        )
    ]


def _field(item: Mapping[str, Any]) -> str:
    place = [str(part) for part in item["loc"]]
    if item["type"] == "json_invalid":
        return "body"
    return ".".join(place[1:] or place)[:200]


def _page(request: Request, problem: Problem, headers: Mapping[str, str]) -> Response:
    renderer = getattr(request.app.state, "renderer", None)
    if problem.status == 401 and request.method == "GET":
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(here, safe='')}", 303)
    if renderer is None or not renderer.has("error.html"):
        return JSONResponse(problem.model_dump(), problem.status, headers, media_type=MEDIA_TYPE)
    page: Response = renderer.page(
        request, "error.html", status=problem.status, headers=headers, problem=problem
    )
    return page
