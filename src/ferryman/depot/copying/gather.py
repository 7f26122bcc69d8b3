"""Reads what references come to: manifests, chosen platforms, signatures; level by level, each manifest once."""

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import FerryError, Invalid
from ferryman.depot.copying.model import Choice, Image, Place, Wish
from ferryman.oci.manifest import Descriptor, Manifest, choose_platforms
from ferryman.oci.ports import Source

MOST_MANIFESTS: Final = 20_000
"""Manifests of one reference, what refers to it included: more is no image but an attack."""
DEEPEST: Final = 16
"""Levels of indexes within indexes and of signatures of signatures."""
REF_NAME: Final = "org.opencontainers.image.ref.name"
"""Where a source says under which tag it found what refers to a manifest (cosign's `sha256-HEX.sig`)."""
_COSIGN: Final = re.compile(r"sha(256|512)-[0-9a-f]{64,128}\.(sig|att|sbom)")
_ABOUT: Final = "vnd.docker.reference.digest"
"""Annotation of an attestation within an index: the image it is about (BuildKit, "Attestation storage")."""


@dataclass(slots=True)
class Gathered:
    """What was read of all references: `failed` are those that could not be, with why."""

    images: list[Image] = field(default_factory=list)
    failed: list[tuple[Wish, FerryError]] = field(default_factory=list)


@dataclass(slots=True)
class _Node:
    """A manifest in a place: the children that are taken, those that are not, and what refers to it."""

    manifest: Manifest
    taken: tuple[Descriptor, ...] = ()
    left_out: tuple[Descriptor, ...] = ()
    about: tuple[Descriptor, ...] = ()


class Gatherer:
    """Reads references. Used once, from one thread; reads with those of `pool`."""

    def __init__(self, source: Callable[[Place], Source], choice: Choice, pool: Executor) -> None:
        """`source` opens a place, or gives the one that is open; called from many threads."""
        self._source = source
        self._choice = choice
        self._pool = pool
        self._nodes: dict[tuple[Place, Digest], _Node] = {}
        self._known: dict[Digest, Manifest] = {}

    def gather(self, wishes: Sequence[Wish]) -> Gathered:
        """Read all `wishes`. What fails for one of them is told in the answer; the others go on."""
        found = Gathered()
        roots: list[tuple[Wish, Manifest]] = []
        for wish, answer in zip(wishes, self._pool.map(self._root, wishes), strict=True):
            if isinstance(answer, FerryError):
                found.failed.append((wish, answer))
            else:
                roots.append((wish, answer))
                self._known[answer.digest] = answer
        failed = self._read_all((wish.source, root.digest) for wish, root in roots)
        for wish, root in roots:
            try:
                found.images.append(_Assembly(wish, self._nodes, failed).image(root, self._choice))
            except FerryError as error:
                found.failed.append((wish, error))
        return found

    def _root(self, wish: Wish) -> Manifest | FerryError:
        try:
            root = self._source(wish.source).resolve(wish.wanted)
            return self._flattened(wish, root) if wish.flat else root
        except FerryError as error:
            return error

    def _flattened(self, wish: Wish, root: Manifest) -> Manifest:
        """Return the manifest of the one platform for a target that takes no index."""
        for _ in range(DEEPEST):
            if not root.is_index:
                return root
            chosen = _images(choose_platforms(root, self._choice.platforms))
            if len(chosen) != 1:
                raise Invalid(
                    "one_platform_only",
                    f"{wish.said} has {len(chosen)} images that fit, and the target takes one.",
                    advice="Name one with --platform, such as linux/amd64.",
                )
            root = self._source(wish.source).manifest(chosen[0].digest)
        raise _too_deep(wish)

    def _read_all(self, first: Iterable[tuple[Place, Digest]]) -> dict[tuple[Place, Digest], FerryError]:
        failed: dict[tuple[Place, Digest], FerryError] = {}
        level = list(dict.fromkeys(first))
        for _ in range(DEEPEST):
            further: dict[tuple[Place, Digest], None] = {}
            for key, answer in zip(level, self._pool.map(self._read, level), strict=True):
                if isinstance(answer, FerryError):
                    failed[key] = answer
                    continue
                self._nodes[key] = answer
                self._known[key[1]] = answer.manifest
                further |= dict.fromkeys((key[0], one.digest) for one in (*answer.taken, *answer.about))
            level = [key for key in further if key not in self._nodes and key not in failed]
            if not level or len(self._nodes) > MOST_MANIFESTS * 10:
                break
        return failed

    def _read(self, key: tuple[Place, Digest]) -> _Node | FerryError:
        place, digest = key
        try:
            source = self._source(place)
            manifest = self._known.get(digest) or source.manifest(digest)
            node = _Node(manifest)
            if manifest.is_index:
                node.taken, node.left_out = chosen_children(manifest, self._choice)
            if self._choice.referrers:
                node.about = tuple(source.referrers(digest))
        except FerryError as error:
            return error
        return node


class _Assembly:
    """Puts one image together from what was read."""

    def __init__(
        self,
        wish: Wish,
        nodes: dict[tuple[Place, Digest], _Node],
        failed: dict[tuple[Place, Digest], FerryError],
    ) -> None:
        self._wish, self._nodes, self._failed = wish, nodes, failed
        self._order: dict[Digest, Manifest] = {}
        self._more: dict[Digest, tuple[str, ...]] = {}
        self._left_out: dict[Digest, Descriptor] = {}
        self._open: set[Digest] = set()

    def image(self, root: Manifest, choice: Choice) -> Image:
        self._add(root.digest, 0)
        wish = self._wish
        single = None
        if choice.platforms is not None and root.is_index:
            images = _images(self._nodes[wish.source, root.digest].taken)
            single = images[0].digest if len(images) == 1 else None
        return Image(
            wish.said,
            wish.source,
            wish.target,
            wish.tag,
            root.digest,
            tuple(self._order.values()),
            self._more,
            tuple(self._left_out.values()),
            single,
        )

    def _add(self, digest: Digest, depth: int) -> None:
        """Add children, then what refers to the manifest, then the manifest: who sees its tag finds its signatures."""
        if digest in self._order or digest in self._open:
            return
        key = self._wish.source, digest
        if key in self._failed:
            raise self._failed[key]
        node = self._nodes.get(key)
        if node is None or depth > DEEPEST or len(self._order) > MOST_MANIFESTS:
            raise _too_deep(self._wish)
        self._open.add(digest)
        for child in node.taken:
            self._add(child.digest, depth + 1)
        for one in node.about:
            self._add(one.digest, depth + 1)
            tag = one.annotations.get(REF_NAME, "")
            if _COSIGN.fullmatch(tag):
                self._more[one.digest] = tuple(dict.fromkeys((*self._more.get(one.digest, ()), tag)))
        self._left_out |= {one.digest: one for one in node.left_out}
        self._order[digest] = node.manifest


def chosen_children(index: Manifest, choice: Choice) -> tuple[tuple[Descriptor, ...], tuple[Descriptor, ...]]:
    """Return the children of an index that are taken and those that are not. Raises `NotFound` (`platform_missing`).

    Attestations inside the index go with the image they are about, like everything else that refers to it.
    """
    chosen = choose_platforms(index, choice.platforms)
    taken = {one.digest for one in (chosen if choice.referrers else _images(chosen))}
    return (
        tuple(one for one in index.children if one.digest in taken),
        tuple(one for one in index.children if one.digest not in taken),
    )


def _images(children: Sequence[Descriptor]) -> list[Descriptor]:
    """Return the children that are images, without the attestations about them."""
    return [one for one in children if _ABOUT not in one.annotations]


def _too_deep(wish: Wish) -> Invalid:
    return Invalid(
        "manifest_invalid",
        f"{wish.said} refers to manifests more than {DEEPEST} levels deep, or to more than {MOST_MANIFESTS}.",
        advice="Name one of the images inside by its digest.",
    )
