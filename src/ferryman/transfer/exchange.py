"""One HTTP/1.1 request and its answer on one connection: connect, TLS, send, head, body. Loop only."""

import os
import socket
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ferryman.core.errors import Denied, FerryError, Unavailable
from ferryman.transfer.ahead import Ahead
from ferryman.transfer.body import Chunked
from ferryman.transfer.carrier import Ask, Sink
from ferryman.transfer.connection import Connection
from ferryman.transfer.failures import shown, tls_error
from ferryman.transfer.http import Head, host_key, parse_head, request_text
from ferryman.transfer.pump import READ, WRITE
from ferryman.transfer.resolve import Address
from ferryman.transfer.writer import BUFFER, PAGE, WORTH

if TYPE_CHECKING:
    from ferryman.transfer.tls import TlsSocket
    from ferryman.transfer.wire import Wire

_TURN: Final = BUFFER
"""Most bytes of one connection in one turn of the loop."""
_HEAD_READ: Final = 128 * 1024
_HEAD_MOST: Final = 64 * 1024
_SPLICE: Final = 0x01 | 0x02  # SPLICE_F_MOVE | SPLICE_F_NONBLOCK


class WireExchange:
    """One request and its answer. Loop only."""

    def __init__(self, wire: "Wire", ask: Ask, sink: Sink) -> None:
        """Nothing happens before `begin`."""
        self._wire, self._ask, self._sink = wire, ask, sink
        self._pump = wire.pump
        self._parts = urlsplit(ask.url)
        tls = self._parts.scheme == "https"
        options = ask.options
        secrets = (options.ca, options.client_cert, options.client_key, options.insecure) if tls else None
        self._key = (host_key(ask.url), secrets)
        self._port = self._parts.port or (443 if tls else 80)
        self._connection: Connection | None = None
        self._sock: socket.socket | TlsSocket | None = None
        self._addresses: list[Address] = []
        self._step_until = 0.0
        self._over = False
        self._paused = False
        self._out = b""
        self._head = bytearray()
        self._left: int | None = None
        self._chunked: Chunked | None = None
        self._keep = False
        self._failure: FerryError | None = None
        self._ahead = Ahead(wire.writer, sink, self._written)
        self.connected = False

    # -- life ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Send on an idle connection, or look for the host."""
        if self._over:
            return
        allow = self._ask.allow.check if self._ask.allow else None
        connection = self._wire.reuse(self._key, allow)
        if connection:
            self._send_on(connection)
        else:
            self._connect_new()

    def resume(self) -> None:
        """Go on reading."""
        if self._paused and not self._over and self._connection:
            self._paused = False
            self._pump.watch(self._connection.fd, READ, self._read_body)
            if not self._connection.plain:
                self._pump.soon(self._read_more)  # a decrypted rest in the TLS layer wakes no epoll

    def cancel(self) -> None:
        """End without a word to the sink."""
        if not self._over:
            self._over = True
            self._close()
            self._ahead.forget()

    def tick(self, now: float) -> None:
        """Try the next address when connecting takes too long."""
        if not self.connected and not self._over and self._step_until and now >= self._step_until:
            self._next_address(
                Unavailable(
                    "connect_timeout", f"{shown(self._ask.url)}: no connection in time.", advice="Try again."
                )
            )

    def _end(self, error: FerryError | OSError | None) -> None:
        if self._over:
            return
        error = self._ahead.settle() or error
        if self._over:
            return
        self._over = True
        connection = self._connection
        if error is None and self._keep and connection:
            self._connection = self._sock = None
            self._wire.keep(connection)
        else:
            self._close()
        self._sink.ended(error)

    def _close(self) -> None:
        if self._sock is not None:
            self._pump.unwatch(self._sock.fileno())
            self._sock.close()
            self._sock = self._connection = None

    def _lost(self, reason: str) -> None:
        connection = self._connection
        if connection and connection.used and not self._head and not self._over:
            self._close()  # a kept connection that the server had closed meanwhile: not a failure
            self._connect_new()
            return
        self._end(Unavailable("connection_lost", f"{shown(self._ask.url)}: {reason}."))

    # -- connecting ---------------------------------------------------------------------------------------------

    def _connect_new(self) -> None:
        self.connected = False
        self._step_until = time.monotonic() + self._ask.options.connect_timeout
        host = self._parts.hostname or ""
        self._wire.resolver.resolve(host, self._port, self._resolved)

    def _resolved(self, addresses: list[Address], error: FerryError | None) -> None:
        if self._over:
            return
        if error:
            self._end(error)
            return
        allowed = []
        for address in addresses:
            try:
                if self._ask.allow:
                    self._ask.allow.check(str(address[1][0]), self._parts.hostname or "")
            except Denied as denied:
                self._failure = denied
            else:
                allowed.append(address)
        self._addresses = allowed
        self._next_address(self._failure)

    def _next_address(self, failure: FerryError | None) -> None:
        self._close()
        self._failure = failure or self._failure
        if not self._addresses:
            self._end(
                self._failure or Unavailable("connect_failed", f"{shown(self._ask.url)} has no address.")
            )
            return
        family, address = self._addresses.pop(0)
        wait = self._ask.options.connect_timeout
        self._step_until = time.monotonic() + (min(wait, 4.0) if self._addresses else wait)
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            self._sock = sock
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = sock.connect_ex(address)
        except OSError as error:
            code = error.errno or -1
        if code not in {0, 115}:  # EINPROGRESS
            self._refused(code)
            return
        ip = str(address[0])
        assert self._sock
        self._pump.watch(self._sock.fileno(), WRITE, lambda _: self._established(ip))

    def _refused(self, code: int) -> None:
        reason = os.strerror(code) if code > 0 else "no connection"
        self._next_address(
            Unavailable("connect_failed", f"{shown(self._ask.url)}: {reason}.", advice="Check host and port.")
        )

    def _established(self, ip: str) -> None:
        sock = self._sock
        assert isinstance(sock, socket.socket)
        if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._refused(code)
            return
        if self._parts.scheme == "https":
            try:
                self._pump.unwatch(sock.fileno())
                self._sock = secured = self._wire.secure(sock, self._ask.options, self._parts.hostname)
            except (FerryError, OSError, ValueError) as error:
                self._end(error if isinstance(error, FerryError) else tls_error(self._ask.url, error))
                return
            self._handshake(secured, ip)
            return
        self._send_on(Connection(sock, ip, self._key))

    def _handshake(self, sock: "TlsSocket", ip: str) -> None:
        try:
            awaited = sock.do_handshake()
        except (OSError, ValueError) as error:
            self._end(tls_error(self._ask.url, error))
            return
        if awaited is None:
            self._send_on(Connection(sock, ip, self._key))
        else:
            self._pump.watch(sock.fileno(), awaited, lambda _: self._handshake(sock, ip))

    # -- request and head -----------------------------------------------------------------------------------------

    def _send_on(self, connection: Connection) -> None:
        self._connection, self._sock = connection, connection.sock
        self.connected = True
        ask = self._ask
        span = f"bytes={ask.start}-{'' if ask.end is None else ask.end - 1}"
        self._out = request_text(ask.url, [*ask.headers, *([("Range", span)] if ask.ranged else [])])
        self._write(WRITE)

    def _write(self, _: int) -> None:
        connection = self._connection
        assert connection
        try:
            sent = connection.sock.send(self._out)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lost(str(error.strerror or error))
            return
        self._out = self._out[sent:]
        if self._out:
            self._pump.watch(connection.fd, WRITE, self._write)
        else:
            self._pump.watch(connection.fd, READ, self._read_head)

    def _read_head(self, _: int) -> None:
        connection = self._connection
        if connection is None or self._over:
            return
        window = self._wire.buffer[: 4096 if self._sink.limited else _HEAD_READ]
        try:
            count = connection.sock.recv_into(window)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(str(error.strerror or error))
            return
        if not count:
            self._lost("the connection was closed before an answer")
            return
        self._head += window[:count]
        at = self._head.find(b"\r\n\r\n")
        if at < 0:
            if len(self._head) > _HEAD_MOST:
                self._end(Unavailable("answer_invalid", f"{shown(self._ask.url)}: endless headers."))
            return
        rest = memoryview(bytes(self._head[at + 4 :]))
        self._take_head(bytes(self._head[:at]), rest)

    def _take_head(self, raw: bytes, rest: memoryview) -> None:
        try:
            head = parse_head(raw)
        except ValueError as error:
            self._end(Unavailable("answer_invalid", f"{shown(self._ask.url)}: {error}."))
            return
        if head.status < 200:
            self._head = bytearray(rest)
            if b"\r\n\r\n" in self._head:
                at = self._head.find(b"\r\n\r\n")
                self._take_head(bytes(self._head[:at]), memoryview(bytes(self._head[at + 4 :])))
            return
        self._frame(head)
        connection = self._connection
        assert connection
        connection.used = True
        if not self._sink.answered(head):
            if not self._over:
                self._discard(rest)
            return
        if self._over:
            return
        self._pump.watch(connection.fd, READ, self._read_body)
        if self._left == 0:
            self._end(None)
        elif rest:
            self._give(rest)
        if not self._over and not connection.plain:
            self._pump.soon(self._read_more)

    def _frame(self, head: Head) -> None:
        closing = "close" in head.headers.get("connection", "").lower() or head.minor == 0
        if "chunked" in head.headers.get("transfer-encoding", "").lower():
            self._chunked = Chunked()
        elif head.status in {204, 304}:
            self._left = 0
        else:
            self._left = head.length
        self._keep = not closing and (self._chunked is not None or self._left is not None)

    def _discard(self, rest: memoryview) -> None:
        """The body is not wanted: keep the connection only when the body is here already."""
        self._over = True
        connection = self._connection
        if self._keep and self._left == len(rest) and connection:
            self._connection = self._sock = None
            self._wire.keep(connection)
        else:
            self._close()

    # -- body -----------------------------------------------------------------------------------------------------

    def _read_more(self) -> None:
        if not self._over and not self._paused and self._connection:
            self._read_body(READ)

    def _read_body(self, _: int) -> None:
        connection = self._connection
        if self._over or connection is None:
            return
        limit = _TURN if self._left is None else min(_TURN, self._left)
        want = self._sink.room(limit)
        if want <= 0:
            self._hold(want)
            return
        try:
            if connection.plain and self._chunked is None:
                self._splice(connection, want)
            elif self._ahead or (self._left is not None and self._left >= WORTH and not self._sink.limited):
                self._receive_ahead(connection, want)
            else:
                self._receive(connection, want)
        except BlockingIOError:
            pass
        except ConnectionError as error:
            self._lost(str(error.strerror or error))

    def _hold(self, want: int) -> None:
        connection = self._connection
        assert connection
        if self._ahead:
            self._pump.unwatch(connection.fd)  # `_written` looks again
        elif want == 0:
            self._paused = True
            self._pump.unwatch(connection.fd)
        else:
            self._keep = False
            self._end(None)

    def _splice(self, connection: Connection, want: int) -> None:
        source, sink = self._wire.pipe()
        try:
            count = os.splice(connection.fd, sink, want, flags=_SPLICE)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(str(error.strerror or error))
            return
        if not count:
            self._closed_by_server()
            return
        at, left = self._sink.offset(), count
        try:
            while left:
                moved = os.splice(source, self._sink.part.fd, left, offset_dst=at, flags=0x01)
                at, left = at + moved, left - moved
        except OSError as error:
            self._wire.break_pipe()
            self._end(error)
            return
        self._sink.took(count)
        self._count(count)

    def _receive(self, connection: Connection, want: int) -> None:
        got, closed = self._fill(connection, self._wire.buffer[:want])
        if got:
            self._give(self._wire.buffer[:got])
        self._received(connection, closed=closed, full=got == want)

    def _receive_ahead(self, connection: Connection, want: int) -> None:
        """Read into a buffer of the writer: while it writes, the next one is filled."""
        writer, at = self._wire.writer, self._sink.offset()
        buffer = writer.take()
        if buffer is None:
            self._pump.unwatch(connection.fd)
            writer.wait(self._go_on)
            return
        skip = at % PAGE
        want -= (at + want) % PAGE if want == BUFFER else 0  # the next buffer then begins with a whole page
        try:
            got, closed = self._fill(connection, buffer[skip : skip + want])
        except BaseException:
            writer.give_back(buffer)
            raise
        if got and (self._ahead or got >= WORTH):
            self._left = None if self._left is None else self._left - got
            self._ahead.send(buffer, skip, got)
        else:
            if got:
                self._give(buffer[skip : skip + got])
            writer.give_back(buffer)
        if self._left == 0 and self._ahead:
            self._pump.unwatch(connection.fd)
        else:
            self._received(connection, closed=closed, full=got == want)

    def _fill(self, connection: Connection, view: memoryview) -> tuple[int, bool]:
        """Read until `view` is full or nothing is there; returns how much, and whether the other side closed."""
        got = 0
        try:
            while got < len(view):
                count = connection.sock.recv_into(view[got:])
                if not count:
                    return got, True
                got += count
        except BlockingIOError:
            pass
        except OSError:
            if not got:
                raise
        return got, False

    def _received(self, connection: Connection, *, closed: bool, full: bool) -> None:
        if closed and not self._over:
            self._closed_by_server()
        elif full and not self._over and not connection.plain:
            self._pump.soon(self._read_more)

    def _written(self, error: OSError | None) -> None:
        if error:
            self._end(error)
        elif self._left == 0 and not self._ahead:
            self._end(None)
        elif self._left and not self._ahead:
            self._go_on()

    def _go_on(self) -> None:
        """Read again after waiting for the writer; also to notice that the span ended meanwhile."""
        if not self._over and not self._paused and self._connection:
            self._pump.watch(self._connection.fd, READ, self._read_body)
            self._read_body(READ)

    def _give(self, data: memoryview) -> None:
        try:
            if self._chunked is not None:
                for piece in self._chunked.feed(data):
                    if self._sink.put(piece) < len(piece) or self._over:
                        self._stop_early()
                        return
                if self._chunked.done:
                    self._end(None)
                return
            data = data if self._left is None else data[: self._left]
            taken = self._sink.put(data)
        except OSError as error:
            self._end(error)
            return
        except ValueError as error:
            self._keep = False
            self._end(Unavailable("body_invalid", f"{shown(self._ask.url)}: {error}."))
            return
        if taken < len(data):
            self._stop_early()
        else:
            self._count(taken)

    def _stop_early(self) -> None:
        self._keep = False
        self._end(None)

    def _count(self, count: int) -> None:
        if self._left is not None and not self._over:
            self._left -= count
            if self._left == 0:
                self._end(None)

    def _closed_by_server(self) -> None:
        if self._left is None and self._chunked is None:
            self._end(None)
        else:
            self._end(
                Unavailable("connection_lost", f"{shown(self._ask.url)}: the connection ended too early.")
            )
