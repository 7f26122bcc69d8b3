"""Registries under test: ours and Debian's docker-registry, each a process; and a plain client."""

import hashlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
ACCEPT = f"{MANIFEST}, {INDEX}, {DOCKER}, */*"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json()["errors"][0]["code"]


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


@dataclass
class Peer:
    """A registry at 127.0.0.1:`port`."""

    port: int
    ours: bool
    process: subprocess.Popen | None = None
    count: int = field(default=0)

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """One request on a connection of its own. `path` may be a whole address, as `Location` has it."""
        parts = urlsplit(path)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def name(self) -> str:
        """A repository that nobody used yet."""
        self.count += 1
        return f"team/test{self.count}"

    def start_upload(self, repository: str, **query: str) -> str:
        reply = self.ask("POST", f"/v2/{repository}/blobs/uploads/?{urlencode(query)}")
        assert reply.status == 202, reply
        return reply.headers["location"]

    def blob(self, repository: str, data: bytes, algorithm: str = "sha256") -> str:
        """Push a blob and return its digest."""
        digest = digest_of(data, algorithm)
        place = self.start_upload(repository)
        reply = self.ask("PUT", with_query(place, digest=digest), data, OCTETS)
        assert reply.status == 201, reply
        return digest

    def put(self, repository: str, reference: str, document: Any, media_type: str = MANIFEST) -> Reply:
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.ask("PUT", f"/v2/{repository}/manifests/{reference}", raw, {"Content-Type": media_type})

    def image(self, repository: str, tag: str | None = None, salt: str = "", **more: Any) -> bytes:
        """Push an image of one layer and return the bytes of its manifest."""
        raw = json.dumps(self.document(repository, salt, **more)).encode()
        reply = self.put(repository, tag or digest_of(raw), raw)
        assert reply.status == 201, reply
        return raw

    def document(self, repository: str, salt: str = "", **more: Any) -> dict:
        """Push config and layer of an image; return its manifest."""
        config, layer = json.dumps({"salt": salt}).encode(), f"layer {salt}".encode()
        return {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": self.blob(repository, config), "size": len(config)},
            "layers": [{"mediaType": LAYER, "digest": self.blob(repository, layer), "size": len(layer)}],
            **more,
        }

    def stop(self, number: int = signal.SIGTERM) -> None:
        assert self.process
        self.process.send_signal(number)
        self.process.wait(20)
        if self.process.stdout:
            self.process.stdout.close()


OCTETS = {"Content-Type": "application/octet-stream"}


def with_query(place: str, **query: str) -> str:
    return f"{place}{'&' if '?' in place else '?'}{urlencode(query)}"


def ours(home: Path, **rules: Any) -> Peer:
    command = [sys.executable, "-m", "tests.conformance.registry.serving", str(home), json.dumps(rules)]
    with (home.parent / f"{home.name}.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=Path(__file__).parents[3])
    assert process.stdout
    line = process.stdout.readline()
    assert line, (home.parent / f"{home.name}.log").read_text()
    peer = Peer(int(line), True, process)
    until_open(peer)
    return peer


def docker_registry(home: Path) -> Peer:
    home.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(home / "data")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "relativeurls": True},
    }
    (home / "config.yml").write_text(json.dumps(settings))
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(home / "config.yml")], stdout=log, stderr=log
        )
    peer = Peer(port, False, process)
    until_open(peer)
    return peer


def have_docker_registry() -> bool:
    return shutil.which("docker-registry") is not None


def until_open(peer: Peer) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if peer.ask("GET", "/v2/").status in {200, 401}:
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, "the registry did not open"
        time.sleep(0.02)
