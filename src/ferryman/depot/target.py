"""A repository of the depot as a target to copy to."""

from collections.abc import Callable
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt
from ferryman.depot.holds import Hold
from ferryman.depot.model import Origin
from ferryman.depot.names import Names
from ferryman.depot.writer import BlobWriter
from ferryman.oci.manifest import Descriptor, Manifest
from ferryman.oci.ports import BlobStream, ResumeUpload

_BUFFER: Final = 1 << 20


class DepotTarget:
    """Implements `oci.ports.Target`. Thread-safe."""

    def __init__(self, depot: Names, repository: str, origin: Origin, hold: Hold) -> None:
        """Write to `repository` of `depot`; everything is held by `hold` before it is asked for or brought."""
        self._depot = depot
        self._repository = repository
        self._origin = origin
        self._hold = hold

    def has_manifest(self, digest: Digest) -> bool:
        """Tell whether the repository has a manifest."""
        self._hold.keep([digest])
        return self._depot.has_manifest(self._repository, digest)

    def tagged(self, tag: str) -> Digest | None:
        """Return what a tag names."""
        return self._depot.tagged(self._repository, tag)

    def has_blob(self, blob: Descriptor) -> bool:
        """Tell whether the depot has a blob, in whatever repository: what it has need not be brought again."""
        return bool(self._hold.keep([blob.digest]))

    def mount(self, blob: Descriptor, repository: str) -> bool:  # noqa: ARG002 - one store for all repositories
        """Take a blob over from another repository; False when the depot does not have it."""
        return self.has_blob(blob)

    def put_blob(
        self,
        blob: Descriptor,
        source: Callable[[int], BlobStream],
        tell: Callable[[int], None],
        resume: ResumeUpload | None,  # noqa: ARG002 - what arrived is known by the digest
    ) -> None:
        """Store a blob, going on where an earlier attempt stopped. Raises `Corrupt` (`blob_mismatch`)."""
        if self.has_blob(blob):
            return
        if self._put(blob, source, tell):
            return
        # What an earlier attempt left was not what it should be; it is gone now.
        self._put(blob, source, tell)

    def _put(
        self, blob: Descriptor, source: Callable[[int], BlobStream], tell: Callable[[int], None]
    ) -> bool:
        """Bring a blob; False when it is wrong because of what was there before."""
        with self._depot.fetching(blob.digest, self._origin, hold=self._hold, size=blob.size) as writer:
            before = writer.offset
            if before:
                tell(before)
            if before < blob.size:
                with source(before) as stream:
                    _pour(stream, writer, blob, tell)
            try:
                writer.commit(blob.digest)
            except Corrupt:
                if not before:
                    raise
                return False
        return True

    def put_manifest(self, manifest: Manifest, tag: str | None) -> None:
        """Store a manifest; children of an index that were not chosen may be missing."""
        self._depot.put_manifest(self._repository, manifest, tag, self._origin, self._hold, sparse=True)

    def close(self) -> None:
        """Hold nothing; the hold is its maker's. Repeatable."""


def _pour(stream: BlobStream, writer: BlobWriter, blob: Descriptor, tell: Callable[[int], None]) -> None:
    if stream.offset != writer.offset:
        writer.restart()
        if stream.offset:
            raise _elsewhere(blob, stream.offset)
    view = memoryview(bytearray(_BUFFER))
    while count := stream.readinto(view):
        if writer.offset + count > blob.size:
            writer.restart()
            raise Corrupt(
                "blob_too_long",
                f"{blob.digest} has more than the {blob.size} bytes that its manifest says.",
                advice="The source sends something else than was asked for: check it, or use another source.",
            )
        writer.write(view[:count])
        tell(count)


def _elsewhere(blob: Descriptor, offset: int) -> Corrupt:
    return Corrupt(
        "blob_offset",
        f"The source of {blob.digest} began at byte {offset}, which was not asked for.",
        advice="Try again, or use another source.",
    )
