"""How often references changed, in a file that all processes map: to ask costs no system call.

Two numbers: changes begun, changes ended. While they are the same nothing is on its way, and the number is the generation.
Otherwise the database is asked; so a process that is killed between the two costs speed until the next repair, not truth.
"""

import fcntl
import mmap
import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_BOTH: Final = struct.Struct("QQ")
"""Native, so that each number is written and read at once."""


class Generation:
    """Thread-safe, and safe with several processes."""

    def __init__(self, path: Path, ask: Callable[[], int]) -> None:
        """Map the file at `path`, which is made when needed; `ask` reads the number of the database."""
        self._ask = ask
        self._gate = threading.Lock()
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._handle).st_size < _BOTH.size:
            os.ftruncate(self._handle, _BOTH.size)
        self._map = mmap.mmap(self._handle, _BOTH.size)

    def now(self) -> int:
        """Return a number that is another one after every change."""
        begun, ended = _BOTH.unpack_from(self._map)
        return int(begun) if begun == ended else -1 - self._ask()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Surround the transaction of a change."""
        self._add(1, 0)
        try:
            yield
        finally:
            self._add(0, 1)

    def repair(self) -> None:
        """Forget changes that were begun and never ended. Only while nobody can be changing anything."""
        with self._alone():
            begun, ended = _BOTH.unpack_from(self._map)
            if begun != ended:
                _BOTH.pack_into(self._map, 0, max(begun, ended) + 1, max(begun, ended) + 1)

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        with self._gate:
            if self._handle >= 0:
                self._map.close()
                os.close(self._handle)
                self._handle = -1

    def _add(self, begun: int, ended: int) -> None:
        with self._alone():
            was = _BOTH.unpack_from(self._map)
            _BOTH.pack_into(self._map, 0, was[0] + begun, was[1] + ended)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._gate:
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._handle, fcntl.LOCK_UN)
