"""Changing what a job is asked to do, and finding jobs by other names than their id. SQL, inside one transaction each."""

from typing import Final

from sqlalchemy import Connection, select, update

from ferryman.db.values import clean
from ferryman.jobs.model import Document, Job
from ferryman.jobs.rows import COLUMNS, MOST_TITLE
from ferryman.jobs.statements import first, note
from ferryman.jobs.tables import JOBS

_AHEAD: Final = 19
"""Letters of an id ahead of its random end, which is four digits, a dash and twelve digits."""


def change_spec(
    connection: Connection, expected: Job, changed: Job, told: Document, now: float
) -> Job | None:
    """Write spec, title and category of `changed`; `None` when the job is no longer as `expected`."""
    same = (
        JOBS.c.id == expected.id,
        JOBS.c.state == expected.state,
        JOBS.c.epoch == expected.epoch,
        JOBS.c.updated_at == expected.updated_at,
    )
    values = {
        "spec": changed.spec,
        "title": clean(changed.title[:MOST_TITLE]),
        "category": changed.category,
        "updated_at": now,
    }
    job = first(connection, update(JOBS).where(*same).values(values).returning(*COLUMNS))
    if job is not None:
        note(connection, job.id, "changed", told, now)
    return job


def by_key(connection: Connection, key: str) -> Job | None:
    """The job with an idempotency key."""
    return first(connection, select(*COLUMNS).where(JOBS.c.idempotency_key == key))


def ids_ending(connection: Connection, tail: str, limit: int) -> list[str]:
    """Ids of jobs whose random end begins with `tail`, at most `limit`. Looks at every id, in their index alone."""
    pattern = f"{'_' * _AHEAD}{tail}%"
    statement = select(JOBS.c.id).where(JOBS.c.id.like(pattern)).limit(limit)
    return list(connection.execute(statement).scalars())
