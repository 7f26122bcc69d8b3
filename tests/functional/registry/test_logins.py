"""People sign in with `docker login` and its like, with a password or an API token, and Ollama's way of pulling works."""

import hashlib
import http.client
import json
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from urllib.parse import urljoin

import pytest

from ferryman.testing.ollama import OllamaRegistry
from tests.functional.registry.conftest import Served, Store

PASSWORD = "over the dark water"


def user(served: Served, name: str, role: str = "member") -> str:
    """Make a user with a password; return name and password as clients take them."""
    call(served, "POST", "/api/v1/users", json.dumps({"name": name, "role": role, "password": PASSWORD}))
    return f"{name}:{PASSWORD}"


def token(served: Served, owner: str, *scopes: str) -> dict:
    """Make an API token: its `id` and `secret`."""
    return served.daemon.api("POST", "/api/v1/tokens", {"user": owner, "name": "ci", "scopes": list(scopes)})


@pytest.fixture(scope="module")
def ann(served: Served) -> str:
    """A member with a password."""
    return user(served, "ann")


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


@pytest.mark.parametrize("client", ["podman", "skopeo"])
def test_an_api_token_is_a_password_until_it_is_revoked(
    served: Served, store: Store, skopeo, podman, ann: str, tmp_path: Path, client: str
):
    del ann
    made = token(served, "ann", "depot:read", "depot:write")
    file = tmp_path / "auth.json"
    words = ("login", "--tls-verify=false", "--authfile", str(file), served.host, "--username", "robot")
    program = podman if client == "podman" else skopeo
    assert "Login Succeeded" in program(*words, "--password", made["secret"])
    place = f"docker://{served.host}/robots/{client}:v1"
    copy = ("copy", "--dest-tls-verify=false", "--dest-authfile", str(file), f"oci:{store.folder}:one", place)
    skopeo(*copy)
    served.daemon.api("DELETE", f"/api/v1/tokens/{made['id']}")
    for refused in (copy, (*words, "--password", made["secret"])):
        with pytest.raises(AssertionError, match=r"(?i)unauthorized|invalid username/password"):
            skopeo(*refused)


def test_docker_signs_in(served: Served, engine, ann: str):
    made = token(served, "ann", "depot:read")
    del ann
    for name, secret in (("ann", PASSWORD), ("robot", made["secret"])):
        told = engine.docker("login", "--username", name, "--password", secret, served.host)
        assert "Login Succeeded" in told
        engine.docker("logout", served.host)
    with pytest.raises(RuntimeError, match="unauthorized: The name, password or token is wrong"):
        engine.docker("login", "--username", "ann", "--password", "wrong", served.host)


class Stranger:
    """Knocks from another address of this machine."""

    def __init__(self, served: Served, source: str) -> None:
        self.host, self.source = served.host, source

    def ask(self, method: str, path: str, body: str | None = None, **headers: str):
        """One request: status, code of the error, and seconds to wait."""
        host, _, port = self.host.partition(":")
        line = http.client.HTTPConnection(host, int(port), timeout=30, source_address=(self.source, 0))
        try:
            line.request(method, path, body, headers)
            answer = line.getresponse()
            document = json.loads(answer.read() or b"{}")
            code = document["errors"][0]["code"] if "errors" in document else ""
            return answer.status, code, answer.headers["Retry-After"]
        finally:
            line.close()

    def basic(self, path: str, name: str, secret: str):
        key = b64encode(f"{name}:{secret}".encode()).decode()
        return self.ask("GET", path, Authorization=f"Basic {key}")


@pytest.mark.parametrize("way", ["token endpoint", "basic", "posted"])
def test_guessing_is_slowed_down_and_shuts_out_nobody_elsewhere(
    served: Served, skopeo, way: str, tmp_path: Path
):
    """Where one guesses, the right password has to wait as well; at other addresses nobody notices."""
    name = f"user.{way.split(maxsplit=1)[0]}"
    user(served, name)
    stranger = Stranger(served, f"127.0.0.{10 + len(way)}")
    form = "grant_type=password&username={}&password={}"

    def attempt(secret: str):
        if way == "posted":
            return stranger.ask("POST", "/v2/token", form.format(name, secret.replace(" ", "+")))
        return stranger.basic("/v2/" if way == "basic" else "/v2/token", name, secret)

    told = [attempt(f"guess {number}") for number in range(8)]
    assert told[0][:2] == (401, "UNAUTHORIZED")
    assert {one[0] for one in told} == {401, 429}
    status, code, wait = next(one for one in told if one[0] == 429)
    assert (status, code) == (429, "TOOMANYREQUESTS")
    assert int(wait) > 0
    while (again := attempt("guess"))[0] != 429:  # on a slow machine the wait may be over
        assert again[0] == 401
    assert attempt(PASSWORD)[0] == 429
    login = ("login", "--tls-verify=false", "--authfile", str(tmp_path / "auth.json"), served.host)
    assert "Login Succeeded" in skopeo(*login, "--username", name, "--password", PASSWORD)
    secret = token(served, name, "depot:read")["secret"]
    assert stranger.basic("/v2/", "x", secret)[0] == 200  # tokens cannot be guessed


def test_deletions_are_in_the_audit_log(served: Served, store: Store, skopeo):
    """By a client of the registry, by the API, and by the command."""
    key = user(served, "olga", "operator")
    for tag in ("v1", "v2", "v3"):
        options = ("--dest-tls-verify=false", "--dest-creds", key)
        skopeo("copy", *options, f"oci:{store.folder}:one", f"docker://{served.host}/noted/{tag}:{tag}")
    skopeo("delete", "--tls-verify=false", "--creds", key, f"docker://{served.host}/noted/v1:v1")
    served.daemon.api("POST", "/api/v1/depot/removals", {"target": "noted/v2:v2"})
    served.daemon.ferry("depot", "rm", "noted/v3:v3", "--yes")
    items = served.daemon.api("GET", "/api/v1/audit?action=depot")["items"][:3]
    command, api, client = items
    assert (command["action"], command["target"]) == ("depot.remove", "noted/v3:v3")
    assert command["actor"].startswith("local")
    assert (api["action"], api["target"], api["actor"]) == ("depot.remove", "noted/v2:v2", "local")
    assert api["detail"]["client"] == "127.0.0.1"
    assert (client["action"], client["actor"], client["via"]) == ("depot.delete", "olga", "password")
    assert client["detail"]["tags"] == ["v1"]


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
