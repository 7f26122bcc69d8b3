"""Statements that read references: what is there, in pages."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, func, or_, select, tuple_

from ferryman.core.digests import Digest
from ferryman.depot.model import Change, ManifestEntry, Pin, Ref
from ferryman.depot.tables import (
    BLOBS,
    EDGES,
    HISTORY,
    LINKS,
    MANIFESTS,
    PINS,
    STATE,
    TAGS,
    chunks,
    origin_of,
)
from ferryman.oci.manifest import Descriptor


def entry(connection: Connection, repository: str | None, digest: str) -> Any:
    """Return digest and media type of a manifest that is there, whoever has it when `repository` is None."""
    statement = (
        select(MANIFESTS.c.digest, MANIFESTS.c.media_type)
        .join(BLOBS, BLOBS.c.digest == MANIFESTS.c.digest)
        .where(MANIFESTS.c.digest == digest)
        .limit(1)
    )
    if repository is not None:
        statement = statement.where(MANIFESTS.c.repository == repository)
    return connection.execute(statement).first()


def tag(connection: Connection, repository: str, name: str) -> Any:
    """Return the row of a tag."""
    at = and_(TAGS.c.repository == repository, TAGS.c.tag == name)
    return connection.execute(select(TAGS).where(at)).first()


def has_repository(connection: Connection, repository: str) -> bool:
    """Tell whether a repository has anything."""
    named = exists(select(MANIFESTS.c.digest).where(MANIFESTS.c.repository == repository))
    linked = exists(select(LINKS.c.digest).where(LINKS.c.repository == repository))
    return bool(connection.execute(select(named | linked)).scalar())


def repositories(connection: Connection, after: str, limit: int, prefix: str) -> list[str]:
    """Return names of repositories: each is one step along the index, however much is in it."""
    column = MANIFESTS.c.repository
    start = _first(column, prefix, after)
    first = start.cte("steps", recursive=True)
    following = select(func.min(column)).where(column > first.c.value)
    if prefix:
        following = following.where(column < _behind(prefix))
    steps = first.union_all(select(following.scalar_subquery()).where(first.c.value.is_not(None)))
    statement = select(steps.c.value).where(steps.c.value.is_not(None)).limit(limit)
    return list(connection.execute(statement).scalars())


def _first(column: Any, prefix: str, after: str) -> Select[Any]:
    statement = select(func.min(column).label("value")).where(column > after)
    if prefix:
        statement = statement.where(column >= prefix, column < _behind(prefix))
    return statement


def _behind(prefix: str) -> str:
    """Return a text behind everything that begins with `prefix`: names here are ASCII."""
    return prefix + "\x7f"


def tags(connection: Connection, repository: str, after: str, limit: int) -> list[str]:
    """Return tags in order."""
    statement = select(TAGS.c.tag).where(TAGS.c.repository == repository, TAGS.c.tag > after)
    return list(connection.execute(statement.order_by(TAGS.c.tag).limit(limit)).scalars())


def refs(connection: Connection, prefix: str, after: tuple[str, str], limit: int) -> list[Ref]:
    """Return references in order."""
    statement = select(TAGS).order_by(TAGS.c.repository, TAGS.c.tag).limit(limit)
    if after != ("", ""):
        statement = statement.where(tuple_(TAGS.c.repository, TAGS.c.tag) > tuple_(*after))
    if prefix:
        statement = statement.where(TAGS.c.repository >= prefix, TAGS.c.repository < _behind(prefix))
    return [ref_of(row) for row in connection.execute(statement)]


def refs_of(connection: Connection, repository: str, after: str, limit: int) -> list[Ref]:
    """Return references of one repository in order."""
    statement = select(TAGS).where(TAGS.c.repository == repository, TAGS.c.tag > after)
    return [ref_of(row) for row in connection.execute(statement.order_by(TAGS.c.tag).limit(limit))]


def ref_of(row: Any) -> Ref:
    """Return the reference a row holds."""
    return Ref(row.repository, row.tag, Digest.parse(row.digest), row.media_type, row.updated_at)


def manifests(connection: Connection, repository: str, after: str, limit: int) -> list[ManifestEntry]:
    """Return manifests of a repository in order of their digests."""
    rows = connection.execute(
        select(MANIFESTS)
        .where(MANIFESTS.c.repository == repository, MANIFESTS.c.digest > after)
        .order_by(MANIFESTS.c.digest)
        .limit(limit)
    ).all()
    named: dict[str, list[str]] = defaultdict(list)
    if rows:
        within = TAGS.c.digest.between(rows[0].digest, rows[-1].digest)
        statement = select(TAGS.c.digest, TAGS.c.tag).where(TAGS.c.repository == repository, within)
        for row in connection.execute(statement.order_by(TAGS.c.tag)):
            named[row.digest].append(row.tag)
    return [
        ManifestEntry(
            row.repository,
            Digest.parse(row.digest),
            row.media_type,
            row.size,
            row.created_at,
            tuple(named[row.digest]),
            Digest.parse(row.subject) if row.subject else None,
            row.artifact_type,
        )
        for row in rows
    ]


def referrers(
    connection: Connection, repository: str, digest: str, artifact_type: str | None
) -> list[Descriptor]:
    """Return descriptors of the manifests whose subject is `digest`, the earliest first."""
    statement = (
        select(MANIFESTS)
        .where(MANIFESTS.c.repository == repository, MANIFESTS.c.subject == digest)
        .order_by(MANIFESTS.c.created_at, MANIFESTS.c.digest)
    )
    if artifact_type:
        statement = statement.where(MANIFESTS.c.artifact_type == artifact_type)
    return [
        Descriptor(
            row.media_type,
            Digest.parse(row.digest),
            row.size,
            annotations=json.loads(row.annotations) if row.annotations else {},
            artifact_type=row.artifact_type,
        )
        for row in connection.execute(statement)
    ]


def history(connection: Connection, repository: str, name: str | None, limit: int) -> list[Change]:
    """Return changes of tags, the newest first."""
    statement = (
        select(HISTORY, BLOBS.c.digest.label("there"))
        .outerjoin(BLOBS, BLOBS.c.digest == HISTORY.c.digest)
        .where(HISTORY.c.repository == repository)
    )
    if name is not None:
        statement = statement.where(HISTORY.c.tag == name)
    return [
        Change(
            row.repository,
            row.tag,
            Digest.parse(row.digest) if row.digest else None,
            row.at,
            origin_of(row),
            there=row.there is not None,
            restores=bool(row.restores),
        )
        for row in connection.execute(statement.order_by(HISTORY.c.id.desc()).limit(limit))
    ]


def tags_that_named(connection: Connection, digest: str, limit: int) -> list[str]:
    """Return tags that name or named a manifest, the newest first."""
    statement = (
        select(HISTORY.c.tag)
        .where(HISTORY.c.digest == digest)
        .group_by(HISTORY.c.tag)
        .order_by(func.max(HISTORY.c.id).desc())
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def pins(connection: Connection) -> list[Pin]:
    """Return all pins."""
    rows = connection.execute(select(PINS).order_by(PINS.c.target))
    return [Pin(row.target, row.at, row.by) for row in rows]


def linked_size(connection: Connection, repository: str, digest: str) -> int | None:
    """Return the size of a blob that a repository has, as a blob or as a manifest."""
    statement = (
        select(BLOBS.c.size)
        .join(LINKS, LINKS.c.digest == BLOBS.c.digest)
        .where(LINKS.c.repository == repository, BLOBS.c.digest == digest)
    )
    return connection.execute(statement).scalar()


def linked_sizes(connection: Connection, repository: str, digests: Sequence[str]) -> dict[str, int]:
    """Return the sizes of those of some blobs that a repository has."""
    statement = select(BLOBS.c.digest, BLOBS.c.size).join(LINKS, LINKS.c.digest == BLOBS.c.digest)
    statement = statement.where(LINKS.c.repository == repository)
    return {
        row.digest: row.size
        for part in chunks(digests)
        for row in connection.execute(statement.where(BLOBS.c.digest.in_(part)))
    }


def has_manifest(connection: Connection, repository: str, digest: str) -> bool:
    """Tell whether a repository has a manifest whose content is there."""
    return entry(connection, repository, digest) is not None


def generation(connection: Connection) -> int:
    """Return how often references changed."""
    return int(connection.execute(select(STATE.c.value).where(STATE.c.name == "generation")).scalar_one())


def users(connection: Connection, digest: str, limit: int) -> list[str]:
    """Return references and manifests that need a blob, through manifests of manifests as well."""
    up = select(EDGES.c.parent.label("digest")).where(EDGES.c.child == digest).cte("up", recursive=True)
    up = up.union(select(EDGES.c.parent).join(up, EDGES.c.child == up.c.digest))
    named = (
        select(TAGS.c.repository, TAGS.c.tag)
        .where(or_(TAGS.c.digest == digest, TAGS.c.digest.in_(select(up.c.digest))))
        .order_by(TAGS.c.repository, TAGS.c.tag)
        .limit(limit)
    )
    found = [f"{row.repository}:{row.tag}" for row in connection.execute(named)]
    if found:
        return found
    bare = (
        select(MANIFESTS.c.repository, MANIFESTS.c.digest)
        .where(or_(MANIFESTS.c.digest == digest, MANIFESTS.c.digest.in_(select(up.c.digest))))
        .order_by(MANIFESTS.c.repository, MANIFESTS.c.digest)
        .limit(limit)
    )
    return [f"{row.repository}@{row.digest}" for row in connection.execute(bare)]


def media_type_of(connection: Connection, digest: str) -> str | None:
    """Return the media type of a manifest, whether its content is there or not."""
    return connection.execute(
        select(MANIFESTS.c.media_type).where(MANIFESTS.c.digest == digest).limit(1)
    ).scalar()
