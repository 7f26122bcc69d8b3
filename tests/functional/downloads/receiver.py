"""A real receiver of webhooks, which verifies what it gets as the how-to shows."""

import hashlib
import hmac
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


def verify(secret: str, header: str, body: bytes, now: float) -> bool:
    """Check a signature and that it is not old."""
    parts = dict(part.split("=", 1) for part in header.split(","))
    expected = hmac.new(secret.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, parts["v1"]) and abs(now - int(parts["t"])) < 300


@dataclass
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    verified: bool
    document: dict[str, Any] = field(default_factory=dict)


class Receiver:
    """Answers with `answers` in turn (status, headers), and then with 204; keeps what came."""

    def __init__(self, secret: str = "", answers: tuple[tuple[int, dict[str, str]], ...] = ()) -> None:
        self.secret, self.answers, self.got = secret, list(answers), []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                good = verify(receiver.secret, headers["x-ferryman-signature"], body, time.time())
                receiver.got.append(Got(self.path, headers, body, good, json.loads(body)))
                status, extra = receiver.answers.pop(0) if receiver.answers else (204, {})
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                text = b"" if status == 204 else b"said \x1b[31m so"
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
