"""The sweep: rules first, then what nothing needs, then files that no record knows.

A batch of records is deleted in one transaction and its files are deleted while the lock is still held alone; so a file
without a record is the worst that `kill -9` leaves, and a later sweep removes it.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.retention import Rule
from ferryman.db import Database
from ferryman.depot import holds, reading, sweeping
from ferryman.depot.files import Files, remove_unused
from ferryman.depot.generation import Generation
from ferryman.depot.lock import SweepLock
from ferryman.depot.model import ALGORITHMS, UPLOAD_HOLDER, GcReport

BATCH: Final = 200
"""Blobs that go under one lock."""
PAGE: Final = 500

Tell = Callable[[str, int, int], None]


@dataclass(slots=True)
class Order:
    """What a sweep is asked to do."""

    now: float
    grace: float
    dry_run: bool
    rules: Sequence[Rule]
    tell: Tell
    stop: Callable[[], bool]


@dataclass(slots=True)
class _Count:
    tags: list[str] = field(default_factory=list)
    manifests: int = 0
    blobs: int = 0
    size: int = 0
    strays: int = 0
    stray_size: int = 0
    kept_by_hold: int = 0
    kept_for_undo: tuple[int, int] = (0, 0)


class Sweep:
    """One sweep. Several may run at once, in several processes."""

    def __init__(self, files: Files, database: Database, lock: SweepLock, generation: Generation) -> None:
        """Sweep what these hold."""
        self._files, self._db, self._lock, self._generation = files, database, lock, generation

    def run(self, order: Order) -> GcReport:
        """Sweep, and tell what went."""
        count = _Count()
        for step in (self._apply_rules, self._unneeded, self._stray_blobs, self._unfinished):
            if order.stop():
                break
            step(order, count)
        return GcReport(
            dry_run=order.dry_run,
            tags=tuple(count.tags),
            manifests=count.manifests,
            blobs=count.blobs,
            size=count.size,
            strays=count.strays,
            stray_size=count.stray_size,
            kept_by_hold=count.kept_by_hold,
            kept_for_undo=count.kept_for_undo[0],
            kept_for_undo_size=count.kept_for_undo[1],
        )

    def _apply_rules(self, order: Order, count: _Count) -> None:
        if not order.rules:
            return
        names = list(self._repositories())
        for done, repository in enumerate(names):
            order.tell("rules", done, len(names))
            if order.stop():
                return
            tags, manifests = self._apply(repository, order)
            count.tags += [f"{repository}:{tag}" for tag in tags]
            count.manifests += len(manifests)

    def _repositories(self) -> Iterator[str]:
        after = ""
        while page := self._db.read_now(lambda c, last=after: reading.repositories(c, last, PAGE, "")):  # type: ignore[misc] # a lambda with a default
            yield from page
            after = page[-1]

    def _apply(self, repository: str, order: Order) -> tuple[list[str], list[str]]:
        """Take away what the rules do not let stay in a repository; one transaction that looks and acts."""
        asked = (repository, order.rules, order.now)
        if order.dry_run:
            return self._db.read_now(lambda c: sweeping.expiring(c, *asked))
        with self._lock.shared(), self._generation.changing():
            return self._db.write_now(lambda c: sweeping.expire(c, *asked))

    def _unneeded(self, order: Order, count: _Count) -> None:
        before = order.now - order.grace
        if not order.dry_run:
            with self._lock.alone():
                self._generation.repair()
                with self._generation.changing():
                    self._db.write_now(lambda c: sweeping.tidy(c, before, order.now))
        found = self._db.read_now(lambda c: sweeping.candidates(c, before, order.now))
        count.kept_by_hold = self._db.read_now(lambda c: sweeping.kept_by_hold(c, order.now))
        count.kept_for_undo = self._db.read_now(lambda c: sweeping.kept_for_undo(c, before, order.now))
        if order.dry_run:
            count.blobs, count.size = len(found), sum(item.size for item in found)
            return
        for start in range(0, len(found), BATCH):
            order.tell("blobs", start, len(found))
            if order.stop():
                return
            gone = self._delete([item.digest for item in found[start : start + BATCH]], before, order.now)
            count.blobs += len(gone)
            count.size += sum(item.size for item in gone)

    def _delete(self, doomed: Sequence[str], before: float, now: float) -> list[sweeping.Doomed]:
        with self._lock.alone():
            with self._generation.changing():
                gone = self._db.write_now(lambda c: sweeping.delete_unneeded(c, doomed, before, now))
            doomed_files = [self._files.put_away(Digest.parse(item.digest)) for item in gone]
        for path in doomed_files:  # to free room takes long: not while others wait
            path.unlink(missing_ok=True)
        return gone

    def _stray_blobs(self, order: Order, count: _Count) -> None:
        batch: list[tuple[Digest | None, Path]] = []
        for item in self._files.each():
            if _older(item[1], order.now - order.grace):
                batch.append(item)
            if len(batch) >= PAGE:
                self._unlink_strays(batch, order, count)
                batch = []
                if order.stop():
                    return
        self._unlink_strays(batch, order, count)

    def _unlink_strays(
        self, batch: Sequence[tuple[Digest | None, Path]], order: Order, count: _Count
    ) -> None:
        digests = [digest for digest, _ in batch if digest is not None]
        known = self._db.read_now(lambda c: sweeping.known(c, digests))
        strays = [(digest, path) for digest, path in batch if digest is None or digest not in known]
        if not strays:
            return
        if order.dry_run:
            self._count_strays([path for _, path in strays], count)
            return
        with self._lock.alone():  # nobody is between the name of a file and its record now
            again = [digest for digest, _ in strays if digest is not None]
            known = self._db.read_now(lambda c: sweeping.known(c, again))
            gone = [path for digest, path in strays if digest is None or digest not in known]
            self._count_strays(gone, count)
            for path in gone:
                path.unlink(missing_ok=True)

    def _count_strays(self, paths: Sequence[Path], count: _Count) -> None:
        for path in paths:
            try:
                count.stray_size += path.stat().st_size
                count.strays += 1
            except FileNotFoundError:
                continue

    def _unfinished(self, order: Order, count: _Count) -> None:
        """Remove uploads and partial files that are old, that no writer has open and no hold keeps."""
        living, held = self._db.read_now(lambda c: (holds.living(c, order.now), holds.held(c)))
        for path in self._arriving():
            name = path.name.split(".")[0]
            if f"{UPLOAD_HOLDER}{name}" in living or f"{path.parent.name}:{name}" in held:
                continue
            if not _older(path, order.now - order.grace):
                continue
            if order.dry_run:
                self._count_strays([path], count)
            elif (size := remove_unused(path)) is not None:
                count.strays += 1
                count.stray_size += size

    def _arriving(self) -> Iterator[Path]:
        folders = [self._files.uploads, *(self._files.folder / "partial" / name for name in ALGORITHMS)]
        for folder in folders:
            yield from sorted(path for path in folder.iterdir() if not path.is_dir())


def _older(path: Path, moment: float) -> bool:
    try:
        return os.lstat(path).st_mtime <= moment
    except FileNotFoundError:
        return False


def nothing(_phase: str, _done: int, _total: int) -> None:
    """Hear of progress and say nothing."""
