"""Many jobs at once, the order in which they run, when they run, and bringing deleted ones back: below `/api/v1/jobs`."""

import asyncio
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from ferryman.accounts.model import Principal
from ferryman.console.api_jobs import JobFilter, Kind, Writer, query_of
from ferryman.core.errors import Conflict, FerryError, Invalid
from ferryman.jobs.service import Ledger
from ferryman.web.filters import BodyFilters
from ferryman.web.job import JobView, job_view, owner_filter, reachable
from ferryman.web.shapes import PRINTABLE, JobId, Strict, When, Whole, seconds_of

_AT_ONCE = 32
Id = Annotated[str, Field(max_length=100, pattern=PRINTABLE)]
Ids = Annotated[list[Id], Field(min_length=1, max_length=1000)]
Category = Annotated[str, Field(max_length=80, pattern=PRINTABLE)]


class BulkAction(StrEnum):
    """What can be asked of many jobs. `priority` and `category` take a `value`."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    DELETE = "delete"
    START_NOW = "start_now"
    PRIORITY = "priority"
    CATEGORY = "category"


class Filter(BodyFilters):
    """Which jobs a bulk action is about, as in a list."""

    kind: list[Kind] = Field([])


class Bulk(Strict):
    """What all bulk actions say."""

    action: BulkAction
    value: Annotated[int, Field(ge=0, le=9), Whole] | Category | None = Field(
        None, description="The priority (0 first, 9 last), or the name of the category; null is none."
    )
    files: bool = Field(
        False, strict=True, description="With `delete`: what the jobs fetched is removed too, a minute later."
    )


class BulkIds(Bulk):
    """An action on named jobs."""

    ids: Ids


class BulkFilter(Bulk):
    """An action on all jobs that fit, at most 10,000."""

    filter: Filter


class BulkDone(BaseModel):
    """Ids the action was accepted for, and why not for the others."""

    done: list[str]
    refused: dict[str, str]


class Restore(Strict):
    """Deleted jobs that are wanted back."""

    ids: Ids


class Move(Strict):
    """Where a queued job goes: exactly one of the four is given."""

    before: Id | None = Field(None, description="Id of the queued job that is to run right after it.")
    after: Id | None = Field(None, description="Id of the queued job that is to run right before it.")
    top: bool = Field(False, strict=True, description="Before all others.")
    bottom: bool = Field(False, strict=True, description="After all others.")


class Schedule(Strict):
    """When a job may run; what is left out is no condition any more."""

    not_before: When | None = Field(None, description="Not before this moment.")
    window: Annotated[str, Field(max_length=40, pattern=PRINTABLE)] | None = Field(
        None, description="Only in this time of day, on the clock of the server: `22:00-06:00`."
    )


class CategoryChange(Strict):
    """What a job is filed under; null is nothing."""

    category: Category | None


def router(ledger: Ledger) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/jobs", tags=["jobs"])
    _add_many(routes, ledger)
    _add_order(routes, ledger)
    return routes


async def act_on_ids(ledger: Ledger, body: BulkIds, caller: Principal) -> BulkDone:
    """Ask an action of each job; one that is out of reach or in the wrong state does not stop the others."""
    ids = list(dict.fromkeys(body.ids))
    refused: dict[str, str] = {}

    async def look(job_id: str) -> None:
        try:
            await reachable(ledger, job_id, caller)
        except FerryError as error:
            refused[job_id] = error.message

    for start in range(0, len(ids), _AT_ONCE):
        await asyncio.gather(*[look(job_id) for job_id in ids[start : start + _AT_ONCE]])
    within = [job_id for job_id in ids if job_id not in refused]
    found = await ledger.bulk(body.action, within, caller.name, value=body.value, files=body.files)
    return BulkDone(done=found["done"], refused=refused | found["refused"])


def _add_many(routes: APIRouter, ledger: Ledger) -> None:
    @routes.post("/bulk")
    async def bulk(caller: Writer, body: BulkIds | BulkFilter) -> BulkDone:
        """Do one thing to many jobs; each is accepted or refused by itself."""
        _check_value(body)
        if isinstance(body, BulkIds):
            return await act_on_ids(ledger, body, caller)
        query = query_of(JobFilter(**body.filter.model_dump()), caller, None, 200)
        found = await ledger.bulk(body.action, query, caller.name, value=body.value, files=body.files)
        return BulkDone(done=found["done"], refused=found["refused"])

    @routes.post("/restore")
    async def restore(caller: Writer, body: Restore) -> BulkDone:
        """Bring deleted jobs back as they were; possible for about a minute."""
        back = {job.id for job in await ledger.restore(body.ids, owner_filter(caller))}
        gone = "It is not among the deleted jobs any more."
        return BulkDone(
            done=[job_id for job_id in body.ids if job_id in back],
            refused={job_id: gone for job_id in body.ids if job_id not in back},
        )

    @routes.delete("/{job_id}", status_code=204)
    async def delete(
        caller: Writer,
        job_id: JobId,
        files: Annotated[bool, Query(description="Remove what it fetched, too, a minute later.")] = False,
    ) -> None:
        """Remove an ended job; for about a minute `/jobs/restore` brings it back."""
        job = await reachable(ledger, job_id, caller)
        await ledger.delete([job.id], files=files)


def _check_value(body: Bulk) -> None:
    """Refuse a value of the wrong kind, with its field."""
    if body.action is BulkAction.PRIORITY and not isinstance(body.value, int):
        problem = "Give the priority: 0 runs first, 9 last."
    elif body.action is BulkAction.CATEGORY and isinstance(body.value, int):
        problem = "Give the name of a category, or null for none."
    else:
        return
    raise Invalid(
        "value_invalid",
        f"{body.value!r} is no {body.action}.",
        advice=problem,
        fields={"value": problem},
    )


def _add_order(routes: APIRouter, ledger: Ledger) -> None:
    @routes.post("/{job_id}/move", status_code=202)
    async def move(caller: Writer, job_id: JobId, body: Move) -> JobView:
        """Give a queued job another place in the order; it takes the priority there."""
        job = await reachable(ledger, job_id, caller)
        for neighbour in (body.before, body.after):
            if neighbour is not None:
                await reachable(ledger, neighbour, caller)
        moved = await ledger.move([job.id], **body.model_dump())
        if not moved:
            raise Conflict(
                "job_not_queued",
                f"'{job.title[:80]}' is {job.state}, so it has no place in the order.",
                advice="Only queued jobs can be moved.",
            )
        return job_view(moved[0])

    @routes.post("/{job_id}/start", status_code=202)
    async def start(caller: Writer, job_id: JobId) -> JobView:
        """Run a job at once, beyond every limit of how many run and whatever the time of day."""
        job = await reachable(ledger, job_id, caller)
        return job_view(await ledger.start_now(job.id, caller.name))

    @routes.post("/{job_id}/schedule", status_code=202)
    async def schedule(caller: Writer, job_id: JobId, body: Schedule) -> JobView:
        """Say when a job that does not run may begin, and in which time of day it runs."""
        job = await reachable(ledger, job_id, caller)
        when = seconds_of(body.not_before)
        return job_view(await ledger.schedule(job.id, when, window=body.window, actor=caller.name))

    @routes.post("/{job_id}/category", status_code=202)
    async def set_category(caller: Writer, job_id: JobId, body: CategoryChange) -> JobView:
        """File a job under a category."""
        job = await reachable(ledger, job_id, caller)
        return job_view(await ledger.set_category(job.id, body.category))
