"""TLS settings of requests, built once per distinct set: reading the system's certificates takes a while."""

import contextlib
import socket
import ssl
from pathlib import Path
from typing import Final

from ferryman.core.errors import Invalid
from ferryman.transfer.model import Options
from ferryman.transfer.pump import READ, WRITE

RAW: Final = 256 * 1024
"""Bytes that are worth reading from a socket at once."""


class TlsSocket:
    """TLS over a non-blocking socket, with reads as large as the socket has data: few system calls, many records.

    `recv_into` and `send` behave like a socket's, but fill and take more than one record; they raise `BlockingIOError`
    when they have to wait for the socket and `ConnectionError` when what came is not TLS. Loop only.
    """

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, name: str | None, raw: memoryview
    ) -> None:
        """Own `sock`. `raw` is for reading from it, shared by all: every read leaves it with nothing that matters."""
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._raw = raw
        self._unsent = b""

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close without a farewell: what counts was read already."""
        self._sock.close()

    def do_handshake(self) -> int | None:
        """Go on with the handshake: what to wait for before the next call, or None when it is done. Raises `ssl.SSLError`."""
        try:
            while True:
                try:
                    self._tls.do_handshake()
                except ssl.SSLWantReadError:
                    self._flush()
                    self._fill()
                except ssl.SSLError:
                    self._outgoing_quietly()
                    raise
                else:
                    self._flush()
                    return None
        except ssl.SSLWantReadError:
            return READ
        except ssl.SSLWantWriteError:
            return WRITE

    def send(self, data: bytes) -> int:
        """Encrypt all of `data`; raises `BlockingIOError` when it could not be sent at once: call again with nothing new."""
        if not self._unsent and not self._outgoing.pending:
            self._tls.write(data)
        try:
            self._flush()
        except ssl.SSLWantWriteError as error:
            raise BlockingIOError from error
        return len(data)

    def recv_into(self, view: memoryview) -> int:
        """Fill `view` as far as there is data; 0 is the end the other side announced."""
        got, wanted, read = 0, len(view), self._tls.read  # a record each, 65,536 of them in a GiB
        while got < wanted:
            try:
                count = read(wanted - got, view[got:])
            except ssl.SSLWantReadError:
                try:
                    self._fill()
                except ssl.SSLWantReadError as error:
                    if got:
                        return got
                    raise BlockingIOError from error
                continue
            except ssl.SSLError as error:
                raise ConnectionError(f"TLS failed ({error.reason or error})") from error
            if not count:
                break
            got += count  # type: ignore[operator]  # with a buffer it is a number
        return got

    def _fill(self) -> None:
        try:
            count = self._sock.recv_into(self._raw)
        except BlockingIOError as error:
            raise ssl.SSLWantReadError from error
        if count:
            self._incoming.write(self._raw[:count])
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        while self._unsent or self._outgoing.pending:
            self._unsent = self._unsent or self._outgoing.read()
            try:
                sent = self._sock.send(self._unsent)
            except BlockingIOError as error:
                raise ssl.SSLWantWriteError from error
            self._unsent = self._unsent[sent:]

    def _outgoing_quietly(self) -> None:
        with contextlib.suppress(OSError):
            self._flush()  # tell the other side why


class Contexts:
    """Contexts by CA, client certificate and `insecure`. Loop only."""

    def __init__(self) -> None:
        """Start with none."""
        self._known: dict[tuple[Path | None, Path | None, Path | None, bool], ssl.SSLContext] = {}

    def get(self, options: Options) -> ssl.SSLContext:
        """The context for these options. Raises `Invalid` (`ca_invalid`, `client_cert_invalid`)."""
        key = (options.ca, options.client_cert, options.client_key, options.insecure)
        if key not in self._known:
            self._known[key] = _build(options)
        return self._known[key]


def _build(options: Options) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca)
    except (OSError, ValueError) as error:
        raise Invalid(
            "ca_invalid", f"'{options.ca}' holds no CA certificates ({error}).", advice="Give a PEM file."
        ) from error
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.client_cert:
        try:
            context.load_cert_chain(options.client_cert, options.client_key)
        except (OSError, ValueError) as error:
            raise Invalid(
                "client_cert_invalid",
                f"'{options.client_cert}' with its key cannot be used ({error}).",
                advice="Give a PEM certificate and its PEM key.",
            ) from error
    context.set_alpn_protocols(["http/1.1"])
    context.set_ciphers(":".join(_quick_first(context)))
    return context


def _quick_first(context: ssl.SSLContext) -> list[str]:
    """The names of what a context allows below TLS 1.3, AES-128-GCM first: as safe as its larger sister, and quicker."""
    names = [str(one["name"]) for one in context.get_ciphers() if one["protocol"] != "TLSv1.3"]
    return sorted(names, key=lambda name: "AES128-GCM" not in name)
