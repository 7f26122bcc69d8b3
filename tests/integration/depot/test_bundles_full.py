"""Disks that are full while a bundle is written or loaded: nothing half is visible, and it goes on when there is room."""

import errno
import os
import random
import subprocess

import pytest

from ferryman.core.errors import Denied, Exhausted
from ferryman.depot.bundles.output import written
from tests.conformance.depot.making import put_image
from tests.integration.depot.test_bundles import Site, digests, everything

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={3 * MIB}", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def enlarge(place):
    subprocess.run(["mount", "-o", f"remount,size={64 * MIB}", str(place)], check=True)


@pytest.fixture
def here(tmp_path):
    site = Site(tmp_path / "here")
    put_image(site.depot, "team/app", "1", *(random.Random(at).randbytes(MIB) for at in range(4)))
    yield site
    site.close()


def shown(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("zstd", [False, True])
def test_writing(here, small_disk, zstd):
    output = small_disk / "app.bundle"
    with pytest.raises(Exhausted) as told:
        here.create("team/app:1", to=output, zstd=zstd)
    assert (told.value.code, str(output) in told.value.message) == ("disk_full", True)
    assert shown(small_disk) == []
    assert sum(path.stat().st_size for path in small_disk.iterdir()) < 100_000, "the room is free again"
    size = 1_300_000
    with pytest.raises(Exhausted):
        here.create("team/app:1", to=output, zstd=zstd, volume_size=size)
    assert shown(small_disk) == ["app.bundle.001", "app.bundle.002"]
    enlarge(small_disk)
    made = here.create("team/app:1", to=output, zstd=zstd, volume_size=size)
    assert made.kept > 2 * MIB
    assert here.verify(output).size == made.bundle.size
    assert shown(small_disk) == [path.name for path in made.files]
    assert len(list(small_disk.iterdir())) == len(made.files)


def test_loading(here, tmp_path, small_disk):
    there = Site(tmp_path / "there", small_disk / "depot")
    there.keys.trust("here", str(here.keys.own()))
    file = here.create("team/app:1").files[0]
    with pytest.raises(Exhausted) as told:
        there.load(file)
    assert told.value.code == "disk_full"
    assert not everything(there.depot)
    assert there.depot.repositories() == []
    enlarge(small_disk)
    loaded = there.load(file)
    assert loaded.complete
    assert loaded.read <= 3 * MIB, "what was in by then is not read again"
    assert digests(there.depot) == digests(here.depot)
    there.close()


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, Exhausted), (errno.EDQUOT, Exhausted), (errno.EROFS, Denied)]
)
def test_what_a_failed_write_leaves(tmp_path, number, kind):
    (tmp_path / "a").write_bytes(b"before")

    def write():
        with written(tmp_path / "a") as out:
            out.write(b"half of it")
            raise OSError(number, os.strerror(number))

    with pytest.raises(kind):
        write()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"before")]
