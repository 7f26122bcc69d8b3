"""A registry that behaves like Ollama's: manifests without a length, blobs behind a redirect to another host name."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Final

from ferryman.testing.loopback import InThread

_MANIFEST: Final = re.compile(r"/v2/([A-Za-z0-9._/-]+)/manifests/([\w.-]+)")
_BLOB: Final = re.compile(r"/v2/([A-Za-z0-9._/-]+)/blobs/(sha256:[0-9a-f]{64})")
_STORED: Final = re.compile(r"/stored/(sha256:[0-9a-f]{64})")
LICENCE: Final = "Licence of a test model.\nUse it for tests.\n"
_PREFIX: Final = "application/vnd.ollama.image."


class OllamaRegistry(InThread):
    """Serves models on loopback. `served` counts the bytes of each blob that left; `hold` stops blobs after so many bytes."""

    def __init__(self) -> None:
        """Nothing is in it."""
        self.manifests: dict[tuple[str, str], bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.served: dict[str, int] = {}
        self.hold: int | None = None
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": self}))
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def add(
        self, name: str, tag: str = "latest", *, size: int = 300_000, seed: int = 1, licence: str = LICENCE
    ) -> bytes:
        """Make a model of random weights, licence, template and parameters; return its manifest."""
        parts = {
            "model": Random(seed).randbytes(size),
            "template": b"{{ .Prompt }}",
            "license": licence.encode(),
            "params": json.dumps({"stop": ["<|end|>"], "temperature": 0.5}).encode(),
        }
        config = json.dumps(
            {"model_format": "gguf", "model_family": "test", "model_type": f"{seed}B"}
        ).encode()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "config": self._stored(config, "application/vnd.docker.container.image.v1+json"),
                "layers": [self._stored(content, _PREFIX + kind) for kind, content in parts.items()],
            }
        ).encode()
        self.manifests[name, tag] = manifest
        return manifest

    def count(self, digest: str, bytes_sent: int) -> None:
        """Count what left of a blob. Thread-safe."""
        with self._lock:
            self.served[digest] = self.served.get(digest, 0) + bytes_sent

    def _stored(self, content: bytes, media_type: str) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def _let_go(self) -> None:
        self.released.set()


class _Handler(BaseHTTPRequestHandler):
    registry: OllamaRegistry
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if (found := _MANIFEST.fullmatch(path)) and (raw := self.registry.manifests.get(found.groups())):  # type: ignore[arg-type]  # two groups
            self._without_length(raw)
        elif (found := _BLOB.fullmatch(path)) and found[2] in self.registry.blobs:
            self._empty(307, f"http://localhost:{self.registry.port}/stored/{found[2]}")
        elif (found := _STORED.fullmatch(path)) and found[1] in self.registry.blobs:
            self._content(found[1])
        else:
            self._empty(404)

    def _without_length(self, raw: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(raw), raw))

    def _content(self, digest: str) -> None:
        content, first = self.registry.blobs[digest], 0
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        end = len(content)
        if span:
            first, end = int(span[1]), min(end, int(span[2]) + 1 if span[2] else end)
        self.send_response(206 if span else 200)
        if span:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(content)}")
        self.send_header("ETag", f'"{digest}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - first))
        self.end_headers()
        if self.command == "GET":
            self._send(digest, content[first:end])

    def _send(self, digest: str, content: bytes) -> None:
        most = len(content) if self.registry.hold is None else min(self.registry.hold, len(content))
        for at in range(0, len(content), 16_384):
            if at >= most:
                self.wfile.flush()
                self.registry.released.wait(60)
            try:
                self.wfile.write(content[at : at + 16_384])
            except OSError:  # killed in the middle, as tests do
                self.close_connection = True
                return
            self.registry.count(digest, len(content[at : at + 16_384]))

    def _empty(self, status: int, location: str = "") -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
