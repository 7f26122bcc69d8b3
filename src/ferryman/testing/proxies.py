"""Small proxies for tests: HTTP (CONNECT and forwarding) and SOCKS5, on free ports of loopback.

Both resolve names themselves: `hosts` maps names to loopback addresses, so that tests can use any name.
"""

import base64
import contextlib
import socket
import socketserver
import threading
from urllib.parse import urlsplit

from ferryman.testing.loopback import InThread


class Proxy(InThread):
    """What both kinds share. `seen` holds the `host:port` of every connection that was asked for."""

    def __init__(
        self, handler: type["_Handler"], *, login: str = "", hosts: dict[str, str] | None = None
    ) -> None:
        """Bind. With `login` (`user:password`) clients must show it."""
        self.login, self.hosts = login, hosts or {}
        self.seen: list[str] = []
        self._server = _Server(self, handler)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def connect(self, host: str, port: int) -> socket.socket:
        """Note and open a connection. Raises `OSError`."""
        self.seen.append(f"{host}:{port}")
        return socket.create_connection((self.hosts.get(host, host), port), timeout=30)


class HttpProxy(Proxy):
    """Understands CONNECT and absolute addresses."""

    def __init__(self, *, login: str = "", hosts: dict[str, str] | None = None) -> None:
        """Bind."""
        super().__init__(_HttpHandler, login=login, hosts=hosts)

    def url(self, login: str = "") -> str:
        """Address for settings."""
        return f"http://{login + '@' if login else ''}{self.address}"


class SocksProxy(Proxy):
    """Understands SOCKS 5 (RFC 1928, 1929): connect, with addresses and names."""

    def __init__(self, *, login: str = "", hosts: dict[str, str] | None = None) -> None:
        """Bind."""
        super().__init__(_SocksHandler, login=login, hosts=hosts)

    def url(self, login: str = "", scheme: str = "socks5h") -> str:
        """Address for settings; `socks5` lets the client resolve names."""
        return f"{scheme}://{login + '@' if login else ''}{self.address}"


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, proxy: Proxy, handler: type["_Handler"]) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: connections that end are what is tested."""


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def relay(self, upstream: socket.socket) -> None:
        """Copy both ways until both sides are done."""
        with upstream:
            back = threading.Thread(target=_copy, args=(upstream, self.connection), daemon=True)
            back.start()
            _copy(self.connection, upstream)
            back.join()


class _HttpHandler(_Handler):
    rbufsize = 0

    def handle(self) -> None:
        head = self._head()
        if not head:
            return
        request, *lines = head
        method, target, _version = request.split(" ", 2)
        given = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        login = self.server.proxy.login
        expected = "Basic " + base64.b64encode(login.encode()).decode()
        if login and given.get("proxy-authorization") != expected:
            self._refuse("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="proxy"\r\n')
            return
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        try:
            upstream = self.server.proxy.connect(parts.hostname or "", parts.port or 80)
        except OSError:
            self._refuse("502 Bad Gateway")
            return
        if method == "CONNECT":
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = parts._replace(scheme="", netloc="").geturl() or "/"
            kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
            # One request for each connection: later ones could be for other hosts.
            sent = [f"{method} {path} HTTP/1.1", "Connection: close", *kept, "", ""]
            upstream.sendall("\r\n".join(sent).encode("latin-1"))
        self.relay(upstream)

    def _head(self) -> list[str]:
        lines = []
        while line := self.rfile.readline(65536).decode("latin-1").rstrip("\r\n"):
            lines.append(line)
        return lines

    def _refuse(self, status: str, headers: str = "") -> None:
        self.wfile.write(
            f"HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )


class _SocksHandler(_Handler):
    rbufsize = 0

    def handle(self) -> None:
        _version, count = self._take(2)
        methods = self._take(count)
        login = self.server.proxy.login
        method = 2 if login else 0
        if method not in methods:
            self.wfile.write(b"\x05\xff")
            return
        self.wfile.write(bytes([5, method]))
        if login and not self._logged_in(login):
            return
        _version, command, _reserved, kind = self._take(4)
        host = self._host(kind)
        port = int.from_bytes(self._take(2), "big")
        try:
            upstream = self.server.proxy.connect(host, port if command == 1 else 0)
        except OSError:
            self.wfile.write(b"\x05\x05\x00\x01" + bytes(6))
            return
        self.wfile.write(b"\x05\x00\x00\x01" + bytes(6))
        self.relay(upstream)

    def _logged_in(self, login: str) -> bool:
        self._take(1)
        user = self._take(self._take(1)[0])
        password = self._take(self._take(1)[0])
        good = f"{user.decode()}:{password.decode()}" == login
        self.wfile.write(b"\x01\x00" if good else b"\x01\x01")
        return good

    def _host(self, kind: int) -> str:
        if kind == 1:
            return socket.inet_ntop(socket.AF_INET, self._take(4))
        if kind == 4:
            return socket.inet_ntop(socket.AF_INET6, self._take(16))
        return self._take(self._take(1)[0]).decode()

    def _take(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.rfile.read(count - len(data))
            if not part:
                raise ConnectionError("the client has gone")
            data += part
        return data


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end, way in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
        with contextlib.suppress(OSError):
            end.shutdown(way)
