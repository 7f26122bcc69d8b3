"""An upload goes on after `kill -9` of the daemon, from where it was; half of a blob is never visible."""

import hashlib
import http.client
import json
import socket
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.running import RunningDaemon, wait

SIZE = 24 << 20


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningDaemon]:
    running = RunningDaemon(tmp_path / "home")
    running.start()
    yield running
    running.kill()


class Line:
    """One connection to the registry of a daemon as it runs now."""

    def __init__(self, daemon: RunningDaemon) -> None:
        note = json.loads((daemon.home / "daemon.json").read_text())
        self.host, _, port = note["address"].removeprefix("http://").partition(":")
        self.port = int(port)
        secret = (daemon.home / "keys" / "local.token").read_text().strip()
        self.headers = {"Authorization": "Basic " + b64encode(f"x:{secret}".encode()).decode()}

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, self.headers | named)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()


def offset(line: Line, place: str) -> int:
    status, headers, _ = line.ask("GET", place)
    assert status == 204
    return int(headers["range"].removeprefix("0-")) + 1


def test_an_upload_in_the_middle_of_a_request(own: RunningDaemon):
    data = bytes(1024) * (SIZE // 2048) + b"".join(bytes([i % 251]) * 1024 for i in range(SIZE // 2048))
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    line = Line(own)
    place = line.ask("POST", "/v2/team/app/blobs/uploads/")[1]["location"]
    with socket.create_connection((line.host, line.port)) as raw:
        head = f"PATCH {place} HTTP/1.1\r\nHost: {line.host}:{line.port}\r\nContent-Length: {len(data)}\r\n"
        raw.sendall(f"{head}Authorization: {line.headers['Authorization']}\r\n\r\n".encode())
        raw.sendall(data[: SIZE // 2])
        wait(lambda: offset(line, place) > SIZE // 4, "half of the upload")
        own.kill()
    own.start()
    line = Line(own)
    came = offset(line, place)
    assert SIZE // 4 < came <= SIZE // 2
    assert line.ask("GET", f"/v2/team/app/blobs/{digest}")[0] == 404
    rest = data[came:]
    status, _, _ = line.ask("PATCH", place, rest, Content_Range=f"{came}-{len(data) - 1}")
    assert status == 202
    assert line.ask("PUT", f"{place}?digest={digest}")[0] == 201
    status, _, body = line.ask("GET", f"/v2/team/app/blobs/{digest}")
    assert (status, hashlib.sha256(body).hexdigest()) == (200, digest.removeprefix("sha256:"))


def test_what_was_pushed_is_there_after_a_kill(own: RunningDaemon):
    line = Line(own)
    config = b"{}"
    digest = "sha256:" + hashlib.sha256(config).hexdigest()
    assert line.ask("POST", f"/v2/team/app/blobs/uploads/?digest={digest}", config)[0] == 201
    document = json.dumps(
        {"config": {"mediaType": "a/b", "digest": digest, "size": 2}, "layers": []}
    ).encode()
    kind = "application/vnd.oci.image.manifest.v1+json"
    assert line.ask("PUT", "/v2/team/app/manifests/v1", document, Content_Type=kind)[0] == 201
    own.kill()
    own.start()
    line = Line(own)
    assert line.ask("GET", "/v2/team/app/manifests/v1")[2] == document
    assert line.ask("GET", f"/v2/team/app/blobs/{digest}")[2] == config


def test_settings_of_the_registry_hold_at_once(own: RunningDaemon):
    line = Line(own)
    assert line.ask("POST", "/v2/team/app/blobs/uploads/")[0] == 202
    own.api("PATCH", "/api/v1/settings", {"registry_read_only": True})
    assert line.ask("POST", "/v2/team/app/blobs/uploads/")[0] == 405
    own.api("PATCH", "/api/v1/settings", {"registry_read_only": False})
    assert line.ask("POST", "/v2/team/app/blobs/uploads/")[0] == 202
