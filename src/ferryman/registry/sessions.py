"""Uploads under way: in memory while somebody sends, on disk for whoever comes back, also after `kill -9`."""

import asyncio
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ferryman.core.clock import Clock
from ferryman.core.digests import Digest
from ferryman.core.errors import Conflict, Exhausted, NotFound, Unavailable
from ferryman.depot.files import translated
from ferryman.depot.model import Blob, Origin, WriterState
from ferryman.depot.service import BlobWriter, Depot, Hold
from ferryman.registry.pushes import Pushes

IDLE_S: Final = 300.0
"""An upload that nobody touches for so long is closed; it can go on all the same."""
_ID: Final = re.compile(r"[0-9a-f-]{8,64}")
EVERYTHING: Final = 1 << 62
"""The offset of an upload that is not open: whatever is there. The depot counts when it goes on."""
HOLD_FROM: Final = 16 << 20
"""Uploads beyond this size are held in the depot: losing a smaller one to a sweep costs less than a hold for each."""


@dataclass(eq=False, slots=True)
class Session:
    """One upload. `turn` is held by the request that works on it; `writer` is open from its first need on."""

    id: str
    repository: str
    state: WriterState
    touched: float
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    writer: BlobWriter | None = None
    hold: Hold | None = None
    gone: bool = False

    @property
    def offset(self) -> int:
        """How many bytes arrived."""
        return self.writer.offset if self.writer else self.state.offset


class Sessions:
    """All uploads of one daemon. What blocks says so and is called in a thread, holding the session's `turn`."""

    def __init__(
        self, folder: Path, depot: Depot, clock: Clock, pushes: Pushes, *, lifetime_s: Callable[[], float]
    ) -> None:
        """Keep a record of each upload in `folder` (made when needed); content goes into `depot`."""
        self._folder = folder
        self._depot = depot
        self._clock = clock
        self._pushes = pushes
        self._lifetime_s = lifetime_s
        self._open: dict[str, Session] = {}

    def begin(self, repository: str, origin: Origin, algorithm: str) -> Session:
        """Begin an upload. Blocks. Raises `Exhausted`."""
        writer = self._depot.writer(origin, algorithm=algorithm, hold=self._pushes.hold())
        state = WriterState(writer.id, algorithm, 0, origin)
        session = Session(writer.id, repository, state, self._clock.monotonic(), writer=writer)
        try:
            self._write(session)
        except BaseException:
            writer.abort()
            raise
        self._open[session.id] = session
        return session

    def find(self, repository: str, name: str) -> Session:
        """Return an upload, also one of an earlier process. Blocks. Raises `NotFound` (`upload_unknown`)."""
        session = self._open.get(name)
        if session is None:
            session = self._open.setdefault(name, self._read(name))
        if session.repository != repository or session.gone:
            raise _unknown(name)
        session.touched = self._clock.monotonic()
        return session

    def writer(self, session: Session, algorithm: str | None = None) -> BlobWriter:
        """Return the open writer; with another `algorithm` what is there is hashed again. Blocks."""
        algorithm = algorithm or session.state.algorithm
        if session.writer is not None and algorithm == session.state.algorithm:
            return session.writer
        if session.writer is not None:
            session.state = session.writer.suspend()
            session.writer = None
        session.state = replace(session.state, algorithm=algorithm)
        session.writer = self._depot.resume(session.state, hold=self._pushes.hold())
        return session.writer

    def cut(self, session: Session, offset: int) -> None:
        """Throw away what came behind `offset`. Blocks."""
        if session.writer is not None:
            session.state = session.writer.suspend()
            session.writer = None
        session.state = replace(session.state, offset=min(offset, session.state.offset))
        session.writer = self._depot.resume(session.state, hold=self._pushes.hold())

    def grown(self, session: Session) -> None:
        """Note how far it is, after a request. Blocks; holds what is large."""
        session.touched = self._clock.monotonic()
        if session.hold is None and session.offset >= HOLD_FROM:
            session.hold = self._depot.begin(f"upload:{session.id}", self._lifetime_s())

    def commit(self, session: Session, digest: Digest) -> Blob:
        """End an upload with success: its content is in the depot and in its repository. Blocks.

        Raises `Corrupt` (`blob_mismatch`), `Exhausted` (`disk_full`, `depot_full`), `Unavailable`. The upload is over then as
        well, except where there was no room or no answer: what arrived waits for the next attempt.
        """
        writer = self.writer(session, digest.algorithm)
        try:
            blob = writer.commit(digest)
            self._depot.link_blob(session.repository, blob.digest)
        except (Exhausted, Unavailable):
            session.writer = None
            # What a failed fsync wrote is not certain to be there: it is counted and hashed again.
            session.state = replace(session.state, offset=EVERYTHING)
            if not writer.leave():
                self._forget(session)
            raise
        except BaseException:
            session.writer = None
            self._forget(session)
            raise
        session.writer = None
        self._forget(session)
        return blob

    def cancel(self, session: Session) -> None:
        """Throw an upload away. Blocks."""
        try:
            self.writer(session).abort()
        except NotFound:
            pass
        finally:
            session.writer = None
            self._forget(session)

    def rest(self, session: Session) -> None:
        """Close the file of an upload that nobody works on now. Blocks."""
        if session.writer is not None:
            session.state = session.writer.suspend()
            session.writer = None
            self._write(session)
            self.grown(session)
        self._open.pop(session.id, None)

    def idle(self) -> list[Session]:
        """Return those that nobody touched for a while and nobody works on."""
        before = self._clock.monotonic() - IDLE_S
        return [one for one in list(self._open.values()) if one.touched < before and not one.turn.locked()]

    def opened(self) -> list[Session]:
        """Return all that are in memory."""
        return list(self._open.values())

    def sweep(self) -> int:
        """Cancel what nobody touched for the lifetime of uploads; return how many. Blocks."""
        count, before = 0, self._clock.now() - self._lifetime_s()
        for path in list(self._folder.glob("*.json")) if self._folder.is_dir() else []:
            if path.stem in self._open or path.stat().st_mtime > before:
                continue
            try:
                self.cancel(self._read(path.stem))
            except (NotFound, Conflict):
                path.unlink(missing_ok=True)
            count += 1
        return count

    def _forget(self, session: Session) -> None:
        session.gone = True
        self._open.pop(session.id, None)
        self._path(session.id).unlink(missing_ok=True)
        if session.hold is not None:
            session.hold.release()

    def _path(self, name: str) -> Path:
        if not _ID.fullmatch(name):
            raise _unknown(name)
        return self._folder / f"{name}.json"

    def _write(self, session: Session) -> None:
        """Store the record; a crash of the machine may lose it, that of the process does not."""
        state = session.state
        record = {
            "repository": session.repository,
            "algorithm": state.algorithm,
            "source": state.origin.source,
            "at": state.origin.at,
        }
        path = self._path(session.id)
        fresh = path.with_suffix(".new")
        with translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                fresh.write_text(json.dumps(record))
                os.replace(fresh, path)  # noqa: PTH105 - the same, and shorter
            except OSError:
                fresh.unlink(missing_ok=True)
                raise

    def _read(self, name: str) -> Session:
        try:
            record = json.loads(self._path(name).read_text())
            origin = Origin(record["source"], float(record["at"]))
            state = WriterState(name, record["algorithm"], EVERYTHING, origin)
            return Session(name, record["repository"], state, self._clock.monotonic())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _unknown(name) from error


def _unknown(name: str) -> NotFound:
    return NotFound(
        "upload_unknown",
        f"There is no upload '{name[:60]}' in this repository.",
        advice="It was finished, cancelled, or left for too long: begin a new one.",
    )
