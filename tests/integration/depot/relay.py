"""A relay that counts bytes in both directions and can hold them back from a certain number on."""

import contextlib
import socket
import socketserver
import threading
from typing import Self


class Relay(socketserver.ThreadingTCPServer):
    """Passes connections on to a port. `hold_up` and `hold_down` stop the flow after so many bytes until `release`.

    `cut` ends all connections that are open.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, *, hold_up: int = 0, hold_down: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.up, self.down = port, 0, 0
        self.limits = {"up": hold_up, "down": hold_down}
        self.open: set[socket.socket] = set()
        self.held, self.go, self.lock = threading.Event(), threading.Event(), threading.Lock()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self.shutdown()
        self.server_close()

    def release(self) -> None:
        self.limits = {"up": 0, "down": 0}
        self.go.set()

    def cut(self) -> None:
        with self.lock:
            every = list(self.open)
        for one in every:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self.release()

    def count(self) -> None:
        self.up = self.down = 0

    def moved(self, way: str, count: int) -> None:
        with self.lock:
            setattr(self, way, getattr(self, way) + count)
            held = self.limits[way] and getattr(self, way) > self.limits[way]
        if held:
            self.held.set()
            self.go.wait(60)

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class _Handler(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.upstream)) as upstream:
            with self.server.lock:
                self.server.open |= {self.request, upstream}
            other = threading.Thread(target=self._pass, args=(self.request, upstream, "up"), daemon=True)
            other.start()
            self._pass(upstream, self.request, "down")
            other.join()
            with self.server.lock:
                self.server.open -= {self.request, upstream}

    def _pass(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
                self.server.moved(way, len(data))
        for end, how in ((sink, socket.SHUT_WR), (source, socket.SHUT_RD)):
            with contextlib.suppress(OSError):
                end.shutdown(how)
