"""Statements about blobs: what is there, what came, what was lost."""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, delete, select, update

from ferryman.core.digests import Digest
from ferryman.core.errors import Exhausted
from ferryman.core.units import format_size
from ferryman.depot.model import Blob, Origin
from ferryman.depot.tables import (
    BLOBS,
    HELD,
    LINKS,
    LOST,
    MANIFESTS,
    ORIGINS,
    STATE,
    add,
    blob_of,
    chunks,
    origin_of,
    origin_values,
    put,
    upsert,
)

LONGEST_SOURCE: Final = 1000
"""Characters of an origin that is remembered beside the first: a longer one is cut, and cannot be asked again."""


def find(connection: Connection, digest: Digest) -> Blob | None:
    """Return the record of a blob."""
    row = connection.execute(select(BLOBS).where(BLOBS.c.digest == str(digest))).first()
    return blob_of(row) if row else None


def find_all(connection: Connection, digests: Iterable[Digest]) -> dict[Digest, Blob]:
    """Return the records of those of `digests` that are there."""
    wanted = [str(digest) for digest in dict.fromkeys(digests)]
    found = [
        blob_of(row)
        for part in chunks(wanted)
        for row in connection.execute(select(BLOBS).where(BLOBS.c.digest.in_(part)))
    ]
    return {blob.digest: blob for blob in found}


def there(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Return those of `digests` that are there."""
    return {
        digest
        for part in chunks(digests)
        for digest in connection.execute(select(BLOBS.c.digest).where(BLOBS.c.digest.in_(part))).scalars()
    }


def add_blob(connection: Connection, blob: Blob, quota: int, holder: str | None) -> Blob:
    """Record a blob whose file is in place; return the record, which is the earlier one when there is one.

    With `holder` it is held at once. Raises `Exhausted` (`depot_full`).
    """
    return add_blobs(connection, [(blob, holder)], quota)[blob.digest]


def add_blobs(
    connection: Connection, blobs: Sequence[tuple[Blob, str | None]], quota: int
) -> dict[Digest, Blob]:
    """Record many blobs with who holds each, as `add_blob` does one: all or none."""
    held = [{"holder": holder, "digest": str(blob.digest)} for blob, holder in blobs if holder is not None]
    put(connection, HELD, held)
    found: dict[Digest, Blob] = {}
    size = 0
    for blob, _ in sorted(blobs, key=lambda one: str(one[0].digest)):  # nobody waits in a circle
        if blob.digest not in found:
            found[blob.digest] = kept = _add(connection, blob)
            size += blob.size if kept is blob else 0
    if size:
        _count(connection, size, quota)
    return found


def _add(connection: Connection, blob: Blob) -> Blob:
    digest = str(blob.digest)
    row = {
        "digest": digest,
        "size": blob.size,
        "created_at": blob.created_at,
        "checked_at": None,
        **origin_values(blob.origin),
    }
    adding = upsert(connection, BLOBS).on_conflict_do_nothing().returning(BLOBS.c.digest)
    if connection.execute(adding, row).first() is None:  # also when another process was faster just now
        return find(connection, blob.digest) or blob
    connection.execute(delete(LOST).where(LOST.c.digest == digest))
    return blob


def _count(connection: Connection, size: int, quota: int) -> None:
    statement = update(STATE).where(STATE.c.name == "used").values(value=STATE.c.value + size)
    if quota:
        statement = statement.where(STATE.c.value + size <= quota)
    if connection.execute(statement).rowcount == 0:
        raise depot_full(used(connection), size, quota)


def used(connection: Connection) -> int:
    """Return the bytes of all blobs."""
    return int(connection.execute(select(STATE.c.value).where(STATE.c.name == "used")).scalar_one())


def depot_full(
    used_bytes: int, size: int, quota: int, free: int = 0, largest: Sequence[tuple[str, int]] = ()
) -> Exhausted:
    """Return the error of a depot without room; `free` is what nothing needs, `largest` which names need most alone."""
    ways = [f"'ferry depot gc --grace 0' frees {format_size(free)} that nothing needs."] if free else []
    if largest:
        named = ", ".join(f"{name} ({format_size(bytes_)})" for name, bytes_ in largest)
        ways.append(f"To remove with 'ferry depot rm' what is not needed frees most with {named}.")
    if not ways:
        ways.append("Remove what is not needed with 'ferry depot rm', then run 'ferry depot gc --grace 0'.")
    problem = Exhausted(
        "depot_full",
        f"The depot holds {format_size(used_bytes)} of at most {format_size(quota)}; {format_size(size)} more do not fit.",
        advice=" ".join([*ways, "Or raise depot_quota."]),
    )
    problem.details = {"used": used_bytes, "size": size, "quota": quota, "free": free}
    return problem


def set_lost(connection: Connection, blob: Blob, now: float, detail: str, set_aside: str | None) -> list[str]:
    """Record that the content of a blob is gone; return the repositories that have it."""
    digest = str(blob.digest)
    connection.execute(delete(LOST).where(LOST.c.digest == digest))
    if connection.execute(delete(BLOBS).where(BLOBS.c.digest == digest)).rowcount:
        add(connection, "used", -blob.size)
    remember(connection, [(digest, blob.origin)])
    put(
        connection,
        LOST,
        [
            {
                "digest": digest,
                "size": blob.size,
                "since": now,
                "detail": detail,
                "set_aside": set_aside,
                **origin_values(blob.origin),
            }
        ],
    )
    add(connection, "generation", 1)
    return repositories_of(connection, digest, 20)


def remember(connection: Connection, origins: Iterable[tuple[str, Origin]]) -> None:
    """Add to the places that contents (digests as texts) come from; the first time and job of each place stay."""
    rows = [
        {
            "digest": digest,
            "source": origin.source,
            "at": origin.at,
            "job": origin.job[:36] if origin.job else None,
        }
        for digest, origin in origins
        if len(origin.source) <= LONGEST_SOURCE
    ]
    put(connection, ORIGINS, rows)


def origins(connection: Connection, digest: str) -> list[Origin]:
    """Return every place that content came from, the newest first."""
    rows = connection.execute(
        select(ORIGINS).where(ORIGINS.c.digest == digest).order_by(ORIGINS.c.at.desc(), ORIGINS.c.source)
    )
    return [Origin(row.source, row.at, row.job) for row in rows]


def lost(connection: Connection) -> list[tuple[Blob, str, str | None]]:
    """Return what is lost and was not found again: the blob as it was, what happened, where it was set aside."""
    rows = connection.execute(select(LOST).order_by(LOST.c.digest))
    return [
        (Blob(Digest.parse(row.digest), row.size, row.since, origin_of(row)), row.detail, row.set_aside)
        for row in rows
    ]


def lost_size(connection: Connection, digest: str) -> int | None:
    """Return the size of a blob that is lost."""
    return connection.execute(select(LOST.c.size).where(LOST.c.digest == digest)).scalar()


def repositories_of(connection: Connection, digest: str, limit: int) -> list[str]:
    """Return repositories that have a blob or a manifest."""
    linked = select(LINKS.c.repository).where(LINKS.c.digest == digest)
    named = select(MANIFESTS.c.repository).where(MANIFESTS.c.digest == digest)
    both = linked.union(named).subquery()
    return list(
        connection.execute(select(both.c.repository).order_by(both.c.repository).limit(limit)).scalars()
    )


def after(connection: Connection, digest: str, limit: int) -> list[Blob]:
    """Return blobs behind `digest`, in order."""
    rows = connection.execute(
        select(BLOBS).where(BLOBS.c.digest > digest).order_by(BLOBS.c.digest).limit(limit)
    )
    return [blob_of(row) for row in rows]


def set_checked(connection: Connection, digests: Sequence[str], now: float) -> None:
    """Record that blobs were read and are right."""
    for part in chunks(digests):
        connection.execute(update(BLOBS).where(BLOBS.c.digest.in_(part)).values(checked_at=now))
