"""Files on their way into the folder of bundles: piece by piece, going on from an offset, also after `kill -9`.

`.uploads/ID.json` says what an upload is, `.uploads/ID` is what arrived: its length is the offset, there is nothing else to
lose, and when it is gone the file has its name. A lock of the kernel on it lets one request at a time write. Blocking; several
processes may use one folder.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from ferryman.core.clock import Clock
from ferryman.core.durable import is_full, sync_folder
from ferryman.core.errors import Conflict, Exhausted, Invalid, NotFound
from ferryman.core.ids import is_id, new_id
from ferryman.core.units import format_size
from ferryman.depot.bundles.folder import BundleFolder

LIFETIME: Final = 7 * 86_400.0
"""Seconds after which an upload that nobody went on with is thrown away."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that arrives: `offset` of `size` bytes are there. `owner` is the id of a user; times are UNIX seconds."""

    id: str
    name: str
    size: int
    replace: bool
    owner: str | None
    created_at: float
    offset: int = 0
    touched_at: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether all of it is there: it is over, and the file has its name."""
        return self.offset == self.size


class Uploads:
    """All uploads into one folder. Thread-safe."""

    def __init__(self, folder: BundleFolder, clock: Clock) -> None:
        """Bring files into `folder`."""
        self._folder, self._clock = folder, clock
        self._place = folder.path / ".uploads"

    def begin(self, name: str, size: int, owner: str | None, *, replace: bool) -> Upload:
        """Begin one of `size` bytes, at least 1.

        Raises `Conflict` (`file_exists`) unless `replace`, `Exhausted` (`bundles_full`, `disk_full`), `Invalid`.
        """
        path = self._folder.place(name)
        if path.exists() and not replace:
            raise _exists(name)
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.sweep()
        others = [one for one in self.all() if not one.complete]
        left = sum(one.size - one.offset for one in others)
        self._folder.check_room(size, sum(one.size for one in others), left)
        made = Upload(new_id(), name, size, replace, owner, self._clock.now(), 0, self._clock.now())
        with _room(self._place):
            (self._place / made.id).touch(mode=0o600)
            record = asdict(made)
            del record["offset"], record["touched_at"]
            fresh = self._place / f"{made.id}.new"
            fresh.write_text(json.dumps(record))
            fresh.replace(self._place / f"{made.id}.json")
        return made

    def find(self, upload: str) -> Upload:
        """Return one. Raises `NotFound` (`upload_unknown`)."""
        try:
            if not is_id(upload):
                raise _unknown(upload)
            record = json.loads((self._place / f"{upload}.json").read_text())
            offset, touched = self._far(upload, int(record["size"]))
            return Upload(**record, offset=offset, touched_at=touched)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise _unknown(upload) from error

    def _far(self, upload: str, size: int) -> tuple[int, float]:
        """Return how much is there, and when somebody last wrote."""
        try:
            about = (self._place / upload).stat()
        except FileNotFoundError:
            return size, (self._place / f"{upload}.json").stat().st_mtime
        return about.st_size, about.st_mtime

    def all(self) -> list[Upload]:
        """Return all, the earliest first; those that are over as well for a while."""
        found = []
        for path in sorted(self._place.glob("*.json")) if self._place.is_dir() else []:
            with contextlib.suppress(NotFound):
                found.append(self.find(path.stem))
        return found

    @contextlib.contextmanager
    def arriving(self, upload: str, offset: int) -> "Iterator[Arrival]":
        """Give what takes the bytes from `offset` on; at the end of the block they are durable, and maybe the file is whole.

        What came before an error stays. Raises `NotFound` (`upload_unknown`), `Conflict` (`upload_busy`, `upload_offset`,
        `upload_complete`, `file_exists`), `Exhausted` (`disk_full`), `Invalid` (`upload_too_long`).
        """
        found = self.find(upload)
        handle = self._taken(upload)
        try:
            at = os.fstat(handle).st_size
            if at != offset:
                raise _elsewhere(upload, at, offset)
            arrival = Arrival(handle, found, at)
            try:
                yield arrival
            finally:
                with _room(self._place):
                    os.fsync(handle)
            if arrival.complete:
                self._finish(found)
        finally:
            os.close(handle)

    def cancel(self, upload: str) -> None:
        """Throw one away; a file that has its name stays. Raises `NotFound` (`upload_unknown`), `Conflict` (`upload_busy`)."""
        self.find(upload)
        try:
            handle = self._taken(upload)
        except Conflict as error:
            if error.code == "upload_busy":
                raise
            (self._place / f"{upload}.json").unlink(missing_ok=True)
            return
        (self._place / f"{upload}.json").unlink(missing_ok=True)
        (self._place / upload).unlink(missing_ok=True)
        os.close(handle)

    def sweep(self) -> int:
        """Throw away what nobody went on with; return how many."""
        count, before = 0, self._clock.now() - LIFETIME
        for one in self.all():
            if one.touched_at < before:
                with contextlib.suppress(NotFound, Conflict):
                    self.cancel(one.id)
                    count += 1
        return count

    def _taken(self, upload: str) -> int:
        try:
            handle = os.open(self._place / upload, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise _complete(upload) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise Conflict(
                "upload_busy",
                f"Another request writes to the upload '{upload}'.",
                advice="Wait until it ended, ask for the offset, and go on from there.",
            ) from error
        if not (self._place / upload).exists():  # it ended between the two
            os.close(handle)
            raise _complete(upload)
        return handle

    def _finish(self, upload: Upload) -> None:
        """Give the file its name. The upload is over, unless another file has the name."""
        arrived, path = self._place / upload.id, self._folder.place(upload.name)
        if upload.replace:
            arrived.replace(path)
        else:
            try:
                os.link(arrived, path)
            except FileExistsError as error:
                if not path.samefile(arrived):  # it may be that we were killed here
                    raise _exists(upload.name) from error
        sync_folder(self._folder.path)
        arrived.unlink(missing_ok=True)


class Arrival:
    """Takes the bytes of an upload in order. For one thread at a time."""

    def __init__(self, handle: int, upload: Upload, offset: int) -> None:
        """Made by `Uploads.arriving`."""
        self._handle, self._upload = handle, upload
        self.offset = offset

    @property
    def complete(self) -> bool:
        """Whether all of it is there."""
        return self.offset == self._upload.size

    def write(self, data: bytes) -> None:
        """Append all of `data`. Raises `Invalid` (`upload_too_long`) without taking any of it, `Exhausted` (`disk_full`)."""
        if self.offset + len(data) > self._upload.size:
            raise Invalid(
                "upload_too_long",
                f"The upload of '{self._upload.name}' has {self._upload.size} bytes; {self.offset + len(data)} were sent.",
                advice="Begin another upload with the size that the file has.",
                fields={"body": "is longer than the upload"},
            )
        view = memoryview(data)
        with _room(Path(self._upload.name)):
            while view:
                count = os.pwrite(self._handle, view, self.offset)
                self.offset += count
                view = view[count:]


@contextlib.contextmanager
def _room(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise Exhausted(
            "disk_full",
            f"The disk of the folder of bundles is full ({path.name}).",
            advice="Make room; what arrived is kept, and the upload goes on.",
        ) from error


def _unknown(upload: str) -> NotFound:
    return NotFound(
        "upload_unknown",
        f"There is no upload '{upload[:60]}'.",
        advice="It was finished, cancelled, or left for a week: begin a new one.",
    )


def _complete(upload: str) -> Conflict:
    return Conflict(
        "upload_complete",
        f"The upload '{upload}' is complete.",
        advice="Its file is in the folder of bundles: load it.",
    )


def _exists(name: str) -> Conflict:
    return Conflict(
        "file_exists",
        f"There is a file '{name}' in the folder of bundles already.",
        advice="Delete it first, choose another name, or begin the upload with 'replace'.",
    )


def _elsewhere(upload: str, there: int, sent: int) -> Conflict:
    problem = Conflict(
        "upload_offset",
        f"The upload '{upload}' is at byte {there} ({format_size(there)}), not at {sent}.",
        advice="Ask for the offset, and go on from there.",
    )
    problem.details = {"offset": there}
    return problem
