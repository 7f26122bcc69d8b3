"""Rules in the database: statements, each change one transaction."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
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

from ferryman.db import Database
from ferryman.db.values import clean
from ferryman.downloads.rules.model import Rule, RuleBody

_META = MetaData()
_RULES = Table(
    "download_rules",
    _META,
    Column("id", String(36), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
)


class RuleStore:
    """The rules in their order. Every method is one transaction, safe to call concurrently."""

    def __init__(self, db: Database) -> None:
        """Keep the table in `db`."""
        self._db = db

    async def all(self) -> list[Rule]:
        """Return all rules in order."""
        return await self._db.read(_all)

    async def add(self, rules: Sequence[Rule], most: int) -> bool:
        """Append `rules`; False when there would be more than `most`, and then none is."""

        def work(conn: Connection) -> bool:
            count, last = conn.execute(select(func.count(), func.max(_RULES.c.position))).one()
            if count + len(rules) > most:
                return False
            for place, rule in enumerate(rules, (last if last is not None else -1) + 1):
                conn.execute(insert(_RULES).values({**_values(rule), "position": place}))
            return True

        return await self._db.write(work)

    async def replace_all(self, rules: Sequence[Rule]) -> None:
        """Put `rules` in place of all."""

        def work(conn: Connection) -> None:
            conn.execute(delete(_RULES))
            for place, rule in enumerate(rules):
                conn.execute(insert(_RULES).values({**_values(rule), "position": place}))

        await self._db.write(work)

    async def change(self, rule_id: str, body: RuleBody, now: float) -> bool:
        """Replace the content of a rule; False when there is none with this id."""
        values = {"body": body.model_dump_json(), "updated_at": now}
        query = update(_RULES).where(_RULES.c.id == clean(rule_id)).values(values)
        return await self._db.write(lambda conn: conn.execute(query).rowcount > 0)

    async def remove(self, rule_id: str) -> bool:
        """Delete a rule; False when there is none with this id."""
        query = delete(_RULES).where(_RULES.c.id == clean(rule_id))
        return await self._db.write(lambda conn: conn.execute(query).rowcount > 0)

    async def order(self, ids: Sequence[str]) -> bool:
        """Put the rules in this order; False, and nothing changed, unless `ids` are exactly those that are there."""

        def work(conn: Connection) -> bool:
            known = {row.id for row in conn.execute(select(_RULES.c.id))}
            if len(ids) != len(known) or known != set(ids):
                return False
            for place, rule_id in enumerate(ids):
                conn.execute(update(_RULES).where(_RULES.c.id == rule_id).values(position=place))
            return True

        return await self._db.write(work)


def _all(conn: Connection) -> list[Rule]:
    return [_rule(row) for row in conn.execute(select(_RULES).order_by(_RULES.c.position, _RULES.c.id))]


def _rule(row: Row[Any]) -> Rule:
    return Rule(row.id, RuleBody.model_validate(json.loads(row.body)), row.created_at, row.updated_at)


def _values(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "body": rule.body.model_dump_json(),
        "created_at": rule.created_at,
        "updated_at": rule.updated_at,
    }
