"""Hooks in the database, and up to where the ledger's events were heard."""

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from ferryman.db import Database
from ferryman.db.values import clean
from ferryman.downloads.hooks.model import Hook, HookKept

_META = MetaData()
_HOOKS = Table(
    "download_hooks",
    _META,
    Column("id", String(36), primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("body", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
)
_CURSOR = Table(
    "download_hook_cursor",
    _META,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("event", BigInteger, nullable=False),
)


class HookStore:
    """The hooks by name. Every method is one transaction, safe to call concurrently."""

    def __init__(self, db: Database) -> None:
        """Keep the tables in `db`."""
        self._db = db

    async def all(self) -> list[Hook]:
        """Return all hooks by name."""
        return await self._db.read(
            lambda conn: [_hook(row) for row in conn.execute(select(_HOOKS).order_by(_HOOKS.c.name))]
        )

    async def add(self, hook: Hook, most: int) -> str:
        """Insert a hook; return what was in the way: `name`, `full` or nothing."""

        def work(conn: Connection) -> str:
            if conn.execute(select(func.count()).select_from(_HOOKS)).scalar_one() >= most:
                return "full"
            if conn.execute(select(_HOOKS.c.id).where(_HOOKS.c.name == hook.kept.name)).first():
                return "name"
            conn.execute(insert(_HOOKS).values(_values(hook)))
            return ""

        try:
            return await self._db.write(work)
        except IntegrityError:
            return "name"

    async def change(self, hook: Hook) -> str:
        """Replace a hook; return what was in the way: `name`, `gone` or nothing."""

        def work(conn: Connection) -> str:
            same = select(_HOOKS.c.id).where(_HOOKS.c.name == hook.kept.name, _HOOKS.c.id != hook.id)
            if conn.execute(same).first():
                return "name"
            query = update(_HOOKS).where(_HOOKS.c.id == clean(hook.id)).values(_values(hook))
            return "" if conn.execute(query).rowcount else "gone"

        try:
            return await self._db.write(work)
        except IntegrityError:
            return "name"

    async def remove(self, hook_id: str) -> bool:
        """Delete a hook; False when there is none with this id."""
        query = delete(_HOOKS).where(_HOOKS.c.id == clean(hook_id))
        return await self._db.write(lambda conn: conn.execute(query).rowcount > 0)

    async def cursor(self) -> int | None:
        """Return the last event of the ledger that was heard; None when none ever was."""
        return await self._db.read(lambda conn: conn.execute(select(_CURSOR.c.event)).scalar())

    async def set_cursor(self, event: int) -> None:
        """Note the last event that was heard."""

        def work(conn: Connection) -> None:
            if not conn.execute(update(_CURSOR).values(event=event)).rowcount:
                conn.execute(insert(_CURSOR).values(id=1, event=event))

        await self._db.write(work)


def _hook(row: Row[Any]) -> Hook:
    return Hook(
        row.id, HookKept.model_validate(json.loads(row.body)), row.sealed, row.created_at, row.updated_at
    )


def _values(hook: Hook) -> dict[str, Any]:
    return {
        "id": hook.id,
        "name": hook.kept.name,
        "body": hook.kept.model_dump_json(),
        "sealed": hook.sealed,
        "created_at": hook.created_at,
        "updated_at": hook.updated_at,
    }
