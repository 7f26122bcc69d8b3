"""People sign in with `docker login` and its like, with a password or an API token, and Ollama's way of pulling works."""

import hashlib
import json
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urljoin

import pytest

from ferryman.testing.ollama import OllamaRegistry
from tests.functional.registry.conftest import Served, Store

PASSWORD = "over the dark water"


@pytest.fixture(scope="module")
def ann(served: Served) -> str:
    """A member with a password."""
    body = json.dumps({"name": "ann", "role": "member", "password": PASSWORD})
    call(served, "POST", "/api/v1/users", body)
    return f"ann:{PASSWORD}"


def call(served: Served, method: str, path: str, body: str) -> None:
    request = urllib.request.Request(
        f"http://{served.host}{path}",
        body.encode(),
        {"Authorization": f"Bearer {served.secret}", "Content-Type": "application/json"},
        method=method,
    )
    urllib.request.urlopen(request, timeout=30).close()


def test_skopeo_signs_in_with_a_password(served: Served, store: Store, skopeo, ann: str, tmp_path: Path):
    place = f"docker://{served.host}/people/two:v1"
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    skopeo("copy", "--all", *plain, "--dest-creds", ann, f"oci:{store.folder}:two", place)
    file = tmp_path / "auth.json"
    login = ("login", "--tls-verify=false", "--authfile", str(file), served.host)
    skopeo(*login, "--username", "ann", "--password", PASSWORD)
    skopeo("copy", "--all", *plain, "--src-authfile", str(file), place, f"oci:{tmp_path}/out:v1")
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert [one["digest"] for one in index["manifests"]] == [store.two.digest]
    with pytest.raises(Exception, match=r"invalid username/password|unauthorized"):
        skopeo(*login, "--username", "ann", "--password", "wrong")
    with pytest.raises(Exception, match=r"(?i)unauthorized|denied"):
        skopeo("delete", "--tls-verify=false", "--creds", ann, place)


def test_podman_signs_in(served: Served, podman, ann: str, tmp_path: Path):
    del ann
    login = ("login", "--tls-verify=false", "--authfile", str(tmp_path / "auth.json"), served.host)
    assert "Login Succeeded" in podman(*login, "--username", "ann", "--password", PASSWORD)
    assert "Login Succeeded" in podman(*login, "--username", "x", "--password", served.secret)


class Client:
    """Pulls as Ollama's client does: no credentials, a whole GET for `Location`, then ranges from there."""

    def __init__(self, base: str) -> None:
        self.base = base

    def ask(self, url: str, headers: dict[str, str], method: str = "GET"):
        request = urllib.request.Request(urljoin(self.base, url), headers=headers, method=method)
        return urllib.request.urlopen(request, timeout=30)

    def blob(self, name: str, digest: str, parts: int = 3) -> bytes:
        path = f"/v2/{name}/blobs/{digest}"
        with self.ask(path, {}, "HEAD") as head:
            size = int(head.headers["Content-Length"])
        with self.ask(path, {}) as first:
            assert first.status == 200
            place = first.headers["Location"]
            assert place, "http: no Location header in response"
        found, step = b"", -(-size // parts)
        for at in range(0, size, step):
            last = min(size, at + step) - 1
            with self.ask(place, {"Range": f"bytes={at}-{last}"}) as part:
                assert part.status == 206
                found += part.read()
        return found

    def pull(self, name: str, tag: str) -> tuple[bytes, dict[str, bytes]]:
        accept = "application/vnd.docker.distribution.manifest.v2+json"
        with self.ask(f"/v2/{name}/manifests/{tag}", {"Accept": accept}) as answer:
            assert answer.headers["Content-Type"] == accept
            raw = answer.read()
        said = json.loads(raw)
        parts = [one["digest"] for one in (*said["layers"], said["config"])]
        return raw, {digest: self.blob(name, digest) for digest in parts}


def test_a_model_is_pulled_as_ollama_does(served: Served, daemon):
    with OllamaRegistry() as far:
        raw = far.add("library/tiny")
        push_model(served, "registry.ollama.ai/library/tiny", raw, far.blobs)
    client = Client(f"http://{served.host}")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        client.pull("library/tiny", "latest")
    call(served, "PATCH", "/api/v1/settings", json.dumps({"registry_anonymous": True}))
    try:
        got, blobs = client.pull("library/tiny", "latest")
    finally:
        call(served, "PATCH", "/api/v1/settings", json.dumps({"registry_anonymous": False}))
    assert got == raw
    assert all(f"sha256:{hashlib.sha256(data).hexdigest()}" == digest for digest, data in blobs.items())
    assert len(blobs) == 5


def push_model(served: Served, name: str, raw: bytes, blobs: dict[str, bytes]) -> None:
    base, key = f"http://{served.host}/v2/{name}", {"Authorization": f"Bearer {served.secret}"}
    for digest, data in blobs.items():
        request = urllib.request.Request(f"{base}/blobs/uploads/?digest={digest}", data, key, method="POST")
        urllib.request.urlopen(request, timeout=30).close()
    kind = {"Content-Type": "application/vnd.docker.distribution.manifest.v2+json"}
    request = urllib.request.Request(f"{base}/manifests/latest", raw, key | kind, method="PUT")
    urllib.request.urlopen(request, timeout=30).close()
