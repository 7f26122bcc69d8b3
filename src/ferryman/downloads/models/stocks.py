"""Where models come from: the depot, a folder `models`, a zip or tar of it."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from ferryman.core.archives.guard import Budget
from ferryman.core.archives.model import ArchiveLimits, Entry, Kind
from ferryman.core.archives.unpack import contents_of
from ferryman.core.digests import Digest
from ferryman.core.errors import Denied, Invalid, NotFound
from ferryman.depot.service import Depot
from ferryman.downloads.models.carry import Item
from ferryman.downloads.models.library import Model
from ferryman.oci.manifest import MOST_MANIFEST
from ferryman.oci.ollama import check_apart, named_by
from ferryman.oci.reference import Reference, parse_digest

_CHUNK: Final = 1024 * 1024
_MOST: Final = 10_000
"""Blobs and manifests a folder may have."""
LIMITS: Final = ArchiveLimits(entries=_MOST, size=4 * 10**12, ratio=1_000)


class DepotStock:
    """Implements `carry.Stock`: models of the depot, each blob once."""

    def __init__(self, depot: Depot, models: Sequence[Model]) -> None:
        """Take `models`. Raises `Conflict` (`model_names_collide`)."""
        check_apart(one.reference for one in models)
        self._depot, self._models = depot, models

    @property
    def size(self) -> int:
        """Bytes of all blobs together."""
        return sum({blob.digest: blob.size for one in self._models for blob in one.manifest.blobs}.values())

    def items(self) -> Iterator[Item]:
        """Yield blobs, then manifests. Raises `NotFound` (`blob_unknown`) when one was lost."""
        blobs = {blob.digest: blob.size for one in self._models for blob in one.manifest.blobs}
        for digest, size in blobs.items():
            yield Item(size, _content(self._depot, digest), digest=digest)
        for one in self._models:
            raw = one.manifest.raw
            yield Item(len(raw), iter((raw,)), model=one.reference)


class FolderStock:
    """Implements `carry.Stock`: a folder with `blobs` and `manifests`, or one that has it as `models`."""

    def __init__(self, folder: Path) -> None:
        """Read `folder`. Raises `NotFound` (`models_none`) when there is none in it."""
        self._folder = folder / "models" if (folder / "models" / "manifests").is_dir() else folder
        if not (self._folder / "manifests").is_dir():
            raise NotFound(
                "models_none",
                f"'{folder}' is no folder of models.",
                advice="Give the folder that has blobs/ and manifests/, such as ~/.ollama/models.",
            )

    def items(self) -> Iterator[Item]:
        """Yield what is there; other files are passed over, links are not followed."""
        for top in ("blobs", "manifests"):
            for place in sorted((self._folder / top).rglob("*")):
                meant = meaning_of(str(place.relative_to(self._folder)))
                if meant is None or not stat.S_ISREG(place.lstat().st_mode):
                    continue
                yield _item(meant, place.stat().st_size, _file(place), str(place))


class ArchiveStock:
    """Implements `carry.Stock`: an archive of such a folder, read in one go and never unpacked to a disk."""

    def __init__(self, path: Path) -> None:
        """Read `path`."""
        self._path = path

    def items(self) -> Iterator[Item]:
        """Yield what is in it. Raises `Invalid` (`archive_…`, `models_member`), `Corrupt` (`archive_damaged`)."""
        with _opened(self._path) as file:
            budget = Budget(LIMITS, os.fstat(file.fileno()).st_size)
            contents = contents_of(file, self._path.name, LIMITS)
            budget.declared(contents.count, contents.size)
            for entry, pieces in contents.entries:
                budget.entry(entry.name)
                if entry.kind is Kind.FOLDER:
                    continue
                meant = meaning_of(entry.name)
                if meant is None or entry.kind is not Kind.FILE:
                    raise _foreign(entry)
                yield _item(meant, 0, _counted(budget, entry, pieces), entry.name)


def meaning_of(name: str) -> Digest | Reference | None:
    """Return which blob or model a path below `models` is, None when it is neither. Pure; hostile."""
    parts = PurePosixPath(name).parts
    parts = parts[1:] if parts[:1] == ("models",) else parts
    try:
        if len(parts) == 2 and parts[0] == "blobs":
            return parse_digest(parts[1].replace("-", ":", 1))
        if len(parts) >= 4 and parts[0] == "manifests":
            return named_by(parts[1:])
    except Invalid:
        return None
    return None


def _item(meant: Digest | Reference, size: int, pieces: Iterator[bytes], name: str) -> Item:
    if isinstance(meant, Digest):
        return Item(size, pieces, digest=meant)
    return Item(size, _short(pieces, name), model=meant)


def _short(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    left = MOST_MANIFEST
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise Invalid(
                "manifest_too_large",
                f"The manifest '{name[:200]}' has more than {MOST_MANIFEST} bytes.",
                advice="No model needs that: it is not from Ollama.",
            )
        yield piece


def _counted(budget: Budget, entry: Entry, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        budget.add(entry.name, len(piece))
        yield piece


def _content(depot: Depot, digest: Digest) -> Iterator[bytes]:
    buffer = memoryview(bytearray(_CHUNK))
    with depot.open(digest) as stream:
        while count := stream.readinto(buffer):
            yield bytes(buffer[:count])


def _file(place: Path) -> Iterator[bytes]:
    with _opened(place) as file:
        while piece := file.read(_CHUNK):
            yield piece


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise NotFound("file_unknown", f"'{path}' is not there.", advice="Check its path.") from error
    except OSError as error:
        raise Denied(
            "file_unreadable", f"'{path}' cannot be read: {error.strerror}.", advice="Check its rights."
        ) from error


def _foreign(entry: Entry) -> Invalid:
    return Invalid(
        "models_member",
        f"'{entry.name[:200]}' has no place in an archive of models.",
        advice="It may hold blobs/sha256-HEX and manifests/HOST/NAMESPACE/MODEL/TAG only; nothing was taken from here on.",
    )
