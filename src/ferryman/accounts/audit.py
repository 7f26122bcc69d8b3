"""The audit log: who did what to what, in a chain that shows tampering."""

import json
from dataclasses import dataclass
from typing import Any

from ferryman.accounts.chain import GENESIS, AuditRow, Head, canonical, first_broken, linked
from ferryman.accounts.model import Principal
from ferryman.accounts.sql import AccountStore, Records
from ferryman.core.clock import Clock, rfc3339
from ferryman.core.secrets import mask
from ferryman.db import Database

_BATCH = 2000


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which rows: exact actor and target; `action` exact or an area such as `user`; times in UNIX seconds."""

    actor: str = ""
    action: str = ""
    target: str = ""
    since: float | None = None
    until: float | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Rows, the newest first; `next_before` is the `before` of the next page, None on the last."""

    items: tuple[AuditRow, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class Inspection:
    """What following the whole chain found.

    `checked` rows are good; `broken` is the id of the first row that is changed, missing or out of order.
    `head` is the hash of the last good row: written down elsewhere, it proves later that nothing before it changed.
    """

    checked: int
    head: str
    broken: int | None


class Audit:
    """Appends to and reads the audit log. Safe to use from many tasks and processes at once."""

    def __init__(self, db: Database, clock: Clock) -> None:
        """Keep the log in `db`; rows carry the time of `clock`."""
        self._store = AccountStore(db)
        self._clock = clock

    async def record(
        self, actor: Principal | str, action: str, target: str, detail: dict[str, Any] | None = None
    ) -> AuditRow:
        """Append one row, durable when this returns. Secrets that can be recognised in `detail` are masked."""
        return await self._store.change(lambda records: self.append(records, actor, action, target, detail))

    def within(
        self,
        connection: Any,
        actor: Principal | str,
        action: str,
        target: str,
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Append one row within the transaction of another room, as its last deed: both stand or fall together.

        Until that transaction ends, whoever changes an account waits.
        """
        records = Records(connection)
        records.head(lock=True)
        self.append(records, actor, action, target, detail)

    def append(
        self,
        records: Records,
        actor: Principal | str,
        action: str,
        target: str,
        detail: dict[str, Any] | None = None,
    ) -> AuditRow:
        """Append one row within a locked change, so that the deed and its record stand or fall together."""
        name, via = (actor, "system") if isinstance(actor, str) else (actor.name, actor.via)
        text = canonical(_masked(detail or {}))
        row = linked(
            records.head(),
            at=self._clock.now(),
            actor=name,
            via=via,
            action=action,
            target=mask(target),
            detail=text,
        )
        records.append_audit(row)
        return row

    async def list(self, query: AuditQuery | None = None) -> AuditPage:
        """Return one page of rows, the newest first; `limit` is held between 1 and 500."""
        asked = query or AuditQuery()
        limit = max(1, min(asked.limit, 500))
        rows = await self._store.read(
            lambda records: records.audit_page(
                actor=asked.actor,
                action=asked.action,
                target=asked.target,
                since=asked.since,
                until=asked.until,
                before=asked.before,
                limit=limit + 1,
            )
        )
        more = len(rows) > limit
        return AuditPage(tuple(rows[:limit]), rows[limit - 1].id if more else None)

    async def inspect(self) -> Inspection:
        """Follow the whole chain. Rows appended meanwhile are not looked at."""
        end = await self._store.read(lambda records: records.head())
        place = Head(0, GENESIS)
        while place.last_id < end.last_id:
            rows = await self._rows(place.last_id, end.last_id)
            place, broken = first_broken(rows, place)
            if broken is None and not rows:
                broken = place.last_id + 1
            if broken is not None:
                return Inspection(place.last_id, place.hash, broken)
        if place.hash != end.hash:
            return Inspection(place.last_id, place.hash, place.last_id)
        stray = await self._store.read(lambda records: _stray(records, end))
        return Inspection(end.last_id, end.hash, end.last_id + 1 if stray else None)

    async def verify(self) -> int | None:
        """Return the id of the first row that is changed, missing or out of order; None when all is well."""
        return (await self.inspect()).broken

    async def hash_of(self, row_id: int) -> str | None:
        """Return the hash of one row, to compare with one kept elsewhere; None when there is no such row."""
        rows = await self._rows(row_id - 1, row_id)
        return rows[0].hash if rows else None

    async def _rows(self, after: int, up_to: int) -> tuple[AuditRow, ...]:
        return await self._store.read(lambda records: tuple(records.audit_after(after, up_to, _BATCH)))


def audit_row_to_dict(row: AuditRow) -> dict[str, Any]:
    """Return the row as plain values; the time is RFC 3339."""
    return {
        "id": row.id,
        "at": rfc3339(row.at),
        "actor": row.actor,
        "via": row.via,
        "action": row.action,
        "target": row.target,
        "detail": json.loads(row.detail),
        "hash": row.hash,
    }


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    return mask(value) if isinstance(value, str) else value


def _stray(records: Records, end: Head) -> bool:
    """Tell whether rows follow the end of the chain: it was set back, or rows were put in past it."""
    return records.head() == end and bool(records.audit_after(end.last_id, 2**31 - 1, 1))
