"""What was done and how fast, over days: `/api/v1/statistics`."""

from datetime import UTC, date, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from ferryman.accounts.model import Principal
from ferryman.jobs.service import Ledger
from ferryman.jobs.statistics.model import DaySums, Flow, Named, Period, step_of
from ferryman.jobs.statistics.service import Statistics
from ferryman.web.auth import allow
from ferryman.web.job import owner_filter, reachable
from ferryman.web.shapes import JobId, Moment, moment

USUAL: Final = 30
"""Days of a period unless it is said."""
LONGEST: Final = 365


class Sums(BaseModel):
    """Ends of jobs by state, attempts that had to be repeated, bytes over the network, and how long jobs worked.

    `resumed` are bytes that need not be fetched twice; `speed` is bytes per second of one job, null when unknown.
    """

    bytes: int
    resumed: int
    seconds: float
    speed: float | None
    succeeded: int
    failed: int
    cancelled: int
    retries: int


class DayView(Sums):
    """One day, in UTC."""

    day: date


class NamedView(Sums):
    """One host or category; the empty name is that of jobs without."""

    name: str


class FlowView(BaseModel):
    """What arrived in a while that begins at `at`; `rate` is bytes per second."""

    at: Moment
    bytes: int
    rate: float


class StatisticsView(Sums):
    """What a number of days were like, today included; days are those of UTC."""

    days: int
    success: float | None = Field(
        description="Share of jobs that succeeded among those that succeeded or failed; null without any."
    )
    saved_seconds: float = Field(description="Time that resuming saved: `resumed` at the speed of each host.")
    by_day: list[DayView]
    flow_step: int = Field(description="Seconds of each entry of `flow`.")
    flow: list[FlowView] = Field(
        description="How fast the whole of Ferryman was; empty for those who see their own jobs only."
    )
    hosts: list[NamedView] = Field(description="Those of most bytes first.")
    slowest_hosts: list[NamedView] = Field(description="The slowest first, where enough came to say.")
    categories: list[NamedView] = Field(description="Those of most bytes first.")
    failures: dict[str, int] = Field(description="Jobs that failed, by reason.")
    repeated: dict[str, int] = Field(description="Attempts that had to be repeated, by reason.")


class PointView(BaseModel):
    """How far a job was at a moment of one of its runs, in bytes; `rate` is bytes per second since the point before.

    `network` counts from the beginning of its run.
    """

    at: Moment
    run: int
    network: int
    disk: int
    verified: int
    rate: float


class SpeedView(BaseModel):
    """How a job went over time: at most 300 points, `step` seconds apart or more."""

    step: float
    points: list[PointView]


def _sums(of: DaySums | Named, speed: float | None) -> dict[str, object]:
    names = ("bytes", "resumed", "seconds", "succeeded", "failed", "cancelled", "retries")
    return {**{name: getattr(of, name) for name in names}, "speed": speed}


def _pace(of: DaySums | Named) -> float | None:
    return of.bytes / of.seconds if of.bytes and of.seconds else None


def statistics_view(found: Period) -> StatisticsView:
    """Return a period as the API shows it."""

    def named(rows: "list[Named]") -> "list[NamedView]":
        return [NamedView.model_validate({"name": row.name, **_sums(row, _pace(row))}) for row in rows]

    return StatisticsView.model_validate(
        {
            **_sums(found.total, found.speed),
            "days": len(found.days),
            "success": found.success,
            "saved_seconds": found.saved_seconds,
            "by_day": [{"day": day_of(row.at), **_sums(row, _pace(row))} for row in found.days],
            "flow_step": step_of(len(found.days)),
            "flow": [flow_view(part) for part in found.flow],
            "hosts": named([*found.hosts]),
            "slowest_hosts": named([*found.slowest]),
            "categories": named([*found.categories]),
            "failures": found.failures,
            "repeated": found.retries,
        }
    )


def flow_view(part: Flow) -> FlowView:
    """Return what arrived in a while as the API shows it."""
    return FlowView.model_validate({"at": moment(part.at), "bytes": part.bytes, "rate": part.rate})


def day_of(at: float) -> date:
    """Return the day of a moment, in UTC."""
    return datetime.fromtimestamp(at, UTC).date()


async def look(statistics: Statistics, days: int, caller: Principal) -> Period:
    """Return what `caller` may know of the last `days` days: own jobs, or all, then with the speed of the whole."""
    return await statistics.period(days, owner_filter(caller), flow=caller.allows("jobs:all"))


def router(statistics: Statistics, ledger: Ledger) -> APIRouter:
    """Return the routes of the statistics, and of how a job went over time."""
    routes = APIRouter(tags=["statistics"])

    @routes.get("/statistics")
    async def get_statistics(
        caller: Annotated[Principal, allow("jobs:read")],
        days: Annotated[int, Query(ge=1, le=LONGEST, description="How many days, today included.")] = USUAL,
    ) -> StatisticsView:
        """Tell what was done and how fast over some days; deleted history is still counted."""
        return statistics_view(await look(statistics, days, caller))

    @routes.get("/jobs/{job_id}/speed")
    async def get_speed(caller: Annotated[Principal, allow("jobs:read")], job_id: JobId) -> SpeedView:
        """Tell how fast a job was over all its runs, also after its end."""
        series = await ledger.series((await reachable(ledger, job_id, caller)).id)
        points = [
            PointView.model_validate(
                {"at": moment(one.at), "run": one.run, "network": one.network, "disk": one.disk,
                 "verified": one.verified, "rate": one.rate}
            )
            for one in series.points
        ]  # fmt: skip
        return SpeedView(step=series.step, points=points)

    return routes
