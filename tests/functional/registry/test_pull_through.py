"""What is not here comes from a real registry upstream, once, and stays when that is gone."""

import concurrent.futures
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ferryman.testing.docker_registry import DockerRegistry
from tests.functional.registry.conftest import Served, Store
from tests.functional.registry.test_logins import call


class Counted(DockerRegistry):
    """Writes a line for each request."""

    def _config(self) -> dict[str, Any]:
        return super()._config() | {"log": {"level": "warn", "accesslog": {"disabled": False}}}


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory, store: Store, skopeo) -> Iterator[DockerRegistry]:
    if DockerRegistry.program() is None:
        pytest.skip("docker-registry is not installed")
    with Counted(tmp_path_factory.mktemp("far")) as registry:
        for tag in ("one", "two"):
            place = f"docker://{registry.host}/team/{tag}:v1"
            skopeo(
                "copy",
                "--all",
                "--preserve-digests",
                "--dest-tls-verify=false",
                f"oci:{store.folder}:{tag}",
                place,
            )
        yield registry


@pytest.fixture
def through(served: Served, far: DockerRegistry) -> Iterator[Served]:
    lines = {"registry_upstreams": f"far.example = http://{far.host}", "registry_fresh_seconds": 0}
    call(served, "PATCH", "/api/v1/settings", json.dumps(lines))
    yield served
    call(served, "PATCH", "/api/v1/settings", json.dumps({"registry_upstreams": ""}))


def requests(far: DockerRegistry, words: str) -> int:
    """How often the registry was asked for something, by its log of accesses."""
    return sum(words in line and "HTTP/1.1" in line for line in (far.folder / "log").read_text().splitlines())


def get(served: Served, path: str) -> bytes:
    request = urllib.request.Request(
        f"http://{served.host}/v2/{path}", headers={"Authorization": f"Bearer {served.secret}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def test_many_who_wait_are_one_fetch(through: Served, far: DockerRegistry, store: Store):
    raw = get(through, "team/one/manifests/v1?ns=far.example")
    assert raw == store.one.raw
    layer = json.loads(raw)["layers"][0]
    path = f"far.example/team/one/blobs/{layer['digest']}"
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda _: get(through, path), range(12)))
    assert {len(data) for data in found} == {layer["size"]}
    assert requests(far, f'"GET /v2/team/one/blobs/{layer["digest"]} ') == 1


def test_skopeo_pulls_through_and_again_without_upstream(
    through: Served, far: DockerRegistry, store: Store, skopeo, tmp_path: Path
):
    place = f"docker://{through.host}/far.example/team/two:v1"
    options = ("--all", "--src-tls-verify=false", "--src-creds", through.creds)
    skopeo("copy", *options, place, f"oci:{tmp_path}/first:v1")
    before = requests(far, '"GET /v2/team/two/blobs/')
    assert before
    skopeo("copy", *options, place, f"oci:{tmp_path}/second:v1")
    assert requests(far, '"GET /v2/team/two/blobs/') == before
    far.stop()
    try:
        skopeo("copy", *options, place, f"oci:{tmp_path}/third:v1")
    finally:
        far.start()
    for name in ("first", "second", "third"):
        index = json.loads((tmp_path / name / "index.json").read_text())
        assert [one["digest"] for one in index["manifests"]] == [store.two.digest]


def test_nothing_is_fetched_for_others(through: Served, far: DockerRegistry):
    for path in (
        "team/one/manifests/v1?ns=other.example",
        "other.example/team/one/manifests/v1",
        "far.example/team/none/manifests/v1",
        "far.example/team/one/blobs/sha256:" + "0" * 64,
    ):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(through, path)
    assert not requests(far, "0" * 64)


def test_containerd_uses_it_as_a_mirror(
    through: Served, far: DockerRegistry, store: Store, ctrd, tmp_path: Path
):
    hosts = tmp_path / "hosts" / "far.example"
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text(
        f'server = "http://127.0.0.1:1"\n[host."http://{through.host}"]\n  capabilities = ["pull", "resolve"]\n'
    )
    call(through, "PATCH", "/api/v1/settings", json.dumps({"registry_anonymous": True}))
    try:
        ctrd.ctr(
            "image",
            "pull",
            "--hosts-dir",
            str(tmp_path / "hosts"),
            "--all-platforms",
            "far.example/team/two:v1",
        )
    finally:
        call(through, "PATCH", "/api/v1/settings", json.dumps({"registry_anonymous": False}))
    assert store.two.digest in ctrd.ctr("image", "ls", "name==far.example/team/two:v1")


def test_a_flipped_bit_comes_again_from_the_upstream(through: Served, far: DockerRegistry, store: Store):
    raw = get(through, "far.example/team/one/manifests/v1")
    digest = json.loads(raw)["layers"][0]["digest"].partition(":")[2]
    whole = get(through, f"far.example/team/one/blobs/sha256:{digest}")
    deadline = time.monotonic() + 60
    while not through.daemon.api("GET", f"/api/v1/depot/blobs?q={digest}")["items"]:
        assert time.monotonic() < deadline  # it is given out before it is kept
        time.sleep(0.05)
    path = through.daemon.home / "depot" / "blobs" / "sha256" / digest[:2] / digest
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    ended = through.daemon.ended(through.daemon.api("POST", "/api/v1/depot/fsck", {})["id"])
    log = through.daemon.api("GET", f"/api/v1/jobs/{ended['id']}/log")
    assert f"repaired: sha256:{digest}" in log["text"], log["text"]
    assert path.read_bytes() == whole
    assert get(through, f"far.example/team/one/blobs/sha256:{digest}") == whole
