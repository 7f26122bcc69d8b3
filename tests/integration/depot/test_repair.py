"""A flipped bit is found, set aside and brought again, from every kind of place that content can come from."""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ferryman.core.clock import SystemClock
from ferryman.core.digests import Digest
from ferryman.db import Database, sqlite_url
from ferryman.depot.service import Depot
from ferryman.testing.containerd import Containerd, containerd
from ferryman.testing.docker_registry import PASSWORD, USER, DockerRegistry
from ferryman.testing.dockerd import Dockerd, dockerd
from ferryman.testing.images import Images
from ferryman.testing.ollama import OllamaRegistry
from tests.integration.depot.test_copying import Ferry, needs_registry

pytestmark = pytest.mark.timeout(300)  # commands are processes of their own, engines start slowly


class Site:
    """A home, images, and what is kept of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.ferry = Ferry(self.home)
        self.images = Images(folder / "made", seed=3)
        self.made = self.images.image([self.images.noise(90_000, 1), self.images.noise(40_000, 2)], tag="1")
        self._database: Database | None = None

    def copy(self, *words: str) -> None:
        said = self.ferry("copy", *words)
        assert said.code == 0, said.err

    @property
    def depot(self) -> Depot:
        if self._database is None:
            self._database = Database(sqlite_url(self.home / "ferry.db"))
            self._depot = Depot(self.home / "depot", self._database, SystemClock())
        return self._depot

    def close(self) -> None:
        if self._database is not None:
            self._depot.close()
            self._database.close_now()

    def everything(self, repository: str) -> list[Digest]:
        """The manifest of a repository's only tag, its configuration and its layers."""
        manifest = self.depot.manifest(repository, self.depot.tags(repository)[0])
        return [manifest.digest, *(blob.digest for blob in manifest.blobs)]

    def flip(self, digest: Digest) -> bytes:
        """Flip one bit of the file; return what it was."""
        path = self.depot.path(digest)
        was = path.read_bytes()
        changed = bytearray(was)
        changed[len(was) // 2] ^= 4
        path.write_bytes(changed)
        return was

    def check(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        said = self.ferry("depot", "fsck", *words, "--json")
        assert said.code == code, said.out + said.err
        found: list[dict[str, Any]] = json.loads(said.out)["findings"]
        return found

    def flip_and_mend(self, repository: str, *words: str) -> list[dict[str, Any]]:
        """Damage all of an image; after one check all is as it was."""
        was = {digest: self.flip(digest) for digest in self.everything(repository)}
        found = self.check("--repair", *words)
        assert [(one["trouble"], one["repaired"]) for one in found] == [("damaged", True)] * len(was), found
        for digest, content in was.items():
            assert self.depot.path(digest).read_bytes() == content
            assert list((self.home / "depot" / "damaged").glob(f"*{digest.hex}*"))
        assert self.check() == []
        return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def engine() -> Iterator[Dockerd]:
    try:
        with dockerd() as server:
            yield server
    except (FileNotFoundError, PermissionError) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def ctrd() -> Iterator[Containerd]:
    try:
        with containerd() as server:
            yield server
    except (FileNotFoundError, PermissionError) as error:
        pytest.skip(str(error))


def packed(site: Site, kind: str) -> str:
    """An archive or folder of the image, as another program made it."""
    place = site.folder / f"image.{kind}"
    target = f"{kind}:{place}" + (":example.test/app:1" if kind == "docker-archive" else ":1")
    site.copy(f"oci:{site.images.folder}:1", target)
    return f"{kind}:{place}"


@pytest.mark.parametrize("kind", ["oci", "oci-archive", "docker-archive"])
def test_from_files(site: Site, kind: str) -> None:
    place = packed(site, kind)
    site.copy(place, "depot:team/app")
    found = site.flip_and_mend("team/app")
    assert {one["source"] for one in found} == {place}
    assert str(site.depot.blob(site.everything("team/app")[1]).origin.source) == place


@needs_registry
def test_from_a_registry_with_a_login(site: Site) -> None:
    with DockerRegistry(site.folder / "registry", htpasswd=True) as registry:
        plain = f"docker://{registry.host}/team/app"
        subprocess.run(
            ["skopeo", "copy", "--dest-tls-verify=false", f"--dest-creds={USER}:{PASSWORD}",
             f"oci:{site.images.folder}:1", f"{plain}:1"],
            check=True, capture_output=True,
        )  # fmt: skip
        auth = site.folder / ".docker"
        auth.mkdir()
        entry = {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
        (auth / "config.json").write_text(json.dumps({"auths": {registry.host: entry}}))
        site.copy(f"{plain}:1", "depot:team/app", "--plain-http")
        site.flip_and_mend("team/app", "--plain-http")
        (auth / "config.json").write_text("{}")
        site.flip(site.everything("team/app")[1])
        (left,) = site.check("--repair", "--plain-http", code=1)
        assert registry.host in left["detail"]


def test_a_model_from_a_registry_of_ollama(site: Site) -> None:
    with OllamaRegistry() as registry:
        registry.add("library/tiny", size=50_000)
        site.copy(f"docker://127.0.0.1:{registry.port}/library/tiny:latest", "depot:tiny", "--plain-http")
        site.flip_and_mend("tiny", "--plain-http")


def test_from_the_docker_engine(site: Site, engine: Dockerd) -> None:
    site.ferry.environment["DOCKER_HOST"] = engine.host
    site.copy(f"oci:{site.images.folder}:1", "docker-daemon:example.test/app:1")
    site.copy("docker-daemon:example.test/app:1", "depot:team/app")
    site.flip_and_mend("team/app")


def test_from_containerd(site: Site, ctrd: Containerd) -> None:
    site.ferry.environment["CONTAINERD_ADDRESS"] = ctrd.address
    site.copy(f"oci:{site.images.folder}:1", "containerd:example.test/app:1")
    site.copy("containerd:example.test/app:1", "depot:team/app")
    site.flip_and_mend("team/app")


@pytest.mark.parametrize("words", [(), ("--volume-size", "64KiB")])
def test_from_the_volumes_of_a_bundle(site: Site, tmp_path: Path, words: tuple[str, ...]) -> None:
    sender = Ferry(tmp_path / "sender")
    for said in (
        sender("copy", f"oci:{site.images.folder}:1", "depot:team/app"),
        sender("bundle", "create", "team/app:1", "-o", str(tmp_path / "b.tar"), *words),
    ):
        assert said.code == 0, said.err
    key = sender("bundle", "key").out.strip()
    assert site.ferry("bundle", "trust", "sender", key).code == 0
    volumes = sorted(map(str, tmp_path.glob("b.*")))
    assert (len(volumes) > 1) is bool(words)
    loaded = site.ferry("bundle", "load", *volumes)
    assert loaded.code == 0, loaded.err
    site.flip_and_mend("team/app")
    for volume in volumes:
        Path(volume).rename(volume + ".away")
    site.flip(site.everything("team/app")[1])
    (left,) = site.check("--repair", code=1)
    assert "to load it again repairs it" in left["detail"]


def test_every_place_is_tried_in_turn(site: Site, tmp_path: Path) -> None:
    places = [packed(site, kind) for kind in ("oci-archive", "oci")]
    site.copy(places[0], "depot:team/app")
    site.copy(places[1], "depot:team/other")
    layer = site.everything("team/app")[1]
    assert {one.source for one in site.depot.origins(layer)} == set(places)
    gone = Path(places[0].partition(":")[2])
    gone.rename(tmp_path / "away")
    was = site.flip(layer)
    (found,) = site.check("--repair")
    assert found["repaired"]
    assert site.depot.path(layer).read_bytes() == was
    second = Path(places[1].partition(":")[2])
    (second / "blobs" / "sha256" / layer.hex).write_bytes(b"x" * len(was))
    site.flip(layer)
    (left,) = site.check("--repair", code=1)
    assert all(place in left["detail"] for place in places)
    (tmp_path / "away").rename(gone)
    (mended,) = site.check("--repair")
    assert (mended["trouble"], mended["repaired"]) == ("missing", True)
