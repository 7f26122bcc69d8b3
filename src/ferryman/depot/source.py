"""A repository of the depot as a source to copy from."""

from collections.abc import Iterator
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import FerryError, NotFound
from ferryman.depot import references
from ferryman.depot.names import Names
from ferryman.depot.stream import FileStream
from ferryman.oci.manifest import Descriptor, Manifest

COSIGN: Final = ("sig", "att", "sbom")
"""Endings of the tags under which cosign keeps what belongs to a manifest."""
_PAGE: Final = 1000


class DepotSource:
    """Implements `oci.ports.Source`. Thread-safe."""

    def __init__(self, depot: Names, repository: str) -> None:
        """Read `repository` of `depot`."""
        self._depot = depot
        self._repository = repository

    def resolve(self, tag_or_digest: str | None) -> Manifest:
        """Return a manifest by tag or digest; None means the only tag, or `latest`. Raises `NotFound`."""
        if tag_or_digest is None:
            tags = self._depot.tags(self._repository, limit=2)
            tag_or_digest = tags[0] if len(tags) == 1 else "latest"
        return self._depot.manifest(self._repository, tag_or_digest)

    def manifest(self, digest: Digest) -> Manifest:
        """Return a manifest by digest. Raises `NotFound` (`manifest_unknown`), `Corrupt`."""
        return self._depot.manifest(self._repository, digest)

    def open_blob(self, blob: Descriptor, offset: int = 0) -> FileStream:
        """Open a blob of the repository. Raises `NotFound` (`blob_unknown`)."""
        if not self._depot.has_blob_in(self._repository, blob.digest):
            raise references.unknown_blob(blob.digest, self._repository)
        return self._depot.open(blob.digest, offset)

    def referrers(self, digest: Digest) -> list[Descriptor]:
        """Return what refers to a manifest: by subject, by the fallback tag, by cosign's tags."""
        found = {item.digest: item for item in self._depot.referrers(self._repository, digest)}
        stem = f"{digest.algorithm}-{digest.hex}"
        fallback = self._tagged(stem)
        if fallback is not None:
            found |= {item.digest: item for item in fallback.children if item.digest not in found}
        for ending in COSIGN:
            signed = self._tagged(f"{stem}.{ending}")
            if signed is not None:
                found.setdefault(signed.digest, signed.descriptor)
        return list(found.values())

    def tags(self) -> Iterator[str]:
        """Yield the tags of the repository."""
        after = ""
        while page := self._depot.tags(self._repository, after, _PAGE):
            yield from page
            after = page[-1]

    def close(self) -> None:
        """Hold nothing. Repeatable."""

    def _tagged(self, tag: str) -> Manifest | None:
        """Return what a tag of a derived name is, None when there is none or it cannot be read."""
        if len(tag) > 128:  # the one of a sha512 digest
            return None
        try:
            return self._depot.manifest(self._repository, tag)
        except NotFound:
            return None
        except FerryError:
            return None
