"""Puts the parts together to one ASGI application."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import JSONResponse
from starlette.staticfiles import StaticFiles

from ferryman import __version__
from ferryman.web import problems
from ferryman.web.auth import Authority, Gate
from ferryman.web.media import only_json
from ferryman.web.metrics import RequestCounter
from ferryman.web.openapi import describe
from ferryman.web.pages import STATIC, Renderer
from ferryman.web.part import Part
from ferryman.web.security import BODY_LIMIT, Shield

PREFIX = "/api/v1"


def build_app(
    parts: Sequence[Part],
    *,
    authority: Authority,
    renderer: Renderer | None = None,
    routers: Sequence[APIRouter] = (),
    host: str = "127.0.0.1",
    local_token: str | None = None,
    body_limit: int = BODY_LIMIT,
) -> FastAPI:
    """Return the application of `parts`.

    `renderer` is the one the parts' pages use (`renderer_for(parts)` makes it); `routers` are mounted at the root
    beside them (health, metrics, event stream); `host` is the address it will listen on; `local_token` signs in
    whoever may read the home folder.
    """
    app = FastAPI(
        title="Ferryman",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(only_json)],
    )
    app.state.gate = Gate(authority, local_token)
    app.state.renderer = renderer or renderer_for(parts)
    app.state.requests = RequestCounter()
    problems.install(app)
    for router in routers:
        app.include_router(router)
    for part in parts:
        if part.api is not None:
            app.include_router(part.api, prefix=PREFIX)
        if part.pages is not None:
            app.include_router(part.pages, include_in_schema=False)
    _serve_description(app)
    app.mount("/static", Kept(directory=STATIC, check_dir=False), name="static")
    larger = {path: most for part in parts for path, most in part.bodies.items()}
    app.add_middleware(
        Shield, bound_to=host, counter=app.state.requests, body_limit=body_limit, larger=larger
    )
    return app


def renderer_for(parts: Sequence[Part]) -> Renderer:
    """Return the renderer that knows the templates and the navigation of `parts`."""
    folders = [part.templates for part in parts if part.templates is not None]
    return Renderer(folders, [item for part in parts for item in part.nav], __version__)


class Kept(StaticFiles):
    """Built assets: kept for good when their address carries a version, asked for again otherwise."""

    def file_response(self, *args: Any, **kwargs: Any) -> Any:
        """Answer with the file and how long it may be kept."""
        response = super().file_response(*args, **kwargs)
        scope = args[2] if len(args) > 2 else kwargs["scope"]
        versioned = b"v=" in scope.get("query_string", b"")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if versioned else "no-cache"
        return response


def _serve_description(app: FastAPI) -> None:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to extend the description

    async def description() -> JSONResponse:
        return JSONResponse(app.openapi())

    for path in (f"{PREFIX}/openapi.json", "/openapi.json"):
        app.add_api_route(path, description, methods=["GET"], include_in_schema=False)
