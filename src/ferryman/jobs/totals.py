"""What a filter comes to: how many jobs, how many bytes, in which states."""

import time
from collections import Counter
from typing import Any, Final

from sqlalchemy import Connection, Select, case, exists, func, select

from ferryman.jobs.estimates import Cells
from ferryman.jobs.model import Query, State, Summary
from ferryman.jobs.order import Order
from ferryman.jobs.search import Search
from ferryman.jobs.tables import COUNTS, JOBS, SUMS

SECONDS: Final = 0.03
"""How long jobs are counted, about."""
AT_ONCE: Final = 20_000
"""Neighbouring rows that are counted before looking at the time."""
MOST_COUNTED: Final = 200_000
"""PostgreSQL: jobs that are counted at most."""


def summary(connection: Connection, query: Query, *, sqlite: bool) -> Summary:
    """Add up what matches `query`, whatever its order and its page."""
    found = Search(connection, query, Order("created_at"), sqlite=sqlite)
    if found.where.id is None and (found.where.impossible or (found.window is None and sqlite)):
        return _told(Counter(), 0)
    if not sqlite or found.where.id is not None:
        return _counted(connection, found)
    if not _narrowed(query):
        return _known(connection, query)
    return _scanned(connection, found)


def choices(connection: Connection, name: str, owner: str | None, most: int) -> list[str]:
    """The hosts or categories there are, in alphabetical order: each is one step along the index."""
    column = JOBS.c[name]
    first = select(func.min(column).label("value")).where(column.is_not(None)).cte("steps", recursive=True)
    following = select(func.min(column)).where(column > first.c.value).scalar_subquery()
    steps = first.union_all(select(following).where(first.c.value.is_not(None)))
    statement = select(steps.c.value).where(steps.c.value.is_not(None)).limit(most)
    if owner is not None:
        theirs = select(JOBS.c.seq).where(column == steps.c.value, JOBS.c.owner == owner)
        statement = statement.where(exists(theirs))
    return list(connection.execute(statement).scalars())


def _narrowed(query: Query) -> bool:
    """Tell whether there are filters that the counts say nothing about."""
    times = (query.since, query.until, query.finished_since, query.finished_until)
    words = (query.text.strip(), query.parent, query.reasons, query.categories, query.hosts)
    return any(words) or any(part is not None for part in (*times, query.min_size, query.max_size))


def _known(connection: Connection, query: Query) -> Summary:
    """What is kept with every change."""
    numbers: Counter[str] = Counter()
    size = 0
    for table, value in ((COUNTS, COUNTS.c.number), (SUMS, SUMS.c.size)):
        statement = select(table.c.state, func.sum(value).label("value")).group_by(table.c.state)
        if query.kinds:
            statement = statement.where(table.c.kind.in_(query.kinds))
        if query.states:
            statement = statement.where(table.c.state.in_([str(state) for state in query.states]))
        if query.owner is not None:
            statement = statement.where(table.c.owner == query.owner)
        for row in connection.execute(statement):
            if table is COUNTS:
                numbers[row.state] = int(row.value)
            else:
                size += int(row.value)
    return _told(numbers, size)


def _counted(connection: Connection, found: Search) -> Summary:
    """What a look at the jobs themselves says."""
    rows = found.all(MOST_COUNTED + 1).subquery()
    statement = (
        select(JOBS.c.state, func.count().label("jobs"), func.sum(JOBS.c.size).label("size"))
        .where(JOBS.c.seq.in_(select(rows.c.seq)))
        .group_by(JOBS.c.state)
    )
    numbers: Counter[str] = Counter()
    size = 0
    for row in connection.execute(statement):
        numbers[row.state] = int(row.jobs)
        size += int(row.size or 0)
    return _told(numbers, size, at_least=numbers.total() > MOST_COUNTED)


def _scanned(connection: Connection, found: Search) -> Summary:
    """What the index of all facts says: of the few that a filter leaves, or of one stretch after another, the newest first."""
    cells = found.cells()
    if not cells:
        return _told(Counter(), 0)
    price, way, _ = found.ways(cells)
    low, high = found.window or (0, found.total)
    numbers: Counter[str] = Counter()
    if way is not None and price < SECONDS * 1e6 / 2:
        size = _add(connection, way(), cells, numbers)
        return _told(numbers, size)
    size = 0
    began = time.monotonic()
    for start in range(high, low - 1, -AT_ONCE):
        if start != high and time.monotonic() - began > SECONDS:
            return _told(numbers, size, at_least=True)
        size += _add(connection, found.stretch(max(low, start - AT_ONCE + 1), start), cells, numbers)
    return _told(numbers, size)


def _add(connection: Connection, rows: Select[Any], cells: Cells, numbers: "Counter[str]") -> int:
    """Add to `numbers` what `rows`, a statement on the facts, finds; return the bytes."""
    states = sorted({state for _, state in cells})
    source = rows.get_final_froms()[0]
    columns = [func.sum(case((source.c.state == state, 1), else_=0)) for state in states]
    size, *each = connection.execute(rows.with_only_columns(func.sum(source.c.size), *columns)).one()
    numbers.update({state: int(number or 0) for state, number in zip(states, each, strict=True)})
    return int(size or 0)


def _told(numbers: "Counter[str]", size: int, *, at_least: bool = False) -> Summary:
    states = {state: numbers[state] for state in State}
    return Summary(sum(states.values()), size, states, at_least)
