"""Jobs of every kind: `/api/v1/jobs`. Members reach their own, operators all; out of reach looks like not there."""

import dataclasses
from enum import StrEnum
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse, Response

from ferryman.accounts.model import Principal
from ferryman.core.errors import Invalid
from ferryman.jobs.model import Event, Job
from ferryman.jobs.model import Query as JobQuery
from ferryman.jobs.service import Ledger
from ferryman.settings.service import SettingsService
from ferryman.web.auth import allow
from ferryman.web.filters import Filters, Sort, narrowed
from ferryman.web.job import JobDetail, JobView, job_detail, job_view, reachable
from ferryman.web.shapes import (
    CURSOR,
    PRINTABLE,
    JobId,
    JsonObject,
    Limit,
    Listed,
    Moment,
    Strict,
    moment,
)

Reader = Annotated[Principal, allow("jobs:read")]
Writer = Annotated[Principal, allow("jobs:write")]
Kind = Annotated[str, Field(max_length=40, pattern=r"^[a-z][a-z0-9_]*$")]
Offset = Annotated[int, Query(ge=0, le=2**53, description="Position in bytes.")]


class Action(StrEnum):
    """What can be asked of a job."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"


class EventView(BaseModel):
    """Something that happened to a job. `id` grows over all jobs."""

    id: int
    job_id: str
    at: Moment
    type: str
    data: JsonObject


class LogView(BaseModel):
    """A piece of the log; `next_offset` is where to go on reading."""

    text: str
    next_offset: int


class PriorityChange(Strict):
    """The new priority: 0 runs first, 9 last."""

    priority: Annotated[int, Field(ge=0, le=9)]


class LimitChange(Strict):
    """How many jobs of `kind` run at once, null for what file or default say; `*` is all kinds together."""

    kind: Annotated[str, Field(max_length=40, pattern=r"^(\*|[a-z][a-z0-9_]*)$")]
    limit: Annotated[int, Field(ge=1, le=1000)] | None


class Limits(BaseModel):
    """Jobs that run at once, by kind; `*` is all kinds together."""

    limits: dict[str, int]


class JobFilter(Filters):
    """What a list of jobs can be narrowed to and ordered by."""

    kind: list[Kind] = Field([], description="Kinds, such as `download`.")
    parent: Annotated[
        str | None, Field(max_length=100, pattern=PRINTABLE, description="Id of the parent job.")
    ] = None
    sort: Sort = Field(Sort.NEWEST, description="The order; a dash means descending.")


class JobList(JobFilter):
    """A page of such a list."""

    cursor: Annotated[
        str | None, Field(max_length=500, pattern=CURSOR, description="`next_cursor` of the page before.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=200, description="Most items of the page.")] = 50


def query_of(asked: JobFilter, caller: Principal, cursor: str | None, limit: int) -> JobQuery:
    """Return the ledger's query for `asked`, narrowed to what `caller` reaches."""
    query = narrowed(asked, caller, kinds=tuple(asked.kind), sort=asked.sort)
    return dataclasses.replace(query, parent=asked.parent, cursor=cursor, limit=limit)


async def act(ledger: Ledger, action: Action, job_id: str, caller: Principal) -> Job:
    """Ask `action` of a job within reach. Raises `NotFound`, `Conflict` when its state does not allow it."""
    job = await reachable(ledger, job_id, caller)
    match action:
        case Action.PAUSE:
            return await ledger.pause(job.id, caller.name)
        case Action.RESUME:
            return await ledger.resume(job.id, caller.name)
        case Action.CANCEL:
            return await ledger.cancel(job.id, caller.name)
        case Action.RETRY:
            return await ledger.retry(job.id, caller.name)


def event_view(event: Event) -> EventView:
    """Return `event` as the API shows it."""
    return EventView(id=event.id, job_id=event.job_id, at=moment(event.at), type=event.type, data=event.data)


def router(ledger: Ledger, settings: SettingsService) -> APIRouter:
    """Return the routes of jobs."""
    routes = APIRouter(prefix="/jobs", tags=["jobs"])
    _add_lists(routes, ledger)
    _add_limits(routes, settings)
    _add_readers(routes, ledger)
    _add_actions(routes, ledger)
    return routes


def _add_lists(routes: APIRouter, ledger: Ledger) -> None:
    @routes.get("")
    async def list_jobs(caller: Reader, asked: Annotated[JobList, Query()]) -> Listed[JobView]:
        """List, search and filter jobs, the newest first unless `sort` says otherwise."""
        page = await ledger.list(query_of(asked, caller, asked.cursor, asked.limit))
        return Listed(items=[job_view(job) for job in page.items], next_cursor=page.next_cursor)


def _add_limits(routes: APIRouter, settings: SettingsService) -> None:
    @routes.get("/limits")
    async def get_limits(_caller: Reader) -> Limits:
        """Tell how many jobs run at once."""
        return Limits(limits=settings.live.now().limits)

    @routes.put("/limits")
    async def set_limit(caller: Annotated[Principal, allow("settings:write")], body: LimitChange) -> Limits:
        """Change the setting of how many jobs run at once, effective at once; running ones go on."""
        kind = "worker" if body.kind == "*" else body.kind
        if body.kind not in settings.live.now().limits:
            raise Invalid(
                "kind_invalid",
                f"There are no jobs of kind '{body.kind}'.",
                advice=f"Use one of {', '.join(settings.live.now().limits)}.",
                fields={"kind": "is no kind of jobs"},
            )
        try:
            await settings.change({f"{kind}_concurrency": body.limit}, caller)
        except Invalid as error:
            error.fields = {"limit": "; ".join(error.fields.values())}
            raise
        return Limits(limits=settings.live.now().limits)


def _add_readers(routes: APIRouter, ledger: Ledger) -> None:
    @routes.get("/{job_id}")
    async def get_job(caller: Reader, job_id: JobId) -> JobDetail:
        """Show a job and what it was asked to do."""
        return job_detail(await reachable(ledger, job_id, caller))

    @routes.get("/{job_id}/log")
    async def get_log(
        caller: Reader,
        job_id: JobId,
        offset: Offset = 0,
        limit: Annotated[int, Query(ge=1, le=1_000_000, description="Most bytes to read.")] = 65536,
    ) -> LogView:
        """Read the log from a position in bytes."""
        job = await reachable(ledger, job_id, caller)
        text, following = await ledger.read_log(job.id, offset, limit)
        return LogView(text=text, next_offset=following)

    @routes.get("/{job_id}/events")
    async def get_events(
        caller: Reader,
        job_id: JobId,
        cursor: Annotated[
            str | None, Query(pattern=r"^[0-9]{1,18}$", description="Id of the last event seen.")
        ] = None,
        limit: Limit = 50,
    ) -> Listed[EventView]:
        """List what happened to a job, the oldest first."""
        job = await reachable(ledger, job_id, caller)
        events = await ledger.events(job.id, int(cursor or 0), limit)
        following = str(events[-1].id) if len(events) == limit else None
        return Listed(items=[event_view(event) for event in events], next_cursor=following)

    @routes.get(
        "/{job_id}/report",
        response_model=JsonObject,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def get_report(
        caller: Reader,
        job_id: JobId,
        form: Annotated[
            Literal["json", "text"], Query(alias="format", description="JSON, or text for people.")
        ] = "json",
    ) -> Response | JsonObject:
        """Tell what the job did: when, bytes, speed, errors, advice; as JSON or as text for people."""
        job = await reachable(ledger, job_id, caller)
        if form == "text":
            return PlainTextResponse(await ledger.report_text(job.id))
        return await ledger.report(job.id)


def _add_actions(routes: APIRouter, ledger: Ledger) -> None:
    @routes.post("/{job_id}/pause", status_code=202)
    async def pause(caller: Writer, job_id: JobId) -> JobView:
        """Pause a job; what it did so far is kept."""
        return job_view(await act(ledger, Action.PAUSE, job_id, caller))

    @routes.post("/{job_id}/resume", status_code=202)
    async def resume(caller: Writer, job_id: JobId) -> JobView:
        """Let a paused job go on from where it was."""
        return job_view(await act(ledger, Action.RESUME, job_id, caller))

    @routes.post("/{job_id}/cancel", status_code=202)
    async def cancel(caller: Writer, job_id: JobId) -> JobView:
        """End a job for good."""
        return job_view(await act(ledger, Action.CANCEL, job_id, caller))

    @routes.post("/{job_id}/retry", status_code=202)
    async def retry(caller: Writer, job_id: JobId) -> JobView:
        """Try a failed or cancelled job again, from its last checkpoint."""
        return job_view(await act(ledger, Action.RETRY, job_id, caller))

    @routes.post("/{job_id}/priority", status_code=202)
    async def set_priority(caller: Writer, job_id: JobId, body: PriorityChange) -> JobView:
        """Move a job forward or back in the queue."""
        job = await reachable(ledger, job_id, caller)
        return job_view(await ledger.set_priority(job.id, body.priority))
