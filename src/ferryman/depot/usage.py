"""What the depot holds, and what each reference needs."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, func, select

from ferryman.depot import content, reading, sweeping
from ferryman.depot.model import Ref, RefUsage, Usage
from ferryman.depot.tables import BLOBS, EDGES, MANIFESTS, TAGS

MOST_COUNTED: Final = 1000
"""References up to which it is counted what each frees."""
NAMED: Final = 3


def usage(connection: Connection, prefix: str, quota: int) -> Usage:
    """Count what is used, and by which references below `prefix`."""
    count = int(connection.execute(select(func.count()).select_from(BLOBS)).scalar_one())
    repositories = int(
        connection.execute(select(func.count(func.distinct(MANIFESTS.c.repository)))).scalar_one()
    )
    size, referenced = content.used(connection), sweeping.referenced(connection)
    sizes = {row.digest: row.size for row in connection.execute(select(BLOBS.c.digest, BLOBS.c.size))}
    children: dict[str, list[str]] = defaultdict(list)
    for row in connection.execute(select(EDGES.c.parent, EDGES.c.child)):
        children[row.parent].append(row.child)
    refs = [
        reading.ref_of(row)
        for row in connection.execute(select(TAGS).order_by(TAGS.c.repository, TAGS.c.tag))
    ]
    shown = [item for item in per_reference(refs, sizes, children) if item.ref.repository.startswith(prefix)]
    return Usage(count, size, quota, referenced, size - referenced, repositories, tuple(shown))


def what_frees(connection: Connection) -> tuple[int, int, list[tuple[str, int]]]:
    """Return the bytes that are used, those that nothing needs, and which references need most alone.

    With very many references these are not counted: whoever is refused does not wait for that.
    """
    size = content.used(connection)
    free = size - sweeping.referenced(connection)
    count = int(connection.execute(select(func.count()).select_from(TAGS)).scalar_one())
    if count > MOST_COUNTED:
        return size, free, []
    refs = sorted(usage(connection, "", 0).refs, key=lambda one: one.unique, reverse=True)
    return size, free, [(str(one.ref), one.unique) for one in refs[:NAMED] if one.unique]


def needs(connection: Connection, digests: Collection[str]) -> dict[str, int]:
    """Return how many bytes are there of each of `digests` and all that it names, each blob counted once."""
    need = select(BLOBS.c.digest.label("root"), BLOBS.c.digest.label("digest"))
    need_of = need.where(BLOBS.c.digest.in_(digests)).cte("need", recursive=True)
    below = select(need_of.c.root, EDGES.c.child).join(EDGES, EDGES.c.parent == need_of.c.digest)
    need_of = need_of.union(below)
    summed = (
        select(need_of.c.root, func.sum(BLOBS.c.size).label("size"))
        .join(BLOBS, BLOBS.c.digest == need_of.c.digest)
        .group_by(need_of.c.root)
    )
    return {row.root: int(row.size) for row in connection.execute(summed)}


def per_reference(
    refs: Sequence[Ref], sizes: Mapping[str, int], children: Mapping[str, Collection[str]]
) -> list[RefUsage]:
    """Return what each of all references needs; what two of them need is shared, also when they name the same."""
    needs = {str(ref.digest): closure([str(ref.digest)], children) for ref in refs}
    users: Counter[str] = Counter()
    for ref in refs:
        users.update(needs[str(ref.digest)])
    return [_of(ref, needs[str(ref.digest)], sizes, users) for ref in refs]


def _of(ref: Ref, need: Collection[str], sizes: Mapping[str, int], users: Mapping[str, int]) -> RefUsage:
    there = [digest for digest in need if digest in sizes]
    unique = sum(sizes[digest] for digest in there if users[digest] == 1)
    return RefUsage(ref, len(there), unique, sum(sizes[digest] for digest in there) - unique)


def closure(roots: Iterable[str], children: Mapping[str, Collection[str]]) -> set[str]:
    """Return `roots` and everything they name, through any number of levels."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        digest = waiting.pop()
        if digest not in found:
            found.add(digest)
            waiting.extend(children.get(digest, ()))
    return found
