"""Hashing what has arrived, right behind the contiguous watermark and never in a second pass."""

import errno
import os
import threading
from collections.abc import Callable
from typing import Final

from ferryman.core.digests import Digest, new_hasher

_STEP: Final = 1024 * 1024


class Chaser:
    """A thread that reads back what is contiguous (warm in the page cache) and hashes it.

    `advance` and `stop` are thread-safe and do not block. `on_done(digest)` is called in the chaser's thread when
    `total` bytes were hashed, `on_error(error)` when reading failed. `hashed` may be read from any thread.
    """

    def __init__(
        self,
        fd: int,
        algorithm: str,
        on_done: Callable[[Digest], None],
        on_error: Callable[[OSError], None],
        *,
        behind: Callable[[int], None] | None = None,
    ) -> None:
        """Own nothing: `fd` must stay open until `stop` returned or `on_done` was called."""
        self._fd, self._algorithm = fd, algorithm
        self._on_done, self._on_error, self._behind = on_done, on_error, behind
        self._watermark = 0
        self._total: int | None = None
        self._stopped = False
        self._changed = threading.Condition()
        self.hashed = 0
        self._thread = threading.Thread(target=self._run, name="ferry-verify", daemon=True)
        self._thread.start()

    def advance(self, watermark: int, total: int | None = None) -> None:
        """Tell how far the file is contiguous; `total` once it is complete."""
        with self._changed:
            if watermark > self._watermark or total is not None:
                self._watermark, self._total = watermark, total
                self._changed.notify()

    def stop(self) -> None:
        """End without a digest; returns when the thread no longer reads."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        hasher = new_hasher(self._algorithm)
        buffer = bytearray(_STEP)
        view = memoryview(buffer)
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                if self._stopped:
                    return
                watermark, total = self._watermark, self._total
            if self.hashed == total:
                self._on_done(Digest(self._algorithm, hasher.hexdigest()))
                return
            try:
                count = _read(self._fd, view[: min(_STEP, watermark - self.hashed)], self.hashed)
            except OSError as error:
                self._on_error(error)
                return
            hasher.update(view[:count])
            self.hashed += count
            if self._behind:
                self._behind(self.hashed)

    def _has_work(self) -> bool:
        ready = self._watermark - self.hashed
        return self._stopped or self._total is not None or ready >= _STEP


def _read(fd: int, into: memoryview, at: int) -> int:
    count = os.preadv(fd, [into], at)
    if not count:
        raise OSError(errno.EIO, "the partial file became shorter")
    return count


def digest_of(fd: int, algorithm: str) -> Digest:
    """Hash a whole small file. Raises `OSError`."""
    hasher = new_hasher(algorithm)
    at = 0
    while data := os.pread(fd, _STEP, at):
        hasher.update(data)
        at += len(data)
    return Digest(algorithm, hasher.hexdigest())
