"""A foreign registry without room: said at once with its name and a remedy, nothing half visible, and on from what is there."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferryman.testing.docker_registry import DockerRegistry
from ferryman.testing.images import Images
from ferryman.testing.liar_registry import Fault, LiarRegistry
from tests.integration.depot.relay import Relay
from tests.integration.depot.test_copying import Ferry, needs_registry

MIB = 1 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[DockerRegistry]:
    """A registry on a disk of 40 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    place = tmp_path / "small" / "content"
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(place)], check=True)
    try:
        with DockerRegistry(tmp_path / "small") as registry:
            yield registry
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    return Ferry(tmp_path / "home")


@needs_registry
def test_a_full_disk_of_docker_registry(small: DockerRegistry, ferry: Ferry, tmp_path: Path) -> None:
    images = Images(tmp_path / "made", seed=5)
    layers = [images.noise(12 * MIB, seed=1), images.noise(30 * MIB, seed=2), images.noise(16 * MIB, seed=3)]
    made = images.image(layers, tag="1")
    with DockerRegistry(tmp_path / "source") as source:
        images.push(f"127.0.0.1:{source.port}", "team/app", made, "1")
        name = f"127.0.0.1:{source.port}/team/app:1"
        assert ferry("get", f"docker://{name}", "--plain-http").code == 0
    words = ("push", name, f"docker://127.0.0.1:{small.port}/team/app:1", "--plain-http", "--json")
    full = ferry(*words)
    assert full.code == 1, full.err
    (image,) = full.json["images"]
    assert image["error"]["code"] == "registry_full"
    assert f"127.0.0.1:{small.port}/team/app" in image["error"]["detail"]
    assert "Make room" in image["error"]["advice"]
    tags = ferry("tags", f"docker://127.0.0.1:{small.port}/team/app", "--plain-http")
    assert tags.code == 3, "no tag"
    subprocess.run(["mount", "-o", "remount,size=200m", str(small.content)], check=True)
    with Relay(small.port) as relay:
        again = ferry(*(word.replace(f"127.0.0.1:{small.port}", relay.host) for word in words))
        assert again.code == 0, again.err
        there = again.json["plan"]["there_bytes"]
        assert there >= 12 * MIB
        assert relay.up < sum(made.sizes().values()) - there + MIB, "only what is missing goes up"


@pytest.mark.parametrize(
    ("status", "body", "code", "exit_code"),
    [
        (507, b"", "registry_full", 1),
        (500, b'{"errors":[{"code":"UNKNOWN","detail":{"Op":"write","Err":28}}]}', "registry_full", 1),
        (503, b"No space left on device", "registry_full", 1),
        (413, b"", "registry_too_small", 2),
    ],
)
def test_registries_say_it_in_many_ways(
    ferry: Ferry, tmp_path: Path, status: int, body: bytes, code: str, exit_code: int
) -> None:
    images = Images(tmp_path / "made", seed=6)
    images.image([images.noise(3 * MIB, seed=1)], tag="1")
    with LiarRegistry() as liar:
        liar.faults += [
            Fault(method, "/blobs/uploads/", times=100, status=status, content=body)
            for method in ("PUT", "PATCH")
        ]
        words = (
            "copy",
            f"oci:{images.folder}:1",
            f"docker://{liar.host}/team/app:1",
            "--plain-http",
            "--json",
        )
        refused = ferry(*words)
        assert refused.code == exit_code, refused.out
        (image,) = refused.json["images"]
        assert image["error"]["code"] == code
        assert liar.host in image["error"]["detail"]
        assert image["error"]["advice"]
        assert not liar.manifests
        tries = [one for one in liar.seen() if one.method in {"PUT", "PATCH"}]
        assert len(tries) < 12, "what is full is not asked again and again"
        liar.faults.clear()
        assert ferry(*words).code == 0
        assert ("team/app", "1") in liar.manifests
