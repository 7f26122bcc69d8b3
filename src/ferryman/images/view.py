"""What the pages of the depot show of a manifest: its kind, platforms, layers and sizes. Blocking."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ferryman.core.errors import FerryError
from ferryman.depot.model import Ref
from ferryman.depot.service import Depot
from ferryman.oci.manifest import Descriptor, Manifest
from ferryman.oci.ollama import PREFIX, kind_of

_MOST: Final = 200
"""Platforms and layers that are shown of one image."""


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


def row_of(depot: Depot, ref: Ref) -> Row:
    """Return what a list shows of a reference; what is damaged is shown without a size."""
    try:
        manifest = depot.manifest(ref.repository, ref.digest)
        size = sum(one.size for image in _images(depot, ref.repository, manifest) for one in _unique(image))
    except FerryError:
        return Row(ref, "unreadable", None)
    return Row(ref, kind_shown(manifest), size)


def kind_shown(manifest: Manifest) -> str:
    """Name what a manifest is, as people call it."""
    if manifest.is_index:
        return f"{len(manifest.children)} images"
    if any(layer.media_type.startswith(PREFIX) for layer in manifest.layers):
        return "model"
    if manifest.artifact_type or (manifest.subject is not None):
        return "artifact"
    return "image"


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
    layers = tuple(Layer(_kind(one), str(one.digest), one.size, one.digest in there) for one in blobs)
    return Part(name, str(manifest.digest), True, layers, sum(one.size for one in manifest.blobs))


def _kind(layer: Descriptor) -> str:
    if layer.media_type.startswith(PREFIX):
        return kind_of(layer)
    return (
        layer.media_type.rpartition("/")[2]
        .removeprefix("vnd.")
        .removeprefix("oci.image.")
        .removeprefix("docker.")
    )


def _images(depot: Depot, repository: str, manifest: Manifest) -> Sequence[Manifest]:
    if not manifest.is_index:
        return [manifest]
    children = [child.digest for child in manifest.children[:_MOST]]
    return [depot.manifest(repository, one) for one in children if depot.has_manifest(repository, one)]


def _unique(manifest: Manifest) -> list[Descriptor]:
    return list({one.digest: one for one in manifest.blobs}.values())
