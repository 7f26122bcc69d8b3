"""The page of the statistics: charts, and tables with the same figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from ferryman.accounts.model import Principal
from ferryman.console.api_statistics import LONGEST, USUAL, day_of, look
from ferryman.core.units import format_size
from ferryman.jobs.statistics.model import DAY, DaySums, Named, Period, step_of
from ferryman.jobs.statistics.service import Statistics
from ferryman.web.auth import allow
from ferryman.web.pages import Renderer

PERIODS: Final = (7, 30, 90, 365)
WEEKLY: Final = 92
"""Days from which on a bar is a week: more bars could not be told apart."""
_SUMMED: Final = ("bytes", "resumed", "seconds", "succeeded", "failed", "cancelled", "retries")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart: a day or a week. `at` is the middle of it, UNIX seconds."""

    at: float
    label: str
    sums: DaySums

    @property
    def speed(self) -> float | None:
        """Bytes per second of one job."""
        return self.sums.bytes / self.sums.seconds if self.sums.bytes and self.sums.seconds else None


def bars_of(days: Sequence[DaySums]) -> list[Bar]:
    """Return a bar for each day, or for each seven days counted back from the last one when there are many."""
    size = 7 if len(days) > WEEKLY else 1
    first = len(days) % size
    parts = [days[:first]] if first else []
    parts += [days[start : start + size] for start in range(first, len(days), size)]
    return [_bar(part) for part in parts]


def _bar(days: Sequence[DaySums]) -> Bar:
    first, last = day_of(days[0].at), day_of(days[-1].at)
    sums = {name: sum(getattr(day, name) for day in days) for name in _SUMMED}
    return Bar(days[0].at + len(days) * DAY / 2, label_of(first, last), DaySums(days[0].at, **sums))


def label_of(first: date, last: date) -> str:
    """Name a day or a stretch of days: `29 Nov 2026`, `23 to 29 Nov 2026`, `28 Dec to 3 Jan 2027`."""
    if first == last:
        return f"{last.day} {last:%b %Y}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {last.day} {last:%b %Y}"
    return f"{first.day} {first:%b} to {last.day} {last:%b %Y}"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list with a bar: `share` is thousandths of the largest."""

    name: str
    share: int
    of: Named


def rows_of(named: Sequence[Named], by: str) -> list[Row]:
    """Return rows whose bars show the field `by`."""
    values = [float(getattr(one, by) or 0.0) for one in named]
    most = max(values, default=0.0)
    return [
        Row(one.name, round(1000 * value / most) if most else 0, one)
        for one, value in zip(named, values, strict=True)
    ]


def shown(found: Period, asked: int) -> dict[str, Any]:
    """Return what the template shows of a period."""
    total = found.total
    return {
        "asked": asked,
        "periods": PERIODS,
        "found": found,
        "total": total,
        "empty": not (total.bytes or total.succeeded or total.failed or total.cancelled or total.retries),
        "bars": bars_of(found.days),
        "weekly": len(found.days) > WEEKLY,
        "hosts": rows_of(found.hosts, "bytes"),
        "slowest": rows_of(found.slowest, "speed"),
        "categories": rows_of([one for one in found.categories if one.bytes], "bytes"),
        "flow_step": _every(step_of(len(found.days))),
        "most_failures": max(found.failures.values(), default=0),
        "spared": f"{format_size(total.resumed)} not fetched twice"
        if total.resumed
        else "nothing had to be resumed",
    }


def _every(seconds: int) -> str:
    whole = timedelta(seconds=seconds)
    if whole.days:
        return "day"
    hours = seconds // 3600
    return "hour" if hours == 1 else f"{hours} hours" if hours else f"{seconds // 60} minutes"


def router(statistics: Statistics, renderer: Renderer) -> APIRouter:
    """Return the route of the page."""
    routes = APIRouter()

    @routes.get("/statistics")
    async def statistics_page(
        request: Request,
        caller: Annotated[Principal, allow("jobs:read")],
        days: Annotated[int, Query(ge=1, le=LONGEST)] = USUAL,
    ) -> HTMLResponse:
        """Show what was done and how fast."""
        found = await look(statistics, days, caller)
        return renderer.page(
            request, "console/statistics.html", **shown(found, days), everyone=caller.allows("jobs:all")
        )

    return routes
