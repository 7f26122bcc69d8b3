"""What the pages of the depot show of a manifest: its kind, platforms, layers and sizes. Blocking."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ferryman.core.errors import FerryError
from ferryman.depot.model import Ref
from ferryman.depot.service import Depot
from ferryman.oci.manifest import Manifest
from ferryman.oci.ollama import PREFIX

_MOST: Final = 200
"""Platforms and layers that are shown of one image."""
_KINDS: Final = {
    "application/vnd.oci.image.config.v1+json": "config",
    "application/vnd.docker.container.image.v1+json": "config",
    "application/vnd.oci.empty.v1+json": "empty config",
    "application/vnd.dev.cosign.simplesigning.v1+json": "signature",
    "application/vnd.dsse.envelope.v1+json": "attestation",
}
ATTACHED: Final = frozenset({"signature", "attestation"})
"""Kinds that belong to an image and go where it goes."""
_LAYERS: Final = (
    "oci.image.layer.nondistributable.v1.tar",
    "oci.image.layer.v1.tar",
    "docker.image.rootfs.foreign.diff.tar",
    "docker.image.rootfs.diff.tar",
)
"""What the media types of layers begin with; how they are compressed follows."""


@dataclass(frozen=True, slots=True)
class Row:
    """One reference in a list. `size` is bytes of all it names here; None when it cannot be read."""

    ref: Ref
    kind: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: what it is, and whether its content is here."""

    kind: str
    digest: str
    size: int
    there: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One image of what a reference names: the image itself, or one platform of an index."""

    name: str
    digest: str
    there: bool
    layers: tuple[Layer, ...] = ()
    size: int = 0


def rows_of(depot: Depot, refs: Sequence[Ref]) -> list[Row]:
    """Return what a list shows of a page of references; what is damaged is shown as unreadable."""
    sizes = depot.needs(ref.digest for ref in refs)
    return [Row(ref, _kind_of(depot, ref), sizes.get(ref.digest)) for ref in refs]


def _kind_of(depot: Depot, ref: Ref) -> str:
    try:
        return kind_shown(depot.manifest(ref.repository, ref.digest))
    except FerryError:
        return "unreadable"


def kind_shown(manifest: Manifest) -> str:
    """Name what a manifest is, as people call it."""
    if manifest.is_index:
        names = {str(child.platform) for child in manifest.children if child.platform}
        named = len(names - {"unknown/unknown"})
        return f"{named} platform{'' if named == 1 else 's'}" if named else f"{len(manifest.children)} images"
    if any(layer.media_type.startswith(PREFIX) for layer in manifest.layers):
        return "model"
    kinds = {kind_called(layer.media_type) for layer in manifest.layers}
    if kinds & ATTACHED:
        return min(kinds & ATTACHED)
    return "image" if manifest.config and kind_called(manifest.config.media_type) == "config" else "artifact"


def parts_of(depot: Depot, repository: str, manifest: Manifest) -> list[Part]:
    """Return the images of a reference with their layers."""
    if not manifest.is_index:
        return [_part(depot, "Layers", manifest)]
    found = []
    for child in manifest.children[:_MOST]:
        name = str(child.platform) if child.platform else child.artifact_type or child.media_type
        try:
            found.append(_part(depot, name, depot.manifest(repository, child.digest)))
        except FerryError:
            found.append(Part(name, str(child.digest), there=False))
    return found


def _part(depot: Depot, name: str, manifest: Manifest) -> Part:
    blobs = manifest.layers[:_MOST]
    there = depot.blobs(one.digest for one in blobs)
    layers = tuple(
        Layer(kind_called(one.media_type), str(one.digest), one.size, one.digest in there) for one in blobs
    )
    return Part(name, str(manifest.digest), True, layers, sum(one.size for one in manifest.blobs))


def kind_called(media_type: str) -> str:
    """Name what a blob is, as people call it: `gzip layer`, `config`, `license`; its media type when it has no name."""
    if media_type.startswith(PREFIX):
        return media_type.removeprefix(PREFIX)
    if media_type in _KINDS:
        return _KINDS[media_type]
    short = media_type.rpartition("/")[2].removeprefix("vnd.")
    for begin in _LAYERS:
        if short.startswith(begin):
            packed = short.removeprefix(begin).lstrip(".+")
            return f"{packed} layer".lstrip()
    return short or "content"
