"""Bytes of blobs: a region of a file as a stream, and pouring a stream into a target while it is checked."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ferryman.core.digests import new_hasher
from ferryman.core.errors import Corrupt, Invalid, Unavailable
from ferryman.oci.manifest import Descriptor
from ferryman.oci.ports import BlobStream
from ferryman.transfer.failures import disk_error

PIECE: Final = 1 << 20
"""Bytes that move at once."""
TRIES: Final = 4
"""Times that a source may fail without a byte in between."""


class Region:
    """`size` bytes of a file from `start` on, as a `BlobStream` that begins at `offset` of them. For one thread at a time."""

    def __init__(self, descriptor: int, start: int, size: int, offset: int = 0, what: str = "") -> None:
        """Take over `descriptor`, which nobody else may use; `what` names the place in errors.

        Raises `Invalid` (`offset_invalid`) for an offset outside.
        """
        self._descriptor = descriptor
        self._what = what
        self._left = size - offset
        self.size: int | None = size
        self.offset = offset
        if not 0 <= offset <= size:
            os.close(descriptor)
            raise Invalid(
                "offset_invalid",
                f"{offset} is not within the {size} bytes of the blob.",
                advice="Start from the beginning.",
            )
        os.lseek(descriptor, start + offset, os.SEEK_SET)

    def readinto(self, view: memoryview, /) -> int:
        """Fill `view`; 0 at the end. Raises `Corrupt` (`blob_truncated`) when the file became shorter."""
        wanted = min(len(view), self._left)
        if wanted == 0:
            return 0
        count = os.readv(self._descriptor, [view[:wanted]])
        if count == 0:
            raise Corrupt(
                "blob_truncated",
                f"{self._what or 'The file'} ends {self._left} bytes too early.",
                advice="It was changed or cut while it was read: make it anew.",
            )
        self._left -= count
        return count

    def fileno(self) -> int | None:
        """Return the file's descriptor, which stands where the stream does."""
        return self._descriptor

    def moved(self, count: int, /) -> None:
        """Count bytes that left through `fileno`."""
        self._left -= count

    def close(self) -> None:
        """Close the file. Repeatable."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close."""
        self.close()


def pour(
    blob: Descriptor,
    source: Callable[[int], BlobStream],
    write: Callable[[memoryview], None],
    tell: Callable[[int], None],
    kept: Iterable[memoryview] = (),
) -> None:
    """Move a blob from `source` into `write` and check its length and digest.

    `kept` is the beginning that is there already; it is only read. Raises `Corrupt` (`blob_mismatch`, `blob_length`), and
    the source's error when it fails for good.
    """
    hasher = new_hasher(blob.digest.algorithm)
    at = 0
    for piece in kept:
        hasher.update(piece)
        at += len(piece)
    for piece in _pieces(blob, source, at):
        hasher.update(piece)
        write(piece)
        tell(len(piece))
    if not blob.digest.matches(hasher.hexdigest()):
        raise mismatch(blob, hasher.hexdigest())


def _pieces(blob: Descriptor, source: Callable[[int], BlobStream], at: int) -> Iterator[memoryview]:
    """Yield what is missing from `at` on. A source that fails is opened again where it stopped, a few times."""
    view = memoryview(bytearray(min(PIECE, blob.size + 1)))
    failures = 0
    while at < blob.size:
        before = at
        try:
            with source(at) as stream:
                while count := stream.readinto(view):
                    at += count
                    if at > blob.size:
                        raise _length(blob, "more")
                    yield view[:count]
            if at == before:
                raise _length(blob, "fewer")
        except Unavailable as error:
            failures = 0 if at > before else failures + 1
            if failures >= TRIES:
                raise
            time.sleep(min(30.0, error.retry_after or 0.1 * 2**failures))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Translate what the file system says while `path` is written: `Exhausted` (`disk_full`), `Denied`, `Invalid` and so on."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from error


def mismatch(blob: Descriptor, found: str) -> Corrupt:
    """Build the error for a blob with other content."""
    return Corrupt(
        "blob_mismatch",
        f"The blob {blob.digest} came with the digest {blob.digest.algorithm}:{found}.",
        advice="The source is damaged or was changed: check it, or use another source.",
    )


def _length(blob: Descriptor, how: str) -> Corrupt:
    return Corrupt(
        "blob_length",
        f"The blob {blob.digest} has {how} bytes than the {blob.size} of its manifest.",
        advice="The source is damaged or was changed: check it, or use another source.",
    )
