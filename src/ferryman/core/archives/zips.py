"""Reads zip archives: the directory at their end is judged before anything of it is believed."""

import stat
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

from ferryman.core.archives.guard import shown, too_much
from ferryman.core.archives.model import CHUNK, MIB, ArchiveLimits, Contents, Entry, Kind, Pieces
from ferryman.core.archives.streams import damaged
from ferryman.core.errors import Invalid

MAGICS: Final = (b"PK\x03\x04", b"PK\x05\x06")
METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""The library decompresses the others without a bound of memory."""
_HEADER: Final = 30
_ENTRY: Final = b"PK\x01\x02"
_PER_ENTRY: Final = 4 * 1024
_LEAST: Final = 4 * MIB
_FAULTS: Final = (zipfile.BadZipFile, zlib.error, EOFError, UnicodeError, ValueError, NotImplementedError)
_KINDS: Final = {0: Kind.FILE, stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.LINK}


def read(file: BinaryIO, limits: ArchiveLimits) -> Contents:
    """Return the entries of the zip archive `file`.

    Raises `Corrupt` (`archive_damaged`), `Invalid` (`archive_limit`, `archive_overlap`, `archive_encrypted`, `archive_method`).
    """
    try:
        archive = zipfile.ZipFile(_Bounded(file, limits))
    except _FAULTS as error:
        raise damaged(error) from error
    items = archive.infolist()
    _check_overlap(items, file.seek(0, 2))
    for item in items:
        _check_item(item)
    return Contents(_entries(archive, items), len(items), sum(item.file_size for item in items))


class _Bounded:
    """The file as the library reads it; a directory with more entries than may be is refused before it is parsed."""

    def __init__(self, file: BinaryIO, limits: ArchiveLimits) -> None:
        self._file = file
        self._limits = limits
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        most = self._limits.entries
        if size > max(_LEAST, most * _PER_ENTRY):
            raise too_much("The directory of the archive is too long", f"{most} entries")
        data = self._file.read(size)
        if size > CHUNK and data.count(_ENTRY) > most:
            raise too_much("The archive has too many entries", f"{most} entries")
        return data

    def close(self) -> None:
        """Leave the file open: it is the caller's."""


def _check_overlap(items: Sequence[zipfile.ZipInfo], size: int) -> None:
    """Refuse entries that share bytes: that is how a small file becomes a huge one."""
    end = 0
    for item in sorted(items, key=lambda item: item.header_offset):
        if item.header_offset < end:
            raise Invalid(
                "archive_overlap",
                f"The entry '{shown(item.filename)}' shares its bytes with another one.",
                advice="Do not trust this archive; nothing of it was kept.",
            )
        end = item.header_offset + _HEADER + item.compress_size
    if end > size:
        raise damaged("an entry lies beyond its end")


def _check_item(item: zipfile.ZipInfo) -> None:
    if item.flag_bits & 0x1:
        raise Invalid(
            "archive_encrypted",
            f"The entry '{shown(item.filename)}' is encrypted.",
            advice="Unpack it by hand with its password.",
        )
    if item.compress_type not in METHODS:
        raise Invalid(
            "archive_method",
            f"The entry '{shown(item.filename)}' is compressed in a way that is not supported ({item.compress_type}).",
            advice="Unpack it by hand.",
        )


def _entries(archive: zipfile.ZipFile, items: Sequence[zipfile.ZipInfo]) -> Iterator[tuple[Entry, Pieces]]:
    with archive:
        for item in items:
            entry = _entry(item)
            if entry.kind is Kind.LINK:
                target = b"".join(_pieces(archive, item, 4096))
                entry = Entry(entry.name, Kind.LINK, target=target.decode("utf-8", "surrogateescape"))
            yield entry, _pieces(archive, item, None)


def _entry(item: zipfile.ZipInfo) -> Entry:
    mode = item.external_attr >> 16
    name = item.orig_filename.replace("\\", "/")  # what the archive says, also after a NUL
    kind = _KINDS.get(stat.S_IFMT(mode), Kind.OTHER)
    if kind is Kind.FILE and name.endswith("/"):
        kind = Kind.FOLDER
    return Entry(name, kind, executable=bool(mode & 0o100), modified=_seconds(item.date_time))


def _seconds(date: tuple[int, int, int, int, int, int]) -> float | None:
    try:
        return time.mktime((*date, 0, 0, -1))
    except (ValueError, OverflowError):
        return None


def _pieces(archive: zipfile.ZipFile, item: zipfile.ZipInfo, most: int | None) -> Pieces:
    if most is not None and item.file_size > most:
        raise too_much(f"The link '{shown(item.filename)}' is too long", f"{most} bytes")
    done = 0
    try:
        with archive.open(item) as content:
            while piece := content.read(CHUNK):
                done += len(piece)
                yield piece
    except _FAULTS as error:
        raise damaged(error) from error
    if done != item.file_size:
        raise damaged(f"'{shown(item.filename)}' has {done} bytes and says {item.file_size}")
