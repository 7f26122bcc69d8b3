"""Servers on loopback: free ports, waiting until a program listens, and a thread for servers of our own."""

import socket
import socketserver
import subprocess
import threading
import time
from types import TracebackType
from typing import Any, Self


def free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(process: "subprocess.Popen[Any]", port: int) -> bool:
    """Wait until something listens on `port`; False when `process` ended before, or after 10 seconds."""
    for _ in range(500):
        if process.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


class InThread:
    """A server of the standard library, `_server`, in a thread of its own for the time of a block."""

    _server: socketserver.TCPServer
    _thread: threading.Thread

    def __enter__(self) -> Self:
        """Start."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name=type(self).__name__
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; what is held ends at once."""
        self._let_go()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _let_go(self) -> None:
        """End what is held back; nothing is by default."""
