"""Talks to the daemon of this home over loopback, and turns its problem documents back into errors."""

import json
import os
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from ferryman.core.errors import (
    Conflict,
    Corrupt,
    Denied,
    Exhausted,
    FerryError,
    Invalid,
    NotFound,
    Unavailable,
)
from ferryman.core.home import default_home
from ferryman.daemon.announced import find_running

TIMEOUT: Final = 30.0
_PIECE: Final = 65_536
_BRANCHES: Final[dict[int, type[FerryError]]] = {
    400: Invalid, 401: Denied, 403: Denied, 404: NotFound, 409: Conflict, 413: Invalid, 415: Invalid,
    422: Invalid, 429: Unavailable, 500: Corrupt, 503: Unavailable, 507: Exhausted,
}  # fmt: skip

Query = Mapping[str, object]


class Client:
    """Calls the API. One connection for each call: commands make few. Not for concurrent use."""

    def __init__(self, address: str, token: str) -> None:
        """Call the daemon at `address` with the secret `token`."""
        self.address = address
        self._token = token

    def get(self, path: str, query: Query | None = None) -> Any:
        """Return what GET answers. Raises the daemon's error, or `Unavailable` (`daemon_unreachable`)."""
        return self._json("GET", _with(path, query), None)

    def post(self, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Any:
        """Return what POST answers. Raises as `get`."""
        return self._json("POST", path, body, headers)

    def put(self, path: str, body: object) -> Any:
        """Return what PUT answers. Raises as `get`."""
        return self._json("PUT", path, body)

    def patch(self, path: str, body: object) -> Any:
        """Return what PATCH answers. Raises as `get`."""
        return self._json("PATCH", path, body)

    def delete(self, path: str) -> Any:
        """Ask to remove something; return what that answers. Raises as `get`."""
        return self._json("DELETE", path, None)

    def text(self, path: str, query: Query | None = None) -> str:
        """Return what GET answers as text. Raises as `get`."""
        return self._send("GET", _with(path, query), None, None)[1].decode("utf-8", "replace")

    def pieces(self, path: str, query: Query | None = None) -> Iterator[bytes]:
        """Yield what GET answers, piece by piece, so that it may be of any length. Raises as `get`."""
        connection = self._connection(TIMEOUT)
        try:
            answer = self._ask(connection, "GET", _with(path, query), None, {"Accept": "*/*"})
            if answer.status >= 400:
                raise _error(answer.status, answer.read())
            while piece := answer.read(_PIECE):
                yield piece
        except (OSError, HTTPException) as error:
            raise self._unreachable() from error
        finally:
            connection.close()

    def events(self, topics: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield live events as name and data until the daemon ends. Raises as `get`."""
        connection = self._connection(None)
        try:
            answer = self._ask(connection, "GET", _with("/api/v1/events", {"topics": topics}), None, {})
            if answer.status != 200:
                raise _error(answer.status, answer.read())
            yield from _parse_events(answer)
        except (OSError, HTTPException) as error:
            raise self._unreachable() from error
        finally:
            connection.close()

    def _json(self, method: str, path: str, body: object, headers: Mapping[str, str] | None = None) -> Any:
        status, data = self._send(method, path, body, headers)
        try:
            return json.loads(data) if data else None
        except ValueError as error:
            raise Corrupt(
                "answer_unreadable",
                f"{self.address}{path} answered {status} with something that is not JSON.",
                advice="Check that Ferryman listens there, of the same version as this command.",
            ) from error

    def _send(
        self, method: str, path: str, body: object, headers: Mapping[str, str] | None
    ) -> tuple[int, bytes]:
        connection = self._connection(TIMEOUT)
        try:
            answer = self._ask(connection, method, path, body, headers or {})
            status, data = answer.status, answer.read()
        except (OSError, HTTPException) as error:
            raise self._unreachable() from error
        finally:
            connection.close()
        if status >= 400:
            raise _error(status, data)
        return status, data

    def _connection(self, timeout: float | None) -> HTTPConnection:
        parts = urlsplit(self.address)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        return kind(parts.hostname or "", parts.port, timeout=timeout)

    def _ask(
        self,
        connection: HTTPConnection,
        method: str,
        path: str,
        body: object,
        headers: Mapping[str, str],
    ) -> HTTPResponse:
        sent = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", **headers}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        connection.request(method, path, data, sent)
        return connection.getresponse()

    def _unreachable(self) -> Unavailable:
        return Unavailable(
            "daemon_unreachable",
            f"The daemon at {self.address} does not answer.",
            advice="Start it with 'ferry up', or see 'ferry doctor'.",
        )


def connect() -> Client:
    """Return a client for the daemon of this home.

    `FERRY_ADDRESS` and `FERRY_TOKEN` name another one. Raises `Unavailable` (`daemon_not_running`), `Denied`, `Invalid`.
    """
    address, token = os.environ.get("FERRY_ADDRESS"), os.environ.get("FERRY_TOKEN")
    if address:
        return Client(_checked(address), token or "")
    home = default_home()
    running = find_running(home)
    if running is None:
        raise not_running(home)
    return Client(running.address, token or running.token)


def not_running(home: Path) -> Unavailable:
    """Build the error for a home without a daemon."""
    return Unavailable(
        "daemon_not_running", f"No daemon runs in {home}.", advice="Start it with 'ferry up' and try again."
    )


def _checked(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Invalid(
            "address_invalid",
            f"FERRY_ADDRESS is '{address[:100]}', which is not the address of a daemon.",
            advice="Write it as http://127.0.0.1:8470.",
        )
    return address.rstrip("/")


def _with(path: str, query: Query | None) -> str:
    pairs = {name: value for name, value in (query or {}).items() if value not in (None, "", ())}
    return f"{path}?{urlencode(pairs, doseq=True)}" if pairs else path


def _error(status: int, data: bytes) -> FerryError:
    try:
        said = json.loads(data)
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    branch = _BRANCHES.get(status, Invalid if status < 500 else Unavailable)
    message = str(said.get("detail") or f"The daemon answered {status}.")
    code, advice = str(said.get("code") or f"status_{status}"), str(said.get("advice") or "")
    error = branch(code, message, advice=advice)
    fields = said.get("errors")
    error.fields = {str(name): str(text) for name, text in fields.items()} if isinstance(fields, dict) else {}
    details = said.get("details")
    error.details = details if isinstance(details, dict) else {}
    return error


def _parse_events(answer: HTTPResponse) -> Iterator[tuple[str, dict[str, Any]]]:
    name, data = "message", ""
    for raw in answer:
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not text:
            if data:
                yield name, json.loads(data)
            name, data = "message", ""
        elif text.startswith("event:"):
            name = text[6:].strip()
        elif text.startswith("data:"):
            data += text[5:].strip()
