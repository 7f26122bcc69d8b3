"""A registry in memory that misbehaves when it is told to, and counts the bytes of every body on the wire.

Without faults it is a plain registry: manifests, blobs with ranges, tags with pages, uploads that keep what arrived of a request that
broke off (`keeps_parts`), mounts. A `Fault` is used up by the requests it suits.
"""

import hashlib
import json
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from ferryman.testing.loopback import InThread

_STEP = 64 * 1024
_RANGE = re.compile(r"bytes=(\d+)-")


@dataclass
class Seen:
    """One request: `received` and `sent` count the bytes of bodies that crossed the wire, also when it broke off."""

    method: str
    path: str
    headers: dict[str, str]
    received: int = 0
    sent: int = 0
    status: int = 0


@dataclass
class Fault:
    """What goes wrong with requests of `method` whose path has `path`, `times` times, after the first `skip`.

    `status` (with `headers`) is answered before the body is read. `after` bytes of a body, in either direction, the connection is
    closed; with `hold` it stays open and nothing moves any more until the server ends; with `gate` the rest follows when that is
    set. `length` is sent as Content-Length
    whatever there is. `content` replaces what is sent. `ranges` false ignores that a range is asked for.
    """

    method: str
    path: str
    times: int = 1
    skip: int = 0
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    after: int | None = None
    hold: bool = False
    gate: threading.Event | None = None
    length: int | None = None
    content: bytes | None = None
    ranges: bool = True

    def suits(self, method: str, path: str) -> bool:
        """Whether the request is one of those; uses the fault up."""
        if method != self.method or self.path not in path or self.times <= 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class LiarRegistry(InThread):
    """The server, on a free port of loopback. Use it as a context manager; every method is thread-safe."""

    def __init__(self, *, keeps_parts: bool = True, referrers: bool = False) -> None:
        """`keeps_parts` false forgets a whole upload when a request of it breaks off; `referrers` offers the API."""
        self.keeps_parts, self.referrers = keeps_parts, referrers
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.linked: set[tuple[str, str]] = set()
        self.uploads: dict[str, bytearray] = {}
        self.faults: list[Fault] = []
        self.page = 1000
        self.least_chunk = 0
        self.challenge = ""
        self.accepts: Callable[[str], bool] = lambda _: True
        self.changed = threading.Condition()
        self.closing = threading.Event()
        self._seen: list[Seen] = []
        self._server = _Server(self)

    @property
    def host(self) -> str:
        """`localhost:PORT`."""
        return f"localhost:{self._server.server_address[1]}"

    def _let_go(self) -> None:
        self.closing.set()

    def put(self, repository: str, content: bytes, algorithm: str = "sha256") -> str:
        """Put a blob; return its digest."""
        digest = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
        self.blobs[digest] = content
        self.linked.add((repository, digest))
        return digest

    def put_manifest(self, repository: str, media_type: str, raw: bytes, *tags: str) -> str:
        """Put a manifest under its digest and `tags`; return its digest."""
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        for name in (digest, *tags):
            self.manifests[repository, name] = (media_type, raw)
        return digest

    def seen(self, method: str = "", path: str = "") -> list[Seen]:
        """Requests so far of a method whose path has `path`."""
        with self.changed:
            return [one for one in self._seen if (not method or one.method == method) and path in one.path]

    def wait_for(self, condition: Callable[[], bool], seconds: float = 30.0) -> bool:
        """Wait until `condition` holds; asked whenever bytes have moved."""
        with self.changed:
            return self.changed.wait_for(condition, seconds)

    def note(self, seen: Seen) -> None:
        """Keep a request. For the connection's thread."""
        with self.changed:
            self._seen.append(seen)
            self.changed.notify_all()

    def moved(self) -> None:
        """Tell that bytes moved. For the connection's thread."""
        with self.changed:
            self.changed.notify_all()

    def fault(self, method: str, path: str) -> Fault | None:
        """Take the fault of a request. For the connection's thread."""
        with self.changed:
            return next((fault for fault in self.faults if fault.suits(method, path)), None)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, registry: LiarRegistry) -> None:
        self.registry = registry
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: clients that go away are what is tested."""


class _Cut(Exception):
    pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0
    server: _Server

    def handle_one_request(self) -> None:
        """Answer one request; what breaks off ends the connection."""
        try:
            super().handle_one_request()
        except (_Cut, OSError, ValueError):
            self.close_connection = True

    def _answer(self) -> None:
        registry = self.server.registry
        self._note = Seen(
            self.command, self.path, {name.lower(): value for name, value in self.headers.items()}
        )
        self._fault = registry.fault(self.command, self.path)
        registry.note(self._note)
        if self._fault and self._fault.status:
            if int(self.headers.get("Content-Length", "0")):
                self.close_connection = True  # the body was not read
            purpose = b'{"errors":[{"code":"UNKNOWN","message":"on purpose"}]}'
            body = purpose if self._fault.content is None else self._fault.content
            self._send(self._fault.status, body, {"Content-Type": "application/json", **self._fault.headers})
            return
        if registry.challenge and not registry.accepts(self.headers.get("Authorization", "")):
            self._body()
            self._send(401, b"{}", {"WWW-Authenticate": registry.challenge})
            return
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        for pattern, methods in _ROUTES:
            found = pattern.fullmatch(parts.path)
            if found and self.command in methods:
                methods[self.command](self, *found.groups(), query)
                return
        self._body()
        self._send(404, b"{}")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the library's names

    def _ping(self, _: dict[str, str]) -> None:
        self._send(200, b"{}")

    def _manifest(self, name: str, wanted: str, _: dict[str, str]) -> None:
        found = self.server.registry.manifests.get((name, wanted))
        if found is None:
            self._send(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
            return
        digest = f"sha256:{hashlib.sha256(found[1]).hexdigest()}"
        self._send(200, found[1], {"Content-Type": found[0], "Docker-Content-Digest": digest})

    def _put_manifest(self, name: str, wanted: str, _: dict[str, str]) -> None:
        raw = self._body()
        registry = self.server.registry
        tags = () if ":" in wanted else (wanted,)
        digest = registry.put_manifest(name, self.headers["Content-Type"], raw, *tags)
        subject = json.loads(raw).get("subject") if registry.referrers else None
        more = {"OCI-Subject": subject["digest"]} if subject else {}
        self._send(201, b"", {"Docker-Content-Digest": digest, **more})

    def _delete_manifest(self, name: str, wanted: str, _: dict[str, str]) -> None:
        found = self.server.registry.manifests.pop((name, wanted), None)
        self._send(202 if found else 404, b"")

    def _blob(self, name: str, digest: str, _: dict[str, str]) -> None:
        registry = self.server.registry
        content = registry.blobs.get(digest)
        if content is None or (name, digest) not in registry.linked:
            self._send(404, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}')
            return
        deaf = self._fault is not None and not self._fault.ranges
        asked = None if deaf else _RANGE.match(self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        more = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if asked else {}
        self._send(206 if asked else 200, content[start:], more)

    def _tags(self, name: str, query: dict[str, str]) -> None:
        registry = self.server.registry
        every = sorted(
            wanted for repository, wanted in registry.manifests if repository == name and ":" not in wanted
        )
        rest = [tag for tag in every if tag > query.get("last", "")]
        page = rest[: registry.page]
        more = {}
        if len(rest) > len(page):
            more = {"Link": f'</v2/{name}/tags/list?n={registry.page}&last={page[-1]}>; rel="next"'}
        self._send(200, json.dumps({"name": name, "tags": page}).encode(), more)

    def _referrers(self, name: str, digest: str, _: dict[str, str]) -> None:
        registry = self.server.registry
        if not registry.referrers:
            self._send(404, b"404 page not found")
            return
        found = []
        for (repository, wanted), (kind, raw) in registry.manifests.items():
            subject = json.loads(raw).get("subject") or {}
            if repository == name and ":" in wanted and subject.get("digest") == digest:
                found.append({"mediaType": kind, "digest": wanted, "size": len(raw)})
        body = json.dumps({"schemaVersion": 2, "manifests": found}).encode()
        self._send(200, body, {"Content-Type": "application/vnd.oci.image.index.v1+json"})

    def _begin(self, name: str, query: dict[str, str]) -> None:
        self._body()
        registry = self.server.registry
        mounted = query.get("mount", "")
        if (query.get("from", ""), mounted) in registry.linked:
            registry.linked.add((name, mounted))
            self._send(201, b"", {"Location": f"/v2/{name}/blobs/{mounted}"})
            return
        key = uuid.uuid4().hex
        registry.uploads[key] = bytearray()
        more = {"OCI-Chunk-Min-Length": str(registry.least_chunk)} if registry.least_chunk else {}
        self._send(202, b"", {"Location": f"/v2/{name}/blobs/uploads/{key}", **more})

    def _status(self, name: str, key: str, _: dict[str, str]) -> None:
        upload = self.server.registry.uploads.get(key)
        if upload is None:
            self._send(404, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}')
            return
        where = {"Location": f"/v2/{name}/blobs/uploads/{key}", "Range": f"0-{max(0, len(upload) - 1)}"}
        self._send(204, b"", where)

    def _patch(self, name: str, key: str, _: dict[str, str]) -> None:
        upload = self._receive(key)
        if upload is not None:
            where = {"Location": f"/v2/{name}/blobs/uploads/{key}", "Range": f"0-{max(0, len(upload) - 1)}"}
            self._send(202, b"", where)

    def _finish(self, name: str, key: str, query: dict[str, str]) -> None:
        upload = self._receive(key)
        if upload is None:
            return
        registry = self.server.registry
        digest = query.get("digest", "")
        registry.uploads.pop(key, None)
        algorithm, _, value = digest.partition(":")
        if hashlib.new(algorithm, upload).hexdigest() != value:
            self._send(400, b'{"errors":[{"code":"DIGEST_INVALID","message":"digest mismatch"}]}')
            return
        registry.put(name, bytes(upload), algorithm)
        self._send(201, b"", {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest})

    def _cancel(self, name: str, key: str, _: dict[str, str]) -> None:
        del name
        self._send(204 if self.server.registry.uploads.pop(key, None) is not None else 404, b"")

    def _receive(self, key: str) -> bytearray | None:
        """Take the body of a request into its upload; None when that was answered already."""
        registry = self.server.registry
        upload = registry.uploads.get(key)
        if upload is None:
            self.close_connection = True
            self._send(404, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}')
            return None
        span = self.headers.get("Content-Range", "")
        if span and int(span.partition("-")[0]) != len(upload):
            self.close_connection = True
            self._send(416, b'{"errors":[{"code":"BLOB_UPLOAD_INVALID"}]}')
            return None
        try:
            self._body(upload)
        except (_Cut, OSError):
            if not registry.keeps_parts:
                registry.uploads.pop(key, None)
            raise
        return upload

    def _body(self, into: bytearray | None = None) -> bytes:
        found = bytearray() if into is None else into
        left = int(self.headers.get("Content-Length", "0"))
        fault = self._fault
        while left:
            count = min(left, _STEP)
            if fault and fault.after is not None:
                count = min(count, fault.after - self._note.received)
                if count <= 0:
                    self._stop(fault)
            piece = self.rfile.read1(count)
            if not piece:
                raise _Cut
            found += piece
            left -= len(piece)
            self._note.received += len(piece)
            self.server.registry.moved()
        return bytes(found) if into is None else b""

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        fault = self._fault if self._fault and not self._fault.status else None
        if fault and fault.content is not None and status in {200, 206}:
            body = fault.content
        self._note.status = status
        length = fault.length if fault and fault.length is not None else len(body)
        lines = [f"HTTP/1.1 {status} on purpose" if fault else f"HTTP/1.1 {status} done"]
        sent = {"Content-Length": str(length), **(headers or {})} if status != 204 else (headers or {})
        lines += [f"{name}: {value}" for name, value in sent.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if self.command == "HEAD" or status == 204:
            return
        view = memoryview(body)
        while self._note.sent < len(view):
            end = self._note.sent + _STEP
            if fault and fault.after is not None and self.command == "GET":
                end = min(end, fault.after)
                if end <= self._note.sent:
                    self._stop(fault)
                    continue
            piece = view[self._note.sent : end]
            self._note.sent += len(piece)  # before a client can have seen them
            self.wfile.write(piece)
            self.server.registry.moved()
        if length > len(body):
            raise _Cut

    def _stop(self, fault: Fault) -> None:
        if fault.gate and fault.gate.wait():
            fault.after = None
            return
        if fault.hold:
            self.server.registry.closing.wait()
        raise _Cut

    def log_message(self, *_: object) -> None:
        """Stay silent."""


_NAME = r"([a-z0-9][a-z0-9._/-]*?)"
_ROUTES: tuple[tuple[re.Pattern[str], dict[str, Callable[..., None]]], ...] = (
    (re.compile(r"/v2/"), {"GET": _Handler._ping}),
    (
        re.compile(rf"/v2/{_NAME}/manifests/([^/]+)"),
        {
            "GET": _Handler._manifest,
            "HEAD": _Handler._manifest,
            "PUT": _Handler._put_manifest,
            "DELETE": _Handler._delete_manifest,
        },
    ),
    (
        re.compile(rf"/v2/{_NAME}/blobs/uploads/([0-9a-f]+)"),
        {
            "GET": _Handler._status,
            "PATCH": _Handler._patch,
            "PUT": _Handler._finish,
            "DELETE": _Handler._cancel,
        },
    ),
    (re.compile(rf"/v2/{_NAME}/blobs/uploads/"), {"POST": _Handler._begin}),
    (re.compile(rf"/v2/{_NAME}/blobs/([^/]+)"), {"GET": _Handler._blob, "HEAD": _Handler._blob}),
    (re.compile(rf"/v2/{_NAME}/tags/list"), {"GET": _Handler._tags}),
    (re.compile(rf"/v2/{_NAME}/referrers/([^/]+)"), {"GET": _Handler._referrers}),
)
