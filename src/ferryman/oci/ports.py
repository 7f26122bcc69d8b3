"""What everything that images are copied between offers. All calls block and are thread-safe, unless they say otherwise.

Errors of all of them: `NotFound`, `Denied`, `Unavailable` (with `retry_after` when the other side asked for it), `Corrupt`
(bytes are not what their digest says), `Invalid`, `Exhausted`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from ferryman.core.digests import Digest
from ferryman.oci.manifest import Descriptor, Manifest


class BlobStream(Protocol):
    """Bytes of a blob from `offset` to its end. A context manager; for one thread at a time.

    `size` is the length of the whole blob when it is known.
    """

    @property
    def size(self) -> int | None:
        """Length of the whole blob in bytes, None when unknown."""
        ...

    @property
    def offset(self) -> int:
        """Where in the blob the first byte of this stream belongs. Does not change."""
        ...

    def readinto(self, view: memoryview, /) -> int:
        """Fill `view` from its beginning and say how many bytes that were; 0 at the end.

        A stream that ends early or lies about its length raises `Unavailable`.
        """
        ...

    def fileno(self) -> int | None:
        """A descriptor from which exactly the rest of the stream can be moved by the kernel (`sendfile`, `splice`).

        None when bytes have to pass through `readinto`. A regular file stands at the stream's position; a blocking socket
        has nothing buffered. Who moves bytes this way calls `moved` with their number, and stops after `size` bytes.
        """
        ...

    def moved(self, count: int, /) -> None:
        """Tell that `count` bytes left through `fileno`."""
        ...

    def close(self) -> None:
        """Give up what is not read yet. Repeatable."""
        ...

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close."""
        ...


@dataclass(frozen=True, slots=True)
class UploadState:
    """An upload that a registry keeps open: where it goes on, and how many bytes are known to have arrived."""

    location: str
    offset: int


def forget(state: UploadState | None) -> None:
    """Keep nothing: an upload that cannot be resumed by another process."""
    del state


@dataclass(frozen=True, slots=True)
class ResumeUpload:
    """How an upload survives its process: `state` is what was saved last, `save` keeps a newer one durably.

    `save` is called from the thread of `put_blob`, when the upload has begun, whenever the target has confirmed more, and
    with None when the upload is done or lost.
    """

    state: UploadState | None = None
    save: Callable[[UploadState | None], None] = forget


class Source(Protocol):
    """A repository to read from."""

    def resolve(self, tag_or_digest: str | None) -> Manifest:
        """Return the manifest of a tag or digest, its bytes unchanged; None means the only one, or `latest`.

        Raises `NotFound` (`manifest_unknown`).
        """
        ...

    def manifest(self, digest: Digest) -> Manifest:
        """Return a manifest by digest, checked. Raises `NotFound` (`manifest_unknown`), `Corrupt`."""
        ...

    def open_blob(self, blob: Descriptor, offset: int = 0) -> BlobStream:
        """Open a blob at `offset`. Its bytes are not checked: who reads them hashes them. Raises `NotFound`."""
        ...

    def referrers(self, digest: Digest) -> list[Descriptor]:
        """What refers to a manifest: by the referrers API or its fallback tag, and by cosign's tags. Maybe empty."""
        ...

    def tags(self) -> Iterator[str]:
        """Yield the tags of the repository."""
        ...

    def close(self) -> None:
        """Give connections back. Repeatable."""
        ...


class Target(Protocol):
    """A repository to write to. Whatever is put twice is there once."""

    def has_manifest(self, digest: Digest) -> bool:
        """Whether the manifest is there."""
        ...

    def tagged(self, tag: str) -> Digest | None:
        """Return what a tag points to; None when there is no such tag."""
        ...

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the blob is in this repository."""
        ...

    def mount(self, blob: Descriptor, repository: str) -> bool:
        """Take a blob over from another repository of the same target. False: upload it instead."""
        ...

    def put_blob(
        self,
        blob: Descriptor,
        source: Callable[[int], BlobStream],
        tell: Callable[[int], None],
        resume: ResumeUpload | None,
    ) -> None:
        """Store a blob: `source(offset)` opens its bytes, once or (after a failure) again at another offset.

        `tell(n)` is called with bytes as they move. Nothing is visible before the whole was checked. Raises `Corrupt`
        when the bytes do not match. A blob that is there already is not read.
        """
        ...

    def put_manifest(self, manifest: Manifest, tag: str | None) -> None:
        """Store a manifest byte by byte, after its blobs and children; `tag` None stores it by digest only."""
        ...

    def close(self) -> None:
        """Give connections back. Repeatable."""
        ...
