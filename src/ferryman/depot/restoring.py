"""Statements that undo: a tag back to what it named, with the manifests that left because of it."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from ferryman.core.digests import Digest
from ferryman.core.errors import Conflict, NotFound
from ferryman.depot import content, references, removing
from ferryman.depot.model import Origin, Restored
from ferryman.depot.tables import (
    BLOBS,
    EDGES,
    HISTORY,
    LINKS,
    LOST,
    MANIFESTS,
    REMOVED,
    TAGS,
    add,
    chunks,
    put,
    share,
)
from ferryman.depot.undo import Gone, Step, fetched_again, restored_with, undone

_LOOK: Final = 1000
"""Changes of a tag that are looked through for what it named before."""


def restore(
    connection: Connection,
    repository: str,
    wanted: str,
    to: str | None,
    origin: Origin,
    now: float,
    *,
    dry_run: bool = False,
) -> Restored:
    """Put back a tag (to `to`, or to what it named before its last change), or a manifest with its tags.

    Raises `NotFound` (`history_unknown`, `restore_gone`), `Conflict` (`restore_nothing`).
    """
    share(connection)
    tag = None if ":" in wanted else wanted
    digest = wanted if tag is None else _earlier(connection, repository, tag, to)
    removed = _removed(connection, repository, digest)
    here = _present(connection, repository, digest)
    if removed is None and not here:
        raise _gone(connection, repository, tag, digest, [digest])
    tags: dict[str, str] = {}
    manifests: list[str] = []
    if not here:
        tags, manifests = restored_with(_left(connection, repository, removed.removal), digest, tag)
        manifests = [one for one in manifests if not _present(connection, repository, one)]
        _demand_whole(connection, repository, tag, digest, manifests)
        tags = _free(connection, repository, tags, manifests)
    if tag is not None and _named(connection, repository, [tag]).get(tag) != digest:
        tags[tag] = digest
    found = Restored(
        repository, Digest.parse(digest), tuple(sorted(tags)), tuple(Digest.parse(one) for one in manifests)
    )
    if found.changed and not dry_run:
        _bring_back(connection, repository, manifests, now)
        for name, target in tags.items():
            references.set_tag(connection, repository, name, Digest.parse(target), origin, now, restores=True)
        add(connection, "generation", 1)
    return found


def _earlier(connection: Connection, repository: str, tag: str, to: str | None) -> str:
    """Return what a tag is to name. Raises `NotFound` (`history_unknown`), `Conflict` (`restore_nothing`)."""
    rows = connection.execute(
        select(HISTORY.c.digest, HISTORY.c.restores, HISTORY.c.removal)
        .where(HISTORY.c.repository == repository, HISTORY.c.tag == tag)
        .order_by(HISTORY.c.id.desc())
        .limit(_LOOK)
    )
    steps = [Step(row.digest, bool(row.restores), row.removal) for row in rows]
    if not steps:
        raise NotFound(
            "history_unknown",
            f"The depot never had '{repository}:{tag}'.",
            advice="See 'ferry depot ls' for what is there, and 'ferry depot history REPOSITORY' for what was.",
        )
    if to is not None:
        if to not in {step.digest for step in steps}:
            raise NotFound(
                "history_unknown",
                f"'{repository}:{tag}' never named {to}.",
                advice=f"See 'ferry depot history {repository}:{tag}'; to name something new use 'ferry depot tag'.",
            )
        return to
    found = undone(steps)
    if found is None:
        raise Conflict(
            "restore_nothing",
            f"'{repository}:{tag}' names {steps[0].digest} since it came: there is nothing to put back.",
            advice=f"See 'ferry depot history {repository}:{tag}'.",
        )
    return found


def _removed(connection: Connection, repository: str, digest: str) -> Any:
    statement = select(REMOVED).where(REMOVED.c.repository == repository, REMOVED.c.digest == digest)
    return connection.execute(statement).first()


def _present(connection: Connection, repository: str, digest: str) -> bool:
    statement = select(MANIFESTS.c.digest).where(
        MANIFESTS.c.repository == repository, MANIFESTS.c.digest == digest
    )
    return connection.execute(statement).first() is not None


def _named(connection: Connection, repository: str, tags: Sequence[str]) -> dict[str, str]:
    """Return what those of `tags` name that are set now."""
    found: dict[str, str] = {}
    for part in chunks(tags):
        statement = select(TAGS.c.tag, TAGS.c.digest).where(
            TAGS.c.repository == repository, TAGS.c.tag.in_(part)
        )
        found |= {row.tag: row.digest for row in connection.execute(statement)}
    return found


def _free(
    connection: Connection, repository: str, tags: dict[str, str], manifests: Sequence[str]
) -> dict[str, str]:
    """Return those of `tags` that name nothing else by now, and whose manifest is there or comes back."""
    set_since = _named(connection, repository, list(tags))
    return {
        name: target
        for name, target in tags.items()
        if name not in set_since and (target in manifests or _present(connection, repository, target))
    }


def _left(connection: Connection, repository: str, removal: str) -> Gone:
    """Return what left in one removal."""
    of_it = (REMOVED.c.repository == repository, REMOVED.c.removal == removal)
    subjects = {
        row.digest: row.subject
        for row in connection.execute(select(REMOVED.c.digest, REMOVED.c.subject).where(*of_it))
    }
    children: dict[str, list[str]] = defaultdict(list)
    statement = select(EDGES.c.parent, EDGES.c.child).where(
        EDGES.c.is_manifest, EDGES.c.parent.in_(select(REMOVED.c.digest).where(*of_it))
    )
    for row in connection.execute(statement):
        children[row.parent].append(row.child)
    return Gone(subjects, children, _tags_of(connection, repository, removal))


def _tags_of(connection: Connection, repository: str, removal: str) -> dict[str, str]:
    """Return the tags that went in one removal, with what they named."""
    rows = connection.execute(
        select(HISTORY.c.id, HISTORY.c.tag).where(
            HISTORY.c.repository == repository, HISTORY.c.removal == removal
        )
    ).all()
    found: dict[str, str] = {}
    for row in rows:
        before = (
            select(HISTORY.c.digest)
            .where(HISTORY.c.repository == repository, HISTORY.c.tag == row.tag, HISTORY.c.id < row.id)
            .order_by(HISTORY.c.id.desc())
            .limit(1)
        )
        named = connection.execute(before).scalar()
        if named is not None:
            found[row.tag] = named
    return found


def _demand_whole(
    connection: Connection, repository: str, tag: str | None, digest: str, manifests: list[str]
) -> None:
    """Refuse what the sweep took already, in whole or in part. Raises `NotFound` (`restore_gone`)."""
    there = content.there(connection, manifests)
    missing = [one for one in manifests if one not in there]
    for one in there:
        row = _removed(connection, repository, one)
        lost = removing.lacking(connection, [one])
        if row is not None and len(lost) > row.lacked:
            missing += lost
    if missing:
        raise _gone(connection, repository, tag, digest, missing)


def _gone(
    connection: Connection, repository: str, tag: str | None, digest: str, missing: Sequence[str]
) -> NotFound:
    name = f"{repository}:{tag}" if tag else f"{repository}@{digest}"
    lost = {
        one
        for part in chunks(list(missing))
        for one in connection.execute(select(LOST.c.digest).where(LOST.c.digest.in_(part))).scalars()
    }
    if lost:
        advice = "A check found it damaged: run 'ferry depot fsck --repair', then restore again."
    else:
        advice = fetched_again(_source(connection, repository, digest), name, digest)
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    problem = NotFound(
        "restore_gone",
        f"'{name}' cannot be put back: {missing[0]}{more} is gone from the depot, a clean-up removed it.",
        advice=advice,
    )
    problem.details = {"missing": list(missing)[:100]}
    return problem


def _source(connection: Connection, repository: str, digest: str) -> str:
    """Return where a manifest came from, as far as it is known."""
    statement = (
        select(HISTORY.c.origin_source)
        .where(HISTORY.c.repository == repository, HISTORY.c.digest == digest, HISTORY.c.restores.is_(None))
        .order_by(HISTORY.c.id)
        .limit(1)
    )
    return connection.execute(statement).scalar() or ""


def _bring_back(connection: Connection, repository: str, manifests: list[str], now: float) -> None:
    """Give a repository manifests that it had, and the blobs they name."""
    columns = [column.name for column in MANIFESTS.c]
    for part in chunks(manifests):
        mine = (REMOVED.c.repository == repository, REMOVED.c.digest.in_(part))
        rows = connection.execute(select(*(REMOVED.c[name] for name in columns)).where(*mine)).mappings()
        # They came now, for the rules: what was put back is not taken away again at once.
        put(connection, MANIFESTS, [{**row, "created_at": now} for row in rows])
        statement = (
            select(EDGES.c.child)
            .join(BLOBS, BLOBS.c.digest == EDGES.c.child)
            .where(EDGES.c.parent.in_(part), ~EDGES.c.is_manifest)
            .distinct()
        )
        blobs = list(connection.execute(statement).scalars())
        rows_of = [{"repository": repository, "digest": one, "created_at": now} for one in blobs]
        put(connection, LINKS, rows_of)
