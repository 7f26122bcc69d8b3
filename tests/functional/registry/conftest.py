"""A daemon that serves its depot, images made here, and the clients people use."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ferryman.testing.containerd import Containerd, containerd
from ferryman.testing.dockerd import Dockerd, dockerd
from ferryman.testing.images import Images, Made
from tests.functional.running import RunningDaemon


@dataclass(frozen=True)
class Store:
    """A layout with `one`, an image, and `two`, an index of two platforms with signatures."""

    folder: Path
    one: Made
    two: Made


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("registry-images") / "layout"
    images = Images(folder, seed=5)
    one = images.image([images.base(400_000), images.layer({"etc/greeting": b"hello\n"})], tag="one")
    two = images.two_platforms("two")
    images.signed(two, "tag")
    return Store(folder, one, two)


@dataclass(frozen=True)
class Served:
    """A daemon's registry: `host` with its port, and the secret that lets clients in as anybody."""

    daemon: RunningDaemon
    host: str
    secret: str

    @property
    def creds(self) -> str:
        return f"tester:{self.secret}"


@pytest.fixture(scope="module")
def served(daemon: RunningDaemon) -> Served:
    note = json.loads((daemon.home / "daemon.json").read_text())
    secret = (daemon.home / "keys" / "local.token").read_text().strip()
    return Served(daemon, note["address"].removeprefix("http://"), secret)


def run(*words: str | Path) -> str:
    """Run a program and return what it prints; what it complains about is in the error."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, f"{words[:3]}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def engine() -> Iterator[Dockerd]:
    try:
        with dockerd() as server:
            yield server
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def ctrd() -> Iterator[Containerd]:
    try:
        with containerd() as server:
            yield server
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def podman() -> Iterator[Callable[..., str]]:
    """Podman with a store of its own; the path is short, since it refuses long ones."""
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed (Debian: podman)")
    folder = Path(tempfile.mkdtemp(prefix="ferryman-podman-"))
    words = ("podman", f"--root={folder}/root", f"--runroot={folder}/run", "--storage-driver=vfs")
    try:
        yield lambda *more: run(*words, *more)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def skopeo() -> Callable[..., str]:
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed (Debian: skopeo)")
    return lambda *more: run("skopeo", *more)
