"""From a `Query` to SQL: filters, orders and cursors. Pure: it makes expressions and touches no database."""

import base64
import binascii
import json
import re
from typing import Any

from sqlalchemy import (
    ColumnElement,
    String,
    TextClause,
    and_,
    false,
    func,
    literal_column,
    select,
    text,
    tuple_,
)

from ferryman.core.errors import Invalid
from ferryman.core.ids import is_id
from ferryman.jobs.model import TERMINAL, Query
from ferryman.jobs.tables import JOBS

_ORDERS: dict[str, tuple[Any, ...]] = {
    "created_at": (),
    "updated_at": (JOBS.c.updated_at,),
    "finished_at": (JOBS.c.finished_at,),
    "title": (JOBS.c.title,),
    "priority": (JOBS.c.priority, JOBS.c.position),
    "run_order": (JOBS.c.priority, JOBS.c.position),
}
SORTS = tuple(_ORDERS)
"""What a list can be sorted by; each also with `-` for the other direction."""

FEW = 3000
"""Matches of a search up to which they are collected first; beyond, the list is walked in its order and filtered."""
_MARGIN = 60.0

Key = tuple[Any, bool]


def order(sort: str) -> list[Key]:
    """Columns to order by and whether each goes down; the last one makes it total. Raises `Invalid`."""
    down = sort.startswith("-")
    columns = _ORDERS.get(sort.removeprefix("-"))
    if columns is None:
        raise Invalid(
            "sort_invalid", f"'{sort[:80]}' is no order of jobs.", advice=f"Use one of {', '.join(SORTS)}."
        )
    return [(column, down) for column in (*columns, JOBS.c.seq)]


def condition(query: Query, *, sqlite: bool, few: bool = True) -> list[ColumnElement[bool]]:
    """The filters of a query; `few` says that a search finds few jobs (see `is_rare`).

    On SQLite a list in another order than that of arrival walks the index of its order: filters are kept from
    offering their own index by a unary plus, or SQLite would sort all that they let through.
    """
    walks = sqlite and query.sort.removeprefix("-") != "created_at"
    where: list[ColumnElement[bool]] = []
    if query.kinds:
        where.append(_column("kind", walks=walks).in_(query.kinds))
    if query.states and not _is_implied(query):
        walks_states = walks and len(query.states) > 1
        where.append(_column("state", walks=walks_states).in_(query.states))
    if query.reasons:
        where.append(_column("reason", walks=walks).in_(query.reasons))
    if query.owner is not None:
        where.append(JOBS.c.owner == query.owner)
    if query.parent is not None:
        where.append(JOBS.c.parent == query.parent)
    where += _times(query)
    if query.sort.removeprefix("-") == "finished_at":
        where.append(JOBS.c.finished_at.is_not(None))
    if query.text.strip():
        where.append(_words(query.text, sqlite=sqlite, few=few))
    return where


def _is_implied(query: Query) -> bool:
    """Only ended jobs have a time when they ended."""
    return query.sort.removeprefix("-") == "finished_at" and set(query.states) >= TERMINAL


def _column(name: str, *, walks: bool) -> ColumnElement[Any]:
    return literal_column(f"+jobs.{name}", String) if walks else JOBS.c[name]


def _times(query: Query) -> list[ColumnElement[bool]]:
    """Limits of the time of arrival, and what follows from them for the order of arrival, which has the index.

    Rows of one moment may have been numbered in another order by several writers, hence the margin.
    """
    where: list[ColumnElement[bool]] = []
    at, seq = JOBS.c.created_at, JOBS.c.seq
    if query.since is not None:
        first = select(seq).where(at >= query.since - _MARGIN).order_by(at, seq).limit(1).scalar_subquery()
        where += [at >= query.since, seq >= first]
    if query.until is not None:
        last = select(seq).where(at < query.until + _MARGIN).order_by(at.desc(), seq.desc()).limit(1)
        where += [at < query.until, seq <= last.scalar_subquery()]
    return where


def rare_matches(query: Query) -> TextClause | None:
    """Count the matches of a search on SQLite, at most `FEW` + 1; `None` when there is nothing to search for."""
    words = words_of(query.text)
    if not words or is_id(query.text.strip().lower()):
        return None
    return text(
        f"SELECT count(*) FROM (SELECT rowid FROM jobs_words WHERE jobs_words MATCH :match LIMIT {FEW + 1})"  # noqa: S608 - a constant
    ).bindparams(match=_match(words))


def has_words(title: str | None, error: str | None, wanted: str) -> bool:
    """Tell whether each of the `wanted` words begins a word of the title or the error: the index, for one row."""
    found = words_of(f"{title or ''} {error or ''}", most=None)
    return all(any(word.startswith(want) for word in found) for want in wanted.split(" "))


def words_of(search: str, most: int | None = 16) -> list[str]:
    """The words of a text, without anything a query language could mean; at most `most` count."""
    return re.findall(r"[^\W_]+", search.lower())[:most]


def _match(words: list[str]) -> str:
    return " AND ".join(f'"{word}"*' for word in words)


def _words(search: str, *, sqlite: bool, few: bool) -> ColumnElement[bool]:
    if is_id(search.strip().lower()):
        return JOBS.c.id == search.strip().lower()
    words = words_of(search)
    if not words:
        return false()
    if sqlite and few:
        inner = text("jobs.seq IN (SELECT rowid FROM jobs_words WHERE jobs_words MATCH :match)")
        return and_(inner.bindparams(match=_match(words)))
    if sqlite:
        return and_(text("has_words(jobs.title, jobs.error, :wanted)").bindparams(wanted=" ".join(words)))
    # The same words as in the index of the migration, or it is not used.
    document: ColumnElement[Any] = literal_column(
        "to_tsvector('simple', "
        "regexp_replace(title || ' ' || coalesce(error, ''), '[^[:alnum:]]+', ' ', 'g'))"
    )
    wanted = func.to_tsquery(literal_column("'simple'"), " & ".join(f"{word}:*" for word in words))
    return document.op("@@")(wanted)


def write_cursor(row: Any, sort: str, keys: list[Key]) -> str:
    """An opaque cursor that continues after `row`."""
    values = [getattr(row, column.name) for column, _ in keys]
    return base64.urlsafe_b64encode(json.dumps([sort, *values]).encode()).decode().rstrip("=")


def read_cursor(cursor: str, sort: str, keys: list[Key]) -> ColumnElement[bool]:
    """The condition of what follows a cursor. Raises `Invalid` (`cursor_invalid`)."""
    try:
        made_for, *values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        _check_form(made_for == sort and len(values) == len(keys))
        for value, (column, _) in zip(values, keys, strict=True):
            _check(value, column)
    except (ValueError, TypeError, binascii.Error, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(
            "cursor_invalid",
            f"'{cursor[:80]}' is no cursor of this list.",
            advice="Take next_cursor of the page before, with the same sort.",
        ) from error
    columns, bounds = tuple_(*(column for column, _ in keys)), tuple_(*values)
    return columns < bounds if keys[0][1] else columns > bounds


def _check(value: Any, column: Any) -> None:
    python = column.type.python_type
    if isinstance(value, bool) or not isinstance(value, (int, float) if python is not str else str):
        raise TypeError(value)
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise ValueError(value)


def _check_form(good: bool) -> None:
    if not good:
        raise ValueError("another list")
