"""Sends one signed POST: to an address that was checked after it was resolved, without following redirects."""

import contextlib
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Final

from ferryman.core.errors import FerryError, Invalid, Unavailable
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.source import Source

LONGEST_ANSWER: Final = 2048
"""Bytes of an answer that are read."""
_AGAIN: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answered:
    """What the other side said."""

    status: int
    text: str


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return the value of `X-Ferryman-Signature`: HMAC-SHA256 of the timestamp, a dot and the body."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class Post:
    """One POST. `send` blocks in a thread of the caller's; `abort` ends it from another."""

    def __init__(self, source: Source, policy: AddressPolicy, timeout: float) -> None:
        """Post to `source` where `policy` allows it, within `timeout` seconds for each step."""
        self._source = source
        self._policy = policy
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._aborted = threading.Event()

    def send(self, body: bytes, headers: dict[str, str]) -> Answered:
        """Return the answer. Raises `Denied` (`address_refused`), `Invalid` (`hook_refused`) and `Unavailable`."""
        try:
            connection = self._connected()
            try:
                connection.request("POST", _target(self._source), body, headers)
                answer = connection.getresponse()
                text = _plain(answer.read(LONGEST_ANSWER))
                after = answer.getheader("retry-after")
            finally:
                connection.close()
        except TimeoutError as error:
            raise Unavailable(
                "hook_timeout",
                f"'{self._source.host}' did not answer within {self._timeout:.0f} seconds.",
                advice="It is tried again.",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                "hook_unreachable",
                f"'{self._source.host}' could not be told: {error or type(error).__name__}.",
                advice="It is tried again.",
            ) from error
        if 200 <= answer.status < 300:
            return Answered(answer.status, text)
        raise _refusal(self._source.host, answer.status, text, after)

    def abort(self) -> None:
        """End a call of `send` soon. Thread-safe."""
        self._aborted.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it is closed already, or was never open
                self._socket.shutdown(socket.SHUT_RDWR)

    def _connected(self) -> http.client.HTTPConnection:
        source = self._source
        self._policy.check_host(source.host)
        addresses = socket.getaddrinfo(source.host, source.port, type=socket.SOCK_STREAM)
        for *_, address in addresses:
            self._policy.check(str(address[0]), source.host)
        family, kind, proto, _, address = addresses[0]
        raw = socket.socket(family, kind, proto)
        raw.settimeout(self._timeout)
        self._socket = raw
        if self._aborted.is_set():
            raise ConnectionAbortedError("it was stopped")
        try:
            raw.connect(address)
            if source.scheme == "https":
                raw = ssl.create_default_context().wrap_socket(raw, server_hostname=source.host)
                self._socket = raw
        except BaseException:
            raw.close()
            raise
        connection = http.client.HTTPConnection(source.host, source.port, timeout=self._timeout)
        connection.sock = raw
        return connection


def _plain(data: bytes) -> str:
    """Return what was answered as one line that is safe to show."""
    text = data.decode("utf-8", "replace")
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _target(source: Source) -> str:
    after_scheme = source.url.partition("://")[2]
    slash = after_scheme.find("/")
    return after_scheme[slash:] if slash >= 0 else "/"


def _refusal(host: str, status: int, text: str, retry_after: str | None) -> FerryError:
    said = text[:200]
    words = f"'{host}' answered {status}{f': {said}' if said else ''}."
    if status >= 500 or status in _AGAIN:
        wait = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None
        return Unavailable(
            "hook_unavailable",
            words,
            advice="It is tried again.",
            retry_after=min(wait, 3600.0) if wait else None,
        )
    if 300 <= status < 400:
        return Invalid(
            "hook_redirected", words, advice="Give the address it leads to: redirects are not followed."
        )
    return Invalid(
        "hook_refused", words, advice="See what the receiver wants, correct the hook and retry this job."
    )
