"""Decompressed streams with bounded memory: gzip, bzip2, xz and Zstandard, told apart by their first bytes."""

import bz2
import gzip
import io
import lzma
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import zstandard

from ferryman.core.archives.model import CHUNK
from ferryman.core.errors import Corrupt, Invalid

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAGICS: Final = {
    b"\x1f\x8b": "gz",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zst",
}
FAULTS: Final = (zlib.error, lzma.LZMAError, zstandard.ZstdError, EOFError, gzip.BadGzipFile)
"""What the libraries raise for damaged data; bzip2 raises `OSError` without a number."""


def compression_of(start: bytes) -> str | None:
    """Return how a file that begins with `start` is compressed; None when it is not."""
    return next((name for magic, name in MAGICS.items() if start.startswith(magic)), None)


def opened(file: BinaryIO, compression: str, memory: int) -> io.BufferedReader:
    """Return the decompressed stream of `file`, which stays open. Asks for at most about `memory` bytes.

    Reading raises `Corrupt` (`archive_damaged`) and `Invalid` (`archive_memory`).
    """
    raw: Any
    match compression:
        case "gz":
            raw = gzip.GzipFile(fileobj=file, mode="rb")
        case "bz2":
            raw = bz2.BZ2File(file, "rb")
        case "xz":
            raw = _Xz(file, memory)
        case _:
            largest = 1 << max(10, min(31, memory.bit_length() - 1))
            decompressor = zstandard.ZstdDecompressor(max_window_size=largest)
            raw = decompressor.stream_reader(file, read_across_frames=True, closefd=False)
    return io.BufferedReader(_Translated(raw), CHUNK)


def damaged(what: object) -> Corrupt:
    """Build the error for an archive that is not what it should be."""
    return Corrupt(
        "archive_damaged",
        f"The archive is damaged: {what}.",
        advice="Fetch it again, best with a checksum; nothing of it was kept.",
    )


class _Translated(io.RawIOBase):
    """Gives the faults of all libraries one name."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        try:
            data = self._raw.read(min(len(view), CHUNK)) or b""
        except FAULTS as error:
            if "memory" in str(error).lower():
                raise _hungry() from error
            raise damaged(error) from error
        except OSError as error:
            if error.errno is None:
                raise damaged(error) from error
            raise
        view[: len(data)] = data
        return len(data)


class _Xz(io.RawIOBase):
    """An xz file of one or many streams; the library's own reader has no limit of memory."""

    def __init__(self, file: BinaryIO, memory: int) -> None:
        self._file = file
        self._memory = memory
        self._decoder = self._fresh()
        self._rest = b""

    def _fresh(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=self._memory)

    def read(self, size: int = -1) -> bytes:
        while True:
            if self._decoder.eof:
                rest = (self._decoder.unused_data or self._file.read(CHUNK)).lstrip(b"\0")
                if not rest:
                    return b""
                self._decoder, self._rest = self._fresh(), rest
            if self._decoder.needs_input and not self._rest:
                self._rest = self._file.read(CHUNK)
                if not self._rest:
                    raise EOFError("the compressed data ends too early")
            data, self._rest = self._decoder.decompress(self._rest, size), b""
            if data:
                return data


def _hungry() -> Invalid:
    return Invalid(
        "archive_memory",
        "The archive asks for more memory than may be used to unpack it.",
        advice="Unpack it by hand if you trust it; nothing of it was kept.",
    )
