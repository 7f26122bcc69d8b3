"""The pages of downloads. They only read; the form and the buttons use the API everyone else uses."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ferryman.accounts.model import Principal
from ferryman.core.live import Live
from ferryman.core.units import parse_rate
from ferryman.downloads.pages_add import add_pages
from ferryman.downloads.rules.service import Rules
from ferryman.downloads.speed import Speed
from ferryman.downloads.tabs import PAGE, TABS, Tab, counted, page_of, tab_named
from ferryman.jobs.model import Job, State
from ferryman.jobs.model import Query as JobQuery
from ferryman.jobs.service import Ledger
from ferryman.web.auth import allow
from ferryman.web.job import owner_filter
from ferryman.web.pages import Renderer
from ferryman.web.part import NavItem
from ferryman.web.shapes import PRINTABLE, Cursor

TEMPLATES: Final = Path(__file__).parent / "templates"
NAV: Final = (NavItem("Downloads", "/downloads", "download", "downloads:read", "running"),)
KIND: Final = "download"
LIMITS: Final = ("download_concurrency", "rate_limit")
"""Settings that can be changed on the page itself."""

HISTORY: Final = "/downloads/history"
LINKS: Final = (
    ("Rules", "/downloads/rules", "route"),
    ("Statistics", "/statistics", "chart-line"),
)
"""Label, path and icon of what belongs to downloads and has a page of its own."""

Reader = Annotated[Principal, allow("downloads:read")]


class Asked(BaseModel):
    """Which tab is shown and what it is narrowed to; `start` is the number of the first row."""

    tab: Literal["active", "queue", "completed", "history"] = "active"
    q: Annotated[str, Field(max_length=200, pattern=PRINTABLE)] = ""
    state: Annotated[list[State], Field(max_length=20)] = []
    cursor: Cursor = None
    start: Annotated[int, Field(ge=1, le=10_000_000)] = 1

    @property
    def shown(self) -> Tab:
        """The tab."""
        return tab_named(self.tab)

    @property
    def states(self) -> tuple[State, ...]:
        """The states that are listed."""
        return tuple(state for state in self.shown.states if state in self.state) or self.shown.states

    @property
    def filtered(self) -> bool:
        """Whether the tab is narrowed."""
        return bool(self.q or self.state)

    def address(self, path: str, cursor: str | None = None, start: int = 1) -> str:
        """Return `path` with the query that asks for the same again, from `cursor` on."""
        asked = [("tab", str(self.tab))]
        asked += [("q", self.q)] if self.q else []
        asked += [("state", state.value) for state in self.state]
        asked += [("cursor", cursor)] if cursor else []
        asked += [("start", str(start))] if start > 1 else []
        return f"{path}?{urlencode(asked)}"


class Pages:
    """What the pages of downloads show."""

    def __init__(self, ledger: Ledger, live: Live, speed: Speed) -> None:
        """Read from the ledger, the settings in force and the limit of speed."""
        self._ledger = ledger
        self._live = live
        self._speed = speed

    async def context(self, caller: Principal, asked: Asked) -> dict[str, Any]:
        """Return what the templates need for one tab."""
        owner = owner_filter(caller)
        counts = await self._ledger.counts(kinds=(KIND,), owner=owner)
        tab = asked.shown
        query = JobQuery(
            kinds=(KIND,), states=asked.states, text=asked.q, owner=owner, cursor=asked.cursor, limit=PAGE
        )
        page = await page_of(self._ledger, tab, query)
        following = asked.start + len(page.items)
        return {
            "page": page,
            "asked": asked,
            "states": [state.value for state in asked.state],
            "counts": counts,
            "tab_counts": counted(counts),
            "total": await self._total(query, asked, counts),
            "filter": filter_of(asked),
            "sources": sources_of(page.items),
            "bulk": tab.bulk,
            "filtered": asked.filtered,
            "can_write": caller.allows("downloads:write"),
            "query": asked.address("", asked.cursor, asked.start),
            "first_url": asked.address("/downloads") if asked.cursor else "",
            "next_url": asked.address("/downloads", page.next_cursor, following),
        }

    def controls(self, caller: Principal) -> dict[str, Any]:
        """Return what the bar of limits shows."""
        settings, limit = self._live.now(), self._speed.limit()
        may = caller.allows("settings:write")
        return {
            "can_set": {name: may and not self._live.fixed(name) for name in LIMITS},
            "concurrency": settings.download_concurrency,
            "rate_limit": settings.rate_limit if parse_rate(settings.rate_limit) else "",
            "rate_now": limit.rate,
            "rate_scheduled": limit.scheduled,
        }

    async def _total(self, query: JobQuery, asked: Asked, counts: Mapping[State, int]) -> int:
        """How many downloads the whole list has."""
        if not asked.q:
            return sum(counts.get(state, 0) for state in asked.states)
        return (await self._ledger.summary(dataclasses.replace(query, cursor=None))).number


def frame_of() -> dict[str, Any]:
    """Return what stands around the lists: the tabs, and the ways to the pages beside them."""
    return {"tabs": TABS, "links": LINKS}


def filter_of(asked: Asked) -> dict[str, Any]:
    """Return the filter of the API that finds what the list shows."""
    return {"kind": [KIND], "state": [state.value for state in asked.states], "q": asked.q}


def router(
    ledger: Ledger, live: Live, speed: Speed, renderer: Renderer, rules: Rules | None = None
) -> APIRouter:
    """Return the routes of the pages of downloads."""
    routes = APIRouter(prefix="/downloads")
    add_pages(routes, live, renderer, rules)
    pages = Pages(ledger, live, speed)

    @routes.get("")
    async def downloads_page(request: Request, caller: Reader, asked: Annotated[Asked, Query()]) -> Response:
        """Show one tab of the downloads; the history has a page of its own."""
        if asked.tab == "history":
            address = asked.address(HISTORY).replace("?tab=history&", "?").removesuffix("?tab=history")
            return RedirectResponse(address, 302)
        found = await pages.context(caller, asked) | pages.controls(caller)
        return renderer.page(request, "downloads/index.html", **found, **frame_of())

    @routes.get("/list")
    async def downloads_list(
        request: Request, caller: Reader, asked: Annotated[Asked, Query()]
    ) -> HTMLResponse:
        """Answer with the live part of a tab."""
        return renderer.page(request, "downloads/list.html", **await pages.context(caller, asked))

    return routes


def sources_of(jobs: Iterable[Job]) -> dict[str, str]:
    """Return the host each job fetches from, by job id."""
    return {job.id: source_of(job) for job in jobs}


def source_of(job: Job) -> str:
    """Return the host of the first address of `job`; never a user name, a password or a query."""
    urls = job.spec.get("urls") or [job.spec.get("url") or ""]
    try:
        parts = urlsplit(str(urls[0]))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    return f"{host}:{port}" if port else host
