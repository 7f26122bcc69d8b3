"""Statements that all changes of the ledger share."""

from collections import Counter
from typing import Any

from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects import postgresql, sqlite

from ferryman.db.values import clean
from ferryman.jobs.model import Document, Event, Job
from ferryman.jobs.rows import job_of
from ferryman.jobs.tables import COUNTS, EVENTS, Cell


def first(connection: Connection, statement: Any) -> Job | None:
    """The job of the first row with `COLUMNS` that a statement returns."""
    row = connection.execute(statement).first()
    return job_of(row) if row else None


def note(connection: Connection, job_id: str, kind: str, data: Document, now: float) -> Event:
    """Append to the events."""
    statement = insert(EVENTS).values(job_id=job_id, at=now, type=kind, data=data)
    key = connection.execute(statement).inserted_primary_key
    assert key is not None
    return Event(int(key[0]), job_id, now, kind, data)


def book(connection: Connection, changes: "Counter[Cell]") -> None:
    """Change the counts: in one order for all, and after the jobs, so that nothing waits in a circle."""
    for (owner, kind, state), number in sorted(changes.items()):
        if number:
            statement = upsert(connection, COUNTS).values(owner=owner, kind=kind, state=state, number=number)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["owner", "kind", "state"],
                    set_={"number": COUNTS.c.number + statement.excluded.number},
                )
            )


def upsert(connection: Connection, target: Table) -> "sqlite.Insert | postgresql.Insert":
    """An insert that may say what happens to a row that is already there."""
    return sqlite.insert(target) if connection.dialect.name == "sqlite" else postgresql.insert(target)


def cleaned(words: str | None) -> str | None:
    """`clean` for text that may be missing."""
    return None if words is None else clean(words)
