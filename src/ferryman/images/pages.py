"""The pages of the depot: images, one image, content, usage. They only read; their buttons use the API everyone else uses."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse

from ferryman.accounts.model import Principal
from ferryman.depot.model import ALGORITHMS
from ferryman.depot.service import Depot
from ferryman.images.commands import Door, commands_of
from ferryman.images.copy_handler import CopyHandler
from ferryman.images.items import items_of, percent
from ferryman.images.view import Row, kind_called, kind_shown, parts_of, rows_of
from ferryman.jobs.model import Query as JobQuery
from ferryman.jobs.service import Ledger
from ferryman.oci.reference import parse_digest, parse_local
from ferryman.web.auth import allow
from ferryman.web.job import owner_filter, reachable
from ferryman.web.pages import Renderer
from ferryman.web.part import NavItem
from ferryman.web.shapes import PRINTABLE, Cursor, JobId

TEMPLATES: Final = Path(__file__).parent / "templates"
NAV: Final = (NavItem("Depot", "/depot", "database", "depot:read"),)
PAGE: Final = 50
_WORK: Final = ("copy", "gc", "fsck", "bundle")
_LAST: Final = 8

Reader = Annotated[Principal, allow("depot:read")]
Text = Annotated[str, Field(max_length=400, pattern=PRINTABLE)]


class Asked(BaseModel):
    """Which references are listed: those whose repository begins with `q`, behind `after`."""

    q: Text = ""
    after: Text = ""


class BlobsAsked(BaseModel):
    """Which content is listed."""

    q: Text = ""
    sort: Literal["digest", "-size", "size", "-created", "created"] = "-created"
    cursor: Cursor = None


def router(depot: Depot, ledger: Ledger, copies: CopyHandler, renderer: Renderer) -> APIRouter:
    """Return the routes of the pages."""
    routes = APIRouter(prefix="/depot")
    shown = DepotPages(depot, ledger)

    @routes.get("")
    async def images(request: Request, caller: Reader, asked: Annotated[Asked, Query()]) -> HTMLResponse:
        """List the images."""
        return renderer.page(request, "depot/images.html", **await shown.images(caller, asked))

    @routes.get("/list")
    async def images_list(request: Request, caller: Reader, asked: Annotated[Asked, Query()]) -> HTMLResponse:
        """Answer with the live part of the list."""
        return renderer.page(request, "depot/images_list.html", **await shown.images(caller, asked))

    @routes.get("/image")
    async def image(
        request: Request,
        caller: Reader,
        name: Annotated[str, Query(min_length=1, max_length=500, pattern=PRINTABLE)],
    ) -> HTMLResponse:
        """Show one image."""
        door = Door(request.url.netloc, plain=request.url.scheme != "https")
        found = await shown.image(caller, name)
        commands = commands_of(found["kind"], found["name"], door)
        return renderer.page(request, "depot/image.html", **found, door=door, commands=commands)

    @routes.get("/blobs")
    async def blobs(request: Request, caller: Reader, asked: Annotated[BlobsAsked, Query()]) -> HTMLResponse:
        """List the content."""
        return renderer.page(request, "depot/blobs.html", **await shown.blobs(caller, asked))

    @routes.get("/blobs/list")
    async def blobs_list(
        request: Request, caller: Reader, asked: Annotated[BlobsAsked, Query()]
    ) -> HTMLResponse:
        """Answer with the live part of the content."""
        return renderer.page(request, "depot/blobs_list.html", **await shown.blobs(caller, asked))

    @routes.get("/blob/{digest}")
    async def blob(request: Request, caller: Reader, digest: str) -> HTMLResponse:
        """Show one blob: where it came from, and who needs it."""
        return renderer.page(
            request, "depot/blob.html", **await asyncio.to_thread(shown.blob, caller, digest)
        )

    @routes.get("/usage")
    async def usage(request: Request, caller: Reader) -> HTMLResponse:
        """Show what is used, and let it be cleaned up and checked."""
        return renderer.page(request, "depot/usage.html", **await shown.usage(caller))

    @routes.get("/usage/list")
    async def usage_list(request: Request, caller: Reader) -> HTMLResponse:
        """Answer with the live part of the usage."""
        return renderer.page(request, "depot/usage_list.html", **await shown.usage(caller))

    @routes.get("/copies/{job_id}/items")
    async def items(request: Request, caller: Reader, job_id: JobId) -> HTMLResponse:
        """Answer with the blobs of a copy, and how far each is."""
        job = await reachable(ledger, job_id, caller)
        found = copies.items(job.id) or []
        return renderer.page(
            request,
            "depot/copy_items.html",
            job=job,
            items=items_of(found),
            many_places=len({one.place for one in found}) > 1,
            kind_called=kind_called,
            percent=percent,
        )

    return routes


class DepotPages:
    """What the templates show."""

    def __init__(self, depot: Depot, ledger: Ledger) -> None:
        """Read from both."""
        self._depot, self._ledger = depot, ledger

    async def images(self, caller: Principal, asked: Asked) -> dict[str, Any]:
        """Return a page of references, and the copies at work."""
        rows, jobs = await asyncio.gather(asyncio.to_thread(self._rows, asked), self._jobs(caller, ("copy",)))
        following = str(rows[-1].ref) if len(rows) == PAGE else ""
        return {
            **self._frame(caller, "/depot"),
            "rows": rows,
            "jobs": [job for job in jobs if job.finished_at is None],
            "asked": asked,
            "query": urlencode({"q": asked.q, "after": asked.after}),
            "next_url": f"/depot?{urlencode({'q': asked.q, 'after': following})}" if following else "",
            "first_url": f"/depot?{urlencode({'q': asked.q})}" if asked.after else "",
        }

    async def image(self, caller: Principal, name: str) -> dict[str, Any]:
        """Return what is known of one image. Raises `Invalid` (`reference_invalid`), `NotFound`."""
        return {**self._frame(caller, "/depot"), **await asyncio.to_thread(self._image, name)}

    async def blobs(self, caller: Principal, asked: BlobsAsked) -> dict[str, Any]:
        """Return a page of content."""
        found, following = await asyncio.to_thread(
            self._depot.find_blobs, asked.q, asked.sort, asked.cursor or "", PAGE
        )
        narrowed = {"q": asked.q, "sort": asked.sort}
        return {
            **self._frame(caller, "/depot/blobs"),
            "found": found,
            "asked": asked,
            "query": urlencode({**narrowed, "cursor": asked.cursor or ""} if asked.cursor else narrowed),
            "next_url": f"/depot/blobs?{urlencode({**narrowed, 'cursor': following})}" if following else "",
            "first_url": f"/depot/blobs?{urlencode(narrowed)}" if asked.cursor else "",
        }

    def blob(self, caller: Principal, digest: str) -> dict[str, Any]:
        """Return what is known of one blob. Raises `Invalid` (`digest_invalid`), `NotFound` (`blob_unknown`)."""
        checked = parse_digest(digest)
        return {
            **self._frame(caller, "/depot/blobs"),
            "blob": self._depot.blob(checked),
            "media_type": self._depot.media_type_of(checked),
            "repositories": self._depot.repositories_of(checked),
            "users": self._depot.users(checked),
        }

    async def usage(self, caller: Principal) -> dict[str, Any]:
        """Return what the depot holds, its largest references, and the last jobs on it."""
        usage, jobs = await asyncio.gather(asyncio.to_thread(self._depot.du, ""), self._jobs(caller, _WORK))
        largest = sorted(usage.refs, key=lambda one: one.unique + one.shared, reverse=True)[:20]
        return {
            **self._frame(caller, "/depot/usage"),
            "usage": usage,
            "largest": largest,
            "jobs": jobs[:_LAST],
        }

    def _rows(self, asked: Asked) -> list[Row]:
        return rows_of(self._depot, self._depot.refs(asked.q, asked.after, PAGE))

    def _image(self, name: str) -> dict[str, Any]:
        reference = parse_local(name)
        repository, wanted = reference.repository, reference.wanted
        manifest = self._depot.manifest(repository, wanted)
        blob = self._depot.blob(manifest.digest)
        tag = None if wanted.partition(":")[0] in ALGORITHMS else wanted
        history = self._depot.history(repository, tag, 20) if tag else []
        return {
            "repository": repository,
            "tag": tag,
            "name": f"{repository}:{tag}" if tag else f"{repository}@{manifest.digest}",
            "manifest": manifest,
            "kind": kind_shown(manifest),
            "parts": parts_of(self._depot, repository, manifest),
            "blob": blob,
            "size": self._depot.needs([manifest.digest]).get(manifest.digest),
            "changed": history[0].at if history else blob.created_at,
            "history": history,
            "referrers": self._depot.referrers(repository, manifest.digest),
            "removal": self._depot.removal(repository, wanted),
            "tags": self._depot.tags(repository, "", 100),
        }

    async def _jobs(self, caller: Principal, kinds: tuple[str, ...]) -> list[Any]:
        query = JobQuery(kinds=kinds, owner=owner_filter(caller), limit=20)
        return list((await self._ledger.list(query)).items)

    def _frame(self, caller: Principal, here: str) -> dict[str, Any]:
        return {
            "tab_here": here,
            "can_write": caller.allows("depot:write"),
            "can_delete": caller.allows("depot:delete"),
        }
