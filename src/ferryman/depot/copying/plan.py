"""The plan of a copy: from images and what the targets answered to steps. Pure, and in the same order every time.

Asking is planned too: first for the manifests, then for the blobs of those that are missing, so that what is complete at
the target costs one question.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ferryman.core.digests import Digest
from ferryman.depot.copying.model import BlobStep, How, Image, ManifestStep, Place, Plan, Present
from ferryman.oci.manifest import Descriptor, Manifest

WORTH_ASKING: Final = 8 * 1024 * 1024
"""Bytes from which a blob is looked for in every repository that needs it, before it is sent to the first."""


@dataclass(frozen=True, slots=True)
class Need:
    """A blob of one registry: the places that need it, in order, and those that can give it."""

    blob: Descriptor
    places: tuple[Place, ...]
    sources: tuple[Place, ...]


def manifests_to_ask(images: Iterable[Image]) -> list[tuple[Place, Digest, str | None]]:
    """Return what to ask the targets first: every manifest, by its tag where it has one, because that tells the digest too.

    Each question once. What is below an index is asked as well: some registries keep an index without all its children.
    """
    asked: dict[tuple[Place, Digest, str | None], None] = {}
    for image in images:
        for manifest in image.manifests:
            for tag in _tags(image, manifest.digest) or (None,):
                asked[image.target, manifest.digest, tag] = None
    return list(asked)


def missing_manifests(images: Iterable[Image], present: Present) -> list[tuple[Image, Manifest]]:
    """Return the manifests that a target lacks, each once for each place, in the order they have to be put."""
    found: dict[tuple[Place, Digest], tuple[Image, Manifest]] = {}
    for image in images:
        for manifest in image.manifests:
            if (image.target, manifest.digest) not in present.manifests:
                found.setdefault((image.target, manifest.digest), (image, manifest))
    return list(found.values())


def needs(missing: Iterable[tuple[Image, Manifest]]) -> list[Need]:
    """Return each blob of the missing manifests once for each registry, the largest first."""
    blobs: dict[tuple[str, Digest], Descriptor] = {}
    places: dict[tuple[str, Digest], dict[Place, None]] = {}
    sources: dict[tuple[str, Digest], dict[Place, None]] = {}
    for image, manifest in missing:
        for blob in movable(manifest):
            key = image.target.registry, blob.digest
            blobs.setdefault(key, blob)
            places.setdefault(key, {})[image.target] = None
            sources.setdefault(key, {})[image.source] = None
    found = [Need(blob, tuple(places[key]), tuple(sources[key])) for key, blob in blobs.items()]
    return sorted(found, key=lambda need: -need.blob.size)


def movable(manifest: Manifest) -> list[Descriptor]:
    """Return the blobs of a manifest that a registry stores: not those that are only kept elsewhere."""
    return [blob for blob in manifest.blobs if not (blob.urls and _foreign(blob.media_type))]


def first_questions(wanted: Iterable[Need]) -> list[tuple[Place, Descriptor]]:
    """Return what to ask about blobs: each in the place that would get it first."""
    return [(need.places[0], need.blob) for need in wanted]


def further_questions(wanted: Iterable[Need], present: Present) -> list[tuple[Place, Descriptor]]:
    """Return what to ask when the first place lacks a blob: large ones may be in another that needs them."""
    return [
        (place, need.blob)
        for need in wanted
        if need.blob.size >= WORTH_ASKING and (need.places[0], need.blob.digest) not in present.blobs
        for place in need.places[1:]
    ]


def make_plan(images: Sequence[Image], present: Present, *, mounts: bool = True) -> Plan:
    """Return what is to be done. With `mounts` false every repository is sent its own bytes of each blob."""
    missing = missing_manifests(images, present)
    steps = [step for need in needs(missing) for step in _blob_steps(need, present, mounts=mounts)]
    puts = _puts(images, missing, present)
    every = {(image.target, manifest.digest) for image in images for manifest in image.manifests}
    return Plan(tuple(images), tuple(steps), tuple(puts), len(every) - len(missing))


def _blob_steps(need: Need, present: Present, *, mounts: bool) -> list[BlobStep]:
    blob = need.blob
    have = [place for place in need.places if (place, blob.digest) in present.blobs]
    lack = [place for place in need.places if (place, blob.digest) not in present.blobs]
    if not mounts:
        return [BlobStep(blob, need.sources, How.THERE, place) for place in have] + [
            BlobStep(blob, need.sources, How.MOVE, place) for place in lack
        ]
    if have:
        return [BlobStep(blob, need.sources, How.THERE, have[0], None, tuple(lack))]
    beside = [place for place in need.sources if place.registry == lack[0].registry]
    if beside:
        return [BlobStep(blob, need.sources, How.MOUNT, lack[0], beside[0], tuple(lack[1:]))]
    return [BlobStep(blob, need.sources, How.MOVE, lack[0], None, tuple(lack[1:]))]


def _puts(
    images: Sequence[Image], missing: Sequence[tuple[Image, Manifest]], present: Present
) -> list[ManifestStep]:
    """Put what is missing, and put again what is there but not under its tag."""
    tags: dict[tuple[Place, Digest], dict[str, None]] = {}
    order: dict[tuple[Place, Digest], tuple[Image, Manifest]] = {}
    absent = {(image.target, manifest.digest) for image, manifest in missing}
    for image in images:
        for manifest in image.manifests:
            key = image.target, manifest.digest
            wanted = [
                tag
                for tag in _tags(image, manifest.digest)
                if present.tags.get((image.target, tag)) != manifest.digest
            ]
            if key in absent or wanted:
                order.setdefault(key, (image, manifest))
                tags.setdefault(key, {}).update(dict.fromkeys(wanted))
    return [
        _put(image, manifest, tuple(tags.get(key, ())), absent) for key, (image, manifest) in order.items()
    ]


def _put(
    image: Image, manifest: Manifest, tags: tuple[str, ...], absent: set[tuple[Place, Digest]]
) -> ManifestStep:
    left_out = {one.digest for one in image.left_out}
    children = [child.digest for child in manifest.children] if manifest.is_index else []
    sparse = any(child in left_out for child in children)
    fresh = (image.target, manifest.digest) in absent
    return ManifestStep(
        manifest,
        image.target,
        tags,
        tuple(dict.fromkeys(blob.digest for blob in movable(manifest))) if fresh else (),
        tuple(child for child in children if (image.target, child) in absent),
        sparse,
        image.single if sparse and manifest.digest == image.root else None,
    )


def _tags(image: Image, digest: Digest) -> tuple[str, ...]:
    own = (image.tag,) if image.tag is not None and digest == image.root else ()
    return tuple(dict.fromkeys((*own, *image.more.get(digest, ()))))


def _foreign(media_type: str) -> bool:
    """Tell whether blobs of this type are not to be distributed by registries (image-spec 1.0, layer media types)."""
    return "foreign" in media_type or "nondistributable" in media_type
