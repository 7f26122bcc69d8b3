"""Streams of blobs that do not come from a registry: bytes in memory, and files."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from ferryman.core.errors import NotFound, Unavailable


class _Stream:
    """What streams have in common."""

    def __init__(self, size: int, offset: int) -> None:
        self.size: int | None = size
        self.offset = offset

    def close(self) -> None:
        """Give up what is not read yet. Repeatable."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


class BytesStream(_Stream):
    """A blob in memory."""

    def __init__(self, content: bytes, offset: int = 0) -> None:
        """Stand at `offset`."""
        super().__init__(len(content), offset)
        self._rest = memoryview(content)[offset:]

    def readinto(self, view: memoryview, /) -> int:
        """Fill `view`; 0 at the end."""
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def fileno(self) -> int | None:
        """There is no descriptor."""
        return None

    def moved(self, count: int, /) -> None:
        """Never called."""


class FileStream(_Stream):
    """A blob in a file, or in a part of one: `length` bytes from `start`."""

    def __init__(self, path: Path, offset: int = 0, *, start: int = 0, length: int | None = None) -> None:
        """Open, and stand at `offset` of the blob. Raises `NotFound` (`blob_unknown`), `Unavailable`."""
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFound(
                "blob_unknown", f"'{path}' does not exist.", advice="Fetch the image again."
            ) from error
        except OSError as error:
            raise Unavailable("disk_error", f"'{path}' cannot be read ({error.strerror}).") from error
        size = os.fstat(self._file).st_size - start if length is None else length
        super().__init__(size, offset)
        os.lseek(self._file, start + offset, os.SEEK_SET)
        self._left = max(0, size - offset)

    def readinto(self, view: memoryview, /) -> int:
        """Fill `view`; 0 at the end. Raises `Unavailable`."""
        try:
            count = os.readv(self._file, [view[: self._left]]) if self._left else 0
        except OSError as error:
            raise Unavailable("disk_error", f"A blob cannot be read ({error.strerror}).") from error
        self._left -= count
        return count

    def fileno(self) -> int | None:
        """The file, standing at the stream's position."""
        return self._file if self._left else None

    def moved(self, count: int, /) -> None:
        """Count what the kernel moved."""
        self._left -= count

    def close(self) -> None:
        """Close the file. Repeatable."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
