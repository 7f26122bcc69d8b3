"""Content on its way in: appended to a file, hashed while it arrives, visible only when it is complete and verified."""

import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

from ferryman.core.digests import Digest, Hasher, new_hasher
from ferryman.core.errors import Conflict, Corrupt, NotFound
from ferryman.depot.files import translated
from ferryman.depot.model import Blob, Origin, WriterState
from ferryman.depot.settling import Arrived

CHECK_EVERY: Final = 64 << 20
"""Bytes after which the room is looked at again."""
_READ: Final = 1 << 20

Arrive = Callable[[Path, int, Digest, int], Arrived]
"""Says of a verified, open file what it is to become."""
Settle = Callable[[Sequence[Arrived]], Sequence[Blob]]
"""Makes verified files durable, and gives them their names and records."""
Room = Callable[[int], None]
"""Raises `Exhausted` when so many bytes do not fit."""


class BlobWriter:
    """Takes content in order; nothing of it is visible before `commit`. For one thread at a time.

    A context manager that lets go of what was not committed, see `abort`. `id` names it for `Depot.resume`; `offset` is
    how much is there.
    """

    def __init__(
        self,
        path: Path,
        handle: int,
        origin: Origin,
        algorithm: str,
        arrive: Arrive,
        settle: Settle,
        room: Room,
        *,
        keep: bool,
    ) -> None:
        """Own `handle`, a locked file at `path`; `keep` is whether `abort` leaves it for another attempt."""
        self.id = path.name
        self.offset = 0
        self.expected: Digest | None = None
        self._path, self._handle = path, handle
        self._origin, self._algorithm = origin, algorithm
        self._arrive, self._settle, self._room, self._keep = arrive, settle, room, keep
        self._verified: Digest | None = None
        self._hasher: Hasher = new_hasher(algorithm)
        self._next_check = CHECK_EVERY

    def load(self, upto: int) -> None:
        """Read and hash what is there, at most `upto` bytes, and cut off what is behind."""
        view = memoryview(bytearray(min(_READ, max(upto, 1))))
        while self.offset < upto:
            count = os.preadv(self._handle, [view[: min(len(view), upto - self.offset)]], self.offset)
            if not count:
                break
            self._hasher.update(view[:count])
            self.offset += count
        os.ftruncate(self._handle, self.offset)

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append `data` and hash it. Raises `Exhausted` (`disk_full`, `depot_full`)."""
        view = memoryview(data).cast("B")
        if self.offset + len(view) >= self._next_check:
            self._room(self.offset + len(view))
            self._next_check += CHECK_EVERY
        with translated(self._path, len(view)):
            done = 0
            while done < len(view):
                done += os.pwrite(self._handle, view[done:], self.offset + done)
        self._hasher.update(view)
        self.offset += len(view)
        return len(view)

    def reader(self) -> int:
        """Open the file for reading, for the caller to close: what was written can be read while more arrives, and after `commit`."""
        with translated(self._path):
            return os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)

    def restart(self) -> None:
        """Throw away what is there and begin anew: the content changed, or begins at 0 again."""
        os.ftruncate(self._handle, 0)
        self.offset = 0
        self._hasher = new_hasher(self._algorithm)
        self._next_check = CHECK_EVERY

    def state(self) -> WriterState:
        """Make what was written durable, and return what `Depot.resume` needs to go on after this process."""
        with translated(self._path):
            os.fsync(self._handle)
        return WriterState(self.id, self._algorithm, self.offset, self._origin)

    def suspend(self) -> WriterState:
        """`state`, then close the file: what was written stays for `Depot.resume`."""
        state = self.state()
        self._close()
        return state

    def leave(self) -> bool:
        """Close the file as it is, after an error; tell whether it is still there for `Depot.resume`, which reads it anew."""
        self._close()
        return self._path.exists()

    def digest(self) -> Digest:
        """Return the digest of what was written so far."""
        return Digest(self._algorithm, self._hasher.hexdigest())

    def commit(self, digest: Digest | None = None) -> Blob:
        """Verify, make durable, make visible; `digest` (or `expected`) must be that of the content.

        Raises `Corrupt` (`blob_mismatch`), after which the content is gone, and `Exhausted` (`depot_full`).
        """
        self.verify(digest)
        (blob,) = self._settle([self.arrived()])
        self._close()
        return blob

    def verify(self, digest: Digest | None = None) -> Digest:
        """Check the content, which is complete, for `Depot.commit_all`. Raises as `commit`."""
        wanted = digest or self.expected
        found = self._found(wanted)
        if wanted is not None and found != wanted:
            self._discard()
            raise mismatch(wanted, found, self.offset)
        self._verified = found
        return found

    def arrived(self) -> Arrived:
        """Return what was verified, to be settled; the writer stays open."""
        assert self._verified is not None, "verified"
        return self._arrive(self._path, self._handle, self._verified, self.offset)

    def close(self) -> None:
        """Let go of the file after its content was settled. Idempotent."""
        self._close()

    def abort(self) -> None:
        """Throw away what was written; what `Depot.fetching` began stays for another attempt. Idempotent."""
        if self._handle < 0:
            return
        if self._keep and self.offset:
            self._close()
        else:
            self._discard()

    def _found(self, wanted: Digest | None) -> Digest:
        """Return the digest of the content by the algorithm of `wanted`, which may be another than expected."""
        if wanted is None or wanted.algorithm == self._algorithm:
            return self.digest()
        self._algorithm, self._hasher = wanted.algorithm, new_hasher(wanted.algorithm)
        size, self.offset = self.offset, 0
        self.load(size)
        return self.digest()

    def _discard(self) -> None:
        self._path.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()


def take(path: Path, *, make: bool) -> int | None:
    """Open a file and lock it, so that the sweep leaves it alone; None when another writer has it.

    Raises `FileNotFoundError` unless `make`.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if make else 0)
    while True:
        handle = os.open(path, flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.stat().st_ino == os.fstat(handle).st_ino:
                return handle
            os.close(handle)  # it was renamed or removed in between: look again
        except FileNotFoundError:
            os.close(handle)
        except BlockingIOError:
            os.close(handle)
            return None


def mismatch(wanted: Digest, found: Digest, size: int) -> Corrupt:
    """Return the error of content that is not what its digest says."""
    return Corrupt(
        "blob_mismatch",
        f"The content ({size} bytes) has the digest {found}, not {wanted}.",
        advice="It was damaged on its way or at its source: fetch it again.",
    )


def unknown_upload(name: str) -> NotFound:
    """Return the error of an upload that is not there."""
    return NotFound(
        "upload_unknown",
        f"There is no unfinished upload '{name[:80]}'.",
        advice="It was finished, cancelled or swept away: begin again.",
    )


def busy_upload(name: str) -> Conflict:
    """Return the error of an upload that another writer has."""
    return Conflict(
        "upload_busy",
        f"Another writer has the upload '{name[:80]}'.",
        advice="Wait until it is done, or begin another one.",
    )
