"""Images once per session, servers once per module that asks."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ferryman.testing.containerd import Containerd, containerd
from ferryman.testing.dockerd import Dockerd, dockerd, remove, run
from ferryman.testing.images import Images, Made


@dataclass(frozen=True)
class Store:
    folder: Path
    one: Made
    two: Made


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A layout with `one` (one image) and `two` (two platforms), the latter signed and attested in both forms."""
    folder = tmp_path_factory.mktemp("images") / "layout"
    images = Images(folder, seed=11)
    one = images.image([images.base(300_000), images.layer({"etc/greeting": b"hello\n"})], tag="one")
    two = images.two_platforms("two")
    for form in ("tag", "referrer"):
        images.signed(two, form)
        images.attested(two, form)
    images.listed(two)
    return Store(folder, one, two)


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


@pytest.fixture(scope="module")
def podman() -> Iterator[Callable[..., str]]:
    """Podman with a store of its own; the path is short, since it refuses long ones."""
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed (Debian: podman)")
    folder = Path(tempfile.mkdtemp(prefix="ferryman-podman-"))
    own = ["podman", f"--root={folder}/root", f"--runroot={folder}/run", "--storage-driver=vfs"]
    yield lambda *words: run([*own, *map(str, words)], folder)
    remove(folder)
