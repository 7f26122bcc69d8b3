"""Saved filters in the database: statements, each change one transaction."""

from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Float,
    MetaData,
    Row,
    String,
    Table,
    delete,
    func,
    insert,
    select,
)

from ferryman.db import Database
from ferryman.db.values import clean
from ferryman.downloads.history.model import SavedFilter

_FILTERS = Table(
    "saved_filters",
    MetaData(),
    Column("id", String(36), primary_key=True),
    Column("owner", String(100), nullable=False),
    Column("name", String(80), nullable=False),
    Column("query", JSON, nullable=False),
    Column("created_at", Float(53), nullable=False),
)


class FilterStore:
    """Filters people saved. Every method is one transaction, safe to call concurrently."""

    def __init__(self, db: Database) -> None:
        """Keep the table in `db`."""
        self._db = db

    async def all(self, owner: str) -> list[SavedFilter]:
        """Return the filters of `owner` by name."""
        query = select(_FILTERS).where(_FILTERS.c.owner == owner).order_by(_FILTERS.c.name, _FILTERS.c.id)
        return await self._db.read(lambda conn: [_filter(row) for row in conn.execute(query)])

    async def save(self, saved: SavedFilter, most: int) -> bool:
        """Keep a filter in place of the owner's one with the same name; False when there would be more than `most`."""
        mine = _FILTERS.c.owner == saved.owner
        values = {
            "id": saved.id, "owner": saved.owner, "name": clean(saved.name),
            "query": saved.query, "created_at": saved.created_at,
        }  # fmt: skip

        def work(conn: Connection) -> bool:
            conn.execute(delete(_FILTERS).where(mine, _FILTERS.c.name == clean(saved.name)))
            number = conn.execute(select(func.count()).select_from(_FILTERS).where(mine)).scalar_one()
            if number < most:
                conn.execute(insert(_FILTERS).values(values))
            return bool(number < most)

        return await self._db.write(work)

    async def remove(self, owner: str, filter_id: str) -> bool:
        """Remove a filter of `owner`; False when there is none with this id."""
        query = delete(_FILTERS).where(_FILTERS.c.owner == owner, _FILTERS.c.id == clean(filter_id))
        return await self._db.write(lambda conn: conn.execute(query).rowcount > 0)


def _filter(row: Row[Any]) -> SavedFilter:
    return SavedFilter(row.id, row.owner, row.name, row.query, row.created_at)
