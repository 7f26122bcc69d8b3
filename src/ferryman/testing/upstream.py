"""A web server that misbehaves on purpose, on loopback: each path has a behaviour (see `faults`).

It notes every request it saw and how many exchanges were open at once, so that tests can ask what a client did.
"""

import hashlib
import re
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ferryman.testing.loopback import InThread

Behaviour = Callable[["Exchange"], None]
"""Answers one request. Called in the thread of its connection."""

_RANGE = re.compile(r"bytes=(\d+)-(\d*)$")
_STEP = 64 * 1024


def made_up(size: int, seed: str = "ferryman") -> bytes:
    """Return `size` bytes that look random and are the same for the same seed."""
    return hashlib.shake_256(seed.encode()).digest(size)


@dataclass(frozen=True)
class Seen:
    """A request as it arrived; header names in lower case. `at` is monotonic seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    at: float
    connection: tuple[str, int]


class Exchange:
    """One request and the ways to answer it. `number` counts the requests of its path from 1."""

    def __init__(self, handler: "_Handler", seen: Seen, number: int, active: int) -> None:
        """Made by the server only."""
        self.seen, self.number, self.active = seen, number, active
        self.method, self.path, self.headers = seen.method, seen.path, seen.headers
        self._handler = handler
        self._upstream = handler.server.upstream

    def wanted(self, size: int) -> tuple[int, int] | None:
        """Read the range that is asked for, as start and end (not included, at most `size`); None without one."""
        found = _RANGE.match(self.headers.get("range", ""))
        if not found:
            return None
        start, end = int(found[1]), min(int(found[2]) + 1, size) if found[2] else size
        return start, end

    def start(self, status: int, headers: Mapping[str, str | int | None]) -> None:
        """Send status line and headers; those that are None are left out."""
        phrase = HTTPStatus(status).phrase
        lines = [f"HTTP/1.1 {status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
        self._handler.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def write(self, data: bytes | memoryview, rate: int = 0) -> None:
        """Send bytes of the body, at most `rate` bytes per second (0: as fast as they go)."""
        if self.method == "HEAD":
            return
        view = memoryview(data)
        step = min(_STEP, max(1024, rate // 20)) if rate else _STEP * 16
        began, sent = time.monotonic(), 0
        while sent < len(view):
            self._handler.wfile.write(view[sent : sent + step])
            sent += len(view[sent : sent + step])
            if rate:
                self.wait(began + sent / rate - time.monotonic())

    def wait(self, seconds: float) -> None:
        """Do nothing for a while; ends early when the server is closed."""
        if self._upstream.closing.wait(max(0.0, seconds)):
            raise ConnectionAbortedError("the server is being closed")

    def text(
        self, status: int, text: str = "", headers: Mapping[str, str | int | None] | None = None
    ) -> None:
        """Send a small complete answer."""
        body = text.encode()
        self.start(status, {"Content-Type": "text/plain", "Content-Length": len(body), **(headers or {})})
        self.write(body)

    def hang_up(self, *, rudely: bool = False) -> None:
        """Close the connection after this exchange; `rudely` with a reset."""
        self._handler.close_connection = True
        if rudely:
            linger = struct.pack("ii", 1, 0)
            self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


@dataclass
class File:
    """The well-behaved behaviour: one object with a strong validator, served whole or in part.

    Fields may be changed while it is served; a request sees them as they are when it arrives. `rate` is bytes per
    second for each connection. `honours_if_range=False` sends a part of the present object whatever was asked.
    """

    data: bytes
    etag: str | None = ""
    modified: str | None = None
    rate: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    honours_if_range: bool = True

    def __post_init__(self) -> None:
        """An empty tag stands for one made from the content."""
        if self.etag == "":
            self.etag = f'"{hashlib.sha256(self.data).hexdigest()[:16]}"'

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of the content."""
        return hashlib.sha256(self.data).hexdigest()

    def known(self) -> dict[str, str | int | None]:
        """Headers that say which object this is."""
        return {"ETag": self.etag, "Last-Modified": self.modified, **self.headers}

    def __call__(self, exchange: Exchange) -> None:
        """Answer as RFC 9110 says."""
        data = self.data
        wanted = exchange.wanted(len(data))
        condition = exchange.headers.get("if-range")
        if wanted and condition and self.honours_if_range and condition not in {self.etag, self.modified}:
            wanted = None
        if wanted and wanted[0] >= len(data):
            exchange.text(416, headers={"Content-Range": f"bytes */{len(data)}", **self.known()})
            return
        start, end = wanted or (0, len(data))
        part = {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"} if wanted else {}
        exchange.start(
            206 if wanted else 200,
            {"Content-Length": end - start, "Accept-Ranges": "bytes", **part, **self.known()},
        )
        exchange.write(memoryview(data)[start:end], self.rate)


class Upstream(InThread):
    """The server. Use it as a context manager; every method is thread-safe."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        """Bind to a free port of loopback; with `tls` speak HTTPS."""
        self.closing = threading.Event()
        self._tls, self._host = tls, host
        self._paths: dict[str, Behaviour] = {}
        self._seen: list[Seen] = []
        self._numbers: Counter[str] = Counter()
        self._active: Counter[str] = Counter()
        self._peaks: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._server = _Server(self, host)

    def _let_go(self) -> None:
        self.closing.set()

    @property
    def port(self) -> int:
        """Port it listens on."""
        return int(self._server.server_address[1])

    def url(self, path: str, host: str = "") -> str:
        """Address of a path, optionally under another name of this machine."""
        return f"{'https' if self._tls else 'http'}://{host or self._host}:{self.port}{path}"

    def serve(self, path: str, behaviour: Behaviour) -> str:
        """Give a path its behaviour and return its address. A path without query answers every query."""
        with self._lock:
            self._paths[path] = behaviour
        return self.url(path)

    def seen(self, path: str | None = None) -> list[Seen]:
        """Requests so far, of all paths or one (its query does not count)."""
        with self._lock:
            return [one for one in self._seen if path in {None, one.path, one.path.partition("?")[0]}]

    def peak(self, path: str) -> int:
        """Return how many exchanges of a path were open at once, at most."""
        with self._lock:
            return self._peaks[path]

    def answer(self, handler: "_Handler", seen: Seen) -> None:
        """Let the behaviour of a path answer. For the connection's thread."""
        path = seen.path.partition("?")[0]
        with self._lock:
            self._seen.append(seen)
            self._numbers[path] += 1
            self._active[path] += 1
            self._peaks[path] = max(self._peaks[path], self._active[path])
            exchange = Exchange(handler, seen, self._numbers[path], self._active[path])
            behaviour = self._paths.get(seen.path) or self._paths.get(path)
        try:
            if behaviour is None:
                exchange.text(404, "nothing here\n")
            else:
                behaviour(exchange)
        finally:
            with self._lock:
                self._active[path] -= 1

    def secured(self, connection: socket.socket) -> socket.socket:
        """Wrap an accepted connection; the handshake happens with its first byte, in its own thread."""
        if self._tls is None:
            return connection
        return self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, upstream: Upstream, host: str) -> None:
        self.upstream = upstream
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host.strip("[]"), 0), _Handler)

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        return self.upstream.secured(connection), address

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: clients that go away are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0
    server: _Server

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers, time.monotonic(), self.client_address[:2])
        try:
            self.server.upstream.answer(self, seen)
        except (OSError, ValueError):
            self.close_connection = True  # the client has gone

    do_GET = do_HEAD = _answer  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Stay silent."""
