"""The page of the history. It only reads; its buttons use the API everyone else uses."""

import asyncio
import dataclasses
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from ferryman.accounts.model import Principal
from ferryman.accounts.service import Accounts
from ferryman.core.live import Live
from ferryman.downloads.history.api import sums_of
from ferryman.downloads.history.asked import DAYS, ENDED, LABELS, HistoryAsked, api_pairs, saved_address
from ferryman.downloads.history.service import History
from ferryman.downloads.model import KIND, MOST
from ferryman.downloads.pages import frame_of, sources_of
from ferryman.downloads.tabs import counted
from ferryman.jobs.model import Reason
from ferryman.jobs.service import Ledger
from ferryman.web.auth import allow
from ferryman.web.filters import Filters, narrowed
from ferryman.web.job import owner_filter
from ferryman.web.pages import Renderer

PATH: Final = "/downloads/history"
PAGE: Final = 50
MOST_CHOICES: Final = 300
"""Hosts and categories that are offered; others can be typed."""

Reader = Annotated[Principal, allow("downloads:read")]


def router(
    history: History, ledger: Ledger, accounts: Accounts, *, live: Live, renderer: Renderer
) -> APIRouter:
    """Return the routes of the page."""
    routes = APIRouter(prefix=PATH)
    page = HistoryPage(history, ledger, accounts, live)

    @routes.get("")
    async def history_page(
        request: Request, caller: Reader, asked: Annotated[HistoryAsked, Query()]
    ) -> HTMLResponse:
        """Show what ended, with filters."""
        shown, form = await asyncio.gather(page.listed(caller, asked), page.form(caller, asked))
        return renderer.page(request, "downloads/history.html", **shown, **form, **frame_of())

    @routes.get("/list")
    async def history_list(
        request: Request, caller: Reader, asked: Annotated[HistoryAsked, Query()]
    ) -> HTMLResponse:
        """Answer with the live part of the page."""
        return renderer.page(request, "downloads/history_list.html", **await page.listed(caller, asked))

    return routes


class HistoryPage:
    """What the templates show."""

    def __init__(self, history: History, ledger: Ledger, accounts: Accounts, live: Live) -> None:
        """Read from `ledger` and `history`; names of users are those of `accounts`."""
        self._history = history
        self._ledger = ledger
        self._accounts = accounts
        self._live = live

    async def listed(self, caller: Principal, asked: HistoryAsked) -> dict[str, Any]:
        """Return the list, its sums, and what narrows it."""
        filters, wrong = asked.read()
        if not caller.allows("jobs:all"):
            filters.owner = None
        query = narrowed(filters, caller, kinds=(KIND,), sort=asked.sort)
        query = dataclasses.replace(query, states=query.states or ENDED)
        page, summary, users = await asyncio.gather(
            self._ledger.list(dataclasses.replace(query, cursor=asked.cursor, limit=PAGE)),
            self._ledger.summary(query),
            self._users(caller),
        )
        exported = api_pairs(filters, asked.sort)
        if not filters.state:
            exported += [("state", state.value) for state in ENDED]
        return {
            "page": page,
            "asked": asked,
            "sums": sums_of(summary),
            "wrong": {LABELS[name]: message for name, message in wrong.items()},
            "chips": _chips(asked, users),
            "columns": {name: asked.heading(name) for name in ("title", "size", "finished_at", "created_at")},
            "sources": sources_of(page.items),
            "users": users,
            "export": urlencode(exported),
            "bulk_filter": bulk_filter(filters),
            "saving": _saving(filters.model_dump(mode="json", exclude_defaults=True), asked.sort),
            "query": asked.address("", cursor=asked.cursor),
            "first_url": asked.address(PATH) if asked.cursor else "",
            "next_url": asked.address(PATH, cursor=page.next_cursor),
            "can_write": caller.allows("downloads:write"),
        }

    async def form(self, caller: Principal, asked: HistoryAsked) -> dict[str, Any]:
        """Return the choices of the form, the saved filters, and the tabs."""
        owner = owner_filter(caller)
        hosts, categories, counts, saved = await asyncio.gather(
            self._ledger.choices("host", owner, MOST_CHOICES),
            self._ledger.choices("category", owner, MOST_CHOICES),
            self._ledger.counts((KIND,), owner),
            self._history.filters(caller),
        )
        settings = self._live.now()
        return {
            "hosts": hosts,
            "categories": categories,
            "reasons": list(Reason),
            "ended": ENDED,
            "days": {name: asked.day(name) for name in DAYS},
            "saved": [(one.id, one.name, saved_address(PATH, one.query)) for one in saved],
            "tab_counts": counted(counts),
            "sees_all": caller.allows("jobs:all"),
            "kept": (settings.history_days, settings.history_count),
            "most": MOST,
        }

    async def _users(self, caller: Principal) -> dict[str, str]:
        """Return the names of all users by id, for those who see all jobs."""
        if not caller.allows("jobs:all"):
            return {}
        return {user.id: user.name for user in await self._accounts.users()}


def bulk_filter(filters: Filters) -> dict[str, Any]:
    """Return the filter of the API that finds all that the list shows."""
    states = [state.value for state in filters.state or ENDED]
    return filters.model_dump(mode="json", exclude_defaults=True) | {"kind": [KIND], "state": states}


def _chips(asked: HistoryAsked, users: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return the filters in force: what each is, its value, and the address without it."""
    found = []
    for name, text in asked.pairs():
        if name in {"q", "state"}:
            continue
        shown = users.get(text, text) if name == "owner" else asked.day(name) if name in DAYS else text
        found.append((LABELS[name], shown, asked.address(PATH, leave=name)))
    return found


def _saving(query: dict[str, Any], sort: str) -> dict[str, Any]:
    """Return the filters as a saved one has them."""
    return query | ({"sort": sort} if sort != "-finished_at" else {})
