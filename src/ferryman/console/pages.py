"""The pages of the overview and of jobs. Pages only read; buttons and forms use the API everyone else uses."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse

from ferryman.accounts.audit import Audit
from ferryman.accounts.model import Principal
from ferryman.accounts.service import Accounts
from ferryman.console import pages_accounts, pages_session, pages_settings, pages_statistics
from ferryman.console.describe import configuration_of, facts_of, seen_phases, steps_of
from ferryman.console.glance import Overview
from ferryman.jobs.model import TERMINAL, Job, State
from ferryman.jobs.model import Query as JobQuery
from ferryman.jobs.service import Ledger
from ferryman.jobs.statistics.service import Statistics
from ferryman.settings.service import SettingsService
from ferryman.web.auth import allow
from ferryman.web.job import owner_filter, reachable
from ferryman.web.pages import Renderer
from ferryman.web.part import NavItem
from ferryman.web.shapes import PRINTABLE, Cursor, JobId

TEMPLATES: Final = Path(__file__).parent / "templates"
NAV: Final = (
    NavItem("Overview", "/", "home-2", "jobs:read"),
    NavItem("Jobs", "/jobs", "list-check", "jobs:read"),
    NavItem("Statistics", "/statistics", "chart-line", "jobs:read"),
    NavItem("Settings", "/settings", "adjustments", "settings:read", group="rule"),
    NavItem("Users", "/users", "users", "users:read", group="rule"),
    NavItem("Tokens", "/tokens", "key", "jobs:read", group="rule"),
    NavItem("Audit", "/audit", "shield-check", "audit:read", group="rule"),
)
SORTS: Final = {
    "-created_at": "Newest first",
    "created_at": "Oldest first",
    "-updated_at": "Changed last",
    "-finished_at": "Finished last",
    "run_order": "In the order they run",
}
PAGE: Final = 50
OVERVIEW: Final = 6
DUE: Final = 3
MOST_EVENTS: Final = 1000
TABS: Final[tuple[tuple[str, str, str], ...]] = (
    ("log", "Log", "file-text"),
    ("items", "Items", "list-check"),
    ("events", "Events", "history"),
    ("report", "Report", "list-details"),
    ("configuration", "Configuration", "adjustments"),
)

Reader = Annotated[Principal, allow("jobs:read")]


class Asked(BaseModel):
    """What the list of jobs is narrowed to and ordered by."""

    q: Annotated[str, Field(max_length=200, pattern=PRINTABLE)] = ""
    state: list[State] = []
    sort: Literal["-created_at", "created_at", "-updated_at", "-finished_at", "run_order"] = "-created_at"
    cursor: Cursor = None

    def address(self, path: str, cursor: str | None = None) -> str:
        """Return `path` with the query that asks for the same again, from `cursor` on."""
        asked = [("q", self.q)] if self.q else []
        asked += [("state", state.value) for state in self.state]
        asked += [("sort", self.sort)] if self.sort != "-created_at" else []
        asked += [("cursor", cursor)] if cursor else []
        return f"{path}?{urlencode(asked)}" if asked else path


def router(
    ledger: Ledger,
    accounts: Accounts,
    audit: Audit,
    statistics: Statistics,
    *,
    settings: SettingsService,
    renderer: Renderer,
    phases: Mapping[str, Sequence[str]] | None = None,
    items: Mapping[str, str] | None = None,
) -> APIRouter:
    """Return the routes of all pages of this room.

    `phases` names the phases of each kind of job in order, so that a page shows what is still ahead. `items` says where the
    feature of a kind shows the parts of a job, with `{id}` in it.
    """
    routes = APIRouter()
    overview = Overview(ledger, statistics, settings.live.now().downloads)
    pages = JobPages(ledger, renderer, overview, phases or {}, items or {})
    routes.add_api_route("/", pages.overview, methods=["GET"])
    routes.add_api_route("/overview/body", pages.overview_body, methods=["GET"])
    routes.add_api_route("/jobs", pages.jobs, methods=["GET"])
    routes.add_api_route("/jobs/list", pages.jobs_list, methods=["GET"])
    routes.add_api_route("/jobs/{job_id}", pages.job, methods=["GET"])
    routes.add_api_route("/jobs/{job_id}/head", pages.job_head, methods=["GET"])
    routes.add_api_route("/jobs/{job_id}/events", pages.job_events, methods=["GET"])
    routes.add_api_route("/jobs/{job_id}/report", pages.job_report, methods=["GET"])
    routes.include_router(pages_session.router(accounts, renderer))
    routes.include_router(pages_statistics.router(statistics, renderer))
    routes.include_router(pages_settings.router(settings, renderer))
    routes.include_router(pages_accounts.router(accounts, audit, renderer))
    return routes


class JobPages:
    """Pages and their live parts. A live part is the same template alone, fetched again when something changed."""

    def __init__(
        self,
        ledger: Ledger,
        renderer: Renderer,
        overview: Overview,
        phases: Mapping[str, Sequence[str]],
        items: Mapping[str, str],
    ) -> None:
        """Read from `ledger` and `overview`; `items` says where the parts of a job are shown, by kind."""
        self._ledger = ledger
        self._renderer = renderer
        self._glance = overview
        self._phases = phases
        self._items = items

    async def overview(self, request: Request, caller: Reader) -> HTMLResponse:
        """Show what is happening, is it well, and what needs someone."""
        return self._renderer.page(request, "console/overview.html", **await self._overview(caller))

    async def overview_body(self, request: Request, caller: Reader) -> HTMLResponse:
        """Answer with the live part of the overview."""
        return self._renderer.page(request, "console/overview_body.html", **await self._overview(caller))

    async def jobs(self, request: Request, caller: Reader, asked: Annotated[Asked, Query()]) -> HTMLResponse:
        """List jobs of every kind."""
        return self._renderer.page(request, "console/jobs.html", **await self._list(caller, asked))

    async def jobs_list(
        self, request: Request, caller: Reader, asked: Annotated[Asked, Query()]
    ) -> HTMLResponse:
        """Answer with the live part of the list."""
        return self._renderer.page(request, "console/jobs_list.html", **await self._list(caller, asked))

    async def job(self, request: Request, caller: Reader, job_id: JobId) -> HTMLResponse:
        """Show one job."""
        job = await reachable(self._ledger, job_id, caller)
        series = await self._ledger.series(job.id)
        return self._renderer.page(
            request,
            "console/job.html",
            **await self._head(job, caller),
            points=[(point.at, point.rate, point.run) for point in series.points],
            tabs=TABS if job.kind in self._items else [tab for tab in TABS if tab[0] != "items"],
            items=self._items.get(job.kind, "").replace("{id}", job.id),
            report=await self._ledger.report_text(job.id),
            configuration=configuration_of(job),
        )

    async def job_head(self, request: Request, caller: Reader, job_id: JobId) -> HTMLResponse:
        """Answer with title, state, actions and progress of one job."""
        job = await reachable(self._ledger, job_id, caller)
        return self._renderer.page(request, "console/job_head.html", **await self._head(job, caller))

    async def job_events(self, request: Request, caller: Reader, job_id: JobId) -> HTMLResponse:
        """Answer with what happened to one job."""
        job = await reachable(self._ledger, job_id, caller)
        events = await self._ledger.events(job.id, 0, MOST_EVENTS)
        return self._renderer.page(request, "console/job_events.html", job=job, events=events)

    async def job_report(self, request: Request, caller: Reader, job_id: JobId) -> HTMLResponse:
        """Answer with the report of one job."""
        job = await reachable(self._ledger, job_id, caller)
        report = await self._ledger.report_text(job.id)
        return self._renderer.page(request, "console/job_report.html", job=job, report=report)

    async def _overview(self, caller: Principal) -> dict[str, Any]:
        found = await self._glance.look(caller)
        return {
            "glance": found,
            "counts": {state.value: found.counts.get(state, 0) for state in State},
            "needy": (*found.stuck, *found.failed)[:OVERVIEW],
            "active": found.active[:OVERVIEW],
            "recent": found.recent[:OVERVIEW],
            "due": found.due[:DUE],
            "points": [(flow.at + flow.seconds / 2, round(flow.rate)) for flow in found.flow],
            "can_write": caller.allows("jobs:write"),
        }

    async def _list(self, caller: Principal, asked: Asked) -> dict[str, Any]:
        page = await self._ledger.list(
            JobQuery(
                states=tuple(asked.state),
                text=asked.q,
                owner=owner_filter(caller),
                sort=asked.sort,
                cursor=asked.cursor,
                limit=PAGE,
            )
        )
        return {
            "page": page,
            "asked": asked,
            "states": [state.value for state in asked.state],
            "sorts": SORTS,
            "filtered": bool(asked.q or asked.state),
            "can_write": caller.allows("jobs:write"),
            "query": asked.address("", asked.cursor),
            "first_url": asked.address("/jobs") if asked.cursor else "",
            "next_url": asked.address("/jobs", page.next_cursor),
        }

    async def _head(self, job: Job, caller: Principal) -> dict[str, Any]:
        events = await self._ledger.events(job.id, 0, MOST_EVENTS)
        return {
            "job": job,
            "events": events,
            "moved": bool(job.state not in TERMINAL or job.progress.network),
            "steps": steps_of(job, self._phases.get(job.kind, ()), seen_phases(events)),
            "facts": facts_of(job),
            "can_write": caller.allows("jobs:write"),
        }
