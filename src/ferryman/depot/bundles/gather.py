"""What references of a depot consist of: manifests in the order in which they are put, and all blobs."""

from collections.abc import Iterable, Iterator

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid, NotFound
from ferryman.depot.bundles.model import Named
from ferryman.depot.service import Depot
from ferryman.depot.source import COSIGN
from ferryman.oci.manifest import Manifest
from ferryman.oci.reference import parse_local


class Gathered:
    """Manifests (`named`, children first) and `blobs`: sizes by digest, each once, manifests first."""

    def __init__(self, depot: Depot) -> None:
        """Begin with nothing."""
        self._depot = depot
        self._seen: dict[tuple[str, Digest], int] = {}
        self.named: list[Named] = []
        self._manifests: dict[Digest, int] = {}
        self._blobs: dict[Digest, int] = {}

    @property
    def blobs(self) -> dict[Digest, int]:
        """Everything, manifests first."""
        return self._manifests | {
            key: size for key, size in self._blobs.items() if key not in self._manifests
        }

    def add(self, ref: str) -> None:
        """Add a reference with children, signatures and blobs. Raises `NotFound`, `Invalid`, `Corrupt`."""
        found = parse_local(ref.removeprefix("depot:"))
        if found.tag is not None and found.digest is not None:
            raise Invalid(
                "reference_invalid", f"'{ref[:300]}' has a tag and a digest.", advice="Write one of them."
            )
        wanted = found.wanted
        manifest = self._depot.manifest(found.repository, wanted)
        self._visit(found.repository, manifest, None if ":" in wanted else wanted)

    def _visit(self, repository: str, manifest: Manifest, tag: str | None) -> None:
        key = (repository, manifest.digest)
        if key in self._seen:
            self._tag(key, tag)
            return
        self._seen[key] = -1  # a manifest cannot contain itself, but referrers of it may be listed in it
        sparse = False
        for child in manifest.children:
            try:
                found = self._depot.manifest(repository, child.digest)
            except NotFound:
                sparse = True
                continue
            self._visit(repository, found, None)
        self._seen[key] = len(self.named)
        size = len(manifest.raw)
        self.named.append(Named(repository, manifest.digest, manifest.media_type, size, (), sparse))
        self._tag(key, tag)
        self._manifests[manifest.digest] = size
        for blob in manifest.blobs:
            self._add_blob(blob.digest, blob.size, fetchable=bool(blob.urls))
        for digest, name in self._about(repository, manifest.digest):
            self._visit(repository, self._depot.manifest(repository, digest), name)

    def _add_blob(self, digest: Digest, size: int, *, fetchable: bool) -> None:
        if fetchable and not self._depot.has(digest):
            return  # a layer that the vendor does not let others hand on
        self._blobs[digest] = self._depot.size(digest) if self._depot.has(digest) else size

    def _tag(self, key: tuple[str, Digest], tag: str | None) -> None:
        at = self._seen[key]
        if tag is None or at < 0 or tag in self.named[at].tags:
            return
        one = self.named[at]
        tags = (*one.tags, tag)
        self.named[at] = Named(one.repository, one.digest, one.media_type, one.size, tags, one.sparse)

    def _about(self, repository: str, digest: Digest) -> Iterator[tuple[Digest, str | None]]:
        """Yield signatures and the like: what has `digest` as its subject, and what tags of a derived name hold."""
        for one in self._depot.referrers(repository, digest):
            yield one.digest, None
        stem = f"{digest.algorithm}-{digest.hex}"
        for name in (stem, *(f"{stem}.{ending}" for ending in COSIGN)):
            found = self._depot.tagged(repository, name) if len(name) <= 128 else None
            if found is not None:
                yield found, name


def gather(depot: Depot, refs: Iterable[str]) -> Gathered:
    """Return what all of `refs` consist of. Raises `NotFound`, `Invalid`, `Corrupt`."""
    found = Gathered(depot)
    for ref in refs:
        found.add(ref)
    return found
