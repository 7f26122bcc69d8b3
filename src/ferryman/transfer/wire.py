"""Our own HTTP/1.1 carrier for direct http and https: few system calls, big buffers, connections kept alive.

Plain HTTP bodies go from socket to file inside the kernel (`splice`); TLS bodies are read many records per turn and,
when much is there at once, written by a thread of their own (`writer`).
"""

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ferryman.core.errors import Denied
from ferryman.transfer.carrier import Ask, Sink
from ferryman.transfer.connection import Connection
from ferryman.transfer.exchange import WireExchange
from ferryman.transfer.pump import READ, Pump
from ferryman.transfer.resolve import Resolver
from ferryman.transfer.writer import Writer

if TYPE_CHECKING:
    from ferryman.transfer.model import Options
    from ferryman.transfer.tls import Contexts, TlsSocket

_BUFFER: Final = 1024 * 1024
_IDLE_SECONDS: Final = 30.0


class Wire:
    """The carrier. Loop only."""

    def __init__(self, pump: Pump) -> None:
        """Share one buffer and one pipe among all connections: each turn empties them."""
        self.pump = pump
        self.buffer = memoryview(bytearray(_BUFFER))
        self.resolver = Resolver(pump.post)
        self._contexts: Contexts | None = None
        self._raw = memoryview(b"")
        self.writer = Writer(pump.post)
        self._idle: dict[object, list[Connection]] = {}
        self._pipe: tuple[int, int] | None = None

    def fetch(self, ask: Ask, sink: Sink) -> WireExchange:
        """Start an exchange on an idle connection or a new one."""
        exchange = WireExchange(self, ask, sink)
        self.pump.soon(exchange.begin)
        return exchange

    def reuse(self, key: object, allow: Callable[[str], None] | None) -> Connection | None:
        """Take an idle connection whose address is allowed."""
        for connection in self._idle.get(key, ()):
            try:
                if allow:
                    allow(connection.ip)
            except Denied:
                continue
            self._idle[key].remove(connection)
            return connection
        return None

    def keep(self, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end."""
        connection.idle_since = time.monotonic()
        self._idle.setdefault(connection.key, []).append(connection)
        self.pump.watch(connection.fd, READ, lambda _: self._drop(connection))

    def secure(self, sock: socket.socket, options: "Options", host: str | None) -> "TlsSocket":
        """Speak TLS with `host` over a connected socket. Raises `Invalid`, `OSError`, `ValueError`."""
        from ferryman.transfer.tls import RAW, Contexts, TlsSocket  # noqa: PLC0415 - plain HTTP needs no OpenSSL

        if self._contexts is None:
            self._contexts, self._raw = Contexts(), memoryview(bytearray(RAW))
        return TlsSocket(sock, self._contexts.get(options), host, self._raw)

    def pipe(self) -> tuple[int, int]:
        """The shared, empty pipe."""
        if self._pipe is None:
            self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            with contextlib.suppress(OSError):  # over a user's quota the pipe stays small: slower, not wrong
                fcntl.fcntl(self._pipe[1], fcntl.F_SETPIPE_SZ, _BUFFER)
        return self._pipe

    def break_pipe(self) -> None:
        """Throw the pipe away with what is in it."""
        if self._pipe:
            os.close(self._pipe[0])
            os.close(self._pipe[1])
            self._pipe = None

    def tick(self, now: float) -> None:
        """Close connections that were idle for long."""
        for connections in self._idle.values():
            for connection in [c for c in connections if now - c.idle_since > _IDLE_SECONDS]:
                self._drop(connection)

    def close(self) -> None:
        """Close everything."""
        for connections in self._idle.values():
            for connection in list(connections):
                self._drop(connection)
        self.break_pipe()
        self.writer.close()

    def _drop(self, connection: Connection) -> None:
        if connection in self._idle.get(connection.key, ()):
            self._idle[connection.key].remove(connection)
        self.pump.unwatch(connection.fd)
        connection.sock.close()
