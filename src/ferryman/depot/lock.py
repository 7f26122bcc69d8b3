"""The lock between those who bring content in and the sweep that removes it, over all processes of one machine.

Who brings content in holds it shared, from before a file gets its name until its record is committed; the sweep holds it
alone, from before records are deleted until their files are. It is a lock of the kernel on an open file: `kill -9` frees it.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SweepLock:
    """Thread-safe: each use opens the file anew, which is a lock of its own."""

    def __init__(self, folder: Path) -> None:
        """Use two files in `folder`, which must be there."""
        self._lock = folder / "lock"
        self._gate = folder / "gate"

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold it with others who bring content in; waits while a sweep has it. Not to be nested."""
        gate = _locked(self._gate, fcntl.LOCK_SH)  # who waits to be alone holds the gate: nobody overtakes
        try:
            lock = _locked(self._lock, fcntl.LOCK_SH)
        finally:
            os.close(gate)
        try:
            yield
        finally:
            os.close(lock)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold it alone; waits for all who bring content in. For a short while only."""
        gate = _locked(self._gate, fcntl.LOCK_EX)
        try:
            lock = _locked(self._lock, fcntl.LOCK_EX)
        finally:
            os.close(gate)
        try:
            yield
        finally:
            os.close(lock)

    @contextmanager
    def alone_at_once(self) -> Iterator[bool]:
        """Hold it alone if nobody has it now; tells whether it does."""
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(lock)


def _locked(path: Path, how: int) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, how)
    except BaseException:
        os.close(handle)
        raise
    return handle
