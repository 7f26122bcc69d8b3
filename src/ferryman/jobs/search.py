"""Lists, filters and searches over a long history.

Every order has an index per kind and state, and the counts tell exactly how many jobs each kind and state has. So a list
is merged from the few cells it needs, each read in order from its index, and stops when the page is full. Where one filter
leaves few jobs, those are gathered and sorted instead. Search walks the full-text index, the newest first.
"""

import re
from collections import Counter
from collections.abc import Sequence
from math import isqrt
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal,
    literal_column,
    select,
    true,
)

from ferryman.core.ids import is_id
from ferryman.db.values import fold
from ferryman.jobs.model import Page, Query, State
from ferryman.jobs.order import Column, Filter, Order, read_cursor, sized, write_cursor
from ferryman.jobs.rows import job_of
from ferryman.jobs.tables import BLOCK, BLOCKS, COUNTS, JOBS, WORDS, chunks

FASTER_IN_A_ROW: Final = 5
"""How much faster neighbouring rows are read than scattered ones."""
SAMPLE: Final = 200
"""Matches of a search that are looked at to see what kind and state they have."""
MOST_WORDS: Final = 16
"""Words of a search that count."""


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


def words_of(search: str) -> list[str]:
    """The words of a search, without anything a query language could mean."""
    return re.findall(r"[^\W_]+", search.lower())[:MOST_WORDS]


def few_of(limit: int, number: int, *, wordy: bool) -> int:
    """How many jobs are rather gathered and sorted than looked for along an order of `number`, to find `limit`.

    Gathering costs one look for each of them; walking, `number / few` looks for each one found, each at half the price,
    or at twice the price where words are looked for.
    """
    return isqrt((8 if wordy else 2) * limit * number)


def pattern_of(words: Sequence[str]) -> str:
    """What `db.values.matches` takes to find the same rows as the full-text index."""
    whole = r"(?![^\W_])"
    parts = [rf"(?=.*(?<![^\W_]){fold(word)}{whole if len(word) == 1 else ''})" for word in words]
    return "".join(parts)


class Search:
    """Finds what matches a query on one connection, in order, by the cheapest of its ways."""

    def __init__(self, connection: Connection, query: Query, order: Order, *, sqlite: bool) -> None:
        """Read the cursor of the query. Raises `Invalid` (`cursor_invalid`)."""
        self._connection = connection
        self._query = query
        self._order = order
        self._sqlite = sqlite
        self._start = read_cursor(order, query.cursor) if query.cursor else None
        self._words = words_of(query.text)
        self._window = self._blocks() if sqlite else None

    def seqs(self, limit: int) -> list[int]:
        """The rows that match, by `seq`, at most `limit`."""
        text = self._query.text.strip().lower()
        if is_id(text):
            return self._sorted(self._gather(JOBS.c.id == text, "text"), limit)
        if text and not self._words:
            return []
        cells = self._cells()
        if not cells:
            return []
        if not self._sqlite and text:
            return self._sorted(self._gather(self._matching(), "text"), limit)
        total = self._connection.execute(select(func.max(JOBS.c.seq))).scalar() or 0
        few = self._few(cells, few_of(limit, total, wordy=bool(self._words)))
        if few is not None:
            return self._sorted(few, limit)
        return self._walk(cells, limit)

    def all(self, limit: int) -> Select[Any]:
        """The rows that match, by `seq`, at most `limit`, in no order."""
        text = self._query.text.strip().lower()
        if is_id(text):
            return self._gather(JOBS.c.id == text, "text").limit(limit)
        if text and not self._words:
            return self._gather(false(), "text")
        return self._gather(true()).limit(limit)

    # how many

    def _cells(self) -> dict[tuple[str, str], int]:
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

    def _few(self, cells: dict[tuple[str, str], int], few: int) -> Select[Any] | None:
        """The filter that leaves fewest jobs, when they are few."""
        number = sum(cells.values())
        ways: list[tuple[int, Select[Any]]] = []
        if self._words and self._order.name != "created_at":
            rows = select(WORDS.c.rowid).where(self._match())
            ways.append((self._probe(rows, few), self._gather(JOBS.c.seq.in_(rows), "text")))
        for name, condition in self._narrow():
            rows = select(JOBS.c.seq).where(condition)
            ways.append((self._probe(rows, few), self._gather(condition, name)))
        if self._query.owner is not None:
            ways.append((number, self._gather(self._in_cells(cells, owned=True), "cells", "owner")))
        elif self._query.kinds or self._query.states:
            ways.append((number, self._gather(self._in_cells(cells), "cells")))
        if self._window is not None:
            low, high = self._window
            ways.append(((high - low) // FASTER_IN_A_ROW, self._gather(JOBS.c.seq.between(low, high))))
        least, way = min(ways, key=lambda item: item[0], default=(few + 1, None))
        return way if least <= few else None

    def _narrow(self) -> list[tuple[str, Filter]]:
        found: list[tuple[str, Filter]] = []
        if self._query.parent is not None:
            found.append(("parent", JOBS.c.parent == self._query.parent))
        if self._query.reasons:
            found.append(("reasons", JOBS.c.reason.in_([str(reason) for reason in self._query.reasons])))
        if self._query.categories:
            found.append(("categories", JOBS.c.category.in_(self._query.categories)))
        if self._query.hosts:
            found.append(("hosts", JOBS.c.host.in_(self._query.hosts)))
        return found

    def _probe(self, rows: Select[Any], few: int) -> int:
        """How many rows there are; beyond `few` it does not matter."""
        some = rows.limit(few + 1).subquery()
        return int(self._connection.execute(select(func.count()).select_from(some)).scalar_one())

    def _blocks(self) -> tuple[int, int] | None:
        """Between which rows the jobs accepted in the asked time are, not exactly; `None` without such a filter."""
        if self._query.since is None and self._query.until is None:
            return None
        statement = select(func.min(BLOCKS.c.block), func.max(BLOCKS.c.block))
        if self._query.since is not None:
            statement = statement.where(BLOCKS.c.last >= self._query.since)
        if self._query.until is not None:
            statement = statement.where(BLOCKS.c.first < self._query.until)
        low, high = self._connection.execute(statement).one()
        return (0, -1) if low is None else (low * BLOCK, (high + 1) * BLOCK - 1)

    # the two ways

    def _gather(self, driver: Filter, *done: str) -> Select[Any]:
        """All that match, found by `driver`; `done` names the filters it stands for."""
        rows = select(JOBS.c.seq).where(driver, *self._filters(self._hidden, done))
        if self._start is not None:
            rows = rows.where(self._order.after(self._start, self._hidden))
        return rows

    def _sorted(self, rows: Select[Any], limit: int) -> list[int]:
        statement = rows.order_by(*self._order.clauses(self._hidden)).limit(limit)
        return list(self._connection.execute(statement).scalars())

    def _walk(self, cells: dict[tuple[str, str], int], limit: int) -> list[int]:
        if self._order.name == "created_at":
            if self._words:
                return self._walk_words(limit)
            for name, condition in self._narrow():
                if name == "parent" or len(self._query.reasons) == 1:
                    statement = self._along(condition, name).limit(limit)
                    return list(self._connection.execute(statement).scalars())
        return self._walk_cells(cells, limit)

    def _walk_words(self, limit: int) -> list[int]:
        """Along the full-text index, whose rows have the order of acceptance."""
        row = WORDS.c.rowid
        statement = select(row).where(self._match())
        if self._start is not None:
            (seq,) = self._start
            statement = statement.where(row < seq if self._order.down else row > seq)
        if self._window is not None:
            statement = statement.where(row.between(*self._window))
        if filters := self._filters(self._hidden, ("text",)):
            statement = statement.where(exists(select(literal(1)).where(JOBS.c.seq == row, *filters)))
        statement = statement.order_by(row.desc() if self._order.down else row.asc()).limit(limit)
        return list(self._connection.execute(statement).scalars())

    def _walk_cells(self, cells: dict[tuple[str, str], int], limit: int) -> list[int]:
        """Along the index of the order in each cell, merged."""
        owned = self._query.owner is not None and self._order.name == "created_at"
        here = and_(JOBS.c.kind == bindparam("this_kind"), JOBS.c.state == bindparam("this_state"))
        if owned:
            here = and_(here, JOBS.c.owner == self._query.owner)
        whole = self._along(here, "cells", *(["owner"] if owned else [])).limit(limit)
        whole = whole.add_columns(*self._order.columns[:-1])
        bounded = whole.where(self._order.before(_plain))
        found: list[tuple[Any, ...]] = []
        for kind, state in self._likeliest(cells) if self._words else cells:
            values: dict[str, Any] = {"this_kind": kind, "this_state": state}
            statement = whole
            if len(found) == limit:  # only what comes before the last one so far is of interest
                statement = bounded
                values |= {f"bound_{number}": part for number, part in enumerate(found[-1])}
            found += [self._order.key(row) for row in self._connection.execute(statement, values)]
            found = sorted(found, reverse=self._order.down)[:limit]
        return [key[-1] for key in found]

    def _likeliest(self, cells: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
        """The cells, those first in which most of a sample of the matching jobs are: they soon bound the others."""
        sample = select(WORDS.c.rowid).where(self._match()).order_by(WORDS.c.rowid.desc()).limit(SAMPLE)
        statement = select(JOBS.c.kind, JOBS.c.state).where(JOBS.c.seq.in_(sample))
        seen = Counter((row.kind, row.state) for row in self._connection.execute(statement))
        return sorted(cells, key=lambda cell: seen[cell], reverse=True)

    def _along(self, here: Filter, *done: str) -> Select[Any]:
        rows = select(JOBS.c.seq).where(here, *self._filters(self._hidden, done))
        if (
            self._window is not None
        ):  # every index ends with `seq`, so this costs no look at the jobs themselves
            of = _plain if self._order.name == "created_at" else self._hidden
            rows = rows.where(of("seq").between(*self._window))
        if self._order.name == "finished_at":
            rows = rows.where(JOBS.c.finished_at.is_not(None))
        if self._start is not None:
            rows = rows.where(self._order.after(self._start, _plain))
        return rows.order_by(*self._order.clauses(_plain))

    # filters

    def _filters(self, of: Column, done: Sequence[str]) -> list[Filter]:
        """All filters but those in `done`."""
        query = self._query
        found: list[Filter] = []
        for part, name, values in _choices(query):
            if values and part not in done:
                found.append(of(name).in_(values))
        if query.owner is not None and "owner" not in done:
            found.append(of("owner") == query.owner)
        if query.parent is not None and "parent" not in done:
            found.append(of("parent") == query.parent)
        if "size" not in done:
            found += self._sizes(of)
        found += _between(of("created_at"), query.since, query.until)
        if "finish" not in done:
            found += _between(of("finished_at"), query.finished_since, query.finished_until)
        if self._order.name == "finished_at":
            found.append(of("finished_at").is_not(None))
        if self._words and "text" not in done:
            found.append(self._matching())
        return found

    def _sizes(self, of: Column) -> list[Filter]:
        found: list[Filter] = []
        if self._query.min_size is not None:
            found.append(sized(of) >= self._query.min_size)
        if self._query.max_size is not None:
            found += [sized(of) <= self._query.max_size, sized(of) >= 0]
        return found

    def _hidden(self, name: str) -> Any:
        """A column that SQLite does not use an index for: the way was chosen here, by exact numbers."""
        return literal_column(f"+jobs.{name}", JOBS.c[name].type) if self._sqlite else JOBS.c[name]

    def _in_cells(self, cells: dict[tuple[str, str], int], *, owned: bool = False) -> Filter:
        kinds = sorted({kind for kind, _ in cells})
        states = sorted({state for _, state in cells})
        here = and_(JOBS.c.kind.in_(kinds), JOBS.c.state.in_(states))
        return and_(JOBS.c.owner == self._query.owner, here) if owned else here

    def _match(self) -> Filter:
        """Full-text match on SQLite. One letter is a word, not a beginning: it would begin half of all words."""
        match = " AND ".join(f'"{word}"' + ("*" if len(word) > 1 else "") for word in self._words)
        return literal_column("jobs_words").op("MATCH")(match)

    def _matching(self) -> Filter:
        """Whether one row of `JOBS` matches the words."""
        if not self._words:
            return false()
        if self._sqlite:  # for one row the index is slow
            both = JOBS.c.title + " " + func.coalesce(JOBS.c.error, "")
            words = case((self._hidden("state") == State.SUCCEEDED, JOBS.c.title), else_=both)
            return func.matches(pattern_of(self._words), words) == literal_column("1")
        # The same words as in the index of the migration, or it is not used.
        document: ColumnElement[Any] = literal_column(
            "to_tsvector('simple', "
            "regexp_replace(title || ' ' || coalesce(error, ''), '[^[:alnum:]]+', ' ', 'g'))"
        )
        wanted = " & ".join(word + (":*" if len(word) > 1 else "") for word in self._words)
        return document.op("@@")(func.to_tsquery(literal_column("'simple'"), wanted))


def _choices(query: Query) -> list[tuple[str, str, list[str]]]:
    """Filters that name the values they take: what they are called here, the column, the values."""
    return [
        ("cells", "kind", list(query.kinds)),
        ("cells", "state", [str(state) for state in query.states]),
        ("reasons", "reason", [str(reason) for reason in query.reasons]),
        ("categories", "category", list(query.categories)),
        ("hosts", "host", list(query.hosts)),
    ]


def _between(column: Any, since: float | None, until: float | None) -> list[Filter]:
    found: list[Filter] = []
    if since is not None:
        found.append(column >= since)
    if until is not None:
        found.append(column < until)
    return found


def _rows(connection: Connection, seqs: Sequence[int]) -> list[Any]:
    found: dict[int, Any] = {}
    for part in chunks(seqs):
        for row in connection.execute(select(JOBS).where(JOBS.c.seq.in_(part))):
            found[row.seq] = row
    return [found[seq] for seq in seqs if seq in found]


def _plain(name: str) -> Any:
    return JOBS.c[name]
