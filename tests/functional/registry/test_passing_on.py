"""Blobs pass through a daemon while they arrive: to raw clients, skopeo and podman, over a kill, in little memory."""

import hashlib
import http.client
import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ferryman.registry.inflow import HELD
from ferryman.testing.docker_registry import PASSWORD, USER, DockerRegistry, TokenServer
from ferryman.testing.liar_registry import Fault, LiarRegistry
from tests.conformance.registry.peers import MANIFEST
from tests.functional.registry.conftest import Served, Store
from tests.functional.running import RunningDaemon, wait
from tests.integration.oci.registries import made_up

SIZE = 48 << 20
HALF = SIZE // 2


class Line:
    """One answer of a daemon's registry, read piece by piece."""

    def __init__(self, daemon: RunningDaemon, path: str, **headers: str) -> None:
        note = json.loads((daemon.home / "daemon.json").read_text())
        secret = (daemon.home / "keys" / "local.token").read_text().strip()
        login = "Basic " + b64encode(f"x:{secret}".encode()).decode()
        self.connection = http.client.HTTPConnection(note["address"].removeprefix("http://"), timeout=60)
        self.connection.request("GET", f"/v2/{path}", headers={"Authorization": login, **headers})
        self.answer = self.connection.getresponse()

    def read(self, count: int | None = None) -> bytes:
        """Read some bytes, or all the rest, and hang up."""
        try:
            return self.answer.read(count)
        finally:
            if count is None:
                self.close()

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def image(far: LiarRegistry, repository: str, *layers: bytes) -> list[str]:
    """Put an image `v1`; return the digests of its layers."""
    config = far.put(repository, b"{}")
    digests = [far.put(repository, layer) for layer in layers]
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "a/b", "digest": config, "size": 2},
        "layers": [
            {"mediaType": "a/c", "digest": digest, "size": len(layer)}
            for digest, layer in zip(digests, layers, strict=True)
        ],
    }
    far.put_manifest(repository, MANIFEST, json.dumps(document).encode(), "v1")
    return digests


def same(found: bytes, wanted: bytes) -> bool:
    """Compare: the difference of megabytes would be drawn for minutes."""
    return found == wanted


def sent(far: LiarRegistry, digest: str) -> int:
    return sum(one.sent for one in far.seen("GET", digest) if one.status in {200, 206})


@pytest.fixture
def far() -> Iterator[LiarRegistry]:
    with LiarRegistry() as registry:
        yield registry


@pytest.fixture
def own(tmp_path: Path, far: LiarRegistry) -> Iterator[RunningDaemon]:
    running = RunningDaemon(tmp_path / "home", registry_upstreams=f"far.example = http://{far.host}")
    running.start()
    yield running
    running.kill()


def test_many_clients_one_fetch_little_memory_and_a_client_that_does_not_read(
    own: RunningDaemon, far: LiarRegistry
):
    layer = made_up(1 << 20) * (SIZE >> 20)
    (digest,) = image(far, "team/x", layer)
    gate = threading.Event()
    far.faults.append(Fault("GET", digest, after=HALF, gate=gate))
    path = f"far.example/team/x/blobs/{digest}"
    Line(own, "far.example/team/x/manifests/v1").read()
    # This one never reads on: nobody waits for it, and nothing is kept in memory for it.
    lazy = Line(own, path)
    assert len(lazy.read(1)) == 1
    quick = [Line(own, path) for _ in range(10)]
    for line in quick:
        assert same(line.read(HALF - HELD), layer[: HALF - HELD])
    assert sent(far, digest) == HALF
    ranged = Line(own, path, Range=f"bytes={SIZE - 70_000}-")
    gate.set()
    with ThreadPoolExecutor(11) as pool:
        rest = list(pool.map(Line.read, [*quick, ranged]))
    assert all(same(found, layer[HALF - HELD :]) for found in rest[:-1])
    assert ranged.answer.status == 206
    assert same(rest[-1], layer[-70_000:])
    assert len(far.seen("GET", digest)) == 1
    assert sent(far, digest) == SIZE
    lazy.close()
    assert own.process
    peak = (Path("/proc") / str(own.process.pid) / "status").read_text().partition("VmHWM:")[2].split()[0]
    assert int(peak) < 400_000


def test_a_kill_in_the_middle_leaves_nothing_half_and_the_next_request_goes_on(
    own: RunningDaemon, far: LiarRegistry
):
    layer = made_up(1 << 20) * (SIZE >> 20)
    (digest,) = image(far, "team/x", layer)
    gate = threading.Event()
    far.faults.append(Fault("GET", digest, after=HALF, gate=gate))
    path = f"far.example/team/x/blobs/{digest}"
    Line(own, "far.example/team/x/manifests/v1").read()
    line = Line(own, path)
    line.read(HALF - HELD)
    own.kill()
    gate.set()
    with pytest.raises((http.client.IncompleteRead, OSError)):
        line.read()
    own.start()
    before = sent(far, digest)
    assert own.api("GET", "/api/v1/depot/blobs?limit=100")["items"] is not None
    assert digest not in json.dumps(own.api("GET", "/api/v1/depot/blobs?limit=100"))
    again = Line(own, path)
    assert same(again.read(), layer)
    assert far.seen("GET", digest)[-1].headers["range"] == f"bytes={HALF}-"
    assert sent(far, digest) - before == HALF
    wait(
        lambda: digest in json.dumps(own.api("GET", "/api/v1/depot/blobs?limit=100")), "the blob in the depot"
    )


def test_what_is_wrong_is_cut_off_for_a_client_of_http(own: RunningDaemon, far: LiarRegistry):
    layer = made_up(1 << 20) * 4
    (digest,) = image(far, "team/x", layer)
    far.faults.append(Fault("GET", digest, content=layer[:-1] + b"?"))
    Line(own, "far.example/team/x/manifests/v1").read()
    line = Line(own, f"far.example/team/x/blobs/{digest}")
    assert line.answer.getheader("Content-Length") == str(len(layer))
    with pytest.raises(http.client.IncompleteRead) as caught:
        line.read()
    assert len(caught.value.partial) <= len(layer) - HELD
    assert same(Line(own, f"far.example/team/x/blobs/{digest}").read(), layer)


@pytest.fixture
def remote(tmp_path: Path, store: Store, skopeo) -> Callable[[DockerRegistry], None]:
    """Fills a docker-registry with `team/two:v1`."""

    def fill(registry: DockerRegistry) -> None:
        skopeo(
            "copy", "--all", "--preserve-digests", "--dest-tls-verify=false", "--dest-creds", f"{USER}:{PASSWORD}",
            f"oci:{store.folder}:two", f"docker://{registry.host}/team/two:v1",
        )  # fmt: skip

    return fill


@pytest.mark.parametrize("way", ["htpasswd", "tokens"])
def test_a_login_of_the_settings_lets_us_in(
    served: Served, store: Store, skopeo, podman, remote, tmp_path: Path, way: str
):
    if DockerRegistry.program() is None:
        pytest.skip("docker-registry is not installed")
    api, name = served.daemon.api, f"{way}.example"
    with TokenServer(tmp_path / "tokens", public=frozenset(), lifetime=60) as tokens:
        more = {"htpasswd": True} if way == "htpasswd" else {"tokens": tokens}
        with DockerRegistry(tmp_path / "far", **more) as far:
            remote(far)
            api("PATCH", "/api/v1/settings", {"registry_upstreams": f"{name} = http://{far.host}"})
            place = f"docker://{served.host}/{name}/team/two:v1"
            words = ("copy", "--all", "--src-tls-verify=false", "--src-creds", served.creds, place)
            with pytest.raises(Exception, match=r"manifest unknown|unauthorized|not found"):
                skopeo(*words, f"oci:{tmp_path}/none:v1")
            changed = served.daemon.ferry("settings", "set", f"registry_logins={name} = {USER}:{PASSWORD}")
            assert PASSWORD not in changed.stdout + changed.stderr
            skopeo(*words, f"oci:{tmp_path}/out:v1")
            index = json.loads((tmp_path / "out" / "index.json").read_text())
            assert [one["digest"] for one in index["manifests"]] == [store.two.digest]
            login = ("--tls-verify=false", "--creds", served.creds)
            podman("pull", *login, f"{served.host}/{name}/team/two:v1")
            tags = skopeo(
                "list-tags", "--tls-verify=false", "--creds", served.creds, place.removesuffix(":v1")
            )
            assert "v1" in json.loads(tags)["Tags"]
            # What is shown can be sent back: the password stays.
            shown = next(
                one for one in api("GET", "/api/v1/settings")["items"] if one["name"] == "registry_logins"
            )
            assert shown["value"] == f"{name} = {USER}:***"
            api("PATCH", "/api/v1/settings", {"registry_logins": shown["value"]})
    assert_nowhere(served.daemon, PASSWORD)
    api("PATCH", "/api/v1/settings", {"registry_upstreams": None, "registry_logins": None})


def assert_nowhere(daemon: RunningDaemon, secret: str) -> None:
    """Look for a secret wherever the daemon writes, and in what it shows."""
    said = [json.dumps(daemon.api("GET", path)) for path in ("/api/v1/settings", "/api/v1/audit")]
    said += [daemon.ferry("settings", "list").stdout, daemon.ferry("settings", "export").stdout]
    assert not [one for one in said if secret in one]
    files = [daemon.output, *(path for path in daemon.home.rglob("*") if path.is_file())]
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    assert hashlib.sha256(secret.encode()).hexdigest() not in daemon.output.read_text()


def test_skopeo_follows_a_blob_that_arrives(own: RunningDaemon, far: LiarRegistry, skopeo, tmp_path: Path):
    layers = [made_up(3_000_000, str(number)) for number in range(3)]
    digests = image(far, "team/x", *layers)
    gate = threading.Event()
    far.faults += [Fault("GET", digest, after=1_000_000, gate=gate) for digest in digests]
    note = json.loads((own.home / "daemon.json").read_text())
    secret = (own.home / "keys" / "local.token").read_text().strip()
    place = f"docker://{note['address'].removeprefix('http://')}/far.example/team/x:v1"

    def pull(number: int) -> None:
        words = ("--src-tls-verify=false", "--src-creds", f"x:{secret}")
        skopeo("copy", *words, place, f"dir:{tmp_path}/out{number}")

    with ThreadPoolExecutor(3) as pool:
        pulls = [pool.submit(pull, number) for number in range(3)]
        assert far.wait_for(lambda: any(far.seen("GET", digest) for digest in digests))
        gate.set()
        for one in pulls:
            one.result()
    for digest, layer in zip(digests, layers, strict=True):
        assert sent(far, digest) == len(layer)
        assert same((tmp_path / "out2" / digest.removeprefix("sha256:")).read_bytes(), layer)
