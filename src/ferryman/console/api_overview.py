"""What is happening at a glance: `/api/v1/overview`."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ferryman.accounts.model import Principal
from ferryman.console.api_statistics import FlowView, flow_view
from ferryman.console.glance import Glance, Overview
from ferryman.jobs.model import State
from ferryman.web.auth import allow
from ferryman.web.job import JobView, job_view


class Space(BaseModel):
    """Room on the disk of the downloads, in bytes."""

    path: str
    total: int
    free: int
    coming: int = Field(description="What the running jobs still have to write, as far as known.")
    low: bool = Field(description="Whether it is about to be full.")


class OverviewView(BaseModel):
    """Counts by state; `rate` is the sum of all running jobs in bytes per second."""

    counts: dict[State, int]
    rate: float
    active: list[JobView] = Field(description="Running jobs, the newest first.")
    recent: list[JobView] = Field(description="What was done last.")
    failed: list[JobView] = Field(description="What failed within the last day, the latest first.")
    failures: int = Field(description="How many jobs failed within the last day.")
    stuck: list[JobView] = Field(description="What waits for something that only a person can change.")
    due: list[JobView] = Field(description="Waiting jobs, the next due first.")
    space: Space | None
    flow: list[FlowView] = Field(
        description="How fast the whole of Ferryman was by minutes of the last hour, for those who see all jobs."
    )


def overview_view(found: Glance) -> OverviewView:
    """Return a glance as the API shows it."""
    room = found.room
    return OverviewView(
        counts=dict(found.counts),
        rate=found.rate,
        active=[job_view(job) for job in found.active],
        recent=[job_view(job) for job in found.recent],
        failed=[job_view(job) for job in found.failed],
        failures=found.failures,
        stuck=[job_view(job) for job in found.stuck],
        due=[job_view(job) for job in found.due],
        space=room
        and Space(path=str(room.path), total=room.total, free=room.free, coming=room.coming, low=room.low),
        flow=[flow_view(part) for part in found.flow],
    )


def router(overview: Overview) -> APIRouter:
    """Return the route of the overview."""
    routes = APIRouter(tags=["overview"])

    @routes.get("/overview")
    async def get_overview(caller: Annotated[Principal, allow("jobs:read")]) -> OverviewView:
        """Show what is happening, is it well, and what needs someone."""
        return overview_view(await overview.look(caller))

    return routes
