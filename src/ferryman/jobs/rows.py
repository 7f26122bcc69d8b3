"""Between rows of the database and jobs. Pure."""

import dataclasses
import math
from typing import Any, Final

from ferryman.db.values import clean
from ferryman.jobs.model import Desired, Document, Job, NewJob, Progress, Reason, State
from ferryman.jobs.tables import JOBS
from ferryman.jobs.windows import due_at

MOST_TITLE: Final = 1000
"""Characters of a title that are kept."""
COLUMNS: Final = [part for part in JOBS.c if part.name not in {"seq", "losses"}]
"""What makes a `Job`."""


def fresh_job(job_id: str, new: NewJob, now: float, position: float) -> Job:
    """Make the job that is accepted now; `position` is its place among those of its priority."""
    due = due_at(new.not_before, new.window, now)
    return Job(
        id=job_id,
        kind=new.kind,
        title=new.title[:MOST_TITLE],
        spec=new.spec,
        state=State.QUEUED if due is None else State.WAITING,
        desired=Desired.RUN,
        priority=new.priority,
        position=position,
        owner=new.owner,
        node=new.node,
        parent=new.parent,
        idempotency_key=new.idempotency_key,
        max_attempts=new.max_attempts,
        not_before=new.not_before if due is None else due,
        category=new.category,
        host=new.host,
        window=new.window,
        created_at=now,
        updated_at=now,
    )


def job_of(row: Any) -> Job:
    """The job of a row with `COLUMNS`."""
    data = dict(row._mapping)
    for extra in ("seq", "losses"):
        data.pop(extra, None)
    data["state"] = State(data["state"])
    data["desired"] = Desired(data["desired"])
    data["reason"] = Reason(data["reason"]) if data["reason"] else None
    data["progress"] = Progress(**(data["progress"] or {}))
    return Job(**data)


def row_of(job: Job) -> dict[str, Any]:
    """The row of a new job."""
    values: dict[str, Any] = {part.name: getattr(job, part.name) for part in COLUMNS}
    return values | {"progress": progress_of(job.progress), "title": clean(job.title), "losses": 0}


def progress_of(progress: Progress) -> Document:
    """Progress as it is stored: without what is still at its default, and only with numbers JSON has."""
    values = {}
    for part in dataclasses.fields(progress):
        value = getattr(progress, part.name)
        if value != part.default and not (isinstance(value, float) and not math.isfinite(value)):
            values[part.name] = value
    return values
