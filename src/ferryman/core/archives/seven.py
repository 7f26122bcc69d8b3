"""Reads 7z archives. The one place that knows py7zr, of which only header and decompressors are used.

Its own extraction writes files and follows names by itself; here every piece goes through the guard.
"""

import stat
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from ferryman.core.archives.guard import shown, too_much
from ferryman.core.archives.model import CHUNK, ArchiveLimits, Contents, Entry, Kind, Pieces
from ferryman.core.archives.streams import damaged
from ferryman.core.errors import FerryError, Invalid
from ferryman.core.units import format_size

MAGIC: Final = b"7z\xbc\xaf\x27\x1c"
_LZMA, _LZMA2, _PPMD = b"\x03\x01\x01", b"\x21", b"\x03\x04\x01"
_KINDS: Final = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.LINK}


def read(file: BinaryIO, limits: ArchiveLimits) -> Contents:
    """Return the entries of the 7z archive `file`.

    Raises `Corrupt` (`archive_damaged`), `Invalid` (`archive_limit`, `archive_encrypted`, `archive_method`).
    """
    import py7zr  # noqa: PLC0415 - slow to import, and few archives need it

    try:
        archive = py7zr.SevenZipFile(file, "r")
        encrypted = archive.needs_password()
    except py7zr.exceptions.PasswordRequired as error:
        raise _encrypted() from error
    except FerryError:
        raise
    except Exception as error:  # a parser of hostile input fails in many ways
        raise damaged(error or type(error).__name__) from error
    if encrypted:
        raise _encrypted()
    items = list(archive.files)
    _check_memory(_folders(archive), limits.memory)
    sizes = sum(item.uncompressed or 0 for item in items)
    return Contents(_entries(archive, file, items), len(items), sizes)


def _folders(archive: Any) -> list[Any]:
    streams = getattr(archive.header, "main_streams", None)
    return [] if streams is None else list(streams.unpackinfo.folders)


def _check_memory(folders: list[Any], memory: int) -> None:
    for folder in folders:
        for coder in folder.coders:
            wanted = _wanted(coder["method"], coder.get("properties") or b"")
            if wanted > memory:
                raise too_much("The archive asks for too large a dictionary", format_size(memory))


def _wanted(method: bytes, properties: bytes) -> int:
    """Return the memory a coder says it needs (7zFormat.txt, and the formats of the coders)."""
    if method in (_LZMA, _PPMD) and len(properties) >= 5:
        return int(struct.unpack_from("<I", properties, 1)[0])
    if method == _LZMA2 and properties:
        bits = properties[0] & 63
        return (2 | (bits & 1)) << (bits // 2 + 11)
    return 0


def _entries(archive: Any, file: BinaryIO, items: list[Any]) -> Iterator[tuple[Entry, Pieces]]:
    """Give what has no content first, then folder by folder, as the data lies."""
    for item in items:
        if item.emptystream:
            yield _entry(item), iter(())
    if not (folders := _folders(archive)):
        return
    begin = archive.afterheader
    positions = archive.header.main_streams.packinfo.packpositions
    stream = 0
    for folder in folders:
        file.seek(begin + positions[stream])
        stream += len(folder.packed_indices) or 1
        for item in folder.files or ():
            entry = _entry(item)
            if entry.kind is Kind.LINK:
                if item.uncompressed > 4096:
                    raise too_much(f"The link '{shown(entry.name)}' is too long", "4096 bytes")
                target = b"".join(_pieces(file, folder, item))
                yield Entry(entry.name, Kind.LINK, target=target.decode("utf-8", "surrogateescape")), iter(())
            else:
                yield entry, _pieces(file, folder, item)


def _entry(item: Any) -> Entry:
    kind = Kind.FOLDER if item.is_directory else Kind.FILE
    if (form := item.st_fmt) is not None:
        kind = _KINDS.get(form, Kind.OTHER)
    elif item.is_symlink or item.is_junction:
        kind = Kind.LINK
    when = item.lastwritetime
    return Entry(
        item.filename,
        kind,
        executable=bool((item.posix_mode or 0) & 0o100),
        modified=when.totimestamp() if when is not None else None,
    )


def _pieces(file: BinaryIO, folder: Any, item: Any) -> Pieces:
    left, checksum = item.uncompressed, 0
    while left > 0:
        before = file.tell()
        piece = _decoded(file, folder, item, min(left, CHUNK))
        if not piece and file.tell() == before:
            raise damaged(f"'{shown(item.filename)}' ends too early")
        left -= len(piece)
        checksum = zlib.crc32(piece, checksum)
        if piece:
            yield piece
    if item.crc32 is not None and checksum != item.crc32:
        raise damaged(f"'{shown(item.filename)}' does not fit its checksum")


def _decoded(file: BinaryIO, folder: Any, item: Any, most: int) -> bytes:
    try:
        return bytes(folder.get_decompressor(item.compressed).decompress(file, most))
    except Exception as error:  # the decoders of many formats fail in many ways
        if type(error).__name__ == "UnsupportedCompressionMethodError":
            raise _method(item.filename) from error
        raise damaged(error or type(error).__name__) from error


def _encrypted() -> Invalid:
    return Invalid(
        "archive_encrypted", "The archive is encrypted.", advice="Unpack it by hand with its password."
    )


def _method(name: str) -> Invalid:
    return Invalid(
        "archive_method",
        f"The entry '{shown(name)}' is compressed in a way that is not supported.",
        advice="Unpack it by hand.",
    )
