"""How many jobs the filters of a query leave: counted while they are few, told from a sample when they are many."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, case, func, literal, select, true

from ferryman.jobs.conditions import Conditions, any_of, in_cells
from ferryman.jobs.model import Query, State
from ferryman.jobs.order import Filter, Order, read_cursor
from ferryman.jobs.tables import BLOCK, BLOCKS, COUNTS, FACTS, JOBS, WORDS

MOST_GATHERED: Final = 40_000
"""PostgreSQL: rows that are counted to see how many a filter leaves."""
FEW: Final = 2_000
"""So many rows that a filter leaves are counted; of more a sample tells."""
PARTS: Final = 16
"""Stretches of neighbouring rows in a sample."""
PART: Final = 256
"""Rows in each."""
ENOUGH: Final = 8
"""Rows of a sample that tell how many there are in all."""

Cells = dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Left:
    """What one filter that has an index leaves: its name, the rows, how many they are, and whether that is known."""

    name: str
    condition: Filter
    number: float
    told: bool = True


class Estimates:
    """The query on one connection: where what matches can be, and how much it is."""

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
        self.within = 1 if self.window is None else self.window[1] - self.window[0] + 1
        self.matches = 0
        if sqlite and self.where.words and self.window:
            self.matches = self._worded_rows()

    # numbers

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

    def left(self, cells: Cells) -> tuple[list[Left], float]:
        """What each filter leaves, and which share of the rows passes all filters but words, about."""
        drivers = self._drivers(cells)
        odds, both = self._sample(cells) if self._sqlite and drivers else ({}, 0.0)
        found = []
        share = min(1.0, sum(cells.values()) / max(self.total, 1))
        for name, condition in drivers:
            most = FEW if name in odds else MOST_GATHERED
            among = self.total if name == "size" else self.rows
            number: float = self._probe(select(JOBS.c.seq).where(condition), most)
            if number > most and name in odds:
                number = max(number, odds[name] * among)
            found.append(Left(name, condition, number, name in odds or number <= most))
            share *= min(1.0, number / max(among, 1))
        return found, both if both >= ENOUGH / (PARTS * PART) else share

    @property
    def rows(self) -> int:
        """Rows that may match: on SQLite those of the window."""
        return max(self.within if self._sqlite else self.total, 1)

    @property
    def density(self) -> float:
        """SQLite: which share of the rows of the window has the words."""
        return self.matches / self.within if self.where.words and self._sqlite else 1.0

    def _sample(self, cells: Cells) -> tuple[dict[str, float], float]:
        """SQLite: which share of the rows of the window passes each filter, and all of them, by a look at some."""
        if self._query.parent is not None:
            return {}, 0.0
        of = FACTS.c.__getitem__
        each = {part: any_of(of(name), values) for part, name, values in self.where.narrow()}
        each |= {"size": and_(*self.where.sizes(of))} if self.where.sizes(of) else {}
        each |= {"finish": and_(*self.where.finishes(of))} if self.where.finishes(of) else {}
        both = and_(true(), *self.where.rows(of, ("cells",)), in_cells(list(cells), FACTS))
        sums = [func.sum(case((condition, 1), else_=0)) for condition in (*each.values(), both)]
        start, there = self._parts(PART, FACTS.c.seq)
        statement = select(func.count(), *sums).select_from(start).join(FACTS, there)
        number, *found = self._connection.execute(statement).one()
        shares = [(some or 0) / max(number, 1) for some in found]
        return dict(zip(each, shares, strict=False)), shares[-1]

    def _parts(self, length: int, row: Any) -> tuple[Any, Filter]:
        """Stretches of the window to look at, and whether a row is in one of them."""
        low, high = self.window or (0, 0)
        step = max(self.within // PARTS, length)
        first = select(literal(low).label("start")).cte("parts", recursive=True)
        parts = first.union_all(select(first.c.start + step).where(first.c.start + step <= high))
        return parts, row.between(parts.c.start, parts.c.start + (length - 1))

    def _worded_rows(self) -> int:
        """SQLite: how many rows of the window match the words, about when they are many."""
        number = self._probe(self.matching_rows(), FEW)
        if number <= FEW:
            return number
        length = max(self.within // PARTS**2, 1)
        parts, there = self._parts(length, WORDS.c.rowid)
        statement = select(func.count()).select_from(parts, WORDS).where(self.where.match(), there)
        found = int(self._connection.execute(statement).scalar_one())
        return max(number, found * self.within // (length * PARTS))

    def matching_rows(self) -> Select[Any]:
        """SQLite: the rows of the window whose words match."""
        low, high = self.window or (0, 0)
        return self.where.found().where(WORDS.c.rowid.between(low, high))

    def _drivers(self, cells: Cells) -> list[tuple[str, Filter]]:
        """Filters that an index finds the rows of."""
        found = [
            (part, and_(any_of(JOBS.c[name], values), *self.inside()))
            for part, name, values in self.where.narrow()
        ]
        here = in_cells(list(cells))
        if sizes := self.where.sizes(plain):
            found.append(("size", and_(here, *sizes)))
        if finishes := self.where.finishes(plain):
            found.append(("finish", and_(here, JOBS.c.finished_at.is_not(None), *finishes)))
        return found

    def inside(self) -> list[Filter]:
        """SQLite: the bounds of the rows."""
        return [] if self.window is None else [JOBS.c.seq.between(*self.window)]

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
        if self._start is not None and self._order.name == "created_at":
            if self._order.down:
                high = min(high, self._start[0] - 1)
            else:
                low = max(low, self._start[0] + 1)
        return (low, high) if low <= high else None

    def _accepted(self) -> tuple[int, int]:
        """Between which rows the jobs accepted in the asked time are."""
        ends = self.ends
        if self._query.since is None and not ends:
            return 0, self.total
        statement = select(func.min(BLOCKS.c.block), func.max(BLOCKS.c.block))
        if self._query.since is not None:
            statement = statement.where(BLOCKS.c.last >= self._query.since)
        if ends:
            statement = statement.where(BLOCKS.c.first < min(ends))
        low, high = self._connection.execute(statement).one()
        return (1, 0) if low is None else (low * BLOCK, (high + 1) * BLOCK - 1)

    @property
    def ends(self) -> list[float]:
        """Times before which all that match were accepted: what ended before was accepted before."""
        return [time for time in (self._query.until, self._query.finished_until) if time is not None]


def plain(name: str) -> Any:
    """A column of `JOBS`, by its index if that is best."""
    return JOBS.c[name]
