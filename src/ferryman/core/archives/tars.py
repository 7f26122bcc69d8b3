"""Reads tar archives as a stream, entry by entry; what stands between two entries is bounded."""

import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from ferryman.core.archives.guard import too_much
from ferryman.core.archives.model import CHUNK, ArchiveLimits, Contents, Entry, Kind, Pieces
from ferryman.core.archives.streams import damaged
from ferryman.core.units import format_size

BLOCK: Final = 512
ENDINGS: Final = (
    ".tar",
    ".tar.gz",
    ".tar.bz2",
    ".tar.xz",
    ".tar.zst",
    ".tgz",
    ".tbz2",
    ".tbz",
    ".txz",
    ".tzst",
)
_KINDS: Final = {tarfile.DIRTYPE: Kind.FOLDER, tarfile.SYMTYPE: Kind.LINK, tarfile.LNKTYPE: Kind.HARDLINK}
_OTHERS: Final = {
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a pipe",
}


def is_tar(start: bytes, name: str = "") -> bool:
    """Tell whether content that begins with `start` is a tar archive; zeros are an empty one when its name says so."""
    if len(start) < BLOCK:
        return False
    if not start[:BLOCK].strip(b"\0"):
        return name.lower().endswith(ENDINGS)
    try:
        tarfile.TarInfo.frombuf(start[:BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def read(stream: BinaryIO, limits: ArchiveLimits) -> Contents:
    """Return the entries of the tar archive in `stream`, which is read once, in order."""
    return Contents(_entries(stream, limits))


class _Metered:
    """Lets the library read only so much between two entries: a header may claim any length."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self.left: int | None = limit

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if self.left is not None:
            self.left -= len(data)
            if self.left < 0:
                raise too_much("What stands between two entries is too long", format_size(self._limit))
        return data

    def refill(self) -> None:
        self.left = self._limit


def _entries(stream: BinaryIO, limits: ArchiveLimits) -> Iterator[tuple[Entry, Pieces]]:
    metered: Any = _Metered(stream, limits.headers)  # the library only reads
    try:
        with tarfile.open(None, "r|", metered, encoding="utf-8", errors="surrogateescape") as archive:
            while True:
                metered.refill()
                member = archive.next()
                if member is None:
                    return
                vars(archive)["members"] = []  # the library would keep them all
                metered.left = None
                yield _entry(member), _pieces(archive, member)
    except (tarfile.TarError, EOFError, UnicodeError, ValueError) as error:
        raise damaged(error) from error


def _entry(member: tarfile.TarInfo) -> Entry:
    kind = _KINDS.get(member.type, Kind.FILE if member.isfile() else Kind.OTHER)
    return Entry(
        member.name,
        kind,
        executable=bool(member.mode & 0o100),
        modified=float(member.mtime),
        target=_OTHERS.get(member.type, "") if kind is Kind.OTHER else member.linkname,
    )


def _pieces(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Pieces:
    content = archive.extractfile(member) if member.isfile() else None
    if content is None:
        return
    left = member.size
    while left > 0:
        piece = content.read(min(CHUNK, left))
        if not piece:
            raise damaged(f"'{member.name[:120]}' ends too early")
        left -= len(piece)
        yield piece
