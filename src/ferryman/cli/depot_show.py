"""What commands of the depot show of one reference."""

from typing import TYPE_CHECKING, Any

from ferryman.core.clock import rfc3339
from ferryman.core.errors import Invalid, NotFound
from ferryman.oci.reference import parse_local

if TYPE_CHECKING:
    from ferryman.depot.service import Depot
    from ferryman.oci.manifest import Descriptor


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
