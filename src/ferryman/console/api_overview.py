"""What is happening at a glance: `/api/v1/overview`."""

import asyncio
import shutil
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel

from ferryman.accounts.model import Principal
from ferryman.jobs.model import Query, State
from ferryman.jobs.service import Ledger
from ferryman.web.auth import allow
from ferryman.web.job import JobView, job_view, owner_filter

RECENT = 10
MOST_ACTIVE = 100


class Space(BaseModel):
    """Room on the disk of the downloads, in bytes."""

    path: str
    total: int
    free: int


class Overview(BaseModel):
    """Counts by state; `rate` is the sum of all running jobs in bytes per second; the latest that ended."""

    counts: dict[State, int]
    rate: float
    active: list[JobView]
    recent: list[JobView]
    failed: list[JobView]
    space: Space | None


def space_of(folder: Path) -> Space | None:
    """Return the room where `folder` is or will be; None when it cannot be told."""
    place = next((path for path in (folder, *folder.parents) if path.exists()), None)
    if place is None:
        return None
    try:
        usage = shutil.disk_usage(place)
    except OSError:
        return None
    return Space(path=str(folder), total=usage.total, free=usage.free)


async def overview(ledger: Ledger, folder: Path, caller: Principal) -> Overview:
    """Return what `caller` may see of all jobs."""
    owner = owner_filter(caller)
    active, recent, failed = [
        (await ledger.list(query)).items
        for query in (
            Query(states=(State.RUNNING,), owner=owner, sort="-created_at", limit=MOST_ACTIVE),
            Query(states=(State.SUCCEEDED,), owner=owner, sort="-finished_at", limit=RECENT),
            Query(states=(State.FAILED,), owner=owner, sort="-finished_at", limit=RECENT),
        )
    ]
    return Overview(
        counts=await ledger.counts(owner=owner),
        rate=sum(job.progress.rate for job in active),
        active=[job_view(job) for job in active],
        recent=[job_view(job) for job in recent],
        failed=[job_view(job) for job in failed],
        space=await asyncio.to_thread(space_of, folder),
    )


def router(ledger: Ledger, folder: Path) -> APIRouter:
    """Return the route of the overview; `folder` is where downloads go."""
    routes = APIRouter(tags=["overview"])

    @routes.get("/overview")
    async def get_overview(caller: Annotated[Principal, allow("jobs:read")]) -> Overview:
        """Show what is happening, is it well, and what needs someone."""
        return await overview(ledger, folder, caller)

    return routes
