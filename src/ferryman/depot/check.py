"""The check: records against files, and every byte against its digest. Damaged content is set aside, and brought again."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from ferryman.core.clock import Clock
from ferryman.core.digests import Digest, new_hasher
from ferryman.core.errors import FerryError
from ferryman.db import Database
from ferryman.depot import checking, content, reading, sweeping
from ferryman.depot.files import Files
from ferryman.depot.generation import Generation
from ferryman.depot.lock import SweepLock
from ferryman.depot.model import Blob, CheckTotals, Finding, Origin, Trouble

PAGE: Final = 200
_READ: Final = 1 << 20

Repair = Callable[[Digest, Origin], bool]
Fault = tuple[Trouble, str, int | None]
"""What is wrong, in words, and the file (inode) in which it was seen."""


class Check:
    """One check. May run beside everything else."""

    def __init__(
        self,
        files: Files,
        database: Database,
        lock: SweepLock,
        generation: Generation,
        clock: Clock,
        lazy: Sequence[str] = (),
    ) -> None:
        """Check what these hold. Repositories below the names in `lazy` need not be complete."""
        self._files, self._db, self._lock = files, database, lock
        self._generation, self._clock, self._lazy = generation, clock, lazy

    def run(
        self,
        *,
        deep: bool,
        repair: Repair | None,
        totals: CheckTotals,
        stop: Callable[[], bool],
        after: str = "",
    ) -> Iterator[Finding]:
        """Yield what is wrong, as it is found; blobs in the order of their digests, those behind `after`."""
        totals.last = after
        totals.blobs, totals.size = self._db.read_now(checking.totals)
        for steps in (self._lost(repair), self._blobs(deep, repair, totals, stop)):
            yield from steps
        if not stop():
            yield from self._strays()
            yield from self._incomplete()

    def _lost(self, repair: Repair | None) -> Iterator[Finding]:
        """Try again what an earlier check lost."""
        for blob, detail, set_aside in self._db.read_now(content.lost):
            finding = Finding(
                Trouble.MISSING, str(blob.digest), blob.size, blob.origin, detail, set_aside=set_aside
            )
            yield self._completed(finding, blob, repair)

    def _blobs(
        self, deep: bool, repair: Repair | None, totals: CheckTotals, stop: Callable[[], bool]
    ) -> Iterator[Finding]:
        while page := self._page(totals.last):
            good: list[str] = []
            for blob in page:
                if stop():
                    return
                finding = self._checked(blob, deep)
                if finding is None:
                    good.append(str(blob.digest))
                else:
                    yield self._completed(finding, blob, repair)
                totals.done += 1
                totals.done_size += blob.size
                totals.last = str(blob.digest)
            if deep:
                self._note(good)

    def _page(self, after: str) -> list[Blob]:
        return self._db.read_now(lambda c: content.after(c, after, PAGE))

    def _note(self, good: list[str]) -> None:
        now = self._clock.now()
        self._db.write_now(lambda c: content.set_checked(c, good, now))

    def _checked(self, blob: Blob, deep: bool) -> Finding | None:
        """Look at a blob; what is wrong is confirmed, and set aside, while nobody can change it."""
        fault = self._fault(blob, deep)
        if fault is None:
            return None
        with self._lock.alone():
            there = self._db.read_now(lambda c: content.find(c, blob.digest))
            if there is None:  # it was swept in between
                return None
            if _inode(self._files, blob.digest) != fault[2]:  # it was brought again in between
                fault = self._fault(blob, deep)
                if fault is None:
                    return None
            return self._set_lost(blob, fault)

    def _set_lost(self, blob: Blob, fault: Fault) -> Finding:
        trouble, detail, _ = fault
        aside = self._files.set_aside(blob.digest) if trouble is Trouble.DAMAGED else None
        now = self._clock.now()
        with self._generation.changing():
            self._db.write_now(lambda c: content.set_lost(c, blob, now, detail, aside))
        return Finding(trouble, str(blob.digest), blob.size, blob.origin, detail, set_aside=aside)

    def _fault(self, blob: Blob, deep: bool) -> Fault | None:
        try:
            handle = os.open(self._files.blob(blob.digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return Trouble.MISSING, "The file is gone.", None
        try:
            found = os.fstat(handle)
            if found.st_size != blob.size:
                said = f"The file has {found.st_size} bytes instead of {blob.size}."
                return Trouble.DAMAGED, said, found.st_ino
            if not deep:
                return None
            digest = hashed(handle, blob.digest.algorithm)
        except OSError as error:
            return Trouble.DAMAGED, f"The file cannot be read: {error.strerror}.", os.fstat(handle).st_ino
        finally:
            os.close(handle)
        if digest == blob.digest:
            return None
        return Trouble.DAMAGED, f"The content has the digest {digest}.", found.st_ino

    def _completed(self, finding: Finding, blob: Blob, repair: Repair | None) -> Finding:
        """Add who needs it, and bring it again."""
        users = tuple(self._db.read_now(lambda c: reading.users(c, str(blob.digest), 5)))
        finding = replace(finding, used_by=users)
        if repair is None:
            return finding
        try:
            brought = repair(blob.digest, blob.origin)
        except FerryError as error:
            return replace(finding, detail=f"{finding.detail} It could not be brought again: {error.message}")
        if not brought:
            return finding
        there = self._db.read_now(lambda c: content.find(c, blob.digest))
        fault = self._fault(there, deep=True) if there else (Trouble.MISSING, "It was not brought.", None)
        if fault is not None:
            return replace(
                finding, detail=f"{finding.detail} What was brought again is not right: {fault[1]}"
            )
        return replace(finding, repaired=True)

    def _strays(self) -> Iterator[Finding]:
        batch: list[tuple[Digest | None, Path]] = []
        for item in self._files.each():
            batch.append(item)
            if len(batch) >= PAGE:
                yield from self._strays_of(batch)
                batch = []
        yield from self._strays_of(batch)

    def _strays_of(self, batch: Sequence[tuple[Digest | None, Path]]) -> Iterator[Finding]:
        strays = self._unknown(batch)
        if strays:
            with self._lock.alone():  # nobody is between the name of a file and its record now
                strays = [item for item in self._unknown(strays) if item[1].exists()]
        for _, path in strays:
            name = str(path.relative_to(self._files.folder))
            size = path.stat().st_size if path.exists() else 0
            yield Finding(Trouble.STRAY, name, size, None, "No record knows this file; the sweep removes it.")

    def _unknown(self, batch: Sequence[tuple[Digest | None, Path]]) -> list[tuple[Digest | None, Path]]:
        digests = [digest for digest, _ in batch if digest is not None]
        known = self._db.read_now(lambda c: sweeping.known(c, digests))
        return [(digest, path) for digest, path in batch if digest is None or digest not in known]

    def _incomplete(self) -> Iterator[Finding]:
        """Tell which manifests need what was never there: children of an index may be missing."""
        for parent, child, user in self._db.read_now(lambda c: checking.incomplete(c, self._lazy)):
            yield Finding(
                Trouble.INCOMPLETE, parent, 0, None, f"It needs {child}, which is not there.", used_by=(user,)
            )


def hashed(handle: int, algorithm: str, *, cold: bool = True) -> Digest:
    """Return the digest of a file; `cold` reads it from the disk even when it is in memory."""
    if cold:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    hasher, buffer = new_hasher(algorithm), memoryview(bytearray(_READ))
    offset = 0
    while count := os.preadv(handle, [buffer], offset):
        hasher.update(buffer[:count])
        offset += count
    return Digest(algorithm, hasher.hexdigest())


def _inode(files: Files, digest: Digest) -> int | None:
    try:
        return files.blob(digest).stat().st_ino
    except FileNotFoundError:
        return None
