"""A small upstream on loopback with files to fetch, so that the first download works with no internet.

`python -m ferryman.testing.sample [--port 8471] [--rate 2MB/s]` prints its addresses and serves until it is stopped.
The files are made up while they are sent: the same bytes each time, nothing on disk.
"""

import argparse
import hashlib
import html
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from ferryman.core.errors import Invalid
from ferryman.core.units import parse_rate

BLOCK = 1 << 20
DEFAULT_PORT = 8471
_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


@dataclass(frozen=True)
class SampleFile:
    """A file of made-up bytes. `rate` is bytes per second for each connection, 0 for as fast as it goes."""

    name: str
    size: int
    about: str
    rate: int = 0

    @cached_property
    def base(self) -> bytes:
        """One block of bytes that look random."""
        return hashlib.shake_256(self.name.encode()).digest(BLOCK)

    @cached_property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the whole file."""
        digest = hashlib.sha256()
        for piece in self.read(0, self.size):
            digest.update(piece)
        return digest.hexdigest()

    @property
    def etag(self) -> str:
        """Strong validator."""
        return f'"{self.name}-{self.size:x}"'

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """Bytes from `start` up to but without `end`, a block or less at a time."""
        while start < end:
            number, offset = divmod(start, BLOCK)
            block = hashlib.sha256(f"{self.name}:{number}".encode()).digest() + self.base[32:]
            piece = block[offset : offset + end - start]
            yield piece
            start += len(piece)


FILES = (
    SampleFile("hello.txt", 1_024, "a small one"),
    SampleFile("medium.bin", 32 << 20, "32 MiB"),
    SampleFile("large.bin", 256 << 20, "256 MiB"),
    SampleFile("slow.bin", 24 << 20, "24 MiB, each connection at 1 MB/s: more connections help", 1_000_000),
)


class SampleServer(ThreadingHTTPServer):
    """The upstream. `rate` limits every connection, in bytes per second, where the file does not."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int = 0, rate: int = 0) -> None:
        """Bind to loopback; 0 takes a free port."""
        super().__init__(("127.0.0.1", port), _Handler)
        self.rate = rate
        self.files = {file.name: file for file in FILES}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hangs up, which a resumed download does; tell of anything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """Address without a path."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def url(self, name: str) -> str:
        """Address of a file."""
        return f"{self.address}/files/{name}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SampleServer
    pages: ClassVar[dict[str, str]] = {"/": "text/html", "/SHA256SUMS": "text/plain"}

    def do_GET(self) -> None:
        """Answer a file, whole or in part, or one of the two pages."""
        path = self.path.split("?")[0]
        file = self.server.files.get(path.removeprefix("/files/"))
        if file and path.startswith("/files/"):
            self._send_file(file)
        elif path in self.pages:
            self._send_text(HTTPStatus.OK, self._page(path), self.pages[path])
        else:
            self._send_text(HTTPStatus.NOT_FOUND, f"There is no {path} here.\n", "text/plain")

    do_HEAD = do_GET  # noqa: N815 - the library's name

    def log_message(self, *_: object) -> None:
        """Stay silent: the terminal belongs to Ferryman."""

    def _page(self, path: str) -> str:
        files = self.server.files.values()
        if path == "/SHA256SUMS":
            return "".join(f"{file.sha256}  {file.name}\n" for file in files)
        rows = (
            f'<li><a href="/files/{file.name}">{file.name}</a>: {html.escape(file.about)}</li>'
            for file in files
        )
        return (
            f"<!doctype html><title>Sample upstream</title><h1>Sample upstream</h1><ul>{''.join(rows)}</ul>\n"
        )

    def _send_text(self, status: HTTPStatus, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, file: SampleFile) -> None:
        wanted = self._wanted(file)
        if wanted is None:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{file.size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start, end, partial = wanted
        self.send_response(HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK)
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{file.size}")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(end - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", file.etag)
        self.end_headers()
        if self.command != "HEAD":
            self._send_bytes(file, start, end)

    def _wanted(self, file: SampleFile) -> tuple[int, int, bool] | None:
        """Read which part is asked for, as start, end and whether it is a part; None when it lies outside."""
        match = _RANGE.match(self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if not match or not any(match.groups()) or (condition and condition != file.etag):
            return 0, file.size, False
        first, last = match.groups()
        start = int(first) if first else max(file.size - int(last), 0)
        end = min(int(last) + 1, file.size) if first and last else file.size
        return (start, end, True) if start < end else None

    def _send_bytes(self, file: SampleFile, start: int, end: int) -> None:
        rate = file.rate or self.server.rate
        step = max(rate // 10, 1) if rate else BLOCK
        began, sent = time.monotonic(), 0
        try:
            for piece in file.read(start, end):
                for at in range(0, len(piece), step):
                    self.wfile.write(piece[at : at + step])
                    sent += min(step, len(piece) - at)
                    if rate:
                        time.sleep(max(0.0, began + sent / rate - time.monotonic()))
        except OSError:
            self.close_connection = True  # the client has gone


def _rate(text: str) -> int:
    try:
        return parse_rate(text)
    except Invalid as error:
        raise argparse.ArgumentTypeError(error.message) from error


def _server(port: int, rate: int) -> SampleServer:
    """Take the port, or a free one when somebody has it already."""
    try:
        return SampleServer(port, rate)
    except OSError:
        return SampleServer(0, rate)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m ferryman.testing.sample", description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--rate", type=_rate, default=0, help="limit of each connection, such as 2MB/s")
    options = parser.parse_args(arguments)
    with _server(options.port, options.rate) as server:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: threading.Thread(target=server.shutdown).start())
        print(f"Sample upstream at {server.address}/", flush=True)
        for file in server.files.values():
            print(f"  {server.url(file.name)}  {file.about}", flush=True)
        server.serve_forever(poll_interval=0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
