"""The sums of days and the traffic in the database. Functions run inside one transaction each."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, case, delete, func, select, union_all
from sqlalchemy.dialects import postgresql, sqlite

from ferryman.db.values import clean
from ferryman.jobs.model import State
from ferryman.jobs.statistics.model import (
    DAY,
    EVERYONE,
    DaySums,
    Facet,
    Flow,
    Named,
    Rollup,
    Span,
    cover,
)
from ferryman.jobs.statistics.tables import DAYS, TRAFFIC
from ferryman.jobs.tables import EVENTS

MINUTE: Final = 60
HOUR: Final = 3600
KEPT: Final = {MINUTE: 90 * DAY, HOUR: 400 * DAY, DAY: 400 * DAY}
"""Seconds that traffic is summed over, and how long it is kept."""
MOST_NAMES: Final = 1000
"""Names of one facet that are looked at, those of most bytes first."""
_SUMMED: Final = ("number", "bytes", "resumed", "seconds")


_BEGAN: Final = (
    select(EVENTS.c.at)
    .where(EVENTS.c.job_id == bindparam("job"), EVENTS.c.type == "state")
    .order_by(EVENTS.c.id.desc())
    .limit(1)
)


def book_days(connection: Connection, rollup: Rollup) -> None:
    """Add to the sums, in one order for all, so that nothing waits in a circle; after the jobs and their counts."""
    rows = [
        {"owner": cell.owner, "facet": cell.facet, "span": cell.span, "day": cell.day, "name": clean(cell.name), "state": cell.state,
         "number": sums.number, "bytes": sums.bytes, "resumed": sums.resumed, "seconds": sums.seconds}
        for cell, sums in sorted(rollup.items(), key=lambda item: item[0])
    ]  # fmt: skip
    if rows:
        connection.execute(_BOOK[connection.dialect.name], rows)


def began(connection: Connection, job_id: str, default: float) -> float:
    """When the present attempt of a running job began: its last change of state."""
    found = connection.execute(_BEGAN, {"job": job_id}).scalar()
    return default if found is None else float(found)


def by_day(connection: Connection, owner: str, first: int, last: int) -> dict[int, DaySums]:
    """The sums of each day, by day."""
    chosen = (*_of(owner, Facet.KIND), DAYS.c.span == str(Span.DAY), DAYS.c.day.between(first, last))
    statement = select(DAYS.c.day, *_sums(DAYS.c)).where(*chosen).group_by(DAYS.c.day)
    return {row.day: DaySums(at=row.day * DAY, **_amounts(row)) for row in connection.execute(statement)}


def by_name(connection: Connection, owner: str, facet: Facet, first: int, last: int) -> list[Named]:
    """The sums under each name, most bytes first."""
    part = _covering(owner, facet, first, last)
    statement = select(part.name, *_sums(part)).group_by(part.name)
    statement = statement.order_by(func.sum(part.bytes).desc(), part.name).limit(MOST_NAMES)
    return [Named(name=row.name, **_amounts(row)) for row in connection.execute(statement)]


def by_reason(connection: Connection, owner: str, first: int, last: int) -> list[tuple[str, str, int]]:
    """Reason, state it led to, and how often."""
    part = _covering(owner, Facet.REASON, first, last)
    return _numbers(connection, select(part.name, part.state, func.sum(part.number).label("number")), part)


def totals(connection: Connection, facet: Facet) -> list[tuple[str, str, int]]:
    """Name, state and how often, since ever."""
    statement = select(DAYS.c.name, DAYS.c.state, func.sum(DAYS.c.number).label("number"))
    chosen = (*_of(EVERYONE, facet), DAYS.c.span == str(Span.MONTH))
    return _numbers(connection, statement.where(*chosen), DAYS.c)


def _numbers(connection: Connection, statement: Select[Any], of: Any) -> list[tuple[str, str, int]]:
    ordered = statement.group_by(of.name, of.state).order_by(of.name, of.state)
    return [(row.name, row.state, int(row.number)) for row in connection.execute(ordered)]


def add_traffic(connection: Connection, at: float, count: int) -> None:
    """Add bytes that arrived around `at`."""
    rows = [{"step": step, "at": int(at // step) * step, "bytes": count} for step in KEPT]
    connection.execute(_TRAFFIC[connection.dialect.name], rows)


def forget_traffic(connection: Connection, now: float) -> None:
    """Remove what is older than it is kept."""
    for step, seconds in KEPT.items():
        connection.execute(delete(TRAFFIC).where(TRAFFIC.c.step == step, TRAFFIC.c.at < now - seconds))


def traffic(connection: Connection, first: float, until: float, step: int) -> list[Flow]:
    """Every `step` seconds from `first` until now, also those in which nothing arrived."""
    kept = max(kept for kept in KEPT if step % kept == 0)
    begin = int(first // step) * step
    bucket = (TRAFFIC.c.at - TRAFFIC.c.at % step).label("bucket")
    statement: Select[Any] = (
        select(bucket, func.sum(TRAFFIC.c.bytes).label("bytes"))
        .where(TRAFFIC.c.step == kept, TRAFFIC.c.at >= begin, TRAFFIC.c.at <= until)
        .group_by(bucket)
    )
    found = {int(row.bucket): int(row.bytes) for row in connection.execute(statement)}
    return [Flow(at, found.get(at, 0), step) for at in range(begin, int(until) + 1, step)]


def _of(owner: str, facet: Facet) -> Sequence[Any]:
    return DAYS.c.owner == owner, DAYS.c.facet == str(facet)


def _covering(owner: str, facet: Facet, first: int, last: int) -> Any:
    """The columns of the rows that make up a period, as few as possible."""
    parts = [
        select(*(DAYS.c[name] for name in ("name", "state", *_SUMMED))).where(
            *_of(owner, facet), DAYS.c.span == str(span), DAYS.c.day.between(begin, end)
        )
        for span, begin, end in cover(first, last)
    ]
    return union_all(*parts).subquery().c


def _sums(of: Any) -> Iterable[Any]:
    yield func.sum(of.bytes).label("bytes")
    yield func.sum(of.resumed).label("resumed")
    yield func.sum(of.seconds).label("seconds")
    for name, state in _ENDS.items():
        yield func.sum(case((of.state == str(state), of.number), else_=0)).label(name)


def _amounts(row: Any) -> dict[str, Any]:
    whole = {name: int(getattr(row, name)) for name in ("bytes", "resumed", *_ENDS)}
    return {**whole, "seconds": float(row.seconds)}


def _adding(target: Any, keys: Sequence[str], summed: Sequence[str]) -> dict[str, Any]:
    made = {}
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert)):
        statement: Any = insert(target)
        more = {column: target.c[column] + statement.excluded[column] for column in summed}
        made[name] = statement.on_conflict_do_update(index_elements=list(keys), set_=more)
    return made


_ENDS: Final = {
    "succeeded": State.SUCCEEDED,
    "failed": State.FAILED,
    "cancelled": State.CANCELLED,
    "retries": State.WAITING,
}
_BOOK: Final = _adding(DAYS, ("owner", "facet", "span", "day", "name", "state"), _SUMMED)
_TRAFFIC: Final = _adding(TRAFFIC, ("step", "at"), ("bytes",))
"""Statements are made once: to make one costs more than to run it."""
