"""What of a file is here and how we know: partial file, journal, identity of the object, hash. Loop only."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, FerryError
from ferryman.transfer.ask import bare
from ferryman.transfer.checksums import digest_from_headers
from ferryman.transfer.disk import Flusher, PartFile
from ferryman.transfer.failures import disk_error
from ferryman.transfer.finish import Finisher
from ferryman.transfer.http import Head
from ferryman.transfer.journal import Journal, Record, busy
from ferryman.transfer.judge import Kind, Pins, Verdict
from ferryman.transfer.model import Overwrite, Request
from ferryman.transfer.plan import MiB, Ranges
from ferryman.transfer.preflight import exists, free_name
from ferryman.transfer.verify import Chaser

_CHASE_FROM: Final = 4 * MiB
"""Smaller files are hashed when they are finished, by the finishing thread."""
_SYNC_EVERY: Final = 5.0
"""Seconds between flushes to the disk: what a power cut can cost."""


class Arrival:
    """The file of one transfer. Methods may raise `FerryError` and `OSError`."""

    def __init__(
        self, request: Request, boot: str, flusher: Flusher, post: Callable[[Callable[[], None]], None]
    ) -> None:
        """Know what is wanted; nothing is opened before `open`."""
        self._request, self._boot, self._flusher, self._post = request, boot, flusher, post
        self._writer = os.urandom(8).hex()
        self.part: PartFile | None = None
        self.journal: Journal | None = None
        self.target: Path | None = None if request.folder else request.target
        self.renamed = False
        self.total = request.size
        self.pinned = False
        self.base = Ranges()
        self.resumed = 0
        self.expected = request.checksum
        self.digest: Digest | None = None
        self.chaser: Chaser | None = None
        self.etag: str | None = None
        self.mime: str | None = None
        self.url = bare(request.urls[0])
        self.age = 0
        self._etags: dict[str, str] = {}
        self._modified: dict[str, str] = {}
        self._safe = Ranges()
        self._last_sync = 0.0
        self._syncing = False

    @property
    def path(self) -> Path:
        """What messages about the disk name."""
        return self.part.path if self.part else self.target or self._request.target

    @property
    def big(self) -> bool:
        """Whether its pages are worth managing."""
        return self.total is None or self.total > 32 * MiB

    @property
    def complete(self) -> bool:
        """Whether every byte is written."""
        return self.pinned and self.total is not None and not self.base.missing(self.total)

    # -- opening --------------------------------------------------------------------------------------------------

    def open(self, target: Path) -> Path | None:
        """Open partial file and journal; returns the existing file when it is to be skipped."""
        overwrite = self._request.overwrite
        if target.is_dir():
            raise disk_error(IsADirectoryError(21, "it is a folder"), target)
        if overwrite is not Overwrite.OVERWRITE and target.exists():
            if overwrite is Overwrite.ASK:
                raise exists(target)
            if overwrite is Overwrite.SKIP:
                return target
            target, self.renamed = free_name(target), True
        self.target = target
        self.part = PartFile(target.with_name(target.name + ".part"))
        if self._journal_path().exists():
            self._load()
        elif self.part.size:
            self._renew()
        return None

    def _renew(self) -> None:
        """Start with a new partial file: where locks lie, another writer may still have the old one open."""
        assert self.part
        path = self.part.path
        self.part.close(remove=True)
        self.part = PartFile(path)

    def _journal_path(self) -> Path:
        assert self.target
        return self.target.with_name(self.target.name + ".ferry")

    def _load(self) -> None:
        assert self.part
        self.journal = Journal(self._journal_path(), self._writer)
        record = self.journal.found
        if record is None or not self._trusted(record):
            self.journal.close(remove=True)
            self.journal = None
            self._renew()
            return
        self.base = record.usable(self._boot, self.part.size)
        self._safe = Ranges(self.base.spans())
        self.resumed = self.base.size()
        if not self.pinned and self.resumed:
            self.total = record.total
            self._etags, self._modified = dict(record.etags), dict(record.modified)
            self.pinned = True
        if self.resumed:
            self.save(self.base)  # whoever wrote before us hears that it is ours now

    def _trusted(self, record: Record) -> bool:
        """Whether an earlier run's bytes may be kept: same size, and something says it is the same object."""
        if self._request.size is not None and record.total not in {None, self._request.size}:
            return False
        checksum = str(self._request.checksum) if self._request.checksum else None
        if checksum and record.checksum not in {None, checksum}:
            return False
        same_sum = checksum is not None and checksum == record.checksum
        if self.pinned:  # a folder's file: the first answer came before its name was known
            return record.total == self.total and (self._agrees(record) or same_sum)
        known_url = bool({bare(url) for url in self._request.urls} & set(record.urls))
        return same_sum or (known_url and bool(record.etags or record.modified))

    def _agrees(self, record: Record) -> bool:
        hosts = (set(self._etags) | set(self._modified)) & (set(record.etags) | set(record.modified))
        return bool(hosts) and all(
            record.etags.get(host) == self._etags.get(host)
            and record.modified.get(host) == self._modified.get(host)
            for host in hosts
        )

    # -- identity -------------------------------------------------------------------------------------------------

    def pins(self, host: str) -> Pins | None:
        """What answers of `host` must agree with."""
        return Pins(self.total, self._etags.get(host), self._modified.get(host)) if self.pinned else None

    def knows(self, host: str) -> bool:
        """Whether `host` gave us something to recognise its object by."""
        return host in self._etags or host in self._modified

    def pin(self, host: str, url: str, head: Head, verdict: Verdict) -> None:
        """Remember what the first answer of a host says; later ones were judged against it."""
        size = self._request.size
        if not self.pinned:
            if size is not None and verdict.total not in {None, size}:
                raise Corrupt(
                    "size_mismatch",
                    f"'{bare(url)}' has {verdict.total} bytes, {size} were expected.",
                    advice="Check the source, or leave the size out.",
                )
            self.total = verdict.total if verdict.total is not None else size
            self.pinned, self.url = True, url
        elif self.total is None:
            self.total = verdict.total
        if head.etag:
            self._etags.setdefault(host, head.etag)
        if modified := head.headers.get("last-modified"):
            self._modified.setdefault(host, modified)
        self.etag = self.etag or head.etag
        self.mime = self.mime or head.headers.get("content-type")
        if self.expected is None and not head.encoded:
            self.expected = digest_from_headers(head.headers, partial=verdict.kind is Kind.BODY)

    def reset(self) -> None:
        """Forget everything that is here: it belongs to another object, or cannot be continued."""
        self.age += 1
        self.stop_chaser()
        self.base, self._safe = Ranges(), Ranges()
        self._etags, self._modified = {}, {}
        self.etag = self.mime = None
        self.pinned, self.total, self.resumed = False, self._request.size, 0
        self.expected = self._request.checksum
        if self.part:
            os.ftruncate(self.part.fd, 0)
            if self.journal:
                self.save(self.base)

    # -- hashing --------------------------------------------------------------------------------------------------

    def start_chaser(self, done: Callable[[Chaser, Digest], None], failed: Callable[[OSError], None]) -> None:
        """Hash along, when there is something to compare with and the file is not small."""
        part, wanted = self.part, self.expected
        if not part or not wanted or self.chaser or (self.total is not None and self.total <= _CHASE_FROM):
            return
        part.needed_from = 0

        def behind(hashed: int) -> None:
            part.needed_from = hashed

        def hashed(digest: Digest) -> None:
            self._post(lambda: done(chaser, digest))

        chaser = Chaser(
            part.fd, wanted.algorithm, hashed, lambda e: self._post(lambda: failed(e)), behind=behind
        )
        self.chaser = chaser

    def stop_chaser(self) -> None:
        """End hashing."""
        if self.chaser:
            self.chaser.stop()
            self.chaser = None

    # -- keeping --------------------------------------------------------------------------------------------------

    def save(self, done: Ranges) -> None:
        """Write the journal: `done` is handed to the operating system."""
        if self.journal is None:
            self.journal = Journal(self._journal_path(), self._writer)
            if self.journal.taken():  # there was none when we opened the partial file
                raise busy(self.journal.path)
        checksum = str(self._request.checksum) if self._request.checksum else None
        urls = tuple(bare(url) for url in self._request.urls)
        spans, safe = tuple(done.spans()), tuple(self._safe.spans())
        self.journal.save(
            Record(
                urls, self.total, self._etags, self._modified, spans, safe, self._boot, self._writer, checksum
            )
        )

    def sync(self, now: float, done: Ranges, saved: Callable[[], None]) -> None:
        """Every few seconds flush to the disk: what was written before the flush is then safe from a power cut."""
        if self._syncing or not self.journal or not self.part or now - self._last_sync < _SYNC_EVERY:
            return
        age, self._syncing, self._last_sync = self.age, True, now

        def synced(error: OSError | None) -> None:
            self._syncing = False
            if not error and self.part and age == self.age:
                self._safe = done
                saved()

        self._flusher.sync(self.part, lambda error: self._post(lambda: synced(error)))

    def close(self, finisher: Finisher, then: Callable[[], None], *, keep: bool) -> None:
        """Let go of the files, then call `then`; `keep` leaves what a later run can go on from. Never raises."""
        self.stop_chaser()
        part, self.part = self.part, None
        keep = keep and bool(self.base.size())
        if keep and part:
            with contextlib.suppress(FerryError, OSError):  # the record before this one still holds
                self.save(self.base)
        journal, self.journal = self.journal, None

        def close() -> None:
            if journal:
                journal.close(remove=not keep)
            if part:
                part.close(remove=not keep)
            self._post(then)

        if part or journal:
            finisher.put(close)
        else:
            then()
