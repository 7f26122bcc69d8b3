"""HTTP/1.1 to registries: connections kept alive, redirects without our credentials, bodies that the kernel may move.

Everything received is hostile. Nothing here knows what is asked for; retries are above, except for a kept connection that the
server closed meanwhile.
"""

import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from ferryman.core.errors import Denied, Invalid, Unavailable
from ferryman.oci.connection import SOCKS, Connection, Dialler, Way, client_certificate_wanted, proxy_login
from ferryman.oci.options import RegistryOptions
from ferryman.transfer.body import Chunked
from ferryman.transfer.failures import shown
from ferryman.transfer.http import Head, host_key, parse_head, redirect_target
from ferryman.transfer.model import Options
from ferryman.transfer.proxy import proxy_for
from ferryman.transfer.tls import Contexts

_IDLE_SECONDS: Final = 25.0
_MOST_IDLE: Final = 32
_MOST_REDIRECTS: Final = 10
_WORTH_READING: Final = 64 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SECRET: Final = frozenset({"authorization", "cookie"})


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent: `length` bytes by `send`, which says whether it sent all: it stops when the other side answers early."""

    length: int
    send: Callable[[Connection], bool]


@dataclass(slots=True)
class Request:
    """One request. `headers` with secrets go to the host of `url` only; `content` is small, `body` is not."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    body: Body | None = None
    follow: bool = True


class Response:
    """An answer whose body is read from its connection. A context manager; one thread at a time.

    `url` is where the answer came from, after redirects.
    """

    def __init__(
        self, pool: "Http", connection: Connection, head: Head, request: Request, *, keep: bool
    ) -> None:
        """Made by `Http` only."""
        self.status, self.headers, self.url = head.status, head.headers, request.url
        self.head = head
        self._pool, self._connection = pool, connection
        self._closed = False
        chunked = "chunked" in head.headers.get("transfer-encoding", "").lower()
        bare = request.method == "HEAD" or head.status in {204, 304}
        self._chunked = Chunked() if chunked and not bare else None
        self._pieces: list[memoryview] = []
        self._left: int | None = 0 if bare else (None if chunked else head.length)
        if not bare and not chunked and head.length is None and "content-length" in head.headers:
            connection.close()
            raise Unavailable("answer_invalid", f"{shown(request.url)} answered with an unreadable length.")
        self._keep = (
            (keep and head.minor == 1 and "close" not in head.headers.get("connection", "").lower())
            and not (chunked and "content-length" in head.headers)
            and (self._left is not None or chunked)
        )

    @property
    def length(self) -> int | None:
        """Bytes of the body, when the answer said so."""
        return self.head.length

    def readinto(self, view: memoryview) -> int:
        """Read some of the body; 0 at its end. Raises `Unavailable` when the connection ends before that."""
        if self._chunked:
            return self._dechunk(self._chunked, view)
        if self._left == 0 or not view:
            return 0
        count = self._connection.readinto(view if self._left is None else view[: self._left])
        if count == 0 and self._left:
            self._fail()
            raise Unavailable(
                "connection_lost", f"{shown(self.url)}: the connection ended {self._left:,} bytes too early."
            )
        if self._left is not None:
            self._left -= count
        elif not count:
            self._left, self._keep = 0, False
        return count

    def fileno(self) -> int | None:
        """The socket when the rest of the body is exactly what it gives next (plain HTTP, known length), else None."""
        if self._chunked or not self._left or self._connection.buffered or not self._connection.plain:
            return None
        return self._connection.sock.fileno()

    def moved(self, count: int) -> None:
        """Count bytes that left through `fileno`."""
        if self._left is not None:
            self._left -= count

    def read(self, most: int) -> bytes:
        """Read the whole body. Raises `Invalid` (`answer_too_large`) when it has more than `most` bytes."""
        if self.length is not None and self.length > most and self._left:
            self.close()
            raise _too_large(self.url, most)
        found = bytearray()
        view = memoryview(bytearray(min(_WORTH_READING, most + 1)))
        while count := self.readinto(view):
            found += view[:count]
            if len(found) > most:
                self.close()
                raise _too_large(self.url, most)
        self.close()
        return bytes(found)

    def close(self) -> None:
        """Give the connection back when the body was read, or is short enough to be read now; else close it. Repeatable."""
        if self._closed:
            return
        if self._keep and self._left and self._left <= _WORTH_READING:
            view = memoryview(bytearray(self._left))
            try:
                while self._left and self.readinto(view):
                    pass
            except Unavailable:
                self._keep = False
        done = self._chunked.done if self._chunked else self._left == 0
        self._closed = True
        if self._keep and done and not self._connection.buffered:
            self._pool.keep(self._connection)
        else:
            self._connection.close()

    def interrupt(self) -> None:
        """End a read that waits, from another thread: the connection is lost for it."""
        self._connection.interrupt()

    def _dechunk(self, chunked: Chunked, view: memoryview) -> int:
        while not self._pieces:
            if chunked.done:
                return 0
            raw = memoryview(bytearray(_WORTH_READING))
            count = self._connection.readinto(raw)
            if not count:
                self._fail()
                raise Unavailable("connection_lost", f"{shown(self.url)}: the connection ended too early.")
            try:
                self._pieces = [piece for piece in chunked.feed(raw[:count]) if piece]
            except ValueError as error:
                self._fail()
                raise Unavailable("answer_invalid", f"{shown(self.url)}: {error}.") from error
        piece = self._pieces[0]
        count = min(len(view), len(piece))
        view[:count] = piece[:count]
        if count == len(piece):
            self._pieces.pop(0)
        else:
            self._pieces[0] = piece[count:]
        return count

    def _fail(self) -> None:
        self._keep = False
        self.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


class Http:
    """Sends requests, on connections that are kept. Thread-safe."""

    def __init__(self, options: RegistryOptions) -> None:
        """Take what concerns connections from `options`."""
        self._options = options
        self._transfer = Options(
            proxy=options.proxy,
            no_proxy_env=options.no_proxy_env,
            ca=options.ca,
            client_cert=options.client_cert,
            client_key=options.client_key,
            insecure=options.insecure,
        )
        self._contexts = Contexts()
        self._lock = threading.Lock()
        self._tls = threading.Lock()
        self._idle: dict[Way, list[Connection]] = {}
        self._closed = False
        self._dialler = Dialler(self._context, options.allow, options.connect_timeout, options.stall_timeout)

    def send(self, request: Request) -> Response:
        """Send a request and return its answer, of any status, after redirects of GET and HEAD.

        Raises `Unavailable` when there is no answer, `Denied`, and `Invalid` for what cannot be asked.
        """
        origin, current = host_key(request.url), request
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._once(current)
            wanted = response.headers.get("location")
            follows = request.follow and request.method in {"GET", "HEAD"}
            if not (follows and response.status in _REDIRECTS and wanted):
                return response
            response.close()
            url = self._redirect(current.url, wanted)
            headers = dict(request.headers)
            if host_key(url) != origin:
                headers = {name: value for name, value in headers.items() if name.lower() not in _SECRET}
            current = Request(request.method, url, headers)
        raise Unavailable("too_many_redirects", f"{shown(request.url)} leads in a circle of redirects.")

    def keep(self, connection: Connection) -> None:
        """Keep a connection whose answer was read."""
        connection.start = connection.end = 0
        connection.used, connection.idle_since = True, time.monotonic()
        with self._lock:
            idle = self._idle.setdefault(connection.way, [])
            if not self._closed and len(idle) < _MOST_IDLE:
                idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close connections that nobody uses, and those in use when they come back. Repeatable."""
        with self._lock:
            self._closed = True
            every = [connection for idle in self._idle.values() for connection in idle]
            self._idle.clear()
        for connection in every:
            connection.close()

    def _redirect(self, base: str, location: str) -> str:
        try:
            url = redirect_target(base, location)
        except ValueError as error:
            raise Unavailable(
                "redirect_invalid", f"{shown(base)} redirects to nowhere: '{shown(location)[:200]}'."
            ) from error
        if base.startswith("https:") and not url.startswith("https:"):
            raise Denied(
                "redirect_insecure",
                f"{shown(base)} redirects to {shown(url)}, which is not encrypted.",
                advice="Ask who runs the registry for https there; Ferryman does not go from https to http.",
            )
        return url

    def _once(self, request: Request) -> Response:
        way = self._way(request.url)
        connection = self._kept(way)
        if connection is not None:
            try:
                return self._guarded(connection, request)
            except Unavailable as error:
                # The server may have closed it just now. What was partly sent from a stream is for the caller to repeat.
                if request.body or error.code != "connection_lost":
                    raise
        return self._guarded(self._dialler.dial(way), request)

    def _guarded(self, connection: Connection, request: Request) -> Response:
        try:
            return self._exchange(connection, request)
        except BaseException:
            connection.close()
            raise

    def _exchange(self, connection: Connection, request: Request) -> Response:
        connection.start = connection.end = 0
        head = _head_text(request, connection.way)
        broken: Unavailable | None = None
        whole = True
        try:
            connection.send(head + (request.content or b""))
            if request.body and request.body.length:
                whole = request.body.send(connection)
        except Unavailable as error:
            if error is not connection.broken or error.code != "connection_lost":
                raise
            broken = error  # a server that refuses a body answers, and closes without reading the rest
        answer = self._answer(connection, request.url, broken)
        return Response(self, connection, answer, request, keep=whole and broken is None)

    def _answer(self, connection: Connection, url: str, broken: Unavailable | None) -> Head:
        while True:
            try:
                head = self._read_head(connection, url)
            except Unavailable as error:
                raise broken or error from error
            if head.status >= 200:
                return head

    def _read_head(self, connection: Connection, url: str) -> Head:
        buffer = connection.buffer
        searched = connection.start
        while True:
            text = bytes(buffer[searched : connection.end])
            at = text.find(b"\r\n\r\n")
            if at >= 0:
                at += searched
                try:
                    head = parse_head(bytes(buffer[connection.start : at]))
                except ValueError as error:
                    raise Unavailable("answer_invalid", f"{shown(url)} does not answer in HTTP.") from error
                connection.start = at + 4
                return head
            searched = max(connection.start, connection.end - 3)
            count = self._fill(connection)
            if count < 0:
                raise Unavailable("answer_invalid", f"{shown(url)} answered with an endless head.")
            if not count:
                raise Unavailable("connection_lost", f"{shown(url)}: the connection ended without an answer.")

    def _fill(self, connection: Connection) -> int:
        try:
            return connection.fill()
        except Unavailable as error:
            if any(word in error.message for word in ("CERTIFICATE_REQUIRED", "ALERT_BAD_CERTIFICATE")):
                # TLS 1.3 tells it with the first answer
                raise client_certificate_wanted(connection.way) from error
            raise

    def _kept(self, way: Way) -> Connection | None:
        now = time.monotonic()
        while True:
            with self._lock:
                idle = self._idle.get(way)
                if not idle:
                    return None
                connection = idle.pop()
            if now - connection.idle_since < _IDLE_SECONDS and not connection.readable():
                return connection
            connection.close()

    def _way(self, url: str) -> Way:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname or ""
        port = parts.port or (443 if scheme == "https" else 80)
        if scheme not in {"http", "https"} or not host:
            raise Invalid(
                "url_invalid", f"'{shown(url)[:200]}' is no http address.", advice="Check the address."
            )
        proxy = proxy_for(url, self._transfer, os.environ)
        return Way(scheme, host, port, proxy)

    def _context(self) -> ssl.SSLContext:
        with self._tls:
            return self._contexts.get(self._transfer)


def _head_text(request: Request, way: Way) -> bytes:
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    by_http = way.proxy and urlsplit(way.proxy).scheme not in SOCKS
    plain_proxy = way.proxy if by_http and way.scheme == "http" else None
    if plain_proxy:
        target = f"http://{host}{target}"
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    if plain_proxy and (login := proxy_login(plain_proxy)):
        lines.append(f"Proxy-Authorization: {login}")
    if request.body:
        lines.append(f"Content-Length: {request.body.length}")
    elif request.content is not None or request.method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(request.content or b'')}")
    if any("\r" in line or "\n" in line for line in lines):
        raise Invalid(
            "url_invalid", f"'{shown(request.url)[:200]}' cannot be asked for.", advice="Check the address."
        )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def _too_large(url: str, most: int) -> Invalid:
    return Invalid(
        "answer_too_large",
        f"{shown(url)} answered with more than {most:,} bytes.",
        advice="This is not what was asked for: check the address.",
    )
