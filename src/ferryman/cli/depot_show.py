"""What commands of the depot show of one reference."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from ferryman.core.clock import rfc3339
from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid, NotFound
from ferryman.core.units import format_size
from ferryman.oci import media
from ferryman.oci.reference import parse_local

if TYPE_CHECKING:
    from ferryman.depot.service import Depot
    from ferryman.oci.manifest import Descriptor

_AT_ONCE: Final = 300
_SIZES: Final = ("size", "total")


def split(ref: str) -> tuple[str, str]:
    """Read `REPOSITORY:TAG` or `REPOSITORY@DIGEST`; without both, the tag is `latest`. Raises `Invalid`."""
    found = parse_local(ref.removeprefix("depot:"))
    if found.digest is not None and found.tag is not None:
        raise Invalid(
            "reference_invalid",
            f"'{ref[:300]}' has a tag and a digest.",
            advice="Write one of them.",
        )
    return found.repository, found.wanted


def removal_of(depot: "Depot", ref: str) -> dict[str, object]:
    """Return what would go with a reference, as JSON has it. Raises `NotFound`, `Conflict` (`pinned`)."""
    repository, wanted = split(ref)
    found = depot.removal(repository, wanted)
    return {
        "name": ref,
        "tags": [f"{repository}:{tag}" for tag in found.tags],
        "manifests": [str(digest) for digest in found.manifests],
        "freed": found.freed,
    }


def sizes_of(depot: "Depot", digests: list[str]) -> dict[str, int]:
    """Return the bytes that are there of each manifest with all it names."""
    wanted = [Digest.parse(text) for text in dict.fromkeys(digests)]
    found: dict[str, int] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        part = depot.needs(wanted[start : start + _AT_ONCE])
        found |= {str(digest): size for digest, size in part.items()}
    return found


def kind_of(media_type: str) -> str:
    """Return the kind of a manifest in a word; what is not known keeps its media type."""
    if media.is_index(media_type):
        return "index"
    return "image" if media.is_manifest(media_type) else media_type


def told(document: dict[str, Any]) -> Iterator[str]:
    """Yield what `show_one` returns as lines for people."""
    for name, value in document.items():
        if isinstance(value, list) and value:
            yield f"{name}:"
            for item in value:
                parts = (format_size(part) if key == "size" else str(part) for key, part in item.items())
                yield "  " + "  ".join(parts)
        elif value not in (None, "", []):
            yield f"{name}: {format_size(value) if name in _SIZES else value}"


def show_one(depot: "Depot", ref: str) -> dict[str, Any]:
    """Return what is known of one image; sizes are bytes. Raises `NotFound`."""
    repository, wanted = split(ref)
    manifest = depot.manifest(repository, wanted)
    blob = depot.blob(manifest.digest)
    named = [one for one in _manifests(depot, repository) if one.digest == manifest.digest]
    pinned = {pin.target for pin in depot.pins()}
    tags = list(named[0].tags) if named else []
    mine = {str(manifest.digest), *(f"{repository}:{tag}" for tag in tags)}
    return {
        "name": f"{repository}@{wanted}" if ":" in wanted else f"{repository}:{wanted}",
        "digest": str(manifest.digest),
        "media_type": manifest.media_type,
        "size": len(manifest.raw),
        "total": len(manifest.raw) + sum(part.size for part in manifest.blobs),
        "source": blob.origin.source,
        "fetched_at": rfc3339(blob.origin.at),
        "job": blob.origin.job,
        "pinned": "yes" if mine & pinned else None,
        "tags": [{"tag": tag} for tag in tags],
        "images": [_part(depot, part) for part in manifest.children],
        "blobs": [_part(depot, part) for part in manifest.blobs],
        "referrers": [
            {"digest": str(one.digest), "type": one.artifact_type or one.media_type}
            for one in depot.source(repository).referrers(manifest.digest)
        ],
        "history": _history(depot, repository, wanted),
    }


def _manifests(depot: "Depot", repository: str) -> list[Any]:
    found: list[Any] = []
    while page := depot.manifests(repository, str(found[-1].digest) if found else "", 1000):
        found += page
    return found


def _part(depot: "Depot", part: "Descriptor") -> dict[str, object]:
    there = depot.has(part.digest)
    platform = str(part.platform) if part.platform else None
    row = {"digest": str(part.digest), "size": part.size, "type": platform or part.media_type}
    return row if there else {**row, "missing": "missing"}


def _history(depot: "Depot", repository: str, wanted: str) -> list[dict[str, object]]:
    if ":" in wanted:
        return []
    try:
        changes = depot.history(repository, wanted, 20)
    except NotFound:
        return []
    return [
        {
            "at": rfc3339(change.at),
            "digest": str(change.digest) if change.digest else "removed",
            "source": change.origin.source,
        }
        for change in changes
    ]
