"""What a filter comes to: how many jobs, how many bytes, in which states."""

from typing import Final

from sqlalchemy import Connection, func, select

from ferryman.jobs.model import Query, State, Summary
from ferryman.jobs.order import Order
from ferryman.jobs.search import Search
from ferryman.jobs.tables import JOBS

MOST_COUNTED: Final = 100_000
"""Jobs that are looked at for a summary; when more match, it says so."""


def summary(connection: Connection, query: Query, *, sqlite: bool) -> Summary:
    """Add up what matches `query`, whatever its order and its page."""
    found = Search(connection, query, Order("created_at"), sqlite=sqlite).all(MOST_COUNTED + 1).subquery()
    statement = (
        select(JOBS.c.state, func.count().label("jobs"), func.sum(JOBS.c.size).label("bytes"))
        .where(JOBS.c.seq.in_(select(found.c.seq)))
        .group_by(JOBS.c.state)
    )
    states = dict.fromkeys(State, 0)
    size = 0
    for row in connection.execute(statement):
        states[State(row.state)] = int(row.jobs)
        size += int(row.bytes or 0)
    number = sum(states.values())
    return Summary(number, size, states, at_least=number > MOST_COUNTED)
