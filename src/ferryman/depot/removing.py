"""Statements that take references away, and keep what it takes to put them back."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, select

from ferryman.core.digests import Digest
from ferryman.core.errors import Conflict
from ferryman.core.ids import new_id
from ferryman.depot import references
from ferryman.depot.model import Expect, Origin
from ferryman.depot.tables import BLOBS, EDGES, LINKS, MANIFESTS, PINS, REMOVED, TAGS, add, chunks, upsert


@dataclass(frozen=True, slots=True)
class Removing:
    """One act of taking away: `id` names what goes together, so that it can come back together."""

    id: str
    origin: Origin
    now: float


def untag(
    connection: Connection,
    repository: str,
    name: str,
    origin: Origin,
    now: float,
    expect: Expect | None = None,
) -> Digest:
    """Take a tag away. Raises `NotFound` (`manifest_unknown`), `Conflict` (`pinned`, `precondition_failed`)."""
    at = and_(TAGS.c.repository == repository, TAGS.c.tag == name)
    digest = connection.execute(select(TAGS.c.digest).where(at).with_for_update()).scalar()
    if digest is None:
        raise references.unknown_manifest(repository, name)
    references.refuse_unexpected(expect, f"{repository}:{name}", digest)
    refuse_pinned(connection, repository, [name], [])
    drop_tags(connection, repository, [name], Removing(new_id(now), origin, now))
    add(connection, "generation", 1)
    return Digest.parse(digest)


def drop_tags(connection: Connection, repository: str, tags: list[str], removing: Removing) -> None:
    """Take tags away."""
    for tag in tags:
        at = and_(TAGS.c.repository == repository, TAGS.c.tag == tag)
        if connection.execute(delete(TAGS).where(at)).rowcount:
            references.note(
                connection, repository, tag, None, removing.origin, removing.now, removal=removing.id
            )


def drop_manifests(connection: Connection, repository: str, digests: list[str], removing: Removing) -> int:
    """Take manifests out of a repository, with the links of blobs that nothing in it names any more."""
    dropped = 0
    for digest in digests:
        here = and_(MANIFESTS.c.repository == repository, MANIFESTS.c.digest == digest)
        _remember(connection, here, removing)
        dropped += connection.execute(delete(MANIFESTS).where(here)).rowcount
    for digest in digests:
        others = (
            select(EDGES.c.parent)
            .join(MANIFESTS, and_(MANIFESTS.c.digest == EDGES.c.parent, MANIFESTS.c.repository == repository))
            .where(EDGES.c.child == LINKS.c.digest)
        )
        named = select(EDGES.c.child).where(EDGES.c.parent == digest)
        connection.execute(
            delete(LINKS).where(LINKS.c.repository == repository, LINKS.c.digest.in_(named), ~others.exists())
        )
    return dropped


def _remember(connection: Connection, here: Any, removing: Removing) -> None:
    """Keep the row of a manifest for those who want it back."""
    row = connection.execute(select(MANIFESTS).where(here)).mappings().first()
    if row is None:
        return
    kept = {
        **row,
        "removal": removing.id,
        "removed_at": removing.now,
        "lacked": len(lacking(connection, [row["digest"]])),
    }
    changing = {name: value for name, value in kept.items() if name not in ("repository", "digest")}
    statement = upsert(connection, REMOVED)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["repository", "digest"], set_=changing), kept
    )


def lacking(connection: Connection, manifests: list[str]) -> list[str]:
    """Return the blobs that manifests name and that are not there."""
    found: set[str] = set()
    for part in chunks(manifests):
        statement = (
            select(EDGES.c.child)
            .outerjoin(BLOBS, BLOBS.c.digest == EDGES.c.child)
            .where(EDGES.c.parent.in_(part), ~EDGES.c.is_manifest, BLOBS.c.digest.is_(None))
        )
        found |= set(connection.execute(statement).scalars())
    return sorted(found)


def refuse_pinned(connection: Connection, repository: str, tags: list[str], digests: list[str]) -> None:
    """Raise `Conflict` (`pinned`) when one of these tags or digests is pinned."""
    for row in connection.execute(select(PINS)):
        if (row.repository == repository and row.tag in tags) or row.digest in digests:
            raise Conflict(
                "pinned",
                f"'{row.target}' is pinned since it must stay.",
                advice=f"Take the pin away first: ferry depot unpin {row.target}",
            )
