"""A job as the API shows it, and the rule about whose jobs a caller reaches."""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ferryman.accounts.model import Principal
from ferryman.core.errors import NotFound
from ferryman.core.secrets import mask
from ferryman.jobs.model import Job, Reason, State
from ferryman.jobs.service import Ledger
from ferryman.web.shapes import JsonObject, Moment, moment

_TIMES = ("not_before", "created_at", "started_at", "finished_at", "updated_at")
_SECRET = re.compile(
    r"passw|secret|token|bearer|cookie|authorization|credential|headers|client_key", re.IGNORECASE
)
RESERVED = frozenset({"bulk", "limits", "restore"})
"""Names below `/jobs` that are no jobs; other methods there are not possible rather than a job not found."""
_HIDDEN = "***"


class ProgressView(BaseModel):
    """How far a job is. Sizes in bytes, `rate` in bytes per second, `eta` in seconds."""

    total: int | None
    network: int
    disk: int
    verified: int
    rate: float
    eta: float | None
    slow: str | None = Field(description="Why it is slow, when it is.")
    items_done: int
    items_total: int
    connections: int


class JobView(BaseModel):
    """A job. Times are RFC 3339 in UTC; `priority` runs from 0 (first) to 9."""

    id: str
    kind: str
    title: str
    state: State
    desired: str
    priority: int
    owner: str | None
    node: str | None
    parent: str | None
    attempt: int
    max_attempts: int
    phase: str | None
    progress: ProgressView
    result: JsonObject | None
    reason: Reason | None
    error: str | None
    error_code: str | None
    advice: str | None
    not_before: Moment | None
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    updated_at: Moment
    category: str | None = Field(description="What it is filed under.")
    host: str | None = Field(description="Where its bytes come from.")
    size: int | None = Field(description="The whole of it in bytes, as far as known.")
    urgent: bool = Field(description="Whether it runs beyond every limit.")
    window: str | None = Field(description="The time of day in which it may run, such as `22:00-06:00`.")


class JobDetail(JobView):
    """A job with what it was asked to do; secrets in `spec` are hidden."""

    spec: JsonObject


def job_view(job: Job) -> JobView:
    """Return `job` as lists and actions show it."""
    return JobView(**view_fields(_values(job)))


def job_detail(job: Job) -> JobDetail:
    """Return `job` as its own page shows it."""
    return JobDetail(**view_fields(_values(job)), spec=hidden(job.spec))


def hidden(value: Any, name: str = "") -> Any:
    """Return `value` without secrets: what is below a name that sounds secret, and what looks like one in text."""
    if name and _SECRET.search(name) and value not in (None, "", [], {}, (), False):
        return _HIDDEN
    if isinstance(value, Mapping):
        return {key: hidden(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(item) for item in value]
    return mask(value) if isinstance(value, str) else value


def job_not_found(job_id: str) -> NotFound:
    """Return the error for a job that does not exist or is out of reach: the two look the same."""
    return NotFound(
        "job_not_found", f"There is no job '{job_id[:100]}'.", advice="List the jobs with 'ferry jobs list'."
    )


async def reachable(ledger: Ledger, job_id: str, caller: Principal) -> Job:
    """Return the job when `caller` may see it. Raises `NotFound` (`job_not_found`)."""
    if job_id in RESERVED:
        raise HTTPException(405)
    job = await ledger.get(job_id)
    if not caller.reaches(job.owner):
        raise job_not_found(job_id)
    return job


def owner_filter(caller: Principal) -> str | None:
    """Return the owner a list is narrowed to; None means all. Someone without an id owns nothing."""
    return None if caller.allows("jobs:all") else caller.user_id or "-"


def view_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `JobView` from those of a `Job` by name, whose times are UNIX seconds."""
    shown = {name: values[name] for name in JobView.model_fields}
    shown.update({name: hidden(values[name]) for name in ("title", "result", "error")})
    shown.update({name: moment(values[name]) for name in _TIMES})
    progress = values["progress"]
    if not isinstance(progress, Mapping):
        progress = {name: getattr(progress, name) for name in ProgressView.model_fields}
    return {**shown, "progress": ProgressView(**progress)}


def _values(job: Job) -> dict[str, Any]:
    return {field.name: getattr(job, field.name) for field in fields(job)}
