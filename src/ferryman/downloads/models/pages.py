"""The pages of models. They only read; their buttons use the API everyone else uses."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from ferryman.accounts.model import Principal
from ferryman.downloads.models.library import Library
from ferryman.oci.ollama import kind_of
from ferryman.web.auth import allow
from ferryman.web.pages import Renderer
from ferryman.web.shapes import PRINTABLE

Reader = Annotated[Principal, allow("depot:read")]
Name = Annotated[str, Query(min_length=1, max_length=400, pattern=PRINTABLE)]
Text = Annotated[str, Query(max_length=400, pattern=PRINTABLE)]


def frame(caller: Principal) -> dict[str, Any]:
    """Return what the frame of the depot's pages needs."""
    return {
        "tab_here": "/depot/models",
        "can_write": caller.allows("depot:write"),
        "can_delete": caller.allows("depot:delete"),
    }


def router(library: Library, renderer: Renderer) -> APIRouter:
    """Return the routes of the pages."""
    routes = APIRouter(prefix="/depot/models")

    async def listed(caller: Principal, q: str) -> dict[str, Any]:
        found = await asyncio.to_thread(
            lambda: [one for one in library.all() if q.lower() in one.name.lower()]
        )
        return {**frame(caller), "models": found, "q": q}

    @routes.get("")
    async def models(request: Request, caller: Reader, q: Text = "") -> HTMLResponse:
        """List the models."""
        return renderer.page(request, "downloads/models.html", **await listed(caller, q))

    @routes.get("/list")
    async def models_list(request: Request, caller: Reader, q: Text = "") -> HTMLResponse:
        """Answer with the live part of the list."""
        return renderer.page(request, "downloads/models_list.html", **await listed(caller, q))

    @routes.get("/show")
    async def model(
        request: Request,
        caller: Reader,
        name: Name,
    ) -> HTMLResponse:
        """Show a model: layers, licence, template, parameters."""
        found = await asyncio.to_thread(library.find, name)
        texts = await asyncio.to_thread(library.texts, found)
        layers = [(kind_of(one), one) for one in found.manifest.layers]
        return renderer.page(
            request, "downloads/model.html", **frame(caller), model=found, layers=layers, texts=texts
        )

    return routes
