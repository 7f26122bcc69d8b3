"""Content: blobs in and out, by digest. Every method blocks and is thread-safe; several processes may use one folder."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from ferryman.core.clock import Clock
from ferryman.core.digests import Digest
from ferryman.core.errors import Exhausted
from ferryman.core.ids import is_id, new_id
from ferryman.core.units import format_size
from ferryman.db import Database
from ferryman.depot import check, content, files, holds, reading, usage
from ferryman.depot.files import Files
from ferryman.depot.generation import Generation
from ferryman.depot.lock import SweepLock
from ferryman.depot.model import Blob, Origin, WriterState
from ferryman.depot.references import unknown_blob
from ferryman.depot.settling import Arrived, Settling, results
from ferryman.depot.stream import FileStream
from ferryman.depot.writer import BlobWriter, busy_upload, mismatch, take, unknown_upload

T = TypeVar("T")
RESERVE: Final = 16 << 20
"""Bytes of the disk that are left to the database and the system."""
_ALL: Final = 1 << 62


class Content:
    """Blobs by digest."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        clock: Clock,
        *,
        quota: Callable[[], int] = lambda: 0,
        rules: Callable[[], str] = lambda: "",
        lazy: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """Keep content in `folder` (made when needed), records in `database` (migrated).

        `quota` (bytes, 0 is none), `rules` (see `core.retention`) and `lazy` are asked each time. `lazy` are names of
        registries: content of the repositories below them arrives when somebody asks for it.
        Raises `Denied` (`depot_unwritable`), `Exhausted` (`disk_full`).
        """
        self.folder = folder
        self.database = database
        self.clock = clock
        self.quota = quota
        self.rules = rules
        self.lazy = lazy
        self._files = Files(folder)
        self._lock = SweepLock(folder)
        self._settling = Settling(self._files, database, self._lock)
        self._generation = Generation(folder / "generation", lambda: self._read(reading.generation))
        with self._lock.alone_at_once() as alone:
            if alone:
                self._generation.repair()

    def close(self) -> None:
        """Let go of the files of the depot; the database stays open. Idempotent."""
        self._generation.close()

    def has(self, digest: Digest) -> bool:
        """Tell whether content is there."""
        return self._read(lambda c: content.find(c, digest)) is not None

    def size(self, digest: Digest) -> int:
        """Return the bytes of a blob. Raises `NotFound` (`blob_unknown`)."""
        return self.blob(digest).size

    def blob(self, digest: Digest) -> Blob:
        """Return what is known of a blob. Raises `NotFound` (`blob_unknown`)."""
        found = self._read(lambda c: content.find(c, digest))
        if found is None:
            raise unknown_blob(digest)
        return found

    def blobs(self, digests: Iterable[Digest]) -> dict[Digest, Blob]:
        """Return those of many that are there, in one transaction."""
        wanted = list(digests)
        return self._read(lambda c: content.find_all(c, wanted))

    def path(self, digest: Digest) -> Path:
        """Return the file of a blob, for sending; never write to it. Raises `NotFound` (`blob_unknown`)."""
        self.blob(digest)
        return self._files.blob(digest)

    def open(self, digest: Digest, offset: int = 0) -> FileStream:
        """Open a blob. Raises `NotFound` (`blob_unknown`), `Invalid` (`offset_invalid`)."""
        try:
            return FileStream(self.path(digest), offset)
        except FileNotFoundError as error:
            raise unknown_blob(digest) from error

    def begin(self, holder: str, lifetime_s: float = 3600.0) -> holds.Hold:
        """Begin a hold, or take over that of the same `holder` with all it holds; it survives `kill -9` for its lifetime.

        Names: `job:ID` for jobs, `upload:ID` for unfinished uploads (keeps the upload `ID` too).
        """
        return holds.begin(self.database, self.clock, holder, lifetime_s)

    def writer(
        self,
        origin: Origin,
        expected: Digest | None = None,
        algorithm: str = "sha256",
        *,
        hold: holds.Hold | None = None,
        size: int | None = None,
    ) -> BlobWriter:
        """Begin new content. `size`, when known, is checked against quota and disk at once.

        With `hold` the blob is held from the moment it is visible. Raises `Exhausted` (`depot_full`, `disk_full`).
        """
        self.check_room(size or 0)
        named = files.checked(expected).algorithm if expected else algorithm
        path = self._files.uploads / new_id()
        writer = self._writer(path, named, origin, hold, keep=False)
        assert writer is not None, "nobody else knows the name"
        writer.expected = expected
        return writer

    def resume(self, state: WriterState, *, hold: holds.Hold | None = None) -> BlobWriter:
        """Go on with an upload: reads and hashes what is there up to `state.offset`, cuts off what is behind.

        Raises `NotFound` (`upload_unknown`), `Conflict` (`upload_busy`) while another writer has it.
        """
        if not is_id(state.id):
            raise unknown_upload(state.id)
        path = self._files.uploads / state.id
        try:
            writer = self._writer(path, state.algorithm, state.origin, hold, keep=False, make=False)
        except FileNotFoundError as error:
            raise unknown_upload(state.id) from error
        if writer is None:
            raise busy_upload(state.id)
        writer.load(state.offset)
        return writer

    def fetching(
        self, digest: Digest, origin: Origin, *, hold: holds.Hold | None = None, size: int | None = None
    ) -> BlobWriter:
        """Begin or go on with content of a known digest: `offset` says how much an earlier attempt left.

        When another writer has it at the same time, this one begins anew beside it.
        """
        writer = self._writer(self._files.partial(digest), digest.algorithm, origin, hold, keep=True)
        if writer is None:
            return self.writer(origin, digest, hold=hold, size=size)
        writer.expected = digest
        try:
            writer.load(_ALL if size is None else size)
            self.check_room(max(0, (size or 0) - writer.offset))
        except BaseException:
            writer.abort()
            raise
        return writer

    def adopt(
        self,
        path: Path,
        digest: Digest,
        origin: Origin,
        hold: holds.Hold | None = None,
        *,
        verify: bool = False,
    ) -> Blob:
        """Move a complete file in; one of another disk is copied, and stays. `verify` hashes it first.

        Raises `Corrupt` (`blob_mismatch`), `Exhausted` (`depot_full`); the file stays then.
        """
        files.checked(digest)
        with files.translated(path):
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if os.fstat(handle).st_dev != self.folder.stat().st_dev:
                    return self._copied(handle, digest, origin, hold)
                size = os.fstat(handle).st_size
                found = check.hashed(handle, digest.algorithm, cold=False) if verify else digest
                os.fsync(handle)
            finally:
                os.close(handle)
        if found != digest:
            raise mismatch(digest, found, size)
        one = self._arrived(path, None, Blob(digest, size, self.clock.now(), origin), hold)
        return self._settle_all([one])[0]

    def _copied(self, handle: int, digest: Digest, origin: Origin, hold: holds.Hold | None) -> Blob:
        """Copy an open file in, verified on its way."""
        view, offset = memoryview(bytearray(1 << 20)), 0
        with self.writer(origin, digest, hold=hold, size=os.fstat(handle).st_size) as writer:
            while count := os.preadv(handle, [view], offset):
                writer.write(view[:count])
                offset += count
            return writer.commit()

    def partial(self, digest: Digest) -> Path:
        """Return where the transfer engine writes (`depot/partial/ALGORITHM/HEX`); a hold on `digest` keeps it."""
        return self._files.partial(digest)

    def used(self) -> int:
        """Return the bytes of all content; cheap."""
        return self._read(content.used)

    def check_room(self, size: int) -> None:
        """Raise `Exhausted` (`depot_full`, `disk_full`) unless `size` more bytes fit now."""
        quota = self.quota()
        if quota and self.used() + size > quota:
            raise self._full(size, quota)
        free = self._files.free()
        if size + min(RESERVE, size) > free:
            raise Exhausted(
                "disk_full",
                f"The disk of {self.folder} has {format_size(free)} left; {format_size(size)} more do not fit.",
                advice="Make room, or run 'ferry depot gc'.",
            )

    def _full(self, size: int, quota: int) -> Exhausted:
        """Return the error of a depot without room, with what would free some."""
        used, free, largest = self._read(usage.what_frees)
        return content.depot_full(used, size, quota, free, largest)

    def _writer(
        self,
        path: Path,
        algorithm: str,
        origin: Origin,
        hold: holds.Hold | None,
        *,
        keep: bool,
        make: bool = True,
    ) -> BlobWriter | None:
        """Open a file to write to; None when another writer has it. Raises `FileNotFoundError` unless `make`."""
        with files.translated(path, missing=make):
            handle = take(path, make=make)
        if handle is None:
            return None

        def arrive(arrived: Path, handle: int, digest: Digest, size: int) -> Arrived:
            return self._arrived(arrived, handle, Blob(digest, size, self.clock.now(), origin), hold)

        return BlobWriter(
            path, handle, origin, algorithm, arrive, self._settle_all, self.check_room, keep=keep
        )

    def commit_all(self, writers: Sequence[BlobWriter]) -> list[Blob]:
        """Settle many contents that were verified (`BlobWriter.verify`) with few syncs, and close their writers.

        All that can be settled is. Raises the first thing that went wrong, such as `Exhausted` (`depot_full`).
        """
        try:
            return self._settle_all([one.arrived() for one in writers])
        finally:
            for one in writers:
                one.close()

    def _arrived(self, path: Path, handle: int | None, blob: Blob, hold: holds.Hold | None) -> Arrived:
        """Say what a verified file is to become. Raises `Exhausted` (`depot_full`)."""
        quota, holder = self.quota(), hold.holder if hold else None
        if quota and not self.has(blob.digest) and self.used() + blob.size > quota:
            raise self._full(blob.size, quota)
        return Arrived(path, handle, blob, quota, holder)

    def _settle_all(self, arrived: Sequence[Arrived]) -> list[Blob]:
        self._settling.settle(arrived)
        return results(arrived)

    def _read(self, fn: Callable[[Any], T]) -> T:
        return self.database.read_now(fn)

    def _change(self, fn: Callable[[Any], T], *names: str) -> T:
        """Run a transaction that changes references: those of `names` (see `Names.watch`), or any."""
        with self._lock.shared(), self._generation.changing(*names):
            return self.database.write_now(fn)
