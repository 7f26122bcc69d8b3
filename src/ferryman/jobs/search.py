"""From a `Query` to SQL: filters, orders and cursors. Pure: it makes expressions and touches no database."""

import base64
import binascii
import json
import re
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, literal_column, or_, text

from ferryman.core.errors import Invalid
from ferryman.core.ids import is_id
from ferryman.jobs.model import Query
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


def condition(query: Query, *, sqlite: bool) -> list[ColumnElement[bool]]:
    """The filters of a query."""
    where: list[ColumnElement[bool]] = []
    if query.kinds:
        where.append(JOBS.c.kind.in_(query.kinds))
    if query.states:
        where.append(JOBS.c.state.in_(query.states))
    if query.reasons:
        where.append(JOBS.c.reason.in_(query.reasons))
    if query.owner is not None:
        where.append(JOBS.c.owner == query.owner)
    if query.parent is not None:
        where.append(JOBS.c.parent == query.parent)
    if query.since is not None:
        where.append(JOBS.c.created_at >= query.since)
    if query.until is not None:
        where.append(JOBS.c.created_at < query.until)
    if query.sort.removeprefix("-") == "finished_at":
        where.append(JOBS.c.finished_at.is_not(None))
    if query.text.strip():
        where.append(_words(query.text, sqlite=sqlite))
    return where


def words_of(search: str) -> list[str]:
    """The words of a search, without anything a query language could mean; at most 16 count."""
    return re.findall(r"[^\W_]+", search.lower())[:16]


def _words(search: str, *, sqlite: bool) -> ColumnElement[bool]:
    if is_id(search.strip().lower()):
        return JOBS.c.id == search.strip().lower()
    words = words_of(search)
    if not words:
        return false()
    if sqlite:
        match = " AND ".join(f'"{word}"*' for word in words)
        inner = text("seq IN (SELECT rowid FROM jobs_words WHERE jobs_words MATCH :match)").bindparams(
            match=match
        )
        return and_(inner)
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
    parts = []
    for index, (column, down) in enumerate(keys):
        same = [keys[before][0] == values[before] for before in range(index)]
        parts.append(and_(*same, column < values[index] if down else column > values[index]))
    return or_(*parts)


def _check(value: Any, column: Any) -> None:
    python = column.type.python_type
    if isinstance(value, bool) or not isinstance(value, (int, float) if python is not str else str):
        raise TypeError(value)
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise ValueError(value)


def _check_form(good: bool) -> None:
    if not good:
        raise ValueError("another list")
