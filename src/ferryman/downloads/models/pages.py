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


def router(library: Library, renderer: Renderer) -> APIRouter:
    """Return the routes of the pages."""
    routes = APIRouter(prefix="/depot/models")

    def frame(caller: Principal) -> dict[str, Any]:
        return {
            "tab_here": "/depot/models",
            "can_write": caller.allows("depot:write"),
            "can_delete": caller.allows("depot:delete"),
        }

    async def listed(caller: Principal) -> dict[str, Any]:
        return {**frame(caller), "models": await asyncio.to_thread(lambda: list(library.all()))}

    @routes.get("")
    async def models(request: Request, caller: Reader) -> HTMLResponse:
        """List the models."""
        return renderer.page(request, "downloads/models.html", **await listed(caller))

    @routes.get("/list")
    async def models_list(request: Request, caller: Reader) -> HTMLResponse:
        """Answer with the live part of the list."""
        return renderer.page(request, "downloads/models_list.html", **await listed(caller))

    @routes.get("/show")
    async def model(
        request: Request,
        caller: Reader,
        name: Annotated[str, Query(min_length=1, max_length=400, pattern=PRINTABLE)],
    ) -> HTMLResponse:
        """Show a model: layers, licence, template, parameters."""
        found = await asyncio.to_thread(library.find, name)
        texts = await asyncio.to_thread(library.texts, found)
        layers = [(kind_of(one), one) for one in found.manifest.layers]
        return renderer.page(
            request, "downloads/model.html", **frame(caller), model=found, layers=layers, texts=texts
        )

    return routes
