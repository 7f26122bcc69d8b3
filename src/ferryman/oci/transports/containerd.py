"""containerd on this machine as a place of images: `containerd:[NAMESPACE/]REFERENCE`, through its program `ctr`.

Blobs are read one by one from its content store and written as one tar into `ctr images import`; nothing is laid down in
between, and manifests stay as they are.
"""

import threading
from collections.abc import Iterator, Sequence

from ferryman.core.digests import Digest
from ferryman.core.errors import FerryError, Invalid, NotFound
from ferryman.oci.manifest import Descriptor, Manifest
from ferryman.oci.ports import BlobStream
from ferryman.oci.reference import Reference, parse_digest
from ferryman.oci.transports.ctr import Ctr, Importing
from ferryman.oci.transports.entries import COSIGN, REF_NAME
from ferryman.oci.transports.options import TransportOptions
from ferryman.oci.transports.packed import PackedTarget
from ferryman.oci.transports.packing import Packer, Sparse, Style, whole_name


class ContainerdSource:
    """One repository in containerd as a `Source`. Thread-safe. `notes` are sentences that a person should be told."""

    def __init__(self, ctr: Ctr, reference: Reference) -> None:
        """List the images there are. Raises `Unavailable` (`containerd_unreachable`), `NotFound` (`ctr_missing`)."""
        self._ctr = ctr
        self._reference = reference
        self._images = ctr.images()
        self._lock = threading.Lock()
        self._types: dict[Digest, str] = {}
        self.notes: tuple[str, ...] = ()

    def resolve(self, tag_or_digest: str | None) -> Manifest:
        """Return the manifest of a tag or digest; None means `latest`. Raises `NotFound` (`manifest_unknown`)."""
        wanted = tag_or_digest or "latest"
        if ":" in wanted:
            return self.manifest(parse_digest(wanted))
        digest = self._images.get(f"{self._reference.name}:{wanted}")
        if digest is None:
            raise NotFound(
                "manifest_unknown",
                f"containerd has no image {self._reference.name}:{wanted}.",
                advice="See 'ctr -n NAMESPACE images ls' for what is there; Kubernetes uses the namespace k8s.io.",
            )
        return self.manifest(digest)

    def manifest(self, digest: Digest) -> Manifest:
        """Return a manifest of the content store. Raises `NotFound` (`manifest_unknown`), `Corrupt`."""
        with self._lock:
            known = self._types.get(digest, "")
        manifest = self._ctr.manifest(digest, known)
        with self._lock:
            self._types |= {child.digest: child.media_type for child in manifest.children}
        return manifest

    def open_blob(self, blob: Descriptor, offset: int = 0) -> BlobStream:
        """Open a blob of the content store. Raises `NotFound` (`blob_unknown`), `Unavailable`."""
        return self._ctr.content(blob.digest, blob.size, offset)

    def referrers(self, digest: Digest) -> list[Descriptor]:
        """What refers to a manifest and is kept under a name of the repository."""
        found = []
        for name, other in self._images.items():
            rest = name.removeprefix(self._reference.name)
            named = COSIGN.fullmatch(rest[1:]) if rest.startswith(":") else None
            if named and Digest(named[1], named[2]) == digest:
                found.append(self._described(self.manifest(other), rest[1:]))
            elif rest.startswith("@") and (manifest := self._referring(other, digest)):
                found.append(self._described(manifest, None))
        return found

    def tags(self) -> Iterator[str]:
        """Yield the tags of the repository."""
        start = f"{self._reference.name}:"
        yield from (name.removeprefix(start) for name in self._images if name.startswith(start))

    def close(self) -> None:
        """Nothing is held open."""

    def _referring(self, other: Digest, digest: Digest) -> Manifest | None:
        try:
            manifest = self.manifest(other)
        except (NotFound, Invalid):
            return None
        return manifest if manifest.subject and manifest.subject.digest == digest else None

    @staticmethod
    def _described(manifest: Manifest, tag: str | None) -> Descriptor:
        annotations = {**manifest.annotations, **({REF_NAME: tag} if tag else {})}
        return Descriptor(
            manifest.media_type,
            manifest.digest,
            len(manifest.raw),
            annotations=annotations,
            artifact_type=manifest.artifact_type,
        )


class ContainerdKnown:
    """What is in containerd's content store when it is opened. Thread-safe."""

    def __init__(self, ctr: Ctr, reference: Reference) -> None:
        """List it. Raises `Unavailable` (`containerd_unreachable`), `NotFound` (`ctr_missing`)."""
        self._ctr = ctr
        self._reference = reference
        self._images = ctr.images()
        self._blobs = ctr.blobs()

    def complete(self, digest: Digest) -> bool:
        """Whether a manifest is there with all that belongs to it."""
        return digest in self._blobs and self._whole(digest, 0)

    def has(self, digest: Digest) -> bool:
        """Whether a blob is there."""
        return digest in self._blobs

    def tagged(self, tag: str) -> Digest | None:
        """Return what a tag points to."""
        return self._images.get(whole_name(self._reference, tag))

    def _whole(self, digest: Digest, depth: int) -> bool:
        try:
            manifest = self._ctr.manifest(digest)
        except FerryError:
            return False
        return (
            depth < 16
            and all(blob.digest in self._blobs for blob in manifest.blobs)
            and all(
                child.digest in self._blobs and self._whole(child.digest, depth + 1)
                for child in manifest.children
            )
        )


class ContainerdTarget(PackedTarget):
    """containerd as a `Target`. Thread-safe.

    It does not take an index of which some platforms were left out, unless it is asked for one platform only: what there
    is comes first, each image under its digest, and then the index for one of them.
    """

    def __init__(self, ctr: Ctr, reference: Reference) -> None:
        """Look what is there. Raises `Unavailable` (`containerd_unreachable`), `NotFound` (`ctr_missing`)."""
        style = Style(reference, full_names=True, all_named=True)
        super().__init__(Importing(ctr), style, ContainerdKnown(ctr, reference))
        self._ctr = ctr
        self._reference = reference

    def _delivered(self, sparse: Sequence[Sparse]) -> None:
        for one in sparse:
            importing = Importing(self._ctr, str(one.child.platform or ""))
            packer = Packer(importing, Style(self._reference, full_names=True))
            try:
                for tag in one.tags or (None,):
                    packer.manifest(one.index, tag)
                packer.finish()
                importing.finish()
            finally:
                importing.give_up()
            if one.tags:  # the index holds this one now
                self._ctr.run("images", "rm", f"{self._reference.name}@{one.child.digest}")


def containerd_source(namespace: str, reference: Reference, options: TransportOptions) -> ContainerdSource:
    """Open containerd to read from. Raises `Unavailable` (`containerd_unreachable`), `NotFound` (`ctr_missing`)."""
    return ContainerdSource(Ctr(namespace, options), reference)


def containerd_target(namespace: str, reference: Reference, options: TransportOptions) -> ContainerdTarget:
    """Open containerd to write to: images are there when the target is closed. Raises what `containerd_source` raises."""
    ctr = Ctr(namespace, options)
    return ContainerdTarget(ctr, reference)
