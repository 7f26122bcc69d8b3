"""Statements that change references: manifests, tags, links, pins. Each function is one transaction or part of one."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, insert, select

from ferryman.core.digests import Digest
from ferryman.core.errors import Conflict, Invalid, NotFound
from ferryman.db.values import clean, dump
from ferryman.depot import content
from ferryman.depot.model import Blob, Expect, Origin, Pin
from ferryman.depot.tables import (
    BLOBS,
    EDGES,
    HISTORY,
    LINKS,
    MANIFESTS,
    PINS,
    TAGS,
    add,
    origin_values,
    put,
    share,
    upsert,
)
from ferryman.oci import media
from ferryman.oci.manifest import Descriptor, Manifest

MOST_NAMED: Final = 5
"""Digests that an error names."""


@dataclass(frozen=True, slots=True)
class Arriving:
    """A manifest to be stored, and on which conditions; see `Depot.put_manifest`."""

    repository: str
    manifest: Manifest
    blob: Blob
    tag: str | None
    holder: str | None
    quota: int
    sparse: bool
    linked: bool
    immutable: bool
    incomplete: bool = False
    expect: Expect | None = None


def put_manifest(connection: Connection, arriving: Arriving) -> None:
    """Store and name a manifest whose file is in place. Raises as `Depot.put_manifest`."""
    manifest, repository = arriving.manifest, arriving.repository
    share(connection)
    blobs, children = needed(connection, arriving)
    named = blobs if not arriving.incomplete else [str(blob.digest) for blob in manifest.blobs]
    content.add_blob(connection, arriving.blob, arriving.quota, arriving.holder)
    digest, now = str(manifest.digest), arriving.blob.created_at
    content.remember(connection, [(one, arriving.blob.origin) for one in dict.fromkeys([digest, *blobs])])
    if arriving.tag is None:
        there = _of_repository(connection, repository, [digest])
        refuse_unexpected(arriving.expect, f"{repository}@{digest}", digest if there else None)
    edges = dict.fromkeys(named, False) | dict.fromkeys(children, True)
    put(
        connection,
        EDGES,
        [{"parent": digest, "child": child, "is_manifest": kind} for child, kind in edges.items()],
    )
    _put_row(connection, arriving, now)
    put(
        connection,
        LINKS,
        [{"repository": repository, "digest": blob, "created_at": now} for blob in dict.fromkeys(blobs)],
    )
    if arriving.tag is not None:
        set_tag(
            connection,
            repository,
            arriving.tag,
            manifest.digest,
            arriving.blob.origin,
            now,
            immutable=arriving.immutable,
            expect=arriving.expect,
        )
    add(connection, "generation", 1)


def _put_row(connection: Connection, arriving: Arriving, now: float) -> None:
    manifest = arriving.manifest
    row = {
        "repository": arriving.repository,
        "digest": str(manifest.digest),
        "media_type": clean(manifest.media_type),
        "size": len(manifest.raw),
        "artifact_type": clean(manifest.artifact_type) if manifest.artifact_type else None,
        "subject": str(manifest.subject.digest) if manifest.subject else None,
        "annotations": clean(dump(dict(manifest.annotations))) if manifest.annotations else None,
        "created_at": now,
    }
    statement = upsert(connection, MANIFESTS)
    changing = {name: row[name] for name in ("media_type", "artifact_type", "subject", "annotations")}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["repository", "digest"], set_=changing), row
    )


def needed(connection: Connection, arriving: Arriving) -> tuple[list[str], list[str]]:
    """Return blobs that are there and children a manifest names. Raises `Invalid` when what must be there is not."""
    manifest = arriving.manifest
    wanted = {str(blob.digest): blob for blob in manifest.blobs}
    children = list(dict.fromkeys(str(child.digest) for child in manifest.children))
    if arriving.linked:
        present = _linked(connection, arriving.repository, list(wanted))
    else:
        present = content.there(connection, list(wanted))
    missing: list[str] = []
    if not arriving.incomplete:
        absent = (blob for digest, blob in wanted.items() if digest not in present)
        missing = [str(blob.digest) for blob in absent if not _may_lack(manifest, blob)]
    if not arriving.sparse and media.is_known(manifest.media_type):
        known = _of_repository(connection, arriving.repository, children)
        missing += [child for child in children if child not in known]
    if missing:
        raise _blob_missing(arriving.repository, manifest, missing)
    return [digest for digest in wanted if digest in present], children


def _may_lack(manifest: Manifest, blob: Descriptor) -> bool:
    """Whether a blob may be missing: layers that are fetched elsewhere, and what documents of an unknown kind name."""
    return media.plain(blob.media_type) in media.NON_DISTRIBUTABLE or not media.is_known(manifest.media_type)


def _linked(connection: Connection, repository: str, digests: list[str]) -> set[str]:
    there = content.there(connection, digests)
    statement = select(LINKS.c.digest).where(LINKS.c.repository == repository)
    if len(digests) <= 400:
        statement = statement.where(LINKS.c.digest.in_(digests))
    return there & set(connection.execute(statement).scalars())


def _of_repository(connection: Connection, repository: str, digests: list[str]) -> set[str]:
    statement = select(MANIFESTS.c.digest).where(MANIFESTS.c.repository == repository)
    if len(digests) <= 400:
        statement = statement.where(MANIFESTS.c.digest.in_(digests))
    return set(connection.execute(statement).scalars())


def set_tag(
    connection: Connection,
    repository: str,
    tag: str,
    digest: Digest,
    origin: Origin,
    now: float,
    *,
    immutable: bool = False,
    expect: Expect | None = None,
    **more: Any,
) -> None:
    """Let a tag name a manifest of the repository; `more` is noted in its history.

    Raises `NotFound` (`manifest_unknown`), `Conflict` (`tag_immutable`, `precondition_failed`).
    """
    here = and_(MANIFESTS.c.repository == repository, MANIFESTS.c.digest == str(digest))
    media_type = connection.execute(select(MANIFESTS.c.media_type).where(here)).scalar()
    if media_type is None:
        raise unknown_manifest(repository, str(digest))
    # A row that is written first is locked on PostgreSQL as well: two who set one tag come one after the other.
    at = and_(TAGS.c.repository == repository, TAGS.c.tag == tag)
    before = connection.execute(select(TAGS.c.digest).where(at).with_for_update()).scalar()
    if before is not None and before != str(digest) and immutable:
        raise _frozen(repository, tag, before)
    refuse_unexpected(expect, f"{repository}:{tag}", before)
    row = {
        "repository": repository,
        "tag": tag,
        "digest": str(digest),
        "media_type": media_type,
        "updated_at": now,
    }
    only_new = before is None and (immutable or expect is not None)
    if not _put_tag(connection, row, only_new=only_new):  # somebody was faster
        again = (connection, repository, tag, digest, origin, now)
        return set_tag(*again, immutable=immutable, expect=expect, **more)
    if before != str(digest):
        note(connection, repository, tag, str(digest), origin, now, **more)
    return None


def _put_tag(connection: Connection, row: dict[str, Any], *, only_new: bool) -> bool:
    """Write the row of a tag; False when only a new one would do and there is one."""
    statement = upsert(connection, TAGS)
    if only_new:
        adding = statement.on_conflict_do_nothing().returning(TAGS.c.tag)
        return connection.execute(adding, row).first() is not None
    changing = {name: row[name] for name in ("digest", "media_type", "updated_at")}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["repository", "tag"], set_=changing), row
    )
    return True


def refuse_unexpected(expect: Expect | None, name: str, digest: str | None) -> None:
    """Raise `Conflict` (`precondition_failed`) when `name` names something else than its caller expects."""
    if expect is None or expect(digest):
        return
    problem = Conflict(
        "precondition_failed",
        f"'{name}' names {digest} now, which is not what the request expects."
        if digest
        else f"'{name}' names nothing now, which is not what the request expects.",
        advice="Look what it names now, and decide again.",
    )
    problem.details = {"now": digest}
    raise problem


def _frozen(repository: str, tag: str, before: str) -> Conflict:
    return Conflict(
        "tag_immutable",
        f"The tag '{repository}:{tag}' names {before} and cannot be moved.",
        advice="Push under a new tag; tags of this repository stay what they are.",
    )


def tag(
    connection: Connection,
    repository: str,
    digest: Digest,
    name: str,
    origin: Origin,
    now: float,
    *,
    immutable: bool,
) -> None:
    """Let a tag name a manifest. Raises as `set_tag`."""
    share(connection)
    set_tag(connection, repository, name, digest, origin, now, immutable=immutable)
    add(connection, "generation", 1)


def note(
    connection: Connection,
    repository: str,
    tag: str,
    digest: str | None,
    origin: Origin,
    now: float,
    **more: Any,
) -> None:
    """Append to the history of a tag; `more` are further columns."""
    values = {"repository": repository, "tag": tag, "digest": digest, "at": now, **more}
    connection.execute(insert(HISTORY).values(**values, **origin_values(origin)))


def link(connection: Connection, repository: str, digest: str, now: float) -> None:
    """Make a blob part of a repository. Raises `NotFound` (`blob_unknown`)."""
    share(connection)
    if connection.execute(select(BLOBS.c.digest).where(BLOBS.c.digest == digest)).first() is None:
        raise unknown_blob(digest)
    put(connection, LINKS, [{"repository": repository, "digest": digest, "created_at": now}])
    add(connection, "generation", 1)


def unlink(connection: Connection, repository: str, digest: str) -> None:
    """Take a blob out of a repository. Raises `NotFound` (`blob_unknown`), `Conflict` (`blob_needed`)."""
    user = connection.execute(
        select(MANIFESTS.c.digest)
        .join(EDGES, EDGES.c.parent == MANIFESTS.c.digest)
        .where(MANIFESTS.c.repository == repository, EDGES.c.child == digest)
        .limit(1)
    ).scalar()
    if user is not None:
        raise Conflict(
            "blob_needed",
            f"The blob {digest} is part of the manifest {user} in '{repository}'.",
            advice="Delete that manifest first.",
        )
    here = and_(LINKS.c.repository == repository, LINKS.c.digest == digest)
    if connection.execute(delete(LINKS).where(here)).rowcount == 0:
        raise unknown_blob(digest, repository)
    add(connection, "generation", 1)


def put_pin(connection: Connection, pin: Pin, repository: str | None, tag: str | None) -> None:
    """Pin a reference, or a digest when `repository` is None. Raises `NotFound`."""
    share(connection)
    if repository is None:
        if content.find(connection, Digest.parse(pin.target)) is None:
            raise unknown_blob(pin.target)
    elif (
        connection.execute(
            select(TAGS.c.tag).where(TAGS.c.repository == repository, TAGS.c.tag == tag)
        ).first()
        is None
    ):
        raise unknown_manifest(repository, tag or "")
    digest = pin.target if repository is None else None
    row = {"target": pin.target, "repository": repository, "tag": tag, "digest": digest}
    put(connection, PINS, [{**row, "at": pin.at, "by": pin.by[:100]}])


def drop_pin(connection: Connection, target: str) -> bool:
    """Take a pin away; False when there is none."""
    return connection.execute(delete(PINS).where(PINS.c.target == target)).rowcount > 0


def _blob_missing(repository: str, manifest: Manifest, missing: list[str]) -> Invalid:
    more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
    problem = Invalid(
        "manifest_blob_unknown",
        f"The manifest {manifest.digest} names {', '.join(missing[:MOST_NAMED])}{more}, "
        f"which '{repository}' does not have.",
        advice="Send what a manifest names before the manifest itself.",
    )
    problem.details = {"missing": missing}
    return problem


def unknown_manifest(repository: str | None, wanted: str) -> NotFound:
    """Return the error of a manifest that is not there."""
    joined = "@" if ":" in wanted else ":"
    what = f"{repository}{joined}{wanted}" if repository else wanted
    return NotFound(
        "manifest_unknown",
        f"The depot has no '{what[:400]}'.",
        advice="See 'ferry depot ls' for what is there.",
    )


def unknown_blob(digest: Any, repository: str | None = None) -> NotFound:
    """Return the error of a blob that is not there."""
    where = f"'{repository}'" if repository else "The depot"
    return NotFound(
        "blob_unknown",
        f"{where} has no blob {str(digest)[:200]}.",
        advice="Fetch what it belongs to again.",
    )


def unknown_repository(repository: str) -> NotFound:
    """Return the error of a repository that is not there."""
    return NotFound(
        "repository_unknown",
        f"The depot has no repository '{repository[:300]}'.",
        advice="See 'ferry depot ls' for what is there.",
    )
