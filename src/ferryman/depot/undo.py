"""What comes back when a removal is undone. Pure; digests and tags are texts here.

Back comes what was asked for, with what left together with it because of it: the manifests it names, what refers to it, and
tags that are made of its digest, such as those of signatures.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ferryman.depot.consequences import subject_of


@dataclass(frozen=True)
class Gone:
    """What left a repository in one removal: manifests with their subjects, what these name, and tags with what they named."""

    subjects: Mapping[str, str | None] = field(default_factory=dict)
    children: Mapping[str, Collection[str]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def restored_with(gone: Gone, digest: str, tag: str | None) -> tuple[dict[str, str], list[str]]:
    """Return the tags (with what they name) and the manifests that come back with `digest` under `tag`.

    Without `tag` all tags come back that named it. The tag that was asked for is left out.
    """
    tags = {name: named for name, named in gone.tags.items() if tag is None and named == digest}
    found: set[str] = set()
    waiting = [digest, *tags.values()]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        waiting.extend(child for child in gone.children.get(one, ()) if child in gone.subjects)
        waiting.extend(other for other, subject in gone.subjects.items() if subject == one)
        for name, named in gone.tags.items():
            if subject_of(name) == one:
                tags[name] = named
                waiting.append(named)
    tags.pop(tag or "", None)
    return tags, sorted(found & set(gone.subjects))


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a tag, for choosing: to `digest` or away (None); `restores` when it undid another."""

    digest: str | None
    restores: bool = False
    removal: str | None = None


def undone(history: Sequence[Step]) -> str | None:
    """Return what a tag is put back to, given its changes, the newest first; None when nothing is to be undone.

    A change that was an undo is not undone: to ask twice is to ask once.
    """
    if not history:
        return None
    newest = history[0]
    if newest.restores and newest.digest is not None:
        return newest.digest
    earlier = (step.digest for step in history[1:] if step.digest not in (None, newest.digest))
    return next(earlier, None)


def fetched_again(source: str, name: str, digest: str) -> str:
    """Return in words how content that is gone comes again: from `source`, the origin of what named it `name`."""
    scheme, _, rest = source.partition("://")
    if scheme == "docker" and rest:
        repository = rest.partition("@")[0]
        head, slash, last = repository.rpartition("/")
        place = head + slash + last.partition(":")[0]
        return f"Fetch it again: ferry copy docker://{place}@{digest} depot:{name}"
    who, _, person = source.partition(":")
    if who in {"push", "user"} and person:
        return f"It was pushed by {person}: push it again."
    if who == "bundle" and rest == "" and person:
        return f"It came with the bundle {person}: load it again with 'ferry bundle load'."
    return f"It came from {source}: bring it from there again." if source else "Bring it again."
