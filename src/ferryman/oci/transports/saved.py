"""What `docker save` and `podman save` write: `manifest.json`, and the manifests that are made from it. Pure.

Such an archive has layers without compression and no manifest. One is made from what is there, always the same for the same
archive: the image's configuration byte by byte, and its layers as they lie in the archive.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, Invalid
from ferryman.oci import media
from ferryman.oci.manifest import Descriptor, Manifest, parse_manifest
from ferryman.oci.reference import Reference, parse_digest, parse_reference

MOST_DOCUMENT: Final = 8 << 20
"""Bytes of a `manifest.json` or a configuration."""
MADE: Final = (
    "The archive holds layers without compression and no manifest; one was made from it. Its digest is not that of the "
    "registry the image came from, but the same for everyone who reads this archive."
)


@dataclass(frozen=True, slots=True)
class SavedImage:
    """An image in `manifest.json`: names of members, and references in full."""

    config: str
    layers: tuple[str, ...]
    names: tuple[Reference, ...]


def parse_saved(raw: bytes, place: str) -> tuple[SavedImage, ...]:
    """Read a `manifest.json`. Raises `Corrupt` (`archive_damaged`)."""
    document = _json(raw, "manifest.json", place)
    if not isinstance(document, list):
        raise damaged_saved(place, "its manifest.json is no list")
    return tuple(_image(one, place) for one in document)


def diff_ids(config: bytes, count: int, place: str) -> tuple[Digest, ...]:
    """Return the digests of the `count` layers without compression, from a configuration. Raises `Corrupt`."""
    document = _json(config, "configuration", place)
    root = document.get("rootfs") if isinstance(document, dict) else None
    listed = root.get("diff_ids") if isinstance(root, dict) else None
    if not isinstance(listed, list) or len(listed) != count:
        raise damaged_saved(place, f"its configuration does not list {count} layers")
    try:
        return tuple(parse_digest(str(one)) for one in listed)
    except Invalid as error:
        raise damaged_saved(
            place, f"its configuration lists layers without digest: {error.message}"
        ) from error


def make_manifest(config: Descriptor, layers: Sequence[Descriptor]) -> Manifest:
    """Make the manifest of an image from a docker archive."""
    body = {"schemaVersion": 2, "mediaType": media.OCI_MANIFEST, "config": config.as_json()}
    body["layers"] = [layer.as_json() for layer in layers]
    return parse_manifest(json.dumps(body, separators=(",", ":")).encode(), media.OCI_MANIFEST)


def render_saved(images: Sequence[tuple[Manifest, Sequence[str]]]) -> bytes:
    """Return the `manifest.json` for images whose blobs lie in the archive as in an OCI layout, with their references."""
    listed = [
        {
            "Config": blob_name(manifest.config.digest),
            "RepoTags": list(names) or None,
            "Layers": [blob_name(layer.digest) for layer in manifest.layers],
        }
        for manifest, names in images
        if manifest.config is not None
    ]
    return json.dumps(listed, separators=(",", ":")).encode()


def blob_name(digest: Digest) -> str:
    """Return where a blob lies in a layout."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


def damaged_saved(place: str, what: str) -> Corrupt:
    """Build the error for an archive that is not what `docker save` writes."""
    return Corrupt(
        "archive_damaged",
        f"{place} is no sound docker archive: {what}.",
        advice="Save the image again. An OCI layout in a tar is read with oci-archive: instead.",
    )


def _image(value: object, place: str) -> SavedImage:
    if not isinstance(value, dict):
        raise damaged_saved(place, "its manifest.json lists something else than images")
    config, layers, names = value.get("Config"), value.get("Layers"), value.get("RepoTags")
    if not isinstance(config, str) or not _texts(layers) or not (names is None or _texts(names)):
        raise damaged_saved(place, "an image in its manifest.json lacks its configuration or layers")
    return SavedImage(_clean(config), tuple(_clean(one) for one in layers or ()), _references(names or ()))


def _references(names: Sequence[str]) -> tuple[Reference, ...]:
    """Return the references; names that are none cannot be asked for and are left out."""
    found = []
    for name in names:
        try:
            found.append(parse_reference(name))
        except Invalid:
            continue
    return tuple(found)


def _clean(name: str) -> str:
    return name.removeprefix("./")


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _json(raw: bytes, name: str, place: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise damaged_saved(place, f"its {name} is no JSON ({str(error)[:100]})") from error


LAYER_TYPES: Final[Mapping[str | None, str]] = {
    None: media.OCI_LAYER,
    "gz": media.OCI_LAYER_GZIP,
    "zst": media.OCI_LAYER_ZSTD,
}
"""Media type of a layer by its compression."""
