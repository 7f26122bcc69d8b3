"""The pages of bundles: what lies in their folder, what is in one of them. Their buttons use the API everyone else uses."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from ferryman.accounts.model import Principal
from ferryman.depot.bundles.folder import BundleFolder
from ferryman.depot.bundles.keys import Keys
from ferryman.depot.service import Depot
from ferryman.images.api_bundles import detail_of
from ferryman.images.bundle_handler import BUNDLE
from ferryman.images.view import ATTACHED, rows_of
from ferryman.jobs.model import Query as JobQuery
from ferryman.jobs.service import Ledger
from ferryman.web.auth import allow
from ferryman.web.job import owner_filter
from ferryman.web.pages import Renderer
from ferryman.web.shapes import PRINTABLE

OFFERED: Final = 500
"""References of the depot that are offered for a bundle; more are named by hand."""
_LAST: Final = 6
Reader = Annotated[Principal, allow("depot:read")]


def router(depot: Depot, ledger: Ledger, folder: BundleFolder, keys: Keys, renderer: Renderer) -> APIRouter:
    """Return the routes of the pages."""
    routes = APIRouter(prefix="/depot/bundles")

    def frame(caller: Principal) -> dict[str, Any]:
        return {
            "tab_here": "/depot/bundles",
            "can_write": caller.allows("depot:write"),
            "can_delete": caller.allows("depot:delete"),
            "can_trust": caller.allows("settings:write"),
        }

    async def listed(caller: Principal) -> dict[str, Any]:
        query = JobQuery(kinds=(BUNDLE,), owner=owner_filter(caller), limit=20)
        stored, page = await asyncio.gather(asyncio.to_thread(folder.all), ledger.list(query))
        ended = [job for job in page.items if job.finished_at is not None]
        return {
            **frame(caller),
            "stored": stored,
            "moving": [job for job in page.items if job.finished_at is None],
            "ended": ended[:_LAST],
        }

    @routes.get("")
    async def bundles(request: Request, caller: Reader) -> HTMLResponse:
        """List the bundles, and offer to write and to load one."""
        shown = await listed(caller)
        return renderer.page(
            request,
            "depot/bundles.html",
            **shown,
            inventories=[one.name for one in shown["stored"] if one.kind == "inventory"],
            suggested=f"{datetime.now(UTC):%Y-%m-%d}.bundle",
        )

    @routes.get("/list")
    async def bundles_list(request: Request, caller: Reader) -> HTMLResponse:
        """Answer with the live part of the list."""
        return renderer.page(request, "depot/bundles_list.html", **await listed(caller))

    @routes.get("/offered")
    async def offered(request: Request, _caller: Reader) -> HTMLResponse:
        """Answer with what a bundle can be made of."""
        found = await asyncio.to_thread(lambda: rows_of(depot, depot.refs("", "", OFFERED)))
        rows = [row for row in found if row.kind not in ATTACHED]
        return renderer.page(request, "depot/bundle_offered.html", rows=rows, more=len(found) == OFFERED)

    @routes.get("/show")
    async def bundle(
        request: Request,
        caller: Reader,
        name: Annotated[str, Query(min_length=1, max_length=150, pattern=PRINTABLE)],
    ) -> HTMLResponse:
        """Show what is in one, who signed it, and which of its files are there."""
        found = await asyncio.to_thread(detail_of, folder, keys, name)
        return renderer.page(request, "depot/bundle.html", **frame(caller), bundle=found)

    return routes
