"""What goes when tags or manifests of one repository are taken away. Pure; digests and tags are texts here.

A manifest goes with the last thing in its repository that names it: a tag, or an index. What refers to it goes with it, such as signatures, by
subject or by a tag that is made of the digest. What has a tag of its own that people gave it stays.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

_ABOUT = re.compile(r"(sha256|sha512)-([0-9a-f]{64}|[0-9a-f]{128})(\.[a-z0-9]+)?")


@dataclass(frozen=True)
class Graph:
    """One repository: when manifests came, their subjects, the manifests they name, and what tags name."""

    manifests: Mapping[str, float]
    subjects: Mapping[str, str] = field(default_factory=dict)
    children: Mapping[str, Collection[str]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def parents(self) -> Mapping[str, set[str]]:
        """Which manifests of the repository name a manifest."""
        found: dict[str, set[str]] = defaultdict(set)
        for parent, named in self.children.items():
            for child in named:
                found[child].add(parent)
        return found

    @cached_property
    def named(self) -> Mapping[str, set[str]]:
        """Which tags name a manifest."""
        found: dict[str, set[str]] = defaultdict(set)
        for tag, digest in self.tags.items():
            found[digest].add(tag)
        return found

    @cached_property
    def about(self) -> Mapping[str, set[str]]:
        """Which tags are made of the digest of a manifest."""
        found: dict[str, set[str]] = defaultdict(set)
        for tag in self.tags:
            if subject := subject_of(tag):
                found[subject].add(tag)
        return found

    @cached_property
    def referrers(self) -> Mapping[str, set[str]]:
        """Which manifests refer to a manifest."""
        found: dict[str, set[str]] = defaultdict(set)
        for digest, subject in self.subjects.items():
            found[subject].add(digest)
        return found


def subject_of(tag: str) -> str | None:
    """Return the digest a tag such as `sha256-HEX.sig` is made of."""
    match = _ABOUT.fullmatch(tag)
    return f"{match[1]}:{match[2]}" if match else None


def removed_with(
    graph: Graph, tags: Iterable[str], manifests: Iterable[str] = (), *, spared: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """Return all tags and manifests that go when `tags` and `manifests` are taken away.

    `manifests` go whatever names them. `spared` are tags and digests that stay, with all that needs them.
    """
    gone_tags: set[str] = set()
    gone: set[str] = set()
    doubtful: list[str] = []

    def drop_tag(tag: str) -> None:
        if tag not in gone_tags and tag not in spared:
            gone_tags.add(tag)
            doubtful.append(graph.tags[tag])

    def drop(digest: str) -> None:
        gone.add(digest)
        for tag in graph.named.get(digest, set()) | graph.about.get(digest, set()):
            drop_tag(tag)
        doubtful.extend(graph.children.get(digest, ()))
        doubtful.extend(graph.referrers.get(digest, ()))

    for tag in tags:
        drop_tag(tag)
    for digest in manifests:
        if digest in graph.manifests and digest not in spared:
            drop(digest)
    while doubtful:
        digest = doubtful.pop()
        if (
            digest in graph.manifests
            and digest not in gone
            and not _needed(graph, digest, gone, gone_tags, spared)
        ):
            drop(digest)
    return sorted(gone_tags), sorted(gone)


def _needed(graph: Graph, digest: str, gone: set[str], gone_tags: set[str], spared: Collection[str]) -> bool:
    """Whether something that stays names a manifest, or it refers to something that stays."""
    if digest in spared or graph.named.get(digest, set()) - gone_tags:
        return True
    if graph.parents.get(digest, set()) - gone:
        return True
    subject = graph.subjects.get(digest)
    return subject in graph.manifests and subject not in gone


def untagged(graph: Graph, before: float) -> list[str]:
    """Return manifests that came before a time and that nothing in the repository names or is referred to by them."""
    return [
        digest
        for digest, came in graph.manifests.items()
        if came <= before and not _needed(graph, digest, set(), set(), ())
    ]
