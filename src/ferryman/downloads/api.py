"""The API of downloads: add them, look at them before they start, and list them."""

import dataclasses
from enum import StrEnum
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from ferryman.accounts.model import Principal
from ferryman.downloads.api_reading import add_reading
from ferryman.downloads.change import Changes, DownloadChange
from ferryman.downloads.model import KIND, DownloadOrder, Text
from ferryman.downloads.order import Refused
from ferryman.downloads.preview import Previews
from ferryman.downloads.service import Downloads
from ferryman.downloads.settle import Decision, settle
from ferryman.downloads.speed import Speed
from ferryman.jobs.model import State
from ferryman.jobs.service import Ledger
from ferryman.web.auth import allow
from ferryman.web.filters import Filters, Sort, narrowed
from ferryman.web.job import JobDetail, JobView, job_detail, job_view
from ferryman.web.shapes import CURSOR, IdempotencyKey, JobId, Listed, Moment, Strict, moment


class Tab(StrEnum):
    """The lists of the page."""

    ACTIVE = "active"
    QUEUE = "queue"
    COMPLETED = "completed"
    HISTORY = "history"
    ALL = "all"


MOST_SHOWN: Final = 1000
"""Jobs and refusals that the answer to an order shows."""
TABS: Final[dict[Tab, tuple[tuple[State, ...], str]]] = {
    Tab.ACTIVE: ((State.RUNNING, State.PAUSED), "created_at"),
    Tab.QUEUE: ((State.QUEUED, State.WAITING), "run_order"),
    Tab.COMPLETED: ((State.SUCCEEDED,), "-finished_at"),
    Tab.HISTORY: ((State.SUCCEEDED, State.FAILED, State.CANCELLED), "-finished_at"),
    Tab.ALL: ((), "-created_at"),
}

Writer = Annotated[Principal, allow("downloads:write")]
Reader = Annotated[Principal, allow("downloads:read")]


class DownloadList(Filters):
    """A page of one of the lists, and what it is narrowed to."""

    tab: Tab = Field(Tab.ALL, description="Which of the lists.")
    sort: Sort | None = Field(
        None, description="The order, when not that of the tab; a dash means descending."
    )
    cursor: Annotated[
        str | None, Field(max_length=500, pattern=CURSOR, description="`next_cursor` of the page before.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=200, description="Most items of the page.")] = 50


class RefusedView(BaseModel):
    """An entry of `urls` that was not accepted."""

    field: str = Field(description="Where it stands: `urls`, `text` or `entries`.")
    index: int = Field(description="Its place there: from 0, in `text` the line, from 1.")
    url: str
    code: str
    detail: str
    advice: str


class Accepted(BaseModel):
    """The jobs that were made, in the order of the request.

    `refused` has what `partial` left out, and what was skipped as a duplicate. Of a large order only the first jobs are
    shown under `items`; `ids` names all.
    """

    ids: list[str]
    items: list[JobView]
    refused: list[RefusedView]


class SpeedChange(Strict):
    """A new limit of all downloads together."""

    rate_limit: Text = Field(description="Such as `2MB/s`; 0 means none.")


class SpeedView(BaseModel):
    """The limit in force."""

    rate_limit: int = Field(description="Bytes per second; 0 means none.")
    scheduled: bool = Field(
        description="Whether a timetable decides; where it has no rule, `rate_limit` of the settings counts."
    )
    changes_at: Moment | None = Field(description="When the limit next changes by itself, null for never.")


def router(
    downloads: Downloads, previews: Previews, speed: Speed, ledger: Ledger, changes: Changes
) -> APIRouter:
    """Return the routes of downloads, to be mounted under `/api/v1`."""
    routes = APIRouter(prefix="/downloads", tags=["downloads"])
    _add_speed(routes, speed)
    _add_changes(routes, changes, ledger)
    add_reading(routes, previews)

    @routes.post("", status_code=202)
    async def add(
        caller: Writer,
        order: DownloadOrder,
        partial: Annotated[
            bool, Query(description="Accept what can be, and say what cannot; otherwise all or none.")
        ] = False,
        idempotency_key: IdempotencyKey = None,
    ) -> Accepted:
        """Add one or many downloads: all of them, or none when anything is wrong."""
        jobs, refused = await downloads.add(order, caller, idempotency_key, partial=partial)
        return Accepted(
            ids=[job.id for job in jobs],
            items=[job_view(job) for job in jobs[:MOST_SHOWN]],
            refused=[_refused(one) for one in refused[:MOST_SHOWN]],
        )

    @routes.get("")
    async def list_downloads(caller: Reader, asked: Annotated[DownloadList, Query()]) -> Listed[JobView]:
        """List downloads, as the page does."""
        of_tab, sort = TABS[asked.tab]
        states = tuple(one for one in asked.state if not of_tab or one in of_tab) if asked.state else of_tab
        if asked.state and not states:
            return Listed(items=[], next_cursor=None)
        query = narrowed(asked, caller, kinds=(KIND,), sort=asked.sort or sort)
        page = await ledger.list(
            dataclasses.replace(query, states=states, cursor=asked.cursor, limit=asked.limit)
        )
        return Listed(items=[job_view(job) for job in page.items], next_cursor=page.next_cursor)

    return routes


def _add_speed(routes: APIRouter, speed: Speed) -> None:
    def view() -> SpeedView:
        limit = speed.limit()
        return SpeedView(
            rate_limit=limit.rate, scheduled=limit.scheduled, changes_at=moment(limit.changes_at)
        )

    @routes.get("/speed")
    async def get_speed(_caller: Reader) -> SpeedView:
        """Tell the speed limit of all downloads together."""
        return view()

    @routes.put("/speed")
    async def set_speed(
        caller: Annotated[Principal, allow("settings:write")], body: SpeedChange
    ) -> SpeedView:
        """Change the setting `rate_limit`: effective at once, and after a restart. A timetable goes on."""
        await speed.change(body.rate_limit, caller)
        return view()


def _add_changes(routes: APIRouter, changes: Changes, ledger: Ledger) -> None:
    @routes.post("/{job_id}/conflict", status_code=202)
    async def decide(caller: Writer, job_id: JobId, body: Decision) -> JobView:
        """Decide about a download that failed because its file exists: keep both, replace or skip; it goes on then."""
        return job_view(await settle(ledger, job_id, caller, body))

    @routes.patch("/{job_id}")
    async def change(caller: Writer, job_id: JobId, body: DownloadChange) -> JobDetail:
        """Change one download: limit and connections also while it runs, folder and name before it begins."""
        return job_detail(await changes.change(job_id, caller, body))


def _refused(one: Refused) -> RefusedView:
    error = one.error
    return RefusedView(
        field=one.place.field,
        index=one.index,
        url=one.url,
        code=error.code,
        detail=error.message,
        advice=error.advice,
    )
