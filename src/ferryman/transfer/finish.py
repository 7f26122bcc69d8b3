"""The end of a file: last check, flush, rename, flush of the folder. In batches, on one thread."""

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ferryman.core.digests import Digest
from ferryman.core.durable import sync_folder
from ferryman.core.errors import FerryError
from ferryman.transfer.disk import PartFile
from ferryman.transfer.failures import disk_error, mismatch
from ferryman.transfer.journal import Journal, busy
from ferryman.transfer.model import Overwrite
from ferryman.transfer.preflight import exists, free_name
from ferryman.transfer.verify import digest_of

Done = Callable[[Path | None, Digest | None, FerryError | None], None]


@dataclass(slots=True)
class Finish:
    """A complete partial file. `digest` was computed already, or `expected` is computed here; then `done` is called."""

    part: PartFile
    journal: Journal | None
    target: Path
    overwrite: Overwrite
    expected: Digest | None
    digest: Digest | None
    done: Done
    error: FerryError | None = None


class Finisher:
    """Takes all that is waiting at once, so that 500 small files share a few flushes. `put` is thread-safe."""

    def __init__(self) -> None:
        """The thread starts with the first file."""
        self._queue: queue.SimpleQueue[Finish | Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, item: Finish | Callable[[], None]) -> None:
        """Finish a file, or run a call (closing files can wait for the disk) in order with the others."""
        self._queue.put(item)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ferry-finish", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End after what is queued."""
        if self._thread:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while True:
            items = [self._queue.get()]
            while len(items) < 512 and not self._queue.empty():
                items.append(self._queue.get())
            finish_all([item for item in items if isinstance(item, Finish)])
            for item in items:
                if item is not None and not isinstance(item, Finish):
                    item()
            if None in items:
                return


def finish_all(items: list[Finish]) -> None:
    """Check, flush and rename all; the first flush of a batch commits what the others need."""
    for item in items:
        _attempt(item, _ours)
    for item in items:
        _attempt(item, _check)
    for item in items:
        _attempt(item, lambda it: os.fdatasync(it.part.fd))
    for item in items:
        _attempt(item, _rename)
    for folder in {item.target.parent for item in items if not item.error}:
        with contextlib.suppress(OSError):  # some network file systems refuse to flush a folder
            sync_folder(folder)
    for item in items:
        item.part.close()
        if item.journal:
            item.journal.close(remove=item.error is None or item.error.code == "checksum_mismatch")
        item.done(None if item.error else item.target, item.digest, item.error)


def _attempt(item: Finish, step: Callable[[Finish], None]) -> None:
    if item.error:
        return
    try:
        step(item)
    except FerryError as error:
        item.error = error
    except OSError as error:
        item.error = disk_error(error, item.part.path)


def _ours(item: Finish) -> None:
    """Locks lie on some network file systems: look whether the name and the journal are still this writer's."""
    if not item.part.still_there() or (item.journal and item.journal.taken()):
        raise busy(item.part.path)


def _check(item: Finish) -> None:
    if item.expected is None:
        return
    item.digest = item.digest or digest_of(item.part.fd, item.expected.algorithm)
    if not item.expected.matches(item.digest.hex):
        aside = item.target.with_name(item.target.name + ".corrupt")
        item.part.path.replace(aside)
        raise mismatch(item.target, item.expected, item.digest, aside)


def _rename(item: Finish) -> None:
    _ours(item)  # again: the flush took its time, and a rename is by name
    if item.overwrite is Overwrite.OVERWRITE:
        item.part.path.replace(item.target)
        return
    while True:
        try:
            _rename_new(item.part.path, item.target)
        except FileExistsError as error:
            if item.overwrite is not Overwrite.RENAME:
                raise exists(item.target) from error
            item.target = free_name(item.target)
        else:
            return


def _rename_new(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the gap between look and rename is accepted there
        if target.exists():
            raise FileExistsError(target) from None
        source.rename(target)
    else:
        source.unlink()
