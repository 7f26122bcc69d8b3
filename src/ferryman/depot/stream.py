"""A blob of the depot as a stream."""

import os
from pathlib import Path
from typing import Self

from ferryman.core.errors import Invalid


class FileStream:
    """Implements `oci.ports.BlobStream` on an open file. For one thread at a time."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        """Open `path`. Raises `FileNotFoundError`, `Invalid` (`offset_invalid`)."""
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._size = os.fstat(self._handle).st_size
        self._offset = offset
        if not 0 <= offset <= self._size:
            self.close()
            raise Invalid(
                "offset_invalid",
                f"A blob of {self._size} bytes cannot be read from {offset}.",
                advice="Begin at a byte that is there.",
            )
        os.lseek(self._handle, offset, os.SEEK_SET)

    @property
    def size(self) -> int | None:
        """Length of the whole blob."""
        return self._size

    @property
    def offset(self) -> int:
        """Where the stream began."""
        return self._offset

    def readinto(self, view: memoryview, /) -> int:
        """Fill `view` from its beginning; 0 at the end."""
        return os.readv(self._handle, [view])

    def fileno(self) -> int | None:
        """Return the file, which stands at the position of the stream."""
        return self._handle

    def moved(self, count: int, /) -> None:
        """Keep nothing: the position of the file moved with what left."""

    def close(self) -> None:
        """Close the file. Repeatable."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
