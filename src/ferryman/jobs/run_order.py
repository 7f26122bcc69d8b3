"""The order in which queued jobs run, and how people change it. SQL, inside one transaction each.

Jobs run by priority, then by position. A place between two positions is a number between them; when there is none left,
all jobs of that priority are numbered anew, in the same order.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, text, tuple_, update

from ferryman.core.errors import Conflict
from ferryman.jobs.leases import LEASES
from ferryman.jobs.model import Job, State
from ferryman.jobs.ports import Place
from ferryman.jobs.rows import job_of
from ferryman.jobs.tables import JOBS, chunks

STEP: Final = 1.0
"""Between neighbours that are numbered anew, and before the first."""
BEHIND: Final = 1e-4
"""Behind the last: little, because jobs accepted later, whose position is the time, come after."""
LEAST: Final = 1e-6
"""Less lies not reliably between two positions, which are about as large as the time."""


def between(low: float | None, high: float | None, number: int) -> list[float] | None:
    """Positions for `number` jobs above `low` and below `high`; `None` when there is no room."""
    if high is None:
        start = 0.0 if low is None else low
        return [start + BEHIND * (index + 1) for index in range(number)]
    if low is None:
        return [high - STEP * (number - index) for index in range(number)]
    step = (high - low) / (number + 1)
    return [low + step * (index + 1) for index in range(number)] if step >= LEAST else None


def move(connection: Connection, ids: Sequence[str], place: Place, now: float) -> list[Job]:
    """Put the queued ones of `ids` to `place`, in the order given; they take the priority there."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LEASES})
    rows = _queued(connection, ids)
    if not rows:
        return []
    moved = [row.seq for row in rows]
    anchor = _anchor(connection, place, rows[0].kind, moved)
    if anchor is None:  # nothing else is queued: they only take an order among themselves
        positions = between(None, rows[0].position, len(rows)) or []
        return _put(connection, rows, rows[0].priority, positions, now)
    behind = place.after is not None or place.bottom
    found = between(*_gap(connection, anchor, moved, behind=behind), len(rows))
    if found is None:
        _spread(connection, anchor, moved)
        anchor = connection.execute(select(JOBS).where(JOBS.c.seq == anchor.seq)).one()
        found = between(*_gap(connection, anchor, moved, behind=behind), len(rows))
    return _put(connection, rows, anchor.priority, found or [], now)


def _queued(connection: Connection, ids: Sequence[str]) -> list[Any]:
    found: dict[str, Any] = {}
    for part in chunks(ids):
        here = (JOBS.c.id.in_(part), JOBS.c.state == State.QUEUED)
        for row in connection.execute(select(JOBS).where(*here).order_by(JOBS.c.seq).with_for_update()):
            found[row.id] = row
    return [found[job_id] for job_id in dict.fromkeys(ids) if job_id in found]


def _anchor(connection: Connection, place: Place, kind: str, moved: Sequence[int]) -> Any:
    """The job that stays and next to which the others go."""
    named = place.before or place.after
    if named is None:
        order = (JOBS.c.priority, JOBS.c.position, JOBS.c.seq)
        queued = select(JOBS).where(JOBS.c.kind == kind, JOBS.c.state == State.QUEUED)
        others = queued.where(JOBS.c.seq.not_in(moved))
        return connection.execute(
            others.order_by(*[part.desc() if place.bottom else part for part in order]).limit(1)
        ).first()
    row = connection.execute(select(JOBS).where(JOBS.c.id == named)).first()
    if row is None or row.state != State.QUEUED or row.seq in moved:
        raise Conflict(
            "place_gone",
            f"Job {named[:100]} is not queued, so nothing can be moved next to it.",
            advice="Look at the queue again and choose another place.",
            fields={"before" if place.before else "after": "This job is not queued."},
        )
    return row


def _gap(
    connection: Connection, anchor: Any, moved: Sequence[int], *, behind: bool
) -> tuple[float | None, float | None]:
    """The positions on both sides of the place before or behind `anchor`, among jobs of its kind and priority."""
    here, there = tuple_(JOBS.c.position, JOBS.c.seq), tuple_(anchor.position, anchor.seq)
    others = _beside(anchor).where(JOBS.c.seq.not_in(moved))
    if behind:
        following = others.where(here > there).order_by(JOBS.c.position, JOBS.c.seq)
        return anchor.position, connection.execute(following.limit(1)).scalar()
    previous = others.where(here < there).order_by(JOBS.c.position.desc(), JOBS.c.seq.desc())
    return connection.execute(previous.limit(1)).scalar(), anchor.position


def _beside(anchor: Any) -> Any:
    same = (JOBS.c.kind == anchor.kind, JOBS.c.state == State.QUEUED, JOBS.c.priority == anchor.priority)
    return select(JOBS.c.position).where(*same)


def _spread(connection: Connection, anchor: Any, moved: Sequence[int]) -> None:
    """Number all that is queued beside `anchor` anew, up to the position the last one has."""
    others = _beside(anchor).where(JOBS.c.seq.not_in(moved)).add_columns(JOBS.c.seq)
    rows = connection.execute(others.order_by(JOBS.c.position, JOBS.c.seq)).all()
    last, number = rows[-1].position, len(rows)
    connection.execute(
        _POSITION,
        [{"row": row.seq, "to": last - STEP * (number - 1 - index)} for index, row in enumerate(rows)],
    )


def _put(
    connection: Connection, rows: Sequence[Any], priority: int, positions: Sequence[float], now: float
) -> list[Job]:
    places = list(zip(rows, positions, strict=True))
    connection.execute(
        _PLACE, [{"row": row.seq, "to": to, "class": priority, "at": now} for row, to in places]
    )
    return [
        dataclasses.replace(job_of(row), priority=priority, position=to, updated_at=now) for row, to in places
    ]


_POSITION: Final = (
    update(JOBS)
    .where(JOBS.c.seq == bindparam("row"))
    .values(position=bindparam("to", type_=JOBS.c.position.type))
)
_PLACE: Final = _POSITION.values(
    priority=bindparam("class", type_=JOBS.c.priority.type),
    updated_at=bindparam("at", type_=JOBS.c.updated_at.type),
)
