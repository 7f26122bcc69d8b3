"""Moves the bytes of a stream into a connection: inside the kernel where both ends allow it, else through a buffer.

File to socket is `sendfile`, socket to socket two `splice`s with a pipe between them; both need sockets without TLS.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable
from typing import Final

from ferryman.core.errors import Unavailable
from ferryman.oci.connection import Connection
from ferryman.oci.ports import BlobStream

_STEP: Final = 1024 * 1024
_SOCKET: Final = 0o140000
_REGULAR: Final = 0o100000
_KIND: Final = 0o170000


class Mover:
    """Moves bytes for one thread; keeps its buffer and pipe until it is closed. `tell` hears how many moved."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        """Prepare nothing yet."""
        self._tell = tell
        self._view: memoryview | None = None
        self._pipe: tuple[int, int] | None = None

    def move(self, stream: BlobStream, connection: Connection, count: int) -> bool:
        """Send `count` bytes of `stream`; False when the other side answered before all was sent.

        Raises `Unavailable` when a side breaks; `stream_short` when the stream ends first.
        """
        left = count
        while left:
            if connection.readable():
                return False
            moved = self._kernel(stream, connection, min(left, _STEP)) or self._copy(stream, connection, left)
            left -= moved
            self._tell(moved)
        return True

    def close(self) -> None:
        """Give the pipe back. Repeatable."""
        if self._pipe:
            for end in self._pipe:
                os.close(end)
            self._pipe = None

    def _kernel(self, stream: BlobStream, connection: Connection, count: int) -> int:
        """Move at most `count` bytes inside the kernel; 0 when that cannot be done now."""
        source = stream.fileno() if connection.plain else None
        if source is None:
            return 0
        kind = os.fstat(source).st_mode & _KIND
        try:
            if kind == _REGULAR:
                moved = os.sendfile(connection.sock.fileno(), source, None, count)
            elif kind == _SOCKET:
                moved = self._splice(source, connection, count)
            else:
                return 0
        except BlockingIOError as error:
            raise connection.lost(error) from error
        except OSError as error:
            raise connection.lost(error) from error
        stream.moved(moved)
        return moved

    def _splice(self, source: int, connection: Connection, count: int) -> int:
        pipe = self._own_pipe()
        try:
            arrived = os.splice(source, pipe[1], count)
        except OSError:
            return 0  # the stream itself says what is wrong with its source
        left = arrived
        try:
            while left:
                left -= os.splice(pipe[0], connection.sock.fileno(), left)
        except OSError:
            self.close()  # with what is in it
            raise
        return arrived

    def _copy(self, stream: BlobStream, connection: Connection, left: int) -> int:
        if self._view is None:
            self._view = memoryview(bytearray(_STEP))
        count = stream.readinto(self._view[:left])
        if not count:
            raise Unavailable("stream_short", f"The source ended {left:,} bytes too early.")
        connection.send(self._view[:count])
        return count

    def _own_pipe(self) -> tuple[int, int]:
        if self._pipe is None:
            self._pipe = os.pipe2(os.O_CLOEXEC)
            with contextlib.suppress(OSError):  # over a user's quota the pipe stays small: slower, not wrong
                fcntl.fcntl(self._pipe[1], fcntl.F_SETPIPE_SZ, _STEP)
        return self._pipe
