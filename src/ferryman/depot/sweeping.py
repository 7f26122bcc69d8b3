"""Statements of the sweep: what nothing needs, and deleting it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import CTE, Connection, and_, delete, exists, func, literal, or_, select, union

from ferryman.core.digests import Digest
from ferryman.core.ids import new_id
from ferryman.core.retention import Rule, expired, untagged_before
from ferryman.depot import holds, reading, references, removing
from ferryman.depot.consequences import Graph, removed_with, untagged
from ferryman.depot.model import Origin, Ref, Removal
from ferryman.depot.tables import (
    BLOBS,
    EDGES,
    HELD,
    HOLDS,
    LINKS,
    LOST,
    MANIFESTS,
    ORIGINS,
    PINS,
    REMOVED,
    STATE,
    TAGS,
    add,
    alone,
    chunks,
)

RULES: Final = "rules"
"""The origin of what the rules take away."""


@dataclass(frozen=True, slots=True)
class Doomed:
    """A blob that a sweep may remove."""

    digest: str
    size: int


def candidates(connection: Connection, before: float, now: float) -> list[Doomed]:
    """Return blobs that came before a time and that nothing needs. Each is looked at again when it is deleted."""
    needed = _needed(now, before)
    statement = (
        select(BLOBS.c.digest, BLOBS.c.size)
        .where(BLOBS.c.created_at <= before, BLOBS.c.digest.not_in(select(needed.c.digest)))
        .order_by(BLOBS.c.digest)
    )
    return [Doomed(row.digest, row.size) for row in connection.execute(statement)]


def kept_by_hold(connection: Connection, now: float) -> int:
    """Return how many blobs only holds keep."""
    needed, without = _needed(now), _needed(None)
    statement = select(func.count()).where(
        BLOBS.c.digest.in_(select(needed.c.digest)), BLOBS.c.digest.not_in(select(without.c.digest))
    )
    return int(connection.execute(statement).scalar_one())


def kept_for_undo(connection: Connection, before: float, now: float) -> tuple[int, int]:
    """Return number and bytes of blobs that only what was removed after `before` needs."""
    needed, without = _needed(now, before), _needed(now)
    statement = select(func.count(), func.coalesce(func.sum(BLOBS.c.size), 0)).where(
        BLOBS.c.digest.in_(select(needed.c.digest)), BLOBS.c.digest.not_in(select(without.c.digest))
    )
    count, size = connection.execute(statement).one()
    return int(count), int(size)


def referenced(connection: Connection) -> int:
    """Return the bytes of what references and pins need."""
    needed = _needed(None)
    statement = select(func.coalesce(func.sum(BLOBS.c.size), 0)).where(
        BLOBS.c.digest.in_(select(needed.c.digest))
    )
    return int(connection.execute(statement).scalar_one())


def _needed(now: float | None, before: float | None = None) -> CTE:
    """Return every digest that is needed, downwards from references, pins, with `now` living holds, and what left after `before`."""
    roots = [select(MANIFESTS.c.digest), select(PINS.c.digest).where(PINS.c.digest.is_not(None))]
    if now is not None:
        living = and_(HOLDS.c.holder == HELD.c.holder, HOLDS.c.expires_at > now)
        roots.append(select(HELD.c.digest).join(HOLDS, living))
    if before is not None:
        roots.append(select(REMOVED.c.digest).where(REMOVED.c.removed_at > before))
    first = union(*roots).subquery()
    name = "needed" if now is None else "wanted" if before is None else "kept"
    needed = select(first.c.digest).cte(name, recursive=True)
    return needed.union(select(EDGES.c.child).join(needed, EDGES.c.parent == needed.c.digest))


def delete_unneeded(connection: Connection, doomed: Sequence[str], before: float, now: float) -> list[Doomed]:
    """Delete the records of those of `doomed` that still nothing needs; return them. The caller deletes their files."""
    alone(connection)
    first = select(BLOBS.c.digest, BLOBS.c.digest.label("root")).where(
        BLOBS.c.digest.in_(doomed), BLOBS.c.created_at <= before
    )
    up = first.cte("up", recursive=True)
    up = up.union(select(EDGES.c.parent, up.c.root).where(EDGES.c.child == up.c.digest))
    living = and_(HOLDS.c.holder == HELD.c.holder, HOLDS.c.expires_at > now)
    wanted = or_(
        exists(select(MANIFESTS.c.digest).where(MANIFESTS.c.digest == up.c.digest)),
        exists(select(PINS.c.target).where(PINS.c.digest == up.c.digest)),
        exists(select(HELD.c.digest).join(HOLDS, living).where(HELD.c.digest == up.c.digest)),
        exists(
            select(REMOVED.c.digest).where(REMOVED.c.digest == up.c.digest, REMOVED.c.removed_at > before)
        ),
    )
    kept = select(up.c.root).where(wanted)
    statement = select(BLOBS.c.digest, BLOBS.c.size).where(
        BLOBS.c.digest.in_(doomed), BLOBS.c.created_at <= before, BLOBS.c.digest.not_in(kept)
    )
    gone = [Doomed(row.digest, row.size) for row in connection.execute(statement)]
    names = [item.digest for item in gone]
    for part in chunks(names):
        connection.execute(delete(BLOBS).where(BLOBS.c.digest.in_(part)))
        connection.execute(delete(LINKS).where(LINKS.c.digest.in_(part)))
        connection.execute(delete(EDGES).where(EDGES.c.parent.in_(part)))
    if gone:
        add(connection, "generation", 1)
        add(connection, "used", -sum(item.size for item in gone))
    return gone


def tidy(connection: Connection, before: float, now: float) -> None:
    """Delete what has no meaning any more: holds that ended, links that nothing uses, losses nobody needs."""
    alone(connection)
    holds.forget_expired(connection, now)
    used = exists(
        select(EDGES.c.parent).where(
            EDGES.c.child == LINKS.c.digest,
            MANIFESTS.c.digest == EDGES.c.parent,
            MANIFESTS.c.repository == LINKS.c.repository,
        )
    )
    kept = exists(select(HELD.c.digest).where(HELD.c.digest == LINKS.c.digest))
    connection.execute(delete(LINKS).where(LINKS.c.created_at <= before, ~used, ~kept))
    needed = _needed(None, before)
    connection.execute(delete(LOST).where(LOST.c.digest.not_in(select(needed.c.digest))))
    bare = ~exists(select(literal(1)).where(MANIFESTS.c.digest == EDGES.c.parent))
    connection.execute(delete(EDGES).where(bare, _gone(EDGES.c.parent)))
    _forget_gone(connection, before)
    add(connection, "generation", 1)


def _forget_gone(connection: Connection, before: float) -> None:
    """Delete what was remembered of content that cannot come back."""
    connection.execute(delete(REMOVED).where(REMOVED.c.removed_at <= before, _gone(REMOVED.c.digest)))
    connection.execute(delete(ORIGINS).where(_gone(ORIGINS.c.digest)))


def _gone(digest: Any) -> Any:
    return and_(
        ~exists(select(literal(1)).where(BLOBS.c.digest == digest)),
        ~exists(select(literal(1)).where(LOST.c.digest == digest)),
    )


def recount(connection: Connection) -> int:
    """Return the bytes of all blobs, counted anew; the number that is kept is corrected."""
    alone(connection)
    total = int(connection.execute(select(func.coalesce(func.sum(BLOBS.c.size), 0))).scalar_one())
    kept = select(STATE.c.value).where(STATE.c.name == "used")
    add(connection, "used", total - int(connection.execute(kept).scalar_one()))
    return total


def known(connection: Connection, digests: Sequence[Digest]) -> set[Digest]:
    """Return those of `digests` that have a record."""
    found: set[str] = set()
    for part in chunks([str(digest) for digest in digests]):
        found |= set(connection.execute(select(BLOBS.c.digest).where(BLOBS.c.digest.in_(part))).scalars())
    return {digest for digest in digests if str(digest) in found}


def graph(connection: Connection, repository: str) -> Graph:
    """Return everything that names something in one repository."""
    manifests, subjects = {}, {}
    for row in connection.execute(select(MANIFESTS).where(MANIFESTS.c.repository == repository)):
        manifests[row.digest] = row.created_at
        if row.subject:
            subjects[row.digest] = row.subject
    children: dict[str, list[str]] = defaultdict(list)
    edges = (
        select(EDGES.c.parent, EDGES.c.child)
        .join(MANIFESTS, MANIFESTS.c.digest == EDGES.c.parent)
        .where(MANIFESTS.c.repository == repository, EDGES.c.is_manifest)
    )
    for row in connection.execute(edges):
        children[row.parent].append(row.child)
    rows = connection.execute(select(TAGS.c.tag, TAGS.c.digest).where(TAGS.c.repository == repository))
    return Graph(manifests, subjects, children, {row.tag: row.digest for row in rows})


def pinned(connection: Connection, repository: str) -> set[str]:
    """Return tags of a repository and digests that are pinned."""
    rows = connection.execute(select(PINS)).all()
    return {row.tag for row in rows if row.repository == repository} | {
        row.digest for row in rows if row.digest
    }


def only_needed_by(connection: Connection, repository: str, manifests: Sequence[str]) -> int:
    """Return the bytes that nothing needs once `manifests` left a repository."""
    leaving = set(manifests)
    below = select(BLOBS.c.digest).where(BLOBS.c.digest.in_(manifests)).cte("below", recursive=True)
    below = below.union(select(EDGES.c.child).join(below, EDGES.c.parent == below.c.digest))
    sizes = {
        row.digest: row.size
        for row in connection.execute(
            select(BLOBS.c.digest, BLOBS.c.size).where(BLOBS.c.digest.in_(select(below.c.digest)))
        )
    }
    staying = select(MANIFESTS.c.digest).where(
        or_(MANIFESTS.c.repository != repository, MANIFESTS.c.digest.not_in(leaving))
    )
    first = union(staying, select(PINS.c.digest).where(PINS.c.digest.is_not(None))).subquery()
    kept = select(first.c.digest).cte("kept", recursive=True)
    kept = kept.union(select(EDGES.c.child).join(kept, EDGES.c.parent == kept.c.digest))
    needed = set(connection.execute(select(kept.c.digest)).scalars())
    return sum(size for digest, size in sizes.items() if digest not in needed)


def expiring(
    connection: Connection, repository: str, rules: Sequence[Rule], now: float
) -> tuple[list[str], list[str]]:
    """Return tags and manifests of a repository that the rules do not let stay. Pins and holds are respected."""
    named = graph(connection, repository)
    spared = pinned(connection, repository) | holds.held(connection)
    refs: list[Ref] = []
    while page := reading.refs_of(connection, repository, refs[-1].tag if refs else "", 1000):
        refs += page
    old = [ref.tag for ref in expired(rules, refs, now) if str(ref.digest) not in spared]
    before = untagged_before(rules, repository, now)
    bare = untagged(named, before) if before is not None else []
    return removed_with(named, old, bare, spared=spared)


def expire(
    connection: Connection, repository: str, rules: Sequence[Rule], now: float
) -> tuple[list[str], list[str]]:
    """Take away what `expiring` returns."""
    alone(connection)
    tags, manifests = expiring(connection, repository, rules, now)
    if tags or manifests:
        act = removing.Removing(new_id(now), Origin(RULES, now), now)
        removing.drop_tags(connection, repository, tags, act)
        removing.drop_manifests(connection, repository, manifests, act)
        add(connection, "generation", 1)
    return tags, manifests


def removal(connection: Connection, repository: str, wanted: str, *, alone_only: bool = False) -> Removal:
    """Return what goes with a tag or a digest. With `alone_only`, a manifest takes its tags, and nothing else, along.

    Raises `NotFound` (`manifest_unknown`), `Conflict` (`pinned`).
    """
    named = graph(connection, repository)
    by_digest = ":" in wanted
    if wanted not in (named.manifests if by_digest else named.tags):
        raise references.unknown_manifest(repository, wanted)
    if alone_only:
        tags, manifests = sorted(named.named.get(wanted, ())), [wanted]
    else:
        asked = (() if by_digest else (wanted,)), ((wanted,) if by_digest else ())
        tags, manifests = removed_with(named, *asked)
    removing.refuse_pinned(connection, repository, tags, manifests)
    freed = only_needed_by(connection, repository, manifests)
    return Removal(tuple(tags), tuple(Digest.parse(digest) for digest in manifests), freed)


def remove(
    connection: Connection,
    repository: str,
    wanted: str,
    origin: Origin,
    now: float,
    *,
    alone_only: bool = False,
) -> Removal:
    """Take away what `removal` returns."""
    alone(connection)
    found = removal(connection, repository, wanted, alone_only=alone_only)
    act = removing.Removing(new_id(now), origin, now)
    removing.drop_tags(connection, repository, list(found.tags), act)
    removing.drop_manifests(connection, repository, [str(digest) for digest in found.manifests], act)
    add(connection, "generation", 1)
    return found
