"""What a query demands of one job, as conditions of SQL."""

import re
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Select,
    and_,
    case,
    cast,
    false,
    func,
    literal_column,
    or_,
    select,
)

from ferryman.core.ids import is_id
from ferryman.db.values import fold
from ferryman.jobs.model import Query, State
from ferryman.jobs.order import Column, Filter, sized
from ferryman.jobs.tables import JOBS, WORDS

MOST_WORDS: Final = 16
"""Words of a search that count."""
MOST_LIKE: Final = 100
"""Letters of a word that are looked for before it is looked at."""


def words_of(search: str) -> list[str]:
    """The words of a search, without anything a query language could mean."""
    return re.findall(r"[^\W_]+", search.lower())[:MOST_WORDS]


def pattern_of(words: Sequence[str]) -> str:
    """What `db.values.matches` takes to find the same rows as the full-text index."""
    whole = r"(?![^\W_])"
    parts = [rf"(?=.*(?<![^\W_]){fold(word)}{whole if len(word) == 1 else ''})" for word in words]
    return "".join(parts)


class Conditions:
    """The filters of one query. Each has a name, so that the one a way of finding stands for can be left out."""

    def __init__(self, query: Query, *, sqlite: bool) -> None:
        """Read the filters of `query`."""
        self.query = query
        self.words = words_of(query.text)
        self.id = query.text.strip().lower() if is_id(query.text.strip().lower()) else None
        self.impossible = bool(query.text.strip()) and not self.words
        self._sqlite = sqlite

    def rows(self, of: Column, done: Sequence[str]) -> list[Filter]:
        """All filters but those in `done` and the words, on the columns that `of` gives."""
        query = self.query
        found: list[Filter] = []
        for part, name, values in self.choices():
            if values and part not in done:
                found.append(of(name).in_(values))
        if query.owner is not None and "owner" not in done:
            found.append(of("owner") == query.owner)
        if query.parent is not None and "parent" not in done:
            found.append(of("parent") == query.parent)
        if "size" not in done:
            found += self.sizes(of)
        found += between(of("created_at"), query.since, query.until)
        if "finish" not in done:
            found += self.finishes(of)
        return found

    def choices(self) -> list[tuple[str, str, list[str]]]:
        """Filters that name the values they take: what they are called here, the column, the values."""
        query = self.query
        return [
            ("cells", "kind", list(query.kinds)),
            ("cells", "state", [str(state) for state in query.states]),
            ("reasons", "reason", [str(reason) for reason in query.reasons]),
            ("categories", "category", list(query.categories)),
            ("hosts", "host", list(query.hosts)),
        ]

    def narrow(self) -> list[tuple[str, str, list[str]]]:
        """Filters whose values have an index of their own in the order of acceptance."""
        parent = [] if self.query.parent is None else [self.query.parent]
        found = [("parent", "parent", parent), *self.choices()]
        return [item for item in found if item[0] != "cells" and item[2]]

    def sizes(self, of: Column) -> list[Filter]:
        """The filter by size."""
        found: list[Filter] = []
        if self.query.min_size is not None:
            found.append(sized(of) >= self.query.min_size)
        if self.query.max_size is not None:
            found += [sized(of) <= self.query.max_size, sized(of) >= 0]
        return found

    def finishes(self, of: Column) -> list[Filter]:
        """The filter by the time of the end."""
        return between(of("finished_at"), self.query.finished_since, self.query.finished_until)

    def found(self) -> Select[Any]:
        """SQLite: the rows whose words match, by `rowid`."""
        return select(WORDS.c.rowid).where(self.match())

    def match(self) -> Filter:
        """Full-text match on SQLite. One letter is a word, not a beginning: it would begin half of all words."""
        match = " AND ".join(f'"{word}"' + ("*" if len(word) > 1 else "") for word in self.words)
        return literal_column("jobs_words").op("MATCH")(match)

    def matching(self, of: Column) -> Filter:
        """Whether one row of `JOBS` has the words."""
        if not self.words:
            return false()
        if self._sqlite:  # for one row the index is slow
            both = of("title") + " " + func.coalesce(of("error"), "")
            return self.spelled(case((of("state") == State.SUCCEEDED, of("title")), else_=both))
        # The same words as in the index of the migration, or it is not used.
        document: ColumnElement[Any] = literal_column(
            "to_tsvector('simple', "
            "regexp_replace(title || ' ' || coalesce(error, ''), '[^[:alnum:]]+', ' ', 'g'))"
        )
        wanted = " & ".join(word + (":*" if len(word) > 1 else "") for word in self.words)
        return document.op("@@")(func.to_tsquery(literal_column("'simple'"), wanted))

    def spelled(self, text: Any) -> Filter:
        """SQLite: whether `text` has the words."""
        return and_(
            _like(text, self.words), func.matches(pattern_of(self.words), text) == literal_column("1")
        )


def _like(text: Any, words: Sequence[str]) -> Filter:
    """Whether ASCII text has what the words begin with, or the text is not ASCII: told without Python, and seldom wrong."""
    folded = [fold(word)[:MOST_LIKE] for word in words]
    other: Filter = func.length(text) != func.length(cast(text, LargeBinary))
    if not all(word.isascii() for word in folded):
        return other
    return or_(and_(*[text.like(f"%{word}%") for word in folded]), other)


def between(column: Any, since: float | None, until: float | None) -> list[Filter]:
    """The filters of a time from `since` on, before `until`."""
    found: list[Filter] = []
    if since is not None:
        found.append(column >= since)
    if until is not None:
        found.append(column < until)
    return found


def any_of(column: Any, values: Sequence[str]) -> Filter:
    """Whether a column has one of `values`."""
    found: Filter = column == values[0] if len(values) == 1 else column.in_(values)
    return found


def in_cells(cells: Sequence[tuple[str, str]], source: Any = JOBS) -> Filter:
    """Whether a row is of one of these kinds and one of these states, as indexes like it."""
    kinds = sorted({kind for kind, _ in cells})
    states = sorted({state for _, state in cells})
    return and_(source.c.kind.in_(kinds), source.c.state.in_(states))
