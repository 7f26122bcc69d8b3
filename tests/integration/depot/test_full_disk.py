"""A disk without room: a clear error, nothing half-visible, and everything works again when there is room."""

import os
import subprocess

import pytest

from ferryman.core.clock import SystemClock
from ferryman.core.errors import Corrupt, Exhausted
from ferryman.db import Database, sqlite_url
from ferryman.depot.service import Depot
from tests.conformance.depot.making import ORIGIN, digest_of, image, put_image, store

SIZE = 3 << 20


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def depot(small_disk, tmp_path):
    database = Database(sqlite_url(tmp_path / "ferry.db"))
    database.migrate()
    depot = Depot(small_disk / "depot", database, SystemClock())
    yield depot
    depot.close()
    database.close_now()


def bring(depot, content):
    with depot.writer(ORIGIN, digest_of(content)) as writer:
        for start in range(0, len(content), 65536):
            writer.write(content[start : start + 65536])
        writer.commit()


def fill(path):
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_full_disk_leaves_nothing_half_visible(depot):
    made = put_image(depot, "a", "1", b"x" * 1_500_000)
    before = depot.used()
    content = os.urandom(2 << 20)
    with pytest.raises(Exhausted) as caught:
        bring(depot, content)
    assert caught.value.code == "disk_full"
    assert "ferry depot gc" in caught.value.advice
    assert not depot.has(digest_of(content))
    assert not list((depot.folder / "uploads").iterdir())
    with pytest.raises(Exhausted) as known:
        depot.writer(ORIGIN, size=len(content))
    assert known.value.code == "disk_full"
    assert depot.used() == before
    assert list(depot.fsck()) == []
    assert depot.manifest("a", "1").raw == made.raw
    depot.remove("a", "1", ORIGIN)
    depot.gc(grace=0)
    assert depot.size(store(depot, content)) == len(content)


def test_a_manifest_needs_room_too(depot):
    store(depot, b"{}")
    filler = depot.folder.parent / "filler"
    with pytest.raises(OSError, match="space"):
        fill(filler)
    made = image(annotations={"big": "x" * 100_000})
    with pytest.raises(Exhausted):
        depot.put_manifest("a", made, "1", ORIGIN)
    assert depot.tagged("a", "1") is None
    assert not depot.has(made.digest)
    assert not list((depot.folder / "uploads").iterdir())
    filler.unlink()
    depot.put_manifest("a", made, "1", ORIGIN)
    assert depot.manifest("a", "1").raw == made.raw


def test_a_file_of_another_disk_is_copied_in(depot, tmp_path):
    content = os.urandom(1 << 20)
    path = tmp_path / "elsewhere"
    path.write_bytes(b"something else")
    with pytest.raises(Corrupt):
        depot.adopt(path, digest_of(content), ORIGIN)
    path.write_bytes(content)
    assert depot.adopt(path, digest_of(content), ORIGIN).size == len(content)
    assert depot.path(digest_of(content)).read_bytes() == content
