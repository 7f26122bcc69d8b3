"""Between rows of the database and jobs. Pure."""

import dataclasses
from typing import Any

from ferryman.jobs.model import Desired, Job, NewJob, Progress, Reason, State
from ferryman.jobs.tables import JOBS

COLUMNS = [column for column in JOBS.c if column.name != "seq"]
"""What a job is read from."""


def fresh_job(job_id: str, new: NewJob, now: float, position: float) -> Job:
    """Make the job that is accepted now; `position` is its place among those of its priority."""
    later = new.not_before is not None and new.not_before > now
    return Job(
        id=job_id,
        kind=new.kind,
        title=new.title,
        spec=new.spec,
        state=State.WAITING if later else State.QUEUED,
        desired=Desired.RUN,
        priority=new.priority,
        position=position,
        owner=new.owner,
        node=new.node,
        parent=new.parent,
        idempotency_key=new.idempotency_key,
        max_attempts=new.max_attempts,
        not_before=new.not_before,
        created_at=now,
        updated_at=now,
    )


def row_of(job: Job) -> dict[str, Any]:
    """Return the columns of a job."""
    return {
        column.name: getattr(job, column.name)
        if column.name != "progress"
        else dataclasses.asdict(job.progress)
        for column in COLUMNS
    }


def job_of(row: Any) -> Job:
    """Read a job from a row of `JOBS`."""
    data = dict(row._mapping)
    data.pop("seq", None)
    data["state"] = State(data["state"])
    data["desired"] = Desired(data["desired"])
    data["reason"] = Reason(data["reason"]) if data["reason"] else None
    data["progress"] = Progress(**(data["progress"] or {}))
    return Job(**data)
