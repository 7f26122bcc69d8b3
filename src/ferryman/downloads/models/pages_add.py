"""The page that gets a model: name it, look at what it is, fetch it, see each layer arrive. Buttons use the API."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from ferryman.accounts.model import Principal
from ferryman.core.errors import FerryError
from ferryman.downloads.models.library import Library
from ferryman.downloads.models.look import Looked, Looks, named
from ferryman.downloads.models.pages import Name, Text, frame
from ferryman.jobs.service import Ledger
from ferryman.oci.ollama import kind_of, model_name
from ferryman.web.auth import allow
from ferryman.web.job import reachable
from ferryman.web.pages import Renderer
from ferryman.web.shapes import PRINTABLE

Writer = Annotated[Principal, allow("depot:write")]
JobIdOrNone = Annotated[str, Query(max_length=64, pattern=PRINTABLE)]
SUGGESTED: Final = 200
"""Names of models that are offered while somebody types."""


def router(
    library: Library,
    looks: Looks,
    ledger: Ledger,
    renderer: Renderer,
    private: Callable[[Principal], bool],
) -> APIRouter:
    """Return the routes of the page; `private` says who may reach private addresses."""
    routes = APIRouter(prefix="/depot/models")

    @routes.get("/add")
    async def add(
        request: Request, caller: Writer, name: Text = "", plain_http: bool = False, job: JobIdOrNone = ""
    ) -> HTMLResponse:
        """Ask for a name; with one, show what it is; with a job, show how far that is."""
        known = await asyncio.to_thread(lambda: [one.name for one in library.all()][:SUGGESTED])
        fetching = await _fetching(ledger, job, caller, name) if job else None
        return renderer.page(
            request,
            "downloads/model_add.html",
            **frame(caller),
            name=name,
            plain_http=plain_http,
            known=known,
            fetching=fetching,
            **(fetching or {}),
        )

    @routes.get("/preview")
    async def preview(request: Request, caller: Writer, name: Name, plain_http: bool = False) -> HTMLResponse:
        """Answer with what the registry says of a model, or with why it cannot be said."""
        found: Looked | None = None
        problem: FerryError | None = None
        try:
            found = await asyncio.to_thread(looks.look, name, plain_http=plain_http, private=private(caller))
        except FerryError as error:
            problem = error
        return renderer.page(
            request,
            "downloads/model_preview.html",
            **frame(caller),
            found=found,
            problem=problem,
            name=name,
            plain_http=plain_http,
            layers=[(kind_of(one), one) for one in found.manifest.layers] if found else [],
        )

    @routes.get("/fetching")
    async def fetching(
        request: Request,
        caller: Writer,
        job: Annotated[str, Query(max_length=64, pattern=PRINTABLE)],
        name: Name,
    ) -> HTMLResponse:
        """Answer with how far the fetching is."""
        return renderer.page(
            request,
            "downloads/model_fetching.html",
            **frame(caller),
            **await _fetching(ledger, job, caller, name),
        )

    return routes


async def _fetching(ledger: Ledger, job_id: str, caller: Principal, name: str) -> dict[str, Any]:
    job = await reachable(ledger, job_id, caller)
    return {"job": job, "model": model_name(named(name)) if name else job.title, "asked": name}
