"""Connected sockets to registries: names resolved and checked, proxies, TLS. Blocking; one thread at a time each.

Sockets without TLS are truly blocking, with time limits kept by the kernel, so that `splice` and `sendfile` can use them.
"""

import base64
import contextlib
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from ferryman.core.errors import Denied, FerryError, Invalid, Unavailable
from ferryman.transfer.failures import tls_error
from ferryman.transfer.http import parse_head
from ferryman.transfer.model import AddressRule

MOST_HEAD: Final = 64 * 1024
"""Bytes of a head that are accepted, with what of the body came with it."""

SOCKS: Final = frozenset({"socks5", "socks5h"})


@dataclass(frozen=True, slots=True)
class Way:
    """How to reach a server: `proxy` is a URL or None; times are seconds."""

    scheme: str
    host: str
    port: int
    proxy: str | None = None

    @property
    def shown(self) -> str:
        """The server for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if self.scheme == "https" else 80)
        return f"{self.scheme}://{host}" + ("" if usual else f":{self.port}")


class Connection:
    """A connected socket with the buffer that heads are read into."""

    __slots__ = ("broken", "buffer", "end", "idle_since", "plain", "sock", "start", "used", "way")

    def __init__(self, sock: socket.socket, way: Way, stall_timeout: float) -> None:
        """Own `sock`; from now on nothing may take longer than `stall_timeout` without a byte."""
        self.sock, self.way = sock, way
        self.plain = not isinstance(sock, ssl.SSLSocket)
        self.buffer = memoryview(bytearray(MOST_HEAD))
        self.start = self.end = 0
        self.idle_since = 0.0
        self.used = False
        self.broken: Unavailable | None = None
        if self.plain:
            limit = struct.pack("ll", int(stall_timeout), int(stall_timeout % 1 * 1_000_000))
            sock.settimeout(None)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        else:
            sock.settimeout(stall_timeout)

    def readinto(self, view: memoryview) -> int:
        """Read what is there, first what came with the head; 0 at the end. Raises `Unavailable`."""
        if self.start < self.end:
            count = min(len(view), self.end - self.start)
            view[:count] = self.buffer[self.start : self.start + count]
            self.start += count
            return count
        try:
            return self.sock.recv_into(view)
        except OSError as error:
            raise self.lost(error) from error

    def fill(self) -> int:
        """Read more behind what is buffered; 0 at the end, -1 when the buffer is full. Raises `Unavailable`."""
        if self.end == len(self.buffer):
            return -1
        try:
            count = self.sock.recv_into(self.buffer[self.end :])
        except OSError as error:
            raise self.lost(error) from error
        self.end += count
        return count

    def send(self, data: bytes | memoryview) -> None:
        """Send all of `data`. Raises `Unavailable`."""
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise self.lost(error) from error

    def readable(self) -> bool:
        """Whether something has arrived, or the other side has closed."""
        if self.buffered or (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()):
            return True
        poll = select.poll()
        poll.register(self.sock.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return bool(poll.poll(0)) and (self.plain or self._decrypts())

    def _decrypts(self) -> bool:
        """Whether what arrived is an answer or the end, and not only a message of TLS such as a session ticket."""
        limit = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            self.end += self.sock.recv_into(self.buffer[self.end :])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            return True
        finally:
            self.sock.settimeout(limit)
        return True

    @property
    def buffered(self) -> int:
        """Bytes that were read and not taken yet."""
        return self.end - self.start

    def lost(self, error: OSError) -> Unavailable:
        """Return the error for a connection that broke, or on which nothing moved for too long; `broken` keeps it."""
        if isinstance(error, TimeoutError | BlockingIOError):
            self.broken = Unavailable(
                "stalled", f"{self.way.shown}: nothing moved for too long.", advice="Try again later."
            )
        else:
            reason = getattr(error, "reason", None) or error.strerror or error
            self.broken = Unavailable(
                "connection_lost", f"{self.way.shown}: the connection broke ({reason})."
            )
        return self.broken

    def interrupt(self) -> None:
        """End a read that waits, from another thread: it finds the end."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close at once. Repeatable."""
        with contextlib.suppress(OSError):
            self.sock.close()


class Dialler:
    """Makes connections. Thread-safe."""

    def __init__(
        self,
        context: Callable[[], ssl.SSLContext],
        allow: AddressRule | None,
        connect_timeout: float,
        stall_timeout: float,
    ) -> None:
        """`context` makes the settings of TLS when they are needed first."""
        self._context, self._allow = context, allow
        self._connect_timeout, self._stall_timeout = connect_timeout, stall_timeout

    def dial(self, way: Way) -> Connection:
        """Connect. Raises `Unavailable`, `Denied` (`address_refused`, `certificate_untrusted`), `Invalid`."""
        if way.proxy is None:
            sock = self._connect(way.host, way.port, self._allow)
        else:
            if self._allow:
                self._allow.check_host(way.host)
            sock = self._through(way, way.proxy)
        try:
            if way.scheme == "https":
                sock = self._secured(sock, way)
            return Connection(sock, way, self._stall_timeout)
        except BaseException:
            sock.close()
            raise

    def _connect(self, host: str, port: int, allow: AddressRule | None) -> socket.socket:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unavailable(
                "name_unresolved",
                f"The host '{host[:253]}' cannot be found ({error}).",
                advice="Check the name of the registry, and the network.",
            ) from error
        refused: FerryError | None = None
        each = self._connect_timeout if len(found) == 1 else max(2.0, self._connect_timeout / len(found))
        for family, kind, protocol, _, address in found:
            try:
                if allow:
                    allow.check(str(address[0]), host)
            except Denied as error:
                refused = error
                continue
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(each)
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                sock.close()
                refused = _no_connection(host, port, error)
            else:
                return sock
        raise refused or Unavailable("name_unresolved", f"The host '{host[:253]}' has no address.")

    def _secured(self, sock: socket.socket, way: Way) -> ssl.SSLSocket:
        sock.settimeout(self._connect_timeout)
        try:
            return self._context().wrap_socket(sock, server_hostname=way.host)
        except (OSError, ValueError) as error:
            raise _tls_failed(way, error) from error

    def _through(self, way: Way, proxy: str) -> socket.socket:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if parts.scheme not in {"http", *SOCKS} or not host:
            raise Invalid(
                "proxy_invalid",
                f"'{_bare(proxy)}' is no proxy that registries can be reached through.",
                advice="Give http://HOST:PORT or socks5h://HOST:PORT.",
            )
        sock = self._connect(host, port or (1080 if parts.scheme in SOCKS else 80), None)
        try:
            if parts.scheme in SOCKS:
                self._socks(sock, way, proxy)
            elif way.scheme == "https":
                self._tunnel(sock, way, proxy)
        except BaseException:
            sock.close()
            raise
        return sock

    def _socks(self, sock: socket.socket, way: Way, proxy: str) -> None:
        """Ask a SOCKS proxy for a connection (RFC 1928, 1929); the proxy resolves the name."""
        parts = urlsplit(proxy)
        user, password = (unquote(part or "").encode()[:255] for part in (parts.username, parts.password))
        host = way.host.encode("idna") if way.host.isascii() else way.host.encode()
        try:
            sock.sendall(b"\x05\x01" + (b"\x02" if user else b"\x00"))
            if _exactly(sock, 2) not in {b"\x05\x00", b"\x05\x02"}:
                raise _proxy_login_wanted(proxy)
            if user:
                sock.sendall(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
                if _exactly(sock, 2)[1]:
                    raise _proxy_login_wanted(proxy)
            sock.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host + way.port.to_bytes(2, "big"))
            answer = _exactly(sock, 4)
            if answer[1]:
                raise _proxy_failed(proxy, f"it answered {answer[1]}")
            length = {1: 4, 4: 16}.get(answer[3]) or _exactly(sock, 1)[0]
            _exactly(sock, length + 2)
        except (OSError, ValueError) as error:
            raise _proxy_failed(proxy, str(error)) from error

    def _tunnel(self, sock: socket.socket, way: Way, proxy: str) -> None:
        host = f"[{way.host}]" if ":" in way.host else way.host
        lines = [f"CONNECT {host}:{way.port} HTTP/1.1", f"Host: {host}:{way.port}"]
        if login := proxy_login(proxy):
            lines.append(f"Proxy-Authorization: {login}")
        raw = b""
        deadline = time.monotonic() + self._connect_timeout
        try:
            sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
            while b"\r\n\r\n" not in raw and len(raw) < MOST_HEAD and time.monotonic() < deadline:
                piece = sock.recv(1)  # what follows the head belongs to TLS
                if not piece:
                    break
                raw += piece
            status = parse_head(raw.partition(b"\r\n\r\n")[0]).status
        except (OSError, ValueError) as error:
            raise _proxy_failed(proxy, str(error)) from error
        if status == 407:
            raise _proxy_login_wanted(proxy)
        if not 200 <= status < 300:
            raise _proxy_failed(proxy, f"it answered {status}")


def proxy_login(proxy: str) -> str | None:
    """Return the value of Proxy-Authorization that a proxy's URL asks for."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _exactly(sock: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = sock.recv(count - len(found))
        if not piece:
            raise ValueError("it closed the connection")
        found += piece
    return found


def _proxy_login_wanted(proxy: str) -> Denied:
    return Denied(
        "proxy_auth_required",
        f"The proxy '{_bare(proxy)}' wants other credentials.",
        advice="Write them into the proxy's URL: http://user:password@host:port.",
    )


def _bare(proxy: str) -> str:
    return proxy.rpartition("@")[2][:200]


def _proxy_failed(proxy: str, why: str) -> Unavailable:
    return Unavailable(
        "proxy_failed", f"The proxy '{_bare(proxy)}' did not connect ({why}).", advice="Check the proxy."
    )


def _no_connection(host: str, port: int, error: OSError) -> Unavailable:
    if isinstance(error, TimeoutError):
        return Unavailable(
            "connect_timeout", f"{host}:{port} did not answer in time.", advice="Try again later."
        )
    return Unavailable(
        "connect_failed",
        f"No connection to {host}:{port} ({error.strerror or error}).",
        advice="Check that the registry runs, and host and port.",
    )


def _tls_failed(way: Way, error: Exception) -> FerryError:
    reason = str(getattr(error, "reason", ""))
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}:
        return Unavailable(
            "tls_missing",
            f"{way.shown} does not speak TLS.",
            advice="If the registry is meant to be used without TLS, ask for it: --plain-http.",
        )
    if reason in {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV1_ALERT_UNKNOWN_CA",
    }:
        return client_certificate_wanted(way)
    return tls_error(way.shown, error)


def client_certificate_wanted(way: Way) -> Denied:
    """Return the error for a server that wants to see a certificate of ours."""
    return Denied(
        "client_cert_required",
        f"{way.shown} wants a client certificate that it trusts.",
        advice="Give certificate and key of this registry.",
    )
