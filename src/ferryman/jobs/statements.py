"""Statements that all changes of the ledger share."""

from collections import Counter
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from ferryman.db.values import clean
from ferryman.jobs.model import Document, Event, Job, State
from ferryman.jobs.rows import job_of
from ferryman.jobs.tables import COUNTS, EVENTS, JOBS, Cell, cell


def first(connection: Connection, statement: Any) -> Job | None:
    """The job of the first row with `COLUMNS` that a statement returns."""
    row = connection.execute(statement).first()
    return job_of(row) if row else None


def note(connection: Connection, job_id: str, kind: str, data: Document, now: float) -> Event:
    """Append to the events."""
    row = {"job_id": job_id, "at": now, "type": kind, "data": data}
    key = connection.execute(INSERT_EVENT, row).inserted_primary_key
    assert key is not None
    return Event(int(key[0]), job_id, now, kind, data)


def change(connection: Connection, seq: int, values: dict[str, Any]) -> None:
    """Set columns of one job."""
    connection.execute(_CHANGE, values | {"row": seq})


def moved(changes: "Counter[Cell]", job: Job, state: State) -> "Counter[Cell]":
    """Count in `changes` that `job` goes to `state`."""
    changes[cell(job.owner, job.kind, job.state)] -= 1
    changes[cell(job.owner, job.kind, state)] += 1
    return changes


def book(connection: Connection, changes: "Counter[Cell]") -> None:
    """Change the counts: in one order for all, and after the jobs, so that nothing waits in a circle."""
    rows = [
        {"owner": owner, "kind": kind, "state": state, "number": number}
        for (owner, kind, state), number in sorted(changes.items())
        if number
    ]
    if rows:
        connection.execute(_BOOK[connection.dialect.name], rows)


def upsert(connection: Connection, target: Table) -> "sqlite.Insert | postgresql.Insert":
    """An insert that may say what happens to a row that is already there."""
    return sqlite.insert(target) if connection.dialect.name == "sqlite" else postgresql.insert(target)


def _adding(statement: Any) -> Any:
    return statement.on_conflict_do_update(
        index_elements=["owner", "kind", "state"],
        set_={"number": COUNTS.c.number + statement.excluded.number},
    )


INSERT_EVENT: Final = insert(EVENTS)
_CHANGE: Final = update(JOBS).where(JOBS.c.seq == bindparam("row"))
_BOOK: Final = {
    "sqlite": _adding(sqlite.insert(COUNTS)),
    "postgresql": _adding(postgresql.insert(COUNTS)),
}
"""Statements are made once: to make one costs more than to run it."""


def cleaned(words: str | None) -> str | None:
    """`clean` for text that may be missing."""
    return None if words is None else clean(words)
