"""Verified content becomes durable and visible, as much of it together as is waiting: a group commit.

A small blob costs one sync for its bytes, one for its folder and one for its record, whatever its size. So whoever settles
content takes along what others want to settle at the same moment: all bytes go to the disk together, then all get their names,
then each folder is synced once, then all records are one transaction. Nobody hears of success before all of that is done for
theirs; a crash at any point leaves files without a record, which the sweep removes.
"""

import functools
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ferryman.core.durable import sync_folder
from ferryman.core.errors import Exhausted, FerryError
from ferryman.db import Database
from ferryman.depot import content
from ferryman.depot.files import Files, translated, unwritable
from ferryman.depot.lock import SweepLock
from ferryman.depot.model import Blob

MOST: Final = 128
"""Contents of one group."""
SMALL: Final = 4 << 20
"""Bytes up to which content is synced with others; who brings more syncs it alone, so that nobody waits for it."""


@dataclass(slots=True, eq=False)
class Arrived:
    """Verified content in a file that nobody else writes to. `handle` is open, None when it is durable already."""

    path: Path
    handle: int | None
    blob: Blob
    quota: int
    holder: str | None
    done: Blob | BaseException | None = field(default=None)

    def result(self) -> Blob:
        """Return the record, which is the earlier one when the content was there. Raises what went wrong."""
        if isinstance(self.done, BaseException):
            raise self.done
        assert self.done is not None, "settled"
        return self.done


class Settling:
    """One depot's group commit. Thread-safe; processes beside this one have their own."""

    def __init__(self, files: Files, database: Database, lock: SweepLock) -> None:
        """Give names in `files` and records in `database`, with `lock` shared meanwhile."""
        self._files, self._db, self._lock = files, database, lock
        self._waiting: list[Arrived] = []
        self._changed = threading.Condition()
        self._led = False

    def settle(self, arrived: Sequence[Arrived]) -> None:
        """Settle all, with what others bring meanwhile; when it returns, each has its `result`. Blocks."""
        for one in arrived:
            self._begin(one)
        mine = [one for one in arrived if one.done is None]
        with self._changed:
            self._waiting += mine
        while any(one.done is None for one in mine):
            with self._changed:
                while self._led and any(one.done is None for one in mine):
                    self._changed.wait()
                if all(one.done is not None for one in mine):
                    return
                self._led = True
                group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                self._together(group)
            except BaseException as error:
                for one in group:
                    one.done = one.done or error
                if not isinstance(error, Exception):
                    raise
            finally:
                with self._changed:
                    self._led = False
                    self._changed.notify_all()

    @staticmethod
    def _begin(one: Arrived) -> None:
        """Let the disk begin with the bytes; what is large is waited for here, not by others."""
        if one.handle is None:
            return
        try:
            with translated(one.path, one.blob.size):
                if one.blob.size > SMALL:
                    os.fsync(one.handle)
                    one.handle = None
                else:  # Linux begins to write what is dirty, and does not wait for it
                    os.posix_fadvise(one.handle, 0, 0, os.POSIX_FADV_DONTNEED)
        except FerryError as error:
            one.done = error

    def _together(self, group: Sequence[Arrived]) -> None:
        for one in group:
            if one.handle is not None:
                with _own_fault(one):
                    os.fsync(one.handle)
        with self._lock.shared():
            self._name([one for one in group if one.done is None])
            named = [one for one in group if one.done is None]
            if named:
                self._record(named)

    def _name(self, group: Sequence[Arrived]) -> None:
        """Give names, durably: each folder is synced once."""
        folders: dict[Path, list[Arrived]] = {}
        for one in group:
            with _own_fault(one):
                folders.setdefault(self._files.name(one.path, one.blob.digest), []).append(one)
        for folder, inside in folders.items():
            try:
                sync_folder(folder)
            except OSError as error:
                for one in inside:
                    one.done = unwritable(folder, error)

    def _record(self, group: Sequence[Arrived]) -> None:
        """Write all records in one transaction; when not all have room, one by one."""
        rows = [(one.blob, one.holder) for one in group]
        try:
            quota = min((one.quota for one in group if one.quota), default=0)
            found = self._db.write_now(lambda c: content.add_blobs(c, rows, quota))
            for one in group:
                one.done = found[one.blob.digest]
        except Exhausted:
            for one in group:
                with _own_fault(one):
                    one.done = self._db.write_now(functools.partial(_record_one, one))


def _record_one(one: Arrived, connection: Any) -> Blob:
    return content.add_blob(connection, one.blob, one.quota, one.holder)


@contextmanager
def _own_fault(one: Arrived) -> Iterator[None]:
    """What goes wrong with one is only its own."""
    try:
        with translated(one.path, one.blob.size):
            yield
    except FerryError as error:
        one.done = error


def results(arrived: Sequence[Arrived]) -> list[Blob]:
    """Return the records of what was settled. Raises the first thing that went wrong."""
    return [one.result() for one in arrived]
