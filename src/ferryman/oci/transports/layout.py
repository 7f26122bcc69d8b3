"""OCI layouts in folders (`oci:FOLDER[:NAME]`), read and written.

Blobs are written beside the layout's own, in `FOLDER/.partial`, where an interrupted one goes on later, also in another
process; then fsync, rename, fsync of the folder. `index.json` is replaced as a whole, under a lock of the folder, so that
several processes may write different images into one layout.
"""

import contextlib
import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from ferryman.core.digests import Digest
from ferryman.core.durable import sync_folder
from ferryman.core.errors import Conflict, Corrupt, NotFound
from ferryman.oci.manifest import Descriptor, Manifest
from ferryman.oci.ports import BlobStream, ResumeUpload
from ferryman.oci.transports.entries import (
    MOST_INDEX,
    VERSION,
    LayoutIndex,
    check_version,
    damaged_layout,
    parse_index,
)
from ferryman.oci.transports.reading import LayoutSource
from ferryman.oci.transports.streams import PIECE, Region, pour, writing

PARTIAL: Final = ".partial"
"""Folder in the layout for blobs on their way; it is gone when nothing is.

It is made first and goes after `oci-layout` is there, so that a layout just begun, by another process or by one that was
killed, is told from a folder with other things in it.
"""


class FolderContents:
    """The bytes of a layout in a folder. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        """Open what is there. Raises `NotFound` (`place_missing`), `Corrupt` (`layout_damaged`)."""
        self._folder = folder
        self.place = str(folder)
        if not folder.is_dir():
            raise missing(self.place, "folder")
        check_version(read_document(folder / "oci-layout", 4096, self.place), self.place)
        self.index()

    def index(self) -> LayoutIndex:
        """Return the list as it is now."""
        return parse_index(read_document(self._folder / "index.json", MOST_INDEX, self.place), self.place)

    def size(self, digest: Digest) -> int | None:
        """Return the length of a blob; None when it is not there or no file."""
        try:
            found = self._path(digest).stat()
        except OSError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def open(self, digest: Digest, offset: int = 0) -> Region:
        """Open a blob. Raises `NotFound` (`blob_unknown`)."""
        descriptor = open_file(self._path(digest))
        if descriptor is None:
            raise unknown_blob(digest, self.place)
        return Region(descriptor, 0, os.fstat(descriptor).st_size, offset, f"{digest} in {self.place}")

    def close(self) -> None:
        """Nothing is held open."""

    def _path(self, digest: Digest) -> Path:
        return self._folder / "blobs" / digest.algorithm / digest.hex


class LayoutTarget:
    """A layout in a folder to write to. Thread-safe; several processes may write to one folder.

    What is put without a tag and belongs to no index that was put is listed when the target is closed; after `abandon` it
    is not. `notes` are sentences that a person should be told.
    """

    def __init__(
        self, folder: Path, annotations: Callable[[str | None], dict[str, str]] | None = None
    ) -> None:
        """Write to `folder`, which is made with the first blob. `annotations` adds to what a tag's entry says.

        Raises `Conflict` (`folder_in_use`) when other things are in it, `Corrupt` when its layout is broken.
        """
        self._folder = folder
        self._annotations = annotations
        self._lock = threading.Lock()
        self._busy: dict[Digest, threading.Lock] = {}
        self._loose: dict[Digest, Descriptor] = {}
        self._inner: set[Digest] = set()
        self.notes: tuple[str, ...] = ()
        there = _names(folder)
        if "oci-layout" in there:
            FolderContents(folder)
        elif there and PARTIAL not in there:
            raise Conflict(
                "folder_in_use",
                f"{folder} is there and is no OCI layout.",
                advice="Name a new or empty folder, or one that holds an OCI layout.",
            )

    def has_manifest(self, digest: Digest) -> bool:
        """Whether the manifest is there; its name may not be."""
        return self._path(digest).is_file()

    def tagged(self, tag: str) -> Digest | None:
        """Return what a name points to."""
        if not (self._folder / "index.json").exists():
            return None
        entry = FolderContents(self._folder).index().find(tag)
        return entry.descriptor.digest if entry else None

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the blob is there in its full length."""
        try:
            return self._path(blob.digest).stat().st_size == blob.size
        except OSError:
            return False

    def mount(self, blob: Descriptor, repository: str) -> bool:  # noqa: ARG002 - a layout has no repositories
        """A folder is one repository: what is in it needs no mount."""
        return self.has_blob(blob)

    def put_blob(
        self,
        blob: Descriptor,
        source: Callable[[int], BlobStream],
        tell: Callable[[int], None],
        resume: ResumeUpload | None,  # noqa: ARG002 - what arrived is found in the folder itself
    ) -> None:
        """Store a blob, from where an earlier attempt stopped. Raises `Corrupt` when the bytes do not match."""
        with self._alone(blob.digest), writing(self._path(blob.digest)):
            if self.has_blob(blob):
                return
            self._prepare()
            partial = self._folder / PARTIAL / f"{blob.digest.algorithm}-{blob.digest.hex}"
            with _opened(partial) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if self.has_blob(blob):  # another process was quicker
                    return
                self._receive(file.fileno(), blob, source, tell)
                os.fsync(file.fileno())
                self._publish(partial, self._path(blob.digest))

    def put_manifest(self, manifest: Manifest, tag: str | None) -> None:
        """Store a manifest, and list it under `tag`; what had that name before is listed no more."""
        digest = manifest.digest
        with self._alone(digest), writing(self._path(digest)):
            self._prepare()
            if not self.has_blob(Descriptor("", digest, len(manifest.raw))):
                replace_file(self._path(digest), manifest.raw)
        with self._lock:
            self._inner |= {child.digest for child in manifest.children}
            if tag is None:
                self._loose[digest] = manifest.descriptor
        if tag is not None:
            self._list([(manifest.descriptor, tag)])

    def close(self) -> None:
        """List what was put without a tag. Repeatable."""
        with self._lock:
            loose = [one for digest, one in self._loose.items() if digest not in self._inner]
            self._loose.clear()
        if loose:
            self._list([(one, None) for one in loose])
        self._tidy()

    def abandon(self) -> None:
        """Close without listing what has no tag: the copy failed, and goes on later."""
        with self._lock:
            self._loose.clear()
        self._tidy()

    def _receive(
        self,
        descriptor: int,
        blob: Descriptor,
        source: Callable[[int], BlobStream],
        tell: Callable[[int], None],
    ) -> None:
        """Fill the partial file. One from earlier that turns out wrong is begun anew, once."""
        there = os.fstat(descriptor).st_size
        if 0 < there <= blob.size:
            with contextlib.suppress(Corrupt):
                pour(blob, source, _writer(descriptor), tell, _kept(descriptor, there))
                return
        os.ftruncate(descriptor, 0)
        try:
            pour(blob, source, _writer(descriptor), tell)
        except Corrupt:
            os.ftruncate(descriptor, 0)
            raise

    def _list(self, listed: list[tuple[Descriptor, str | None]]) -> None:
        path = self._folder / "index.json"
        with writing(path), _locked(self._folder):
            index = LayoutIndex()
            if path.exists():
                index = parse_index(read_document(path, MOST_INDEX, str(self._folder)), str(self._folder))
            before = index
            for descriptor, tag in listed:
                more = self._annotations(tag) if self._annotations else None
                index = index.having(descriptor, tag, more)
            if index != before or not path.exists():
                replace_file(path, index.render())

    def _prepare(self) -> None:
        with self._lock:
            if not (self._folder / "oci-layout").exists():
                self._begin()
            for part in ("blobs/sha256", PARTIAL):
                (self._folder / part).mkdir(parents=True, exist_ok=True)

    def _begin(self) -> None:
        """Make the layout's own files; `oci-layout` comes last, so that whoever finds it finds the index too."""
        (self._folder / PARTIAL).mkdir(parents=True, exist_ok=True)
        with _locked(self._folder):
            if not (self._folder / "index.json").exists():
                replace_file(self._folder / "index.json", LayoutIndex().render())
            if not (self._folder / "oci-layout").exists():
                replace_file(self._folder / "oci-layout", VERSION)

    def _publish(self, partial: Path, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        partial.replace(path)
        sync_folder(path.parent)

    @contextlib.contextmanager
    def _alone(self, digest: Digest) -> Iterator[None]:
        with self._lock:
            lock = self._busy.setdefault(digest, threading.Lock())
        with lock:
            yield

    def _tidy(self) -> None:
        if (self._folder / "oci-layout").exists():
            with contextlib.suppress(OSError):  # others may be writing
                (self._folder / PARTIAL).rmdir()

    def _path(self, digest: Digest) -> Path:
        return self._folder / "blobs" / digest.algorithm / digest.hex


def open_layout(folder: Path) -> LayoutSource:
    """Open the layout in `folder` to read from. Raises `NotFound` (`place_missing`), `Corrupt` (`layout_damaged`)."""
    return LayoutSource(FolderContents(folder))


def missing(place: str, what: str) -> NotFound:
    """Build the error for a folder or file that is not there."""
    return NotFound("place_missing", f"There is no {what} {place}.", advice="Check the path.")


def unknown_blob(digest: Digest, place: str) -> NotFound:
    """Build the error for a blob that is not there."""
    return NotFound(
        "blob_unknown",
        f"{place} has no blob {digest}.",
        advice="It is incomplete: make it anew, or use another source.",
    )


def open_file(path: Path) -> int | None:
    """Open a regular file to read; None when there is none. A pipe or device of that name is not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def read_document(path: Path, most: int, place: str) -> bytes:
    """Return a file of at most `most` bytes. Raises `Corrupt` (`layout_damaged`)."""
    descriptor = open_file(path)
    if descriptor is None:
        raise damaged_layout(place, f"it has no {path.name}")
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise damaged_layout(place, f"its {path.name} has more than {most} bytes")
    return data


def replace_file(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.parent / f".{path.name}.{os.getpid()}.{threading.get_ident()}"
    try:
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _names(folder: Path) -> list[str]:
    """Return what is in a folder, in one look; nothing when there is none. A file there counts as something in it."""
    try:
        return os.listdir(folder)  # noqa: PTH208 - one reading of the folder, not a walk over it
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        return [""]


def _opened(partial: Path) -> BinaryIO:
    """Open a partial file. Another process that is done may take the empty folder away in between."""
    for _ in range(10):
        partial.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            return partial.open("ab+")
    return partial.open("ab+")


def _writer(descriptor: int) -> Callable[[memoryview], None]:
    def write(piece: memoryview) -> None:
        while piece:
            piece = piece[os.write(descriptor, piece) :]

    return write


def _kept(descriptor: int, size: int) -> Iterator[memoryview]:
    view = memoryview(bytearray(PIECE))
    at = 0
    while at < size:
        count = os.preadv(descriptor, [view[: min(PIECE, size - at)]], at)
        if count == 0:
            return
        yield view[:count]
        at += count


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
