"""Lists, filters and searches over a long history.

Two ways lead to a page. *Walking* goes along the index of the order in each kind and state (a *cell*; the counts tell how
many jobs each has) and takes what passes the filters until the page is full: quick when many pass. *Gathering* takes all
that one filter leaves, by its index, and sorts: quick when few do. Both are priced beforehand, and the cheaper one is taken.

On SQLite nothing but narrow indexes is read on the way: those of the orders carry what filters look at, and `FACTS` has it
by row. Filters also bound the rows (`seq` grows with the time of acceptance, and a word, a host or a category has a first
and a last job). Old jobs that ended much later than they were accepted have an index of their own: all others ended when
they were old. What filters leave is counted while it is little, and told from a sample when it is much.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    select,
    true,
)
from sqlalchemy.schema import CreateTable

from ferryman.jobs.conditions import between, in_cells
from ferryman.jobs.estimates import Cells, Estimates, plain
from ferryman.jobs.model import Page, Query, State
from ferryman.jobs.order import Column, Filter, Order, write_cursor
from ferryman.jobs.rows import job_of
from ferryman.jobs.tables import (
    CELLS,
    COUNTS,
    FACTS,
    HELD,
    JOBS,
    LATE,
    LATE_BY,
    WORDS,
    chunks,
)

STEP: Final = 0.15
"""Microseconds, about, that a row costs in an index that has all that is looked at."""
LOOK: Final = 1.3
"""The same for one row somewhere in such an index."""
WHOLE: Final = 3.0
"""The same for the whole job."""
READ: Final = 1.0
"""The same for the words of a job."""
HOLD: Final = 0.3
"""The same for a match of a search that is held."""
ALIKE: Final = 15
"""How many more titles than others are passed until one has a word: those that begin alike are together."""
GAP: Final = 0.1
"""But not so many that this share of all is passed between two that have it."""
MOST_HELD: Final = 150_000
"""Rows that match the words of a search and are held while others are compared with them."""
LIKELY: Final = 100
"""Matches of a search that are looked at to see what kind and state they have."""


Way = tuple[float, Callable[[], Select[Any]]]
"""A price, and what to do for it."""


def find(connection: Connection, query: Query, *, sqlite: bool) -> Page:
    """A page of jobs. Raises `Invalid` for a sort or cursor that is none."""
    order = Order(query.sort)
    rows = _rows(connection, Search(connection, query, order, sqlite=sqlite).seqs(query.limit + 1))
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    return Page(tuple(job_of(row) for row in rows), write_cursor(order, rows[-1]) if more else None)


def find_ids(connection: Connection, query: Query, limit: int, *, sqlite: bool) -> list[str]:
    """The ids of jobs that match, at most `limit`, in the order of the query."""
    seqs = Search(connection, query, Order(query.sort), sqlite=sqlite).seqs(limit)
    found: dict[int, str] = {}
    for part in chunks(seqs):
        for row in connection.execute(select(JOBS.c.seq, JOBS.c.id).where(JOBS.c.seq.in_(part))):
            found[row.seq] = row.id
    return [found[seq] for seq in seqs if seq in found]


def counts(connection: Connection, kinds: Sequence[str], owner: str | None) -> dict[State, int]:
    """Jobs per state."""
    found = dict.fromkeys(State, 0)
    statement = select(COUNTS.c.state, func.sum(COUNTS.c.number).label("jobs")).group_by(COUNTS.c.state)
    if kinds:
        statement = statement.where(COUNTS.c.kind.in_(list(kinds)))
    if owner is not None:
        statement = statement.where(COUNTS.c.owner == owner)
    for row in connection.execute(statement):
        found[State(row.state)] = int(row.jobs)
    return found


def cheaper(gathering: float, walking: float) -> bool:
    """Whether to gather, by the prices of both ways."""
    return gathering <= walking


class Search(Estimates):
    """Finds what matches a query on one connection, in order, by the cheapest of its ways."""

    def __init__(self, connection: Connection, query: Query, order: Order, *, sqlite: bool) -> None:
        """Read the cursor of the query. Raises `Invalid` (`cursor_invalid`)."""
        super().__init__(connection, query, order, sqlite=sqlite)
        self._known = order.name in {"created_at", "finished_at", "updated_at", "size"}
        self._holds = False
        self._reads = False

    def seqs(self, limit: int) -> list[int]:
        """The rows that match, by `seq`, at most `limit`."""
        if self.where.id is not None:
            return self._sorted(self._gather(JOBS, JOBS.c.id == self.where.id, "text"), limit)
        cells = {} if self.where.impossible or (self._sqlite and self.window is None) else self.cells()
        if not cells:
            return []
        if not self._sqlite and self.where.words:
            return self._sorted(self._gather(JOBS, self.where.matching(self._hidden), "text"), limit)
        price, way, share = self.ways(cells)
        walking = self._walking(cells, limit, share)
        if way is not None and cheaper(price, walking):
            return self._sorted(way(), limit)
        return self._walk(cells, limit)

    def all(self, limit: int) -> Select[Any]:
        """The rows that match, by `seq`, at most `limit`, in no order."""
        if self.where.id is not None:
            return self._gather(JOBS, JOBS.c.id == self.where.id, "text").limit(limit)
        return self._gather(JOBS, true()).limit(limit)

    def stretch(self, low: int, high: int) -> Select[Any]:
        """SQLite: what matches of some neighbouring rows."""
        if not self.where.words:
            return self._gather(self._source(), self._source().c.seq.between(low, high))
        some = self.where.found().where(WORDS.c.rowid.between(low, high))
        return self._gather(self._source(), self._source().c.seq.in_(some), "text")

    # prices

    def ways(self, cells: Cells) -> tuple[float, Callable[[], Select[Any]] | None, float]:
        """The cheapest way of gathering with its price, and which share of the rows passes all filters but words, about."""
        left, share = self.left(cells)
        ways = [self._way(one.number, one.condition, one.name) for one in left if one.told]
        ways += [*self._by_cells(cells), *self._by_rows()]
        if self._source() is FACTS and not self._known:  # what is left is read for the order, or all at once
            rest = share * self.density * self.within * WHOLE
            ways = [(price + rest, way) for price, way in ways]
            for one in (one for one in left if one.told):
                whole = one.number * WHOLE + self._holding()
                ways.append((whole, partial(self._gather, JOBS, one.condition, one.name)))
        price, way = min(ways, key=lambda item: item[0], default=(0.0, None))
        return price, way, share

    def _by_cells(self, cells: Cells) -> list[Way]:
        """To gather by owner, or by kind and state, when these are asked for."""
        number = sum(cells.values())
        if self._query.owner is not None:
            owned = and_(JOBS.c.owner == self._query.owner, in_cells(list(cells)), *self.inside())
            return [self._way(number * self.rows / max(self.total, 1), owned, "cells", "owner")]
        if not (self._query.kinds or self._query.states):
            return []
        if self._source() is not FACTS:
            return [self._way(number, in_cells(list(cells)), "cells")]
        here = in_cells(list(cells), CELLS)
        return [(2 * STEP * number + self._holding(), partial(self._gather, CELLS, here, "cells"))]

    def _by_rows(self) -> list[Way]:
        """SQLite: to gather by the bounds of the rows, or by words."""
        if self.window is None:
            return []
        source = self._source()
        step = (STEP if source is FACTS else WHOLE) * self.within + self._holding()
        ways: list[Way] = [(step, partial(self._gather, source, source.c.seq.between(*self.window)))]
        if self.where.words and self._order.name != "created_at":
            some = source.c.seq.in_(self.matching_rows())
            look = LOOK if source is FACTS else WHOLE
            ways.append((self.matches * look, partial(self._gather, source, some, "text")))
        return ways

    def _way(self, number: float, condition: Filter, *done: str) -> Way:
        """To gather the `number` jobs of `condition`, and what it costs."""
        source = self._source()
        price = number * (LOOK if source is FACTS else WHOLE) + self._holding()
        reading = number * (WHOLE + READ)
        if self.where.words and reading < price:
            return reading, partial(self._gather, JOBS, condition, *done, reads=True)
        if source is FACTS:
            condition = source.c.seq.in_(select(JOBS.c.seq).where(condition))
        return price, partial(self._gather, source, condition, *done)

    def _holding(self) -> float:
        """What it costs to have the rows whose words match at hand."""
        return self.matches * HOLD if self.matches <= MOST_HELD else self.total * READ

    def _walking(self, cells: Cells, limit: int, share: float) -> float:
        """What it costs to walk until `limit` rows passed the filters, of which a `share` of all does; says how words are told."""
        share = max(share, 1e-9)
        density = self.density
        rows = limit / (share * max(density, 1e-9))
        if self._order.name == "created_at":
            return min(limit / share, self.matches) * LOOK if density < 1 else min(rows, self.rows) * STEP
        most = self.total
        if self._query.owner is None:  # only these cells are walked
            most = sum(cells.values())
            rows *= most / max(self.total, 1)
        if self._sqlite and self._order.name not in LATE:
            rows *= self.total / self.within
        alike = self._order.name == "title" and density < 1  # titles that begin alike are together
        if alike:
            rows = min(rows * ALIKE, rows + most * GAP)
        rows = min(rows, most)
        price = rows * (STEP if self._order.name not in {"priority", "run_order"} else WHOLE)
        if density < 1:
            reading = min(limit * (ALIKE if alike else 1) / max(density, 1e-9), share * self.total)
            reading *= READ if alike and self._titled(cells) else WHOLE + READ
            self._reads = self.matches > MOST_HELD or reading < self.matches * HOLD
            price += reading if self._reads else self.matches * HOLD
        return price

    def _titled(self, cells: Cells) -> bool:
        """Whether most jobs of these cells have no words but their titles."""
        good = sum(number for (_, state), number in cells.items() if state == State.SUCCEEDED)
        return good * 2 > sum(cells.values())

    # gathering

    def _source(self) -> Any:
        """Where the filters are read, and the order if it is known there."""
        held = not self.where.words or self.matches <= MOST_HELD
        return FACTS if self._sqlite and held and self._query.parent is None else JOBS

    def _gather(self, source: Any, driver: Filter, *done: str, reads: bool = False) -> Select[Any]:
        """All that match, found by `driver`; `done` names the filters it stands for, `reads` has the words read."""
        of = self._of(source)
        rows = select(source.c.seq).where(driver, *self.where.rows(of, done), *self._ended(of))
        if self.where.words and "text" not in done:
            rows = rows.where(self.where.matching(of) if reads else self._worded(source))
        if self._start is None or not (self._known or source is JOBS):
            return rows
        return rows.where(self._order.after(self._start, of))

    def _worded(self, source: Any) -> Filter:
        of = self._of(source)
        if self._sqlite and self.matches <= MOST_HELD:
            held: Filter = of("seq").in_(self._held())
            return held
        return self.where.matching(of)

    def _held(self) -> Select[Any]:
        """The rows whose words match, found once for all that asks for them."""
        if not self._holds:
            self._connection.execute(CreateTable(HELD, if_not_exists=True))
            self._connection.execute(delete(HELD))
            self._connection.execute(insert(HELD).from_select(["seq"], self.matching_rows()))
            self._holds = True
        return select(HELD.c.seq)

    def _sorted(self, rows: Select[Any], limit: int) -> list[int]:
        source = rows.get_final_froms()[0]
        if not (self._known or source is JOBS):
            source, rows = JOBS, select(JOBS.c.seq).where(JOBS.c.seq.in_(rows))
            if self._start is not None:
                rows = rows.where(self._order.after(self._start, self._hidden))
        statement = rows.order_by(*self._order.clauses(self._of(source))).limit(limit)
        return list(self._connection.execute(statement).scalars())

    # walking

    def _walk(self, cells: Cells, limit: int) -> list[int]:
        if self._order.name == "created_at":
            return self._walk_words(limit) if self._sqlite and self.where.words else self._walk_rows(limit)
        if self._sqlite and self._order.name in LATE and self.ends and self._query.parent is None:
            return self._walk_late(cells, limit, min(self.ends) + LATE_BY)
        return self._walk_cells(cells, limit)

    def _walk_rows(self, limit: int) -> list[int]:
        """In the order of acceptance."""
        source = FACTS if self._sqlite and self._query.parent is None else JOBS
        of = self._of(source)
        rows = select(source.c.seq).where(*self.where.rows(of, ()))
        if self.window is not None:
            rows = rows.where(source.c.seq.between(*self.window))
        plain = source.c.__getitem__
        if self._start is not None:
            rows = rows.where(self._order.after(self._start, plain))
        statement = rows.order_by(*self._order.clauses(plain)).limit(limit)
        return list(self._connection.execute(statement).scalars())

    def _walk_words(self, limit: int) -> list[int]:
        """Along the full-text index, whose rows have the order of acceptance."""
        row = WORDS.c.rowid
        source = FACTS if self._query.parent is None else JOBS
        statement = self.where.found()
        if self._start is not None:
            (seq,) = self._start
            statement = statement.where(row < seq if self._order.down else row > seq)
        if self.window is not None:
            statement = statement.where(row.between(*self.window))
        if filters := self.where.rows(self._of(source), ()):
            statement = statement.where(exists(select(literal(1)).where(source.c.seq == row, *filters)))
        statement = statement.order_by(row.desc() if self._order.down else row.asc()).limit(limit)
        return list(self._connection.execute(statement).scalars())

    def _walk_late(self, cells: Cells, limit: int, border: float) -> list[int]:
        """Jobs accepted before a time changed after the `border` only when they were late: those are few and by themselves."""
        timely = partial(self._walk_cells, cells, until=border)
        late = partial(self._those_late, border)
        found: list[int] = []
        for walk in (late, timely) if self._order.down else (timely, late):
            if len(found) < limit:
                found += walk(limit - len(found))
        return found

    def _those_late(self, border: float, limit: int) -> list[int]:
        """Late jobs that changed after the `border`, in order."""
        source = LATE[self._order.name]
        rows = self._along(source, border, None, titled=False).with_only_columns(source.c.seq).limit(limit)
        return list(self._connection.execute(rows).scalars())

    def _walk_cells(
        self,
        cells: Cells,
        limit: int,
        until: float | None = None,
    ) -> list[int]:
        """Along the index of the order in each cell, merged."""
        found: list[tuple[Any, ...]] = []
        statements: dict[bool, tuple[Select[Any], Select[Any]]] = {}
        for kind, state in self._likeliest(cells) if self._sqlite and self.where.words else cells:
            values: dict[str, Any] = {"this_kind": kind, "this_state": state}
            titled = state == State.SUCCEEDED
            if titled not in statements:
                whole = self._along(JOBS, None, until, titled=titled).limit(limit)
                statements[titled] = whole, whole.where(self._order.before(plain))
            statement, bounded = statements[titled]
            if len(found) == limit:  # only what comes before the last one so far is of interest
                statement = bounded
                values |= {f"bound_{number}": part for number, part in enumerate(found[-1])}
            found += [self._order.key(row) for row in self._connection.execute(statement, values)]
            found = sorted(found, reverse=self._order.down)[:limit]
        return [key[-1] for key in found]

    def _likeliest(self, cells: Cells) -> list[tuple[str, str]]:
        """The cells, those first in which most of a sample of the matching jobs are: they soon bound the others."""
        if len(cells) == 1:
            return list(cells)
        sample = self.matching_rows().order_by(WORDS.c.rowid.desc())
        if not self._reads and self.matches <= MOST_HELD:
            sample = self._held().order_by(HELD.c.seq.desc())
        sample = sample.limit(LIKELY)
        statement = select(FACTS.c.kind, FACTS.c.state).where(FACTS.c.seq.in_(sample))
        seen = Counter((row.kind, row.state) for row in self._connection.execute(statement))
        return sorted(cells, key=lambda cell: seen[cell], reverse=True)

    def _along(self, source: Any, since: float | None, until: float | None, *, titled: bool) -> Select[Any]:
        """The rows of one cell, or all late ones, in order; those of a `titled` cell have no words but their titles."""
        plainly, of, name = source.c.__getitem__, self._of(source), self._order.name
        done = [{"finished_at": "finish"}.get(name, name), *(["cells"] if source is JOBS else [])]
        rows = select(source.c.seq, *[plainly(key.name) for key in self._order.columns[:-1]])
        if source is JOBS:
            rows = rows.where(JOBS.c.kind == bindparam("this_kind"), JOBS.c.state == bindparam("this_state"))
        rows = rows.where(*self.where.rows(of, done))
        if self.where.words:
            rows = rows.where(self._told(source, titled=titled))
        if self.window is not None:
            rows = rows.where(of("seq").between(*self.window))
        if name == "finished_at":
            rows = rows.where(source.c.finished_at.is_not(None), *self.where.finishes(plainly))
        if name == "size":
            rows = rows.where(*self.where.sizes(plainly))
        if name in LATE:  # nothing ends before it was accepted
            rows = rows.where(
                *between(plainly(name), self._query.since, None), *between(plainly(name), since, until)
            )
        if self._start is not None:
            rows = rows.where(self._order.after(self._start, plainly))
        return rows.order_by(*self._order.clauses(plainly))

    def _told(self, source: Any, *, titled: bool) -> Filter:
        """Whether one row has the words, on the way along an order."""
        of = self._of(source)
        if not (self._sqlite and self._reads):
            return self._worded(source)
        return self.where.spelled(of("title")) if titled else self.where.matching(of)

    # columns

    def _ended(self, of: Column) -> list[Filter]:
        return [of("finished_at").is_not(None)] if self._order.name == "finished_at" else []

    def _of(self, source: Any) -> Column:
        return lambda name: _unindexed(source, name) if self._sqlite else source.c[name]

    def _hidden(self, name: str) -> Any:
        return self._of(JOBS)(name)


def _unindexed(source: Any, name: str) -> Any:
    """A column that SQLite does not use an index for: the way was chosen here, by exact numbers."""
    return literal_column(f"+{source.name}.{name}", source.c[name].type)


def _rows(connection: Connection, seqs: Sequence[int]) -> list[Any]:
    found: dict[int, Any] = {}
    for part in chunks(seqs):
        for row in connection.execute(select(JOBS).where(JOBS.c.seq.in_(part))):
            found[row.seq] = row
    return [found[seq] for seq in seqs if seq in found]
