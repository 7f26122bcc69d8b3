"""The API of downloads: add them and list them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel

from ferryman.accounts.model import Principal
from ferryman.downloads.model import KIND, DownloadOrder
from ferryman.downloads.service import Downloads
from ferryman.jobs.model import Query as JobQuery
from ferryman.jobs.model import State
from ferryman.jobs.service import Ledger
from ferryman.web.auth import allow
from ferryman.web.job import JobView, job_view, owner_filter
from ferryman.web.shapes import PRINTABLE, Cursor, Listed

TABS: dict[str, tuple[tuple[State, ...], str]] = {
    "active": ((State.RUNNING, State.PAUSED, State.WAITING), "created_at"),
    "queue": ((State.QUEUED,), "run_order"),
    "completed": ((State.SUCCEEDED,), "-finished_at"),
    "history": ((State.SUCCEEDED, State.FAILED, State.CANCELLED), "-finished_at"),
    "all": ((), "-created_at"),
}

Writer = Annotated[Principal, allow("downloads:write")]
Reader = Annotated[Principal, allow("downloads:read")]


class Accepted(BaseModel):
    """The jobs that were made, in the order of the request."""

    items: list[JobView]


def router(downloads: Downloads, ledger: Ledger) -> APIRouter:
    """Return the routes of downloads, to be mounted under `/api/v1`."""
    routes = APIRouter(prefix="/downloads", tags=["downloads"])

    @routes.post("", status_code=202)
    async def add(
        caller: Writer,
        order: DownloadOrder,
        idempotency_key: Annotated[
            str | None,
            Header(
                min_length=1,
                max_length=200,
                pattern=PRINTABLE,
                description="Makes a repeated request harmless.",
            ),
        ] = None,
    ) -> Accepted:
        """Add one or many downloads: all of them, or none when anything is wrong."""
        jobs = await downloads.add(order, caller, idempotency_key)
        return Accepted(items=[job_view(job) for job in jobs])

    @routes.get("")
    async def list_downloads(
        caller: Reader,
        tab: Annotated[
            Literal["active", "queue", "completed", "history", "all"],
            Query(description="Which of the lists."),
        ] = "all",
        q: Annotated[str, Query(max_length=200, pattern=PRINTABLE, description="Words to search for.")] = "",
        cursor: Cursor = None,
        limit: Annotated[int, Query(ge=1, le=200, description="Most items of the page.")] = 50,
    ) -> Listed[JobView]:
        """List downloads."""
        states, sort = TABS[tab]
        page = await ledger.list(
            JobQuery(
                kinds=(KIND,),
                states=states,
                text=q,
                owner=owner_filter(caller),
                sort=sort,
                cursor=cursor,
                limit=limit,
            )
        )
        return Listed(items=[job_view(job) for job in page.items], next_cursor=page.next_cursor)

    return routes
