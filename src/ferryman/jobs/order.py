"""The orders of lists: what they sort by, and the cursors that continue in them."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, func, literal, literal_column, tuple_

from ferryman.core.errors import Invalid
from ferryman.jobs.tables import JOBS

_ORDERS: Final[dict[str, tuple[Any, ...]]] = {
    "created_at": (),
    "updated_at": (JOBS.c.updated_at,),
    "finished_at": (JOBS.c.finished_at,),
    "title": (JOBS.c.title,),
    "priority": (JOBS.c.priority, JOBS.c.position),
    "run_order": (JOBS.c.priority, JOBS.c.position),
    "size": (JOBS.c.size,),
}
SORTS: Final = tuple(_ORDERS)
"""What a list can be sorted by; each also with `-` for the other direction. `created_at` is the order of acceptance."""

UNKNOWN_SIZE: Final = -1
"""Where a job whose size is not known is in the order of size."""

Filter = ColumnElement[bool]
Column = Callable[[str], Any]


class Order:
    """The order of a list: columns, of which the last makes it total, all up or all down."""

    def __init__(self, sort: str) -> None:
        """Read `sort`. Raises `Invalid` (`sort_invalid`)."""
        columns = _ORDERS.get(sort.removeprefix("-"))
        if columns is None:
            raise Invalid(
                "sort_invalid",
                f"'{sort[:80]}' is no order of jobs.",
                advice=f"Use one of {', '.join(SORTS)}.",
            )
        self.sort = sort
        self.name = sort.removeprefix("-")
        self.down = sort.startswith("-")
        self.columns = (*columns, JOBS.c.seq)

    def keys(self, of: Column) -> list[Any]:
        """What is compared, with the columns that `of` gives."""
        return [sized(of) if key is JOBS.c.size else of(key.name) for key in self.columns]

    def clauses(self, of: Column) -> list[Any]:
        """What to put behind ORDER BY."""
        return [key.desc() if self.down else key.asc() for key in self.keys(of)]

    def after(self, values: Sequence[Any], of: Column) -> Filter:
        """The condition of what follows `values`."""
        here = tuple_(*self.keys(of))
        there = tuple_(*[literal(value, key.type) for value, key in zip(values, self.columns, strict=True)])
        return self._beyond(here < there if self.down else here > there, literal(values[0]), of)

    def before(self, of: Column) -> Filter:
        """The condition of what comes before the parameters `bound_0`, `bound_1` and so on."""
        here = tuple_(*self.keys(of))
        there = tuple_(*[bindparam(f"bound_{n}", type_=key.type) for n, key in enumerate(self.columns)])
        bound = here > there if self.down else here < there
        if self.name != "size":
            return bound
        first = bindparam("bound_0", type_=JOBS.c.size.type)
        return and_(bound, sized(of) >= first if self.down else sized(of) <= first)

    def _beyond(self, bound: Filter, first: Any, of: Column) -> Filter:
        """SQLite takes an index on an expression for a comparison of one value, not of several together."""
        if self.name != "size":
            return bound
        return and_(bound, sized(of) <= first if self.down else sized(of) >= first)

    def key(self, row: Any) -> tuple[Any, ...]:
        """Where a row is in the order."""
        values = [getattr(row, key.name) for key in self.columns]
        return tuple(UNKNOWN_SIZE if value is None else value for value in values)


def sized(of: Column) -> Any:
    """The size of a job as lists sort and compare it, spelled as in the index."""
    return func.coalesce(of("size"), literal_column(str(UNKNOWN_SIZE), JOBS.c.size.type))


def write_cursor(order: Order, row: Any) -> str:
    """An opaque cursor that continues after `row`."""
    return base64.urlsafe_b64encode(json.dumps([order.sort, *order.key(row)]).encode()).decode().rstrip("=")


def read_cursor(order: Order, cursor: str) -> list[Any]:
    """Where a cursor of this order continues. Raises `Invalid` (`cursor_invalid`)."""
    try:
        made_for, *values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        _demand(made_for == order.sort and len(values) == len(order.columns))
        for value, key in zip(values, order.columns, strict=True):
            _check(value, key)
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise Invalid(
            "cursor_invalid",
            f"'{cursor[:80]!a}' is no cursor of this list.",
            advice="Take next_cursor of the page before, with the same sort.",
        ) from error
    return list(values)


def _check(value: Any, key: Any) -> None:
    python = key.type.python_type
    _demand(not isinstance(value, bool))
    _demand(isinstance(value, str) if python is str else isinstance(value, int | float))
    if python is int:
        _demand(isinstance(value, int) and abs(value) < 1 << 63)
    elif python is float:
        _demand(abs(value) < 1e18)
    else:
        value.encode()


def _demand(good: bool) -> None:
    if not good:
        raise ValueError("not of this list")
