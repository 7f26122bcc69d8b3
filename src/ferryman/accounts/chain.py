"""The hash chain of the audit log: each row's hash covers its content and the hash before it. Pure."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

GENESIS: Final = "0" * 64
"""The hash that comes before the first row."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One thing somebody did. `detail` is canonical JSON text; `at` is UNIX seconds.

    `via` is how the actor came (`session`, `token:ci`, `local`, `system`); `action` reads `area.verb`.
    """

    id: int
    at: float
    actor: str
    via: str
    action: str
    target: str
    detail: str
    prev: str
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain, kept apart from the rows so that rows missing at the end are noticed."""

    last_id: int
    hash: str


def canonical(detail: dict[str, Any]) -> str:
    """Return `detail` as JSON that is the same text for the same content: sorted keys, no spaces, ASCII."""
    return json.dumps(detail, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)


def clean(text: str, limit: int = 500) -> str:
    """Return `text` as every database stores it and gives it back: no NUL, no lone surrogates, bounded length."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")[:limit]


def row_hash(row: AuditRow) -> str:
    """Return the SHA-256 that belongs to `row`: over the hash before it and all its content."""
    content = canonical(
        {
            "id": row.id,
            "at": row.at,
            "actor": row.actor,
            "via": row.via,
            "action": row.action,
            "target": row.target,
            "detail": row.detail,
        }
    )
    return hashlib.sha256(f"{row.prev}\n{content}".encode()).hexdigest()


def linked(head: Head, *, at: float, actor: str, via: str, action: str, target: str, detail: str) -> AuditRow:
    """Return the row that follows `head`, with its hash."""
    bare = AuditRow(
        id=head.last_id + 1,
        at=at,
        actor=clean(actor),
        via=clean(via),
        action=clean(action),
        target=clean(target),
        detail=detail,
        prev=head.hash,
        hash="",
    )
    return replace(bare, hash=row_hash(bare))


def first_broken(rows: Iterable[AuditRow], after: Head) -> tuple[Head, int | None]:
    """Follow the chain from `after` through `rows` (ascending ids).

    Returns the last good place and the id of the first row that is changed, missing or out of order, or None.
    """
    head = after
    for row in rows:
        expected = head.last_id + 1
        if row.id != expected or row.prev != head.hash or row.hash != row_hash(row):
            return head, expected
        head = Head(row.id, row.hash)
    return head, None
