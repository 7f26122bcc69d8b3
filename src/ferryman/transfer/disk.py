"""The arriving file: writing it, keeping its pages from filling the memory, and finishing it durably."""

import contextlib
import errno
import fcntl
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ferryman.transfer.journal import busy
from ferryman.transfer.plan import MiB

REGION: Final = 8 * MiB
_NEVER: Final = 1 << 62
_START, _WAIT = 2, 7  # SYNC_FILE_RANGE_WRITE; and WAIT_BEFORE | WRITE | WAIT_AFTER


def _sync_file_range() -> Callable[[int, int, int, int], int] | None:
    import ctypes  # noqa: PLC0415 - only big files need it

    try:
        function = ctypes.CDLL(None).sync_file_range
    except (OSError, AttributeError):
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    return function


class PartFile:
    """`<target>.part`, open and locked. `needed_from` is the first byte that will be read again (hashing)."""

    def __init__(self, path: Path) -> None:
        """Open or create and lock. Raises `Conflict` (`target_busy`), `OSError`."""
        self.path = path
        self.fd = _open_locked(path)
        self.needed_from = _NEVER
        self.lock = threading.Lock()
        self.closed = False
        self.regions: deque[tuple[int, int]] = deque()
        self._direct: int | None = None
        self._direct_tried = False

    @property
    def size(self) -> int:
        """Its present length; says nothing about completeness."""
        return os.fstat(self.fd).st_size

    def write(self, data: memoryview, at: int) -> None:
        """Write all of `data` at offset `at`. Raises `OSError`."""
        while data:
            done = os.pwrite(self.fd, data, at)
            at += done
            data = data[done:]

    def write_through(self, data: memoryview, at: int) -> None:
        """Write whole pages past the page cache, where the file system can and nobody will read them again.

        `data` begins at a page in memory and `at` at one in the file. Raises `OSError`.
        """
        fd = self._direct_fd() if self.needed_from == _NEVER else None
        while data and fd is not None:
            try:
                done = os.pwrite(fd, data, at)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                break  # opened, but refused after all: some network file systems
            at, data = at + done, data[done:]
            if done % 4096:
                break  # a nearly full disk: the rest has lost its alignment
        self.write(data, at)

    def _direct_fd(self) -> int | None:
        if not self._direct_tried:
            self._direct_tried = True
            with contextlib.suppress(OSError):
                self._direct = os.open(f"/proc/self/fd/{self.fd}", os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        return self._direct

    def still_there(self) -> bool:
        """Whether the path still leads to this file."""
        return _is_at(self.fd, self.path)

    def close(self, *, remove: bool = False) -> None:
        """Close, waiting for a flush in progress; `remove` deletes the file first. Harmless when repeated."""
        with self.lock:
            if not self.closed:
                if remove:
                    self.path.unlink(missing_ok=True)
                self.closed = True
                os.close(self.fd)
                if self._direct is not None:
                    os.close(self._direct)


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def _open_locked(path: Path) -> int:
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(fd)
            raise busy(path) from error
        except OSError:
            pass  # no locks on this file system: the writer's name in the journal has to do
        if _is_at(fd, path):
            return fd
        os.close(fd)  # a finishing writer renamed the file between open and lock


class Flusher:
    """A thread that starts write-back of what arrived and drops pages that nobody reads again.

    Fresh page-cache pages are the largest cost of writing a big file, and write-back that runs along makes the final
    flush short. `wrote` and `sync` are thread-safe and never block.
    """

    def __init__(self) -> None:
        """The thread starts with the first region."""
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._range: Callable[[int, int, int, int], int] | None = None
        self._thread: threading.Thread | None = None
        self._waited = 0.0
        self._asked: tuple[float, float] = (time.monotonic(), 0.0)
        self._share = 0.0

    def busy_share(self, now: float) -> float:
        """Which share of the time was spent waiting for the disk lately. Loop only."""
        since, waited = self._asked
        if now - since >= 1.0:
            self._share = (self._waited - waited) / (now - since)
            self._asked = (now, self._waited)
        return self._share

    def wrote(self, part: PartFile, start: int, end: int) -> None:
        """The bytes `[start, end)` were written."""
        self._put(lambda: self._flush(part, start, end))

    def sync(self, part: PartFile, then: Callable[[OSError | None], None]) -> None:
        """Flush all of `part` to the disk, then call `then` in the flusher's thread."""
        self._put(lambda: _fdatasync(part, then))

    def close(self) -> None:
        """End after what is queued."""
        if self._thread:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _put(self, work: Callable[[], None]) -> None:
        self._queue.put(work)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ferry-flush", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        self._range = _sync_file_range()
        while work := self._queue.get():
            work()

    def _flush(self, part: PartFile, start: int, end: int) -> None:
        if self._range is None:
            return
        with part.lock:
            if part.closed:
                return
            self._range(part.fd, start, end - start, _START)
            part.regions.append((start, end))
            for _ in range(len(part.regions) - 2):  # the newest two are still being written back
                low, high = part.regions[0]
                if high > part.needed_from:
                    part.regions.rotate(-1)
                    continue
                part.regions.popleft()
                begun = time.monotonic()
                self._range(part.fd, low, high - low, _WAIT)
                self._waited += time.monotonic() - begun
                os.posix_fadvise(part.fd, low, high - low, os.POSIX_FADV_DONTNEED)


def _fdatasync(part: PartFile, then: Callable[[OSError | None], None]) -> None:
    with part.lock:
        if part.closed:
            return
        try:
            os.fdatasync(part.fd)
        except OSError as error:
            then(error)
            return
    then(None)
