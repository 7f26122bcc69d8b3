"""Statements of the check."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, exists, func, select

from ferryman.depot.tables import BLOBS, EDGES, LOST, MANIFESTS


def totals(connection: Connection) -> tuple[int, int]:
    """Return number and bytes of all blobs."""
    statement = select(func.count(), func.coalesce(func.sum(BLOBS.c.size), 0)).select_from(BLOBS)
    count, size = connection.execute(statement).one()
    return int(count), int(size)


def incomplete(
    connection: Connection, lazy: Sequence[str] = (), limit: int = 1000
) -> list[tuple[str, str, str]]:
    """Return manifests, what they need that is neither there nor known to be lost, and a repository that has them.

    Children of an index are left out: an index may be kept without all of them. So are blobs in repositories below `lazy`.
    """
    statement = (
        select(EDGES.c.parent, EDGES.c.child, func.min(MANIFESTS.c.repository).label("repository"))
        .join(MANIFESTS, MANIFESTS.c.digest == EDGES.c.parent)
        .where(
            ~EDGES.c.is_manifest,
            *(~MANIFESTS.c.repository.startswith(f"{name}/", autoescape=True) for name in lazy),
            ~exists(select(BLOBS.c.digest).where(BLOBS.c.digest == EDGES.c.child)),
            ~exists(select(LOST.c.digest).where(LOST.c.digest == EDGES.c.child)),
        )
        .group_by(EDGES.c.parent, EDGES.c.child)
        .order_by(EDGES.c.parent, EDGES.c.child)
        .limit(limit)
    )
    found = [(row.parent, row.child, row.repository) for row in connection.execute(statement)]
    gone = (
        select(MANIFESTS.c.digest, func.min(MANIFESTS.c.repository).label("repository"))
        .where(
            and_(
                ~exists(select(BLOBS.c.digest).where(BLOBS.c.digest == MANIFESTS.c.digest)),
                ~exists(select(LOST.c.digest).where(LOST.c.digest == MANIFESTS.c.digest)),
            )
        )
        .group_by(MANIFESTS.c.digest)
        .limit(limit)
    )
    return found + [(row.digest, row.digest, row.repository) for row in connection.execute(gone)]
