"""The API of images: copy them, look at a copy before it starts, see what its blobs do, and what images the depot has."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from ferryman.accounts.model import Principal
from ferryman.depot.service import Depot
from ferryman.images.copy_handler import CopyHandler
from ferryman.images.model import BODY, CopyOrder
from ferryman.images.service import Copies
from ferryman.jobs.service import Ledger
from ferryman.web.auth import allow
from ferryman.web.job import JobView, job_view, reachable
from ferryman.web.shapes import PRINTABLE, IdempotencyKey, JobId, JsonObject, Listed, Moment, moment

Writer = Annotated[Principal, allow("depot:write")]
Reader = Annotated[Principal, allow("depot:read")]
BODIES: Final = {"/api/v1/images/copies": BODY, "/api/v1/images/plan": BODY}


class ItemShown(BaseModel):
    """One blob of a copy: `moved` of `size` bytes are where they belong."""

    digest: str
    target: str
    size: int
    moved: int
    state: str = Field(description="`waiting`, `moving`, `done`, `mounted`, `there` or `failed`.")
    media_type: str


class ImageShown(BaseModel):
    """An image of the depot under one of its names."""

    repository: str
    tag: str
    digest: str
    media_type: str
    updated_at: Moment


class ImageList(BaseModel):
    """Which images to list."""

    repository: Annotated[str, Field(max_length=255, pattern=PRINTABLE)] = Field(
        "", description="Only repositories that begin with this."
    )
    after: Annotated[str, Field(max_length=400, pattern=PRINTABLE)] = Field(
        "", description="`next_cursor` of the page before."
    )
    limit: Annotated[int, Field(ge=1, le=200)] = Field(50, description="Most items of the page.")


def router(copies: Copies, handler: CopyHandler, depot: Depot, ledger: Ledger) -> APIRouter:
    """Return the routes of images, to be mounted under `/api/v1`."""
    routes = APIRouter(prefix="/images", tags=["images"])

    @routes.post("/copies", status_code=202)
    async def copy(
        caller: Writer,
        order: CopyOrder,
        wait: Annotated[
            float, Query(ge=0, le=60, description="Answer when it ended, after so many seconds at most.")
        ] = 0.0,
        idempotency_key: IdempotencyKey = None,
    ) -> JobView:
        """Copy images: one job with one plan for all of them."""
        job = await copies.add(order, caller, idempotency_key)
        return job_view(await copies.wait(job, wait))

    @routes.post("/plan")
    async def plan(caller: Writer, order: CopyOrder) -> JsonObject:
        """Say what a copy would move, link and put, and do nothing."""
        spec, secrets = copies.read(order, caller)
        return await asyncio.to_thread(handler.plan, copies.sealed(spec, secrets))

    @routes.get("/copies/{job_id}")
    async def shown(
        caller: Reader,
        job_id: JobId,
        wait: Annotated[float, Query(ge=0, le=60, description="Wait so many seconds for its end.")] = 0.0,
    ) -> JobView:
        """Show a copy, maybe when it ended."""
        return job_view(await copies.wait(await reachable(ledger, job_id, caller), wait))

    @routes.get("/copies/{job_id}/items")
    async def items(caller: Reader, job_id: JobId) -> Listed[ItemShown]:
        """List the blobs of a copy that runs, and how far each is; of one that ended, for a while."""
        await reachable(ledger, job_id, caller)
        return Listed(
            items=[
                ItemShown(
                    digest=one.name,
                    target=one.place,
                    size=one.size,
                    moved=one.moved,
                    state=str(one.state),
                    media_type=one.media_type,
                )
                for one in handler.items(job_id) or ()
            ],
            next_cursor=None,
        )

    @routes.get("")
    async def images(_caller: Reader, asked: Annotated[ImageList, Query()]) -> Listed[ImageShown]:
        """List the images of the depot, by repository and tag."""
        found = await asyncio.to_thread(depot.refs, asked.repository, asked.after, asked.limit)
        return Listed(
            items=[
                ImageShown(
                    repository=one.repository,
                    tag=one.tag,
                    digest=str(one.digest),
                    media_type=one.media_type,
                    updated_at=moment(one.updated_at),
                )
                for one in found
            ],
            next_cursor=str(found[-1]) if len(found) == asked.limit else None,
        )

    return routes
