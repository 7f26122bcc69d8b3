"""The pages of downloads. They only read; the form and the buttons use the API everyone else uses."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse

from ferryman.accounts.model import Principal
from ferryman.core.live import Live
from ferryman.downloads.pages_add import add_pages
from ferryman.downloads.rules.service import Rules
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
PAGE: Final = 50
ENDED: Final = (State.SUCCEEDED, State.FAILED, State.CANCELLED)
TABS: Final = (
    ("active", "Active", (State.RUNNING, State.PAUSED, State.WAITING)),
    ("queue", "Queue", (State.QUEUED,)),
    ("completed", "Completed", (State.SUCCEEDED,)),
    ("history", "History", ENDED),
)
SORTS: Final = {
    "active": "created_at",
    "queue": "run_order",
    "completed": "-finished_at",
    "history": "-finished_at",
}
BULK: Final = {
    "active": ("pause", "resume", "cancel"),
    "queue": ("pause", "cancel"),
    "completed": ("delete",),
    "history": ("retry", "delete"),
}

Reader = Annotated[Principal, allow("downloads:read")]


class Asked(BaseModel):
    """Which tab is shown and what it is narrowed to; `state` and `q` only narrow the history."""

    tab: Literal["active", "queue", "completed", "history"] = "active"
    q: Annotated[str, Field(max_length=200, pattern=PRINTABLE)] = ""
    state: list[State] = []
    cursor: Cursor = None

    @property
    def states(self) -> tuple[State, ...]:
        """The states that are listed."""
        of_tab = next(states for name, _, states in TABS if name == self.tab)
        return tuple(state for state in of_tab if state in self.state) or of_tab

    def address(self, path: str, cursor: str | None = None) -> str:
        """Return `path` with the query that asks for the same again, from `cursor` on."""
        asked = [("tab", str(self.tab))]
        asked += [("q", self.q)] if self.q else []
        asked += [("state", state.value) for state in self.state]
        asked += [("cursor", cursor)] if cursor else []
        return f"{path}?{urlencode(asked)}"


def router(ledger: Ledger, live: Live, renderer: Renderer, rules: Rules | None = None) -> APIRouter:
    """Return the routes of the pages of downloads."""
    routes = APIRouter(prefix="/downloads")
    add_pages(routes, live, renderer, rules)

    async def context(caller: Principal, asked: Asked) -> dict[str, Any]:
        owner = owner_filter(caller)
        page = await ledger.list(
            JobQuery(
                kinds=(KIND,),
                states=asked.states,
                text=asked.q,
                owner=owner,
                sort=SORTS[asked.tab],
                cursor=asked.cursor,
                limit=PAGE,
            )
        )
        counts = await ledger.counts(kinds=(KIND,), owner=owner)
        return {
            "page": page,
            "asked": asked,
            "states": [state.value for state in asked.state],
            "tabs": TABS,
            "tab_counts": {name: sum(counts.get(state, 0) for state in states) for name, _, states in TABS},
            "sources": sources_of(page.items),
            "bulk": BULK[asked.tab],
            "filtered": bool(asked.q or asked.state),
            "can_write": caller.allows("downloads:write"),
            "query": asked.address("", asked.cursor),
            "first_url": asked.address("/downloads") if asked.cursor else "",
            "next_url": asked.address("/downloads", page.next_cursor),
        }

    @routes.get("")
    async def downloads_page(
        request: Request, caller: Reader, asked: Annotated[Asked, Query()]
    ) -> HTMLResponse:
        """Show one tab of the downloads."""
        return renderer.page(request, "downloads/index.html", **await context(caller, asked))

    @routes.get("/list")
    async def downloads_list(
        request: Request, caller: Reader, asked: Annotated[Asked, Query()]
    ) -> HTMLResponse:
        """Answer with the live part of a tab."""
        return renderer.page(request, "downloads/list.html", **await context(caller, asked))

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
