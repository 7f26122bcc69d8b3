"""Jobs that were deleted: their rows leave the lists whole and come back as they were. SQL, inside one transaction each."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, or_, select, update

from ferryman.jobs.model import TERMINAL, Job
from ferryman.jobs.ports import Doomed
from ferryman.jobs.rows import job_of
from ferryman.jobs.statements import book
from ferryman.jobs.tables import EVENTS, JOBS, TRASH, Cell, cell, chunks

_MOST: Final = 200
"""Jobs that are removed for good at a time."""


def throw(connection: Connection, ids: Sequence[str], now: float, *, files: bool) -> list[str]:
    """Put finished jobs into the trash; return which."""
    thrown: list[str] = []
    booked: Counter[Cell] = Counter()
    for part in chunks(sorted(ids)):
        ended = JOBS.c.state.in_([str(state) for state in TERMINAL])
        statement = delete(JOBS).where(JOBS.c.id.in_(part), ended).returning(JOBS)
        rows = connection.execute(statement).all()
        booked.subtract(cell(row.owner, row.kind, row.state) for row in rows)
        thrown += [row.id for row in rows]
        if rows:
            kept = {"deleted_at": now, "files": files, "doomed": False}
            connection.execute(
                insert(TRASH),
                [kept | {"id": row.id, "owner": row.owner, "row": dict(row._mapping)} for row in rows],
            )
    book(connection, booked)
    return thrown


def bring_back(connection: Connection, ids: Sequence[str], owner: str | None = None) -> list[Job]:
    """Take jobs out of the trash again; those that are being removed for good stay away.

    A key that was used for another request meanwhile belongs to that one.
    """
    back: list[Job] = []
    booked: Counter[Cell] = Counter()
    for part in chunks(sorted(ids)):
        statement = delete(TRASH).where(TRASH.c.id.in_(part), ~TRASH.c.doomed).returning(TRASH.c.row)
        if owner is not None:
            statement = statement.where(TRASH.c.owner == owner)
        rows: list[dict[str, Any]] = list(connection.execute(statement).scalars())
        taken = _taken(connection, [row["idempotency_key"] for row in rows if row["idempotency_key"]])
        rows = [row | {"idempotency_key": None} if row["idempotency_key"] in taken else row for row in rows]
        if rows:
            connection.execute(insert(JOBS), rows)
        booked.update(cell(row["owner"], row["kind"], row["state"]) for row in rows)
        back += [_job(row) for row in rows]
    book(connection, booked)
    return back


def doom(connection: Connection, before: float) -> list[Doomed]:
    """Choose jobs that were deleted before a time; from now on they cannot come back. Those chosen earlier are told again."""
    due = or_(TRASH.c.doomed, TRASH.c.deleted_at <= before)
    chosen = select(TRASH.c.id).where(due).order_by(TRASH.c.deleted_at).limit(_MOST)
    ids = list(connection.execute(chosen).scalars())
    rows = connection.execute(
        update(TRASH).where(TRASH.c.id.in_(ids)).values(doomed=True).returning(TRASH.c.row, TRASH.c.files)
    )
    return [Doomed(_job(row.row), row.files) for row in rows]


def remove(connection: Connection, ids: Sequence[str]) -> None:
    """Remove doomed jobs for good, with their events."""
    for part in chunks(ids):
        gone = delete(TRASH).where(TRASH.c.id.in_(part), TRASH.c.doomed).returning(TRASH.c.id)
        removed = list(connection.execute(gone).scalars())
        connection.execute(delete(EVENTS).where(EVENTS.c.job_id.in_(removed)))


def _taken(connection: Connection, keys: Sequence[str]) -> set[str]:
    statement = select(JOBS.c.idempotency_key).where(JOBS.c.idempotency_key.in_(keys))
    return set(connection.execute(statement).scalars())


class _Stored:
    """A stored row in the form of one that was read."""

    def __init__(self, row: dict[str, Any]) -> None:
        self._mapping = row


def _job(row: dict[str, Any]) -> Job:
    return job_of(_Stored(row))
