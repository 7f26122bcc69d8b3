"""Statements that list blobs for people: searched, in several orders, in pages."""

from typing import Any, Final

from sqlalchemy import Connection, and_, or_, select

from ferryman.core.errors import Invalid
from ferryman.depot.model import Blob
from ferryman.depot.tables import BLOBS, blob_of

_ORDERS: Final = {"digest": BLOBS.c.digest, "size": BLOBS.c.size, "created": BLOBS.c.created_at}
SORTS: Final = ("digest", "size", "-size", "created", "-created")


def find(
    connection: Connection, text: str, sort: str, cursor: str, limit: int
) -> tuple[list[Blob], str | None]:
    """Return a page of blobs whose digest or origin has `text`, and the cursor of the next one.

    Raises `Invalid` (`sort_invalid`, `cursor_invalid`).
    """
    if sort not in SORTS:
        raise Invalid(
            "sort_invalid", f"'{sort[:40]}' is no order of blobs.", advice=f"Use one of {', '.join(SORTS)}."
        )
    falling, column = sort.startswith("-"), _ORDERS[sort.lstrip("-")]
    statement = select(BLOBS)
    if text:
        wanted = text.strip()
        statement = statement.where(
            or_(
                BLOBS.c.digest.contains(wanted.lower(), autoescape=True),
                BLOBS.c.origin_source.contains(wanted, autoescape=True),
            )
        )
    if cursor:
        statement = statement.where(_behind(column, falling, *_read(cursor)))
    orders = (column.desc(), BLOBS.c.digest.desc()) if falling else (column, BLOBS.c.digest)
    rows = connection.execute(statement.order_by(*orders).limit(limit + 1)).all()
    found = [blob_of(row) for row in rows[:limit]]
    return found, _cursor(sort, found[-1]) if len(rows) > limit else None


def _behind(column: Any, falling: bool, value: float, digest: str) -> Any:
    if column is BLOBS.c.digest:
        return column > digest
    if falling:
        return or_(column < value, and_(column == value, BLOBS.c.digest < digest))
    return or_(column > value, and_(column == value, BLOBS.c.digest > digest))


def _cursor(sort: str, last: Blob) -> str:
    value = last.created_at if "created" in sort else last.size
    return f"{value!r}|{last.digest}"


def _read(cursor: str) -> tuple[float, str]:
    value, _, digest = cursor.partition("|")
    try:
        return float(value), digest
    except ValueError as error:
        raise Invalid(
            "cursor_invalid",
            f"'{cursor[:80]}' is not a cursor of this list.",
            advice="Send next_cursor of the page before, with the same order.",
        ) from error
