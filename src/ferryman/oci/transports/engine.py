"""The Docker Engine's API over its socket: the few requests that moving images needs (Docker Engine API, "Images")."""

import http.client
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ferryman.core.errors import Corrupt, Denied, FerryError, Invalid, NotFound, Unavailable
from ferryman.oci.transports.options import DOCKER_SOCKET, TransportOptions

_MOST_ANSWER: Final = 64 << 20
"""Bytes of an answer that is kept in memory."""


class Engine:
    """Asks the engine; every request has its own connection. Thread-safe."""

    def __init__(self, options: TransportOptions) -> None:
        """Take the socket of the options, of `DOCKER_HOST`, or Docker's own. Raises `Invalid` (`docker_host_unsupported`)."""
        self.path = _socket_of(options.docker_host or os.environ.get("DOCKER_HOST", ""))
        self._connect_timeout = options.connect_timeout
        self._answer_timeout = options.answer_timeout

    def ask(self, path: str) -> Any:
        """GET a JSON answer; None for 404. Raises `Unavailable`, `Denied`, `Invalid`."""
        connection = self.connect()
        try:
            answer = self._send(connection, path)
            if answer.status == 404:
                return None
            self._check(answer)
            return json.loads(answer.read(_MOST_ANSWER))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise gone(self.path, error) from error
        finally:
            connection.close()

    def export(self, name: str) -> Iterator[bytes]:
        """Yield the tar of an image. Raises `NotFound` (`manifest_unknown`), `Unavailable`."""
        connection = self.connect()
        try:
            answer = self._send(connection, f"/images/{quote(name, safe='/:@')}/get")
            if answer.status == 404:
                raise NotFound(
                    "manifest_unknown",
                    f"The Docker Engine has no image {name}.",
                    advice="See 'docker images' for what it has.",
                )
            self._check(answer)
            while piece := answer.read(1 << 20):
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise gone(self.path, error) from error
        finally:
            connection.close()

    def connect(self) -> http.client.HTTPConnection:
        """Open a connection. Raises `Unavailable` (`engine_unreachable`), `Denied` (`engine_denied`)."""
        connection = _Connection(self.path, self._connect_timeout, self._answer_timeout)
        try:
            connection.connect()
        except PermissionError as error:
            raise Denied(
                "engine_denied",
                f"The Docker Engine at {self.path} does not let us in.",
                advice="Run as root, or be a member of the group of that socket (usually 'docker').",
            ) from error
        except OSError as error:
            raise Unavailable(
                "engine_unreachable",
                f"There is no Docker Engine at {self.path}: {error.strerror or error}.",
                advice="Start it, or set DOCKER_HOST=unix://PATH.",
            ) from error
        return connection

    def _send(self, connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
        connection.request("GET", path)
        return connection.getresponse()

    def _check(self, answer: http.client.HTTPResponse) -> None:
        if answer.status >= 400:
            raise refused(answer.status, answer.read(65536))


class Loading:
    """An image on its way into the engine (`POST /images/load`): a `Delivery`. Used by one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        """Connect with the first byte."""
        self._engine = engine
        self._connection: http.client.HTTPConnection | None = None

    def write(self, piece: bytes | memoryview, /) -> None:
        """Send a piece. Raises what the engine said when it hung up."""
        connection = self._connection or self._begin()
        try:
            connection.send(b"%x\r\n" % len(piece))
            connection.send(piece)
            connection.send(b"\r\n")
        except OSError as error:
            raise self._why(error) from error

    def undo(self, to: int, /) -> bool:
        """What was sent was sent."""
        del to
        return self._connection is None

    def finish(self) -> None:
        """Send the end and hear whether the image is there. Raises `Invalid` (`engine_refused`), `Unavailable`."""
        connection = self._connection or self._begin()
        try:
            connection.send(b"0\r\n\r\n")
            answer = connection.getresponse()
            _judge(answer.status, answer.read(_MOST_ANSWER))
        except (OSError, http.client.HTTPException) as error:
            raise gone(self._engine.path, error) from error

    def give_up(self) -> None:
        """Hang up; an engine that heard no end keeps nothing."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _begin(self) -> http.client.HTTPConnection:
        self._connection = connection = self._engine.connect()
        connection.putrequest("POST", "/images/load?quiet=1")
        connection.putheader("Content-Type", "application/x-tar")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        return connection

    def _why(self, error: OSError) -> FerryError:
        """What the engine said before it hung up, if it did."""
        try:
            assert self._connection is not None
            answer = self._connection.getresponse()
            _judge(answer.status, answer.read(_MOST_ANSWER))
        except FerryError as said:
            return said
        except (OSError, http.client.HTTPException):
            pass
        return gone(self._engine.path, error)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, connect_timeout: float, answer_timeout: float) -> None:
        super().__init__("localhost", timeout=connect_timeout)
        self._path = path
        self._answer_timeout = answer_timeout

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(str(self._path))
            self.sock.settimeout(self._answer_timeout)
        except BaseException:
            self.sock.close()
            raise


def gone(path: Path, error: Exception) -> Unavailable:
    """Build the error for an engine that went away in the middle."""
    return Unavailable(
        "engine_unreachable",
        f"The Docker Engine at {path} ended the connection: {error}.",
        advice="See its log; start it again if it stopped.",
    )


def refused(status: int, body: bytes) -> FerryError:
    """Build the error for what the engine does not do."""
    try:
        said = str(json.loads(body)["message"])[:300]
    except (ValueError, KeyError, TypeError):
        said = body[:300].decode(errors="replace").strip()
    if status >= 500:
        return Unavailable(
            "engine_failed", f"The Docker Engine answered {status}: {said}.", advice="See its log."
        )
    return Invalid(
        "engine_refused",
        f"The Docker Engine answered {status}: {said}.",
        advice="Check the name; see the engine's log.",
    )


def _judge(status: int, body: bytes) -> None:
    """Raise when loading failed: by its status, or in the stream of messages that follows a 200."""
    if status >= 400:
        raise refused(status, body)
    for line in body.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict) and message.get("error"):
            raise Corrupt(
                "engine_refused",
                f"The Docker Engine did not take the image: {str(message['error'])[:300]}.",
                advice="Old engines take no Zstandard layers and no artifacts; see the engine's log.",
            )


def _socket_of(host: str) -> Path:
    if not host:
        return DOCKER_SOCKET
    path = host.removeprefix("unix://") if host.startswith("unix://") else host.removeprefix("unix:")
    if not path.startswith("/"):
        raise Invalid(
            "docker_host_unsupported",
            f"'{host[:200]}' is no socket on this machine.",
            advice="Write unix:///PATH. Engines elsewhere are reached through a registry or an archive.",
        )
    return Path(path)
