"""Lists, filters and searches over a long history.

Two ways lead to a page. *Walking* goes along the index of the order in each kind and state (a *cell*; the counts tell how
many jobs each has) and takes what passes the filters until the page is full: quick when many pass. *Gathering* takes all
that one filter leaves, by its index, and sorts: quick when few do. Both are priced beforehand, and the cheaper one is taken.

On SQLite nothing but narrow indexes is read on the way: those of the orders carry what filters look at, and `FACTS` has it
by row. Filters also bound the rows (`seq` grows with the time of acceptance, and a word, a host or a category has a first
and a last job); what ended last among old jobs is found block by block, by the newest time in each.
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

from ferryman.jobs.conditions import Conditions, any_of, between, in_cells
from ferryman.jobs.model import Page, Query, State
from ferryman.jobs.order import Column, Filter, Order, read_cursor, write_cursor
from ferryman.jobs.rows import job_of
from ferryman.jobs.tables import BLOCK, BLOCKS, COUNTS, FACTS, HELD, JOBS, LATEST, WORDS, chunks

STEP: Final = 0.1
"""Microseconds, about, that a row costs in an index that has all that is looked at."""
LOOK: Final = 1.3
"""The same for one row somewhere in such an index."""
WHOLE: Final = 3.0
"""The same for the whole job."""
READ: Final = 1.0
"""The same for the words of a job."""
HOLD: Final = 0.2
"""The same for a match of a search that is held."""
MOST_GATHERED: Final = 40_000
"""Rows that are counted to see how many a filter leaves."""
MOST_HELD: Final = 150_000
"""Rows that match the words of a search and are held while others are compared with them."""
SAMPLE: Final = 200
"""Matches of a search that are looked at to see what kind and state they have."""
NEAR: Final = 20 * BLOCK
"""So many of the newest jobs are rather passed over than avoided."""
AT_ONCE: Final = 32
"""Blocks that are read in one statement."""

Cells = dict[tuple[str, str], int]


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


class Search:
    """Finds what matches a query on one connection, in order, by the cheapest of its ways."""

    def __init__(self, connection: Connection, query: Query, order: Order, *, sqlite: bool) -> None:
        """Read the cursor of the query. Raises `Invalid` (`cursor_invalid`)."""
        self._connection = connection
        self._query = query
        self._order = order
        self._sqlite = sqlite
        self._start = read_cursor(order, query.cursor) if query.cursor else None
        self.where = Conditions(query, sqlite=sqlite)
        self.total = connection.execute(select(func.max(JOBS.c.seq))).scalar() or 0
        self.window = self._bounds() if sqlite else None
        self.matches = 0
        self._holds = False
        if sqlite and self.where.words and self.window:
            self.matches = self._probe(self.where.found(), MOST_HELD)

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
        if way is not None and cheaper(price, self._walking(cells, limit, share)):
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

    def cells(self) -> Cells:
        """Kinds and states that have jobs and pass the filters, with their numbers, the largest first."""
        number = func.sum(COUNTS.c.number)
        statement = select(COUNTS.c.kind, COUNTS.c.state, number.label("jobs")).having(number > 0)
        if self._query.kinds:
            statement = statement.where(COUNTS.c.kind.in_(self._query.kinds))
        if self._query.states:
            statement = statement.where(COUNTS.c.state.in_([str(state) for state in self._query.states]))
        if self._query.owner is not None:
            statement = statement.where(COUNTS.c.owner == self._query.owner)
        if self._query.reasons:
            statement = statement.where(COUNTS.c.state != State.SUCCEEDED)
        statement = statement.group_by(COUNTS.c.kind, COUNTS.c.state).order_by(number.desc())
        return {(row.kind, row.state): int(row.jobs) for row in self._connection.execute(statement)}

    def ways(self, cells: Cells) -> tuple[float, Callable[[], Select[Any]] | None, float]:
        """The cheapest way of gathering with its price, and which share of all rows passes the filters, about."""
        source = self._source()
        total = max(self.total, 1)
        share = 1.0
        ways: list[tuple[float, Callable[[], Select[Any]]]] = []
        for name, condition in self._drivers(cells):
            number = self._probe(select(JOBS.c.seq).where(condition), MOST_GATHERED)
            share *= number / total
            if number <= MOST_GATHERED:
                ways.append(self._way(number, condition, name))
        number = sum(cells.values())
        if self._query.owner is not None:
            owned = and_(JOBS.c.owner == self._query.owner, in_cells(list(cells)))
            ways.append(self._way(number, owned, "cells", "owner"))
            share *= number / total
        elif self._query.kinds or self._query.states:
            ways.append(self._way(number, in_cells(list(cells)), "cells"))
        if self.window is not None:
            low, high = self.window
            share *= min(1.0, (high - low + 1) / total)
            step = (STEP if source is FACTS else WHOLE) * (high - low + 1) + self._holding()
            ways.append((step, partial(self._gather, source, source.c.seq.between(low, high))))
        if self.where.words and self._sqlite:
            share *= self.matches / total
            if self._order.name != "created_at":
                some = source.c.seq.in_(self.where.found())
                look = LOOK if source is FACTS else WHOLE
                ways.append((self.matches * look, partial(self._gather, source, some, "text")))
        price, way = min(ways, key=lambda item: item[0], default=(0.0, None))
        return price, way, share

    def _way(self, number: int, condition: Filter, *done: str) -> tuple[float, Callable[[], Select[Any]]]:
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
        """What it costs to walk until `limit` rows passed the filters, of which a `share` of all does."""
        number = self.total if self._query.owner is not None else sum(cells.values())
        passed = min(limit / max(share, 1e-9), number)
        if self._order.name == "title" and self.where.words:  # titles that begin alike are together
            passed = min(passed * 20, number)
        step = STEP if self._order.name not in {"priority", "run_order"} else WHOLE
        price = passed * step
        if self.where.words and self._order.name != "created_at":
            price += self._reading(limit) if self._reads(limit) else self.matches * HOLD
        return price

    def _reading(self, limit: int) -> float:
        """What it costs to walk and read the words of what passes the other filters."""
        return limit * self.total / max(self.matches, 1) * (WHOLE + READ)

    def _reads(self, limit: int) -> bool:
        """Whether walking reads words, rather than having the rows that match at hand."""
        if self.matches > MOST_HELD:
            return True
        alike = (
            self._order.name == "title"
        )  # where titles that begin alike are together, many have none of the words
        return not alike and self._reading(limit) < self.matches * HOLD

    def _drivers(self, cells: Cells) -> list[tuple[str, Filter]]:
        """Filters that an index finds the rows of."""
        found = [(part, any_of(name, values)) for part, name, values in self.where.narrow()]
        here = in_cells(list(cells))
        if sizes := self.where.sizes(_plain):
            found.append(("size", and_(here, *sizes)))
        if finishes := self.where.finishes(_plain):
            found.append(("finish", and_(here, JOBS.c.finished_at.is_not(None), *finishes)))
        return found

    def _probe(self, rows: Select[Any], most: int) -> int:
        """How many rows there are; beyond `most` it does not matter."""
        some = rows.limit(most + 1).subquery()
        return int(self._connection.execute(select(func.count()).select_from(some)).scalar_one())

    def _bounds(self) -> tuple[int, int] | None:
        """Between which rows all that match are, not exactly; `None` when nothing does."""
        low, high = self._accepted()
        pairs = [select(WORDS.c.rowid).where(self.where.match())] if self.where.words else []
        columns = [WORDS.c.rowid] * len(pairs)
        for _, name, values in self.where.narrow():
            if len(values) == 1:
                pairs.append(select(JOBS.c.seq).where(JOBS.c[name] == values[0]))
                columns.append(JOBS.c.seq)
        for rows, column in zip(pairs, columns, strict=True):
            first = self._connection.execute(rows.order_by(column.asc()).limit(1)).scalar()
            last = self._connection.execute(rows.order_by(column.desc()).limit(1)).scalar()
            if first is None or last is None:
                return None
            low, high = max(low, first), min(high, last)
        return (low, high) if low <= high else None

    def _accepted(self) -> tuple[int, int]:
        """Between which rows the jobs accepted in the asked time are."""
        ends = [time for time in (self._query.until, self._query.finished_until) if time is not None]
        if self._query.since is None and not ends:
            return 0, self.total
        statement = select(func.min(BLOCKS.c.block), func.max(BLOCKS.c.block))
        if self._query.since is not None:
            statement = statement.where(BLOCKS.c.last >= self._query.since)
        if ends:  # what ended before was accepted before
            statement = statement.where(BLOCKS.c.first < min(ends))
        low, high = self._connection.execute(statement).one()
        return (1, 0) if low is None else (low * BLOCK, (high + 1) * BLOCK - 1)

    # gathering

    def _source(self) -> Any:
        """Where the filters and the order are read."""
        known = self._order.name in {"created_at", "finished_at", "updated_at", "size"}
        held = not self.where.words or self.matches <= MOST_HELD
        return FACTS if self._sqlite and known and held and self._query.parent is None else JOBS

    def _gather(self, source: Any, driver: Filter, *done: str, reads: bool = False) -> Select[Any]:
        """All that match, found by `driver`; `done` names the filters it stands for, `reads` has the words read."""
        of = self._of(source)
        rows = select(source.c.seq).where(driver, *self.where.rows(of, done), *self._ended(of))
        if self.where.words and "text" not in done:
            rows = rows.where(self.where.matching(of) if reads else self._worded(source))
        return rows if self._start is None else rows.where(self._order.after(self._start, of))

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
            self._connection.execute(insert(HELD).from_select(["seq"], self.where.found()))
            self._holds = True
        return select(HELD.c.seq)

    def _sorted(self, rows: Select[Any], limit: int) -> list[int]:
        source = rows.get_final_froms()[0]
        statement = rows.order_by(*self._order.clauses(self._of(source))).limit(limit)
        return list(self._connection.execute(statement).scalars())

    # walking

    def _walk(self, cells: Cells, limit: int) -> list[int]:
        if self._order.name == "created_at":
            return self._walk_words(limit) if self._sqlite and self.where.words else self._walk_rows(limit)
        old = self.window is not None and self.window[1] < self.total - NEAR
        timed = self._order.name == "updated_at" or (
            self._order.name == "finished_at" and self._query.finished_until is None
        )
        if old and timed and self._order.down and self._source() is FACTS:
            return self._walk_blocks(limit)
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

    def _walk_blocks(self, limit: int) -> list[int]:
        """From the blocks of neighbouring rows with the newest changes, until no other can have a newer one."""
        assert self.window is not None
        low, high = self.window
        statement = select(LATEST).where(LATEST.c.block.between(low // BLOCK, high // BLOCK))
        blocks = self._connection.execute(statement.order_by(LATEST.c.latest.desc())).all()
        of = self._of(FACTS)
        rows = select(FACTS.c.seq, *[FACTS.c[key.name] for key in self._order.columns[:-1]])
        rows = rows.where(*self.where.rows(of, ()), *self._ended(of))
        if self.where.words:
            rows = rows.where(self._worded(FACTS))
        if self._start is not None:
            rows = rows.where(self._order.after(self._start, of))
        first = LATEST.c.block * BLOCK
        there = LATEST.c.block.in_(bindparam("these", expanding=True))
        rows = rows.where(
            there, FACTS.c.seq.between(first, first + (BLOCK - 1)), of("seq").between(low, high)
        )
        rows = rows.order_by(*self._order.clauses(of)).limit(limit)
        found: list[tuple[Any, ...]] = []
        for part in chunks(blocks, AT_ONCE):
            if len(found) == limit and found[-1][0] > part[0].latest:
                break
            these = {"these": [block.block for block in part]}
            found += [self._order.key(row) for row in self._connection.execute(rows, these)]
            found = sorted(found, reverse=True)[:limit]
        return [key[-1] for key in found]

    def _walk_cells(self, cells: Cells, limit: int) -> list[int]:
        """Along the index of the order in each cell, merged."""
        here = and_(JOBS.c.kind == bindparam("this_kind"), JOBS.c.state == bindparam("this_state"))
        reads = self._sqlite and bool(self.where.words) and self._reads(limit)
        whole = self._along(here, reads=reads).limit(limit).add_columns(*self._order.columns[:-1])
        bounded = whole.where(self._order.before(_plain))
        found: list[tuple[Any, ...]] = []
        for kind, state in self._likeliest(cells) if self._sqlite and self.where.words else cells:
            values: dict[str, Any] = {"this_kind": kind, "this_state": state}
            statement = whole
            if len(found) == limit:  # only what comes before the last one so far is of interest
                statement = bounded
                values |= {f"bound_{number}": part for number, part in enumerate(found[-1])}
            found += [self._order.key(row) for row in self._connection.execute(statement, values)]
            found = sorted(found, reverse=self._order.down)[:limit]
        return [key[-1] for key in found]

    def _likeliest(self, cells: Cells) -> list[tuple[str, str]]:
        """The cells, those first in which most of a sample of the matching jobs are: they soon bound the others."""
        sample = self.where.found().order_by(WORDS.c.rowid.desc()).limit(SAMPLE)
        statement = select(JOBS.c.kind, JOBS.c.state).where(JOBS.c.seq.in_(sample))
        seen = Counter((row.kind, row.state) for row in self._connection.execute(statement))
        return sorted(cells, key=lambda cell: seen[cell], reverse=True)

    def _along(self, here: Filter, *, reads: bool) -> Select[Any]:
        """The rows of one cell, in order."""
        done = ["cells", {"finished_at": "finish"}.get(self._order.name, self._order.name)]
        rows = select(JOBS.c.seq).where(here, *self.where.rows(self._hidden, done))
        if self.where.words:
            rows = rows.where(self.where.matching(self._hidden) if reads else self._worded(JOBS))
        if self.window is not None:
            rows = rows.where(self._hidden("seq").between(*self.window))
        if self._order.name == "finished_at":
            rows = rows.where(JOBS.c.finished_at.is_not(None), *self.where.finishes(_plain))
        if self._order.name == "size":
            rows = rows.where(*self.where.sizes(_plain))
        if self._order.name in {"finished_at", "updated_at"}:  # nothing ends before it was accepted
            rows = rows.where(*between(JOBS.c[self._order.name], self._query.since, None))
        if self._start is not None:
            rows = rows.where(self._order.after(self._start, _plain))
        return rows.order_by(*self._order.clauses(_plain))

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


def _plain(name: str) -> Any:
    return JOBS.c[name]


def _rows(connection: Connection, seqs: Sequence[int]) -> list[Any]:
    found: dict[int, Any] = {}
    for part in chunks(seqs):
        for row in connection.execute(select(JOBS).where(JOBS.c.seq.in_(part))):
            found[row.seq] = row
    return [found[seq] for seq in seqs if seq in found]
