"""The values of the console in the database: one row per setting that was set."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Float, MetaData, String, Table, Text, delete, insert, select

from ferryman.accounts.sql import Records
from ferryman.db import Database

T = TypeVar("T")
_SETTINGS = Table(
    "settings",
    MetaData(),
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
    Column("changed_at", Float(53), nullable=False),
    Column("changed_by", Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A value as it is stored: JSON, perhaps damaged."""

    name: str
    text: str
    changed_at: float
    changed_by: str

    def value(self) -> Any:
        """Return what is stored. Raises `ValueError` when it is no JSON."""
        return json.loads(self.text)


class Rows:
    """The rows, within one transaction."""

    def __init__(self, conn: Connection) -> None:
        """Use the transaction of `conn`."""
        self._conn = conn

    def all(self) -> dict[str, Stored]:
        """Return every row by name."""
        found = self._conn.execute(select(_SETTINGS).order_by(_SETTINGS.c.name))
        return {row.name: Stored(row.name, row.value, row.changed_at, row.changed_by) for row in found}

    def put(self, row: Stored) -> None:
        """Store a row, in place of an earlier one."""
        self.remove(row.name)
        values = {"name": row.name, "value": row.text, "changed_at": row.changed_at}
        self._conn.execute(insert(_SETTINGS).values(**values, changed_by=row.changed_by))

    def remove(self, name: str) -> None:
        """Forget a row; nothing happens when there is none."""
        self._conn.execute(delete(_SETTINGS).where(_SETTINGS.c.name == name))


class ValueStore:
    """Runs functions on `Rows`, each in one transaction."""

    def __init__(self, db: Database) -> None:
        """Keep the rows in `db`."""
        self._db = db

    def read_now(self) -> dict[str, Stored]:
        """Return every row by name; blocks. For the start, before there is an event loop."""
        return self._db.write_now(lambda conn: Rows(conn).all())

    async def read(self) -> dict[str, Stored]:
        """Return every row by name."""
        return await self._db.read(lambda conn: Rows(conn).all())

    async def change(self, work: Callable[[Rows, Records], T]) -> T:
        """Run `work` after all other changes and with the audit log locked: what it reads is true when it writes."""

        def locked(conn: Connection) -> T:
            records = Records(conn)
            records.head(lock=True)
            return work(Rows(conn), records)

        return await self._db.write(locked)
