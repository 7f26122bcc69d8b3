"""Calls the daemon of this home over plain loopback without loading an HTTP library: for commands that are over in a moment."""

import json
import os
import socket
from typing import Any, Final

from ferryman.core.errors import Denied
from ferryman.core.home import home_folder
from ferryman.daemon.announced import find_running

_TIMEOUT: Final = 60.0
_MOST: Final = 64 * 1024 * 1024


class Quick:
    """Calls the API as `client.Client` does, one connection each. Whatever is not a plain success is left to that one."""

    def __init__(self, host: str, port: int, token: str) -> None:
        """Call the daemon at `host` and `port` with the secret `token`."""
        self._host, self._port, self._token = host, port, token

    def get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        """Return what GET answers. Raises as `Client`."""
        pairs = "&".join(f"{name}={value}" for name, value in (query or {}).items())
        return self._call("GET", f"{path}?{pairs}" if pairs else path, None)

    def post(self, path: str, body: object) -> Any:
        """Return what POST answers. Raises as `Client`."""
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: object) -> Any:
        data = json.dumps(body).encode() if body is not None else b""
        key = os.urandom(16).hex()  # whatever has to be asked again is done once
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nAuthorization: Bearer {self._token}\r\n"
            f"Accept: application/json\r\nIdempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
            "Connection: close\r\n\r\n"
        )
        try:
            answer = self._exchange(head.encode("latin-1") + data)
        except OSError:
            answer = None
        if answer is None:
            return self._again(method, path, body, key)
        return answer

    def _exchange(self, request: bytes) -> Any:
        """Return the document of a success with a length; None for every other answer."""
        with self._connect() as connection:
            connection.sendall(request)
            with connection.makefile("rb") as answer:
                status = answer.readline(1000).split(None, 2)
                length = -1
                while (line := answer.readline(10_000)) not in {b"\r\n", b"\n", b""}:
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length" and value.strip().isdigit():
                        length = int(value)
                if len(status) < 2 or not status[1].startswith(b"2") or not 0 < length <= _MOST:
                    return None
                data = answer.read(length)
        return json.loads(data) if len(data) == length else None

    def _connect(self) -> socket.socket:
        """Connect, without `create_connection`: it loads the encoding of international names for every host."""
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            connection.settimeout(_TIMEOUT)
            connection.connect((self._host, self._port))
        except BaseException:
            connection.close()
            raise
        return connection

    def _again(self, method: str, path: str, body: object, key: str) -> Any:
        from ferryman.cli.client import Client  # noqa: PLC0415 - loads an HTTP library

        client = Client(f"http://{self._host}:{self._port}", self._token)
        if method == "GET":
            return client.get(path)
        return client.post(path, body, headers={"Idempotency-Key": key})


def local_client() -> Quick | None:
    """Return a client for a daemon of this home that answers plain HTTP here; None when there is none, or another is named."""
    if os.environ.get("FERRY_ADDRESS"):
        return None
    try:
        running = find_running(home_folder())
    except Denied:
        return None
    host, colon, port = running.address.removeprefix("http://").rpartition(":") if running else ("", "", "")
    if running is None or not (
        running.address.startswith("http://") and colon and port.isdigit() and "[" not in host
    ):
        return None
    return Quick(host, int(port), os.environ.get("FERRY_TOKEN") or running.token)
