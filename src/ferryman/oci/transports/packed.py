"""Targets that are given a tar: archives in files, the Docker Engine, containerd. They differ in where the tar goes."""

import contextlib
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from ferryman.core.digests import Digest
from ferryman.core.errors import Conflict
from ferryman.oci.manifest import Descriptor, Manifest
from ferryman.oci.ports import BlobStream, ResumeUpload
from ferryman.oci.transports.packing import Packer, Sink, Sparse, Style
from ferryman.oci.transports.streams import writing


class Delivery(Sink, Protocol):
    """A sink that brings the whole tar to where it belongs. Used by one thread at a time."""

    def finish(self) -> None:
        """Everything is written: make it visible. Raises when the other side refuses it."""
        ...

    def give_up(self) -> None:
        """Leave nothing behind. Repeatable, also after `finish`."""
        ...


class Known(Protocol):
    """What the place has already. Thread-safe."""

    def complete(self, digest: Digest) -> bool:
        """Whether a manifest is there with all that belongs to it."""
        ...

    def has(self, digest: Digest) -> bool:
        """Whether a blob is there."""
        ...

    def tagged(self, tag: str) -> Digest | None:
        """Return what a tag points to, when that can be told."""
        ...


class Nothing:
    """Knows of nothing: a new file is empty."""

    def complete(self, digest: Digest) -> bool:
        """False."""
        del digest
        return False

    def has(self, digest: Digest) -> bool:
        """False."""
        del digest
        return False

    def tagged(self, tag: str) -> Digest | None:
        """None."""
        del tag
        return None


class PackedTarget:
    """A `Target` that writes one tar. Thread-safe; blobs go one after another, since a tar has one end.

    `close` delivers the tar when a manifest was put, `abandon` never does. `notes` are sentences that a person should be
    told.
    """

    def __init__(
        self, delivery: Delivery, style: Style, known: Known | None = None, notes: tuple[str, ...] = ()
    ) -> None:
        """Write to `delivery`, which does nothing before the first byte."""
        self._delivery = delivery
        self._known = known or Nothing()
        self._packer = Packer(delivery, style, self._known.complete)
        self._closed = False
        self.notes = notes

    def has_manifest(self, digest: Digest) -> bool:
        """Whether the manifest is there with all that belongs to it."""
        return self._packer.has(digest) or self._known.complete(digest)

    def tagged(self, tag: str) -> Digest | None:
        """Return what a tag points to, when that can be told."""
        return self._packer.tagged(tag) or self._known.tagged(tag)

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the blob is there."""
        return self._packer.has(blob.digest) or self._known.has(blob.digest)

    def mount(self, blob: Descriptor, repository: str) -> bool:  # noqa: ARG002 - one place for all repositories
        """What is there needs no mount."""
        return self.has_blob(blob)

    def put_blob(
        self,
        blob: Descriptor,
        source: Callable[[int], BlobStream],
        tell: Callable[[int], None],
        resume: ResumeUpload | None,  # noqa: ARG002 - a tar cannot be gone on with by another process
    ) -> None:
        """Write a blob. Raises `Corrupt` when the bytes do not match, `Unavailable` when the receiver is gone."""
        if not self.has_blob(blob):
            self._packer.blob(blob, source, tell)

    def put_manifest(self, manifest: Manifest, tag: str | None) -> None:
        """Write a manifest. It is visible when the target is closed."""
        self._packer.manifest(manifest, tag)

    def close(self) -> None:
        """Deliver what was put. Raises what the receiver says against it. Repeatable: only the first call delivers."""
        if self._closed:
            return
        self._closed = True
        try:
            if not self._packer.empty:
                self._packer.finish()
                self._delivery.finish()
                self._delivered(self._packer.sparse)
        finally:
            self._delivery.give_up()

    def _delivered(self, sparse: Sequence[Sparse]) -> None:
        """Do what is left when the tar is there; `sparse` are indexes that it did not list."""

    def abandon(self) -> None:
        """Forget what was put: the copy failed. Repeatable, also after `close`."""
        self._closed = True
        self._delivery.give_up()


class FileDelivery:
    """A tar in a file, which is there whole or not at all."""

    def __init__(self, path: Path, *, replace: bool) -> None:
        """Write to `path`. Raises `Conflict` (`archive_exists`) when it is there and not to be replaced."""
        self._path = path
        self._replace = replace
        self._fresh = path.parent / f".{path.name[:200]}.{secrets.token_hex(6)}"
        self._named = False
        self._file: BinaryIO | None = None
        self._check()

    def write(self, piece: bytes | memoryview, /) -> None:
        """Write to a file that has no name yet, where the file system knows such files."""
        with writing(self._path):
            if self._file is None:
                self._file = self._begin()
            self._file.write(piece)

    def undo(self, to: int, /) -> bool:
        """Cut the file."""
        if self._file is not None:
            self._file.seek(to)
            self._file.truncate()
        return True

    def finish(self) -> None:
        """Bring the file to its name, durably."""
        with writing(self._path):
            self._finish()

    def _finish(self) -> None:
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._check()
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if not self._named:
                # With a folder given, Python asks the system to follow the link, which is what names the file.
                os.link(f"/proc/self/fd/{self._file.fileno()}", self._fresh, src_dir_fd=folder)
                self._named = True
            self._fresh.replace(self._path)
            self._named = False
            os.fsync(folder)
        finally:
            os.close(folder)

    def give_up(self) -> None:
        """Close the file; without its name nothing of it stays."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk may refuse even that
                self._file.close()
            self._file = None
        if self._named:
            self._fresh.unlink(missing_ok=True)
            self._named = False

    def _begin(self) -> BinaryIO:
        folder = self._path.parent
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666)
        except OSError:
            descriptor = os.open(self._fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
            self._named = True
        return os.fdopen(descriptor, "wb")

    def _check(self) -> None:
        if self._path.is_dir() or (self._path.exists() and not self._replace):
            raise Conflict(
                "archive_exists",
                f"{self._path} is there already.",
                advice="Remove it, or give another name: an archive is not added to.",
            )
