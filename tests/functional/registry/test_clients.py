"""The clients people use push to a daemon and pull from it, and no digest changes."""

import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.functional.registry.conftest import Served, Store


def manifest(served: Served, repository: str, reference: str) -> tuple[bytes, str]:
    """What the registry has, and its digest."""
    key = b64encode(served.creds.encode()).decode()
    request = urllib.request.Request(
        f"http://{served.host}/v2/{repository}/manifests/{reference}",
        headers={"Authorization": f"Basic {key}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read(), answer.headers["Docker-Content-Digest"]


def layers(raw: bytes) -> list[str]:
    return [layer["digest"] for layer in json.loads(raw)["layers"]]


def put(skopeo: Callable[..., str], served: Served, store: Store, place: str) -> None:
    """Push the image as it is."""
    options = ("--preserve-digests", "--dest-tls-verify=false", "--dest-creds", served.creds)
    skopeo("copy", *options, f"oci:{store.folder}:one", f"docker://{place}")


def test_skopeo(served: Served, store: Store, skopeo, tmp_path: Path):
    place = f"docker://{served.host}/skopeo/two"
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    skopeo("copy", "--all", *plain, "--dest-creds", served.creds, f"oci:{store.folder}:two", f"{place}:v1")
    assert manifest(served, "skopeo/two", "v1") == (store.two.raw, store.two.digest)
    skopeo("copy", "--all", *plain, "--src-creds", served.creds, f"{place}:v1", f"oci:{tmp_path}/out:v1")
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert [one["digest"] for one in index["manifests"]] == [store.two.digest]
    tags = skopeo("list-tags", "--tls-verify=false", "--creds", served.creds, place)
    assert json.loads(tags)["Tags"] == ["v1"]
    skopeo("delete", "--tls-verify=false", "--creds", served.creds, f"{place}:v1")
    tags = skopeo("list-tags", "--tls-verify=false", "--creds", served.creds, place)
    assert not json.loads(tags)["Tags"]


def test_podman(served: Served, store: Store, skopeo, podman, tmp_path: Path):
    place = f"{served.host}/podman/one:v1"
    number = podman("pull", "-q", f"oci:{store.folder}:one").strip()
    podman("push", "--creds", served.creds, "--tls-verify=false", number, place)
    raw, digest = manifest(served, "podman/one", "v1")
    podman("rmi", "--force", number)
    again = podman("pull", "-q", "--creds", served.creds, "--tls-verify=false", place).strip()
    assert json.loads(podman("inspect", again))[0]["Digest"] == digest
    assert len(layers(raw)) == 2


def test_podman_keeps_the_digest_of_what_it_pulls(served: Served, store: Store, skopeo, podman):
    place = f"{served.host}/podman/kept"
    podman("rmi", "--all", "--force")
    put(skopeo, served, store, f"{place}:v1")
    pinned = f"{place}@{store.one.digest}"
    number = podman("pull", "-q", "--creds", served.creds, "--tls-verify=false", pinned).strip()
    assert json.loads(podman("inspect", number))[0]["Digest"] == store.one.digest


def test_docker(served: Served, store: Store, skopeo, engine):
    place = f"{served.host}/docker/one"
    put(skopeo, served, store, f"{place}:v1")
    engine.docker("login", "--username", "tester", "--password", served.secret, served.host)
    try:
        told = engine.docker("pull", f"{place}:v1")
        assert store.one.digest in told
        engine.docker("tag", f"{place}:v1", f"{place}:again")
        engine.docker("rmi", f"{place}:v1")
        engine.docker("push", f"{place}:again")
    finally:
        engine.docker("logout", served.host)
    raw, _ = manifest(served, "docker/one", "again")
    assert len(layers(raw)) == 2


def test_containerd(served: Served, store: Store, skopeo, ctrd, tmp_path: Path):
    place = f"{served.host}/containerd/two:v1"
    archive = tmp_path / "two.tar"
    skopeo("copy", "--all", f"oci:{store.folder}:two", f"oci-archive:{archive}:v1")
    ctrd.ctr("image", "import", "--all-platforms", "--index-name", place, str(archive))
    ctrd.ctr("image", "push", "--plain-http", "--user", served.creds, place)
    _, digest = manifest(served, "containerd/two", "v1")
    assert digest in ctrd.ctr("image", "ls", f"name=={place}")
    ctrd.ctr("image", "rm", place)
    ctrd.ctr("image", "pull", "--plain-http", "--all-platforms", "--user", served.creds, place)
    assert digest in ctrd.ctr("image", "ls", f"name=={place}")


def test_nobody_gets_in_without_a_token(served: Served):
    for path in ("/v2/", "/v2/skopeo/two/tags/list", "/v2/_catalog"):
        request = urllib.request.Request(f"http://{served.host}{path}")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)
        assert caught.value.code == 401
        assert caught.value.headers["WWW-Authenticate"].startswith("Bearer realm=")
        assert json.loads(caught.value.read())["errors"][0]["code"] == "UNAUTHORIZED"
