"""A disk without room: 507 with the error body of the specification, nothing half visible, and uploads go on afterwards."""

import asyncio
import os
import subprocess
from contextlib import contextmanager

import pytest

from ferryman.core.clock import SystemClock
from ferryman.db import Database, sqlite_url
from ferryman.depot.service import Depot
from ferryman.registry.app import Registry
from tests.conformance.registry.doubles import OpenAccess
from tests.conformance.registry.peers import MANIFEST, digest_of
from tests.integration.registry.conftest import Asker
from tests.integration.registry.town import CONFIG, document_of

SIZE = 4 << 20
DATA = bytes(range(256)) * 12_000
DIGEST = digest_of(DATA)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 4 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture(params=["depot alone", "database too"])
async def ask(request, small_disk, tmp_path):
    """A registry whose depot, or all of it, is on the small disk."""
    home = small_disk if request.param == "database too" else tmp_path
    database = Database(sqlite_url(home / "ferry.db"))
    database.migrate()
    depot = Depot(small_disk / "depot", database, SystemClock())
    registry = Registry(depot, OpenAccess(), folder=home / "uploads", clock=SystemClock())
    yield Asker(registry)
    await registry.stop()
    depot.close()
    await database.close()


@contextmanager
def filled(disk, left=0):
    """Fill the disk but for `left` bytes."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(max(0, file.tell() - left))
    try:
        yield
    finally:
        filler.unlink()


def full(reply):
    detail = reply.json()["errors"][0]["detail"]
    return (reply.status, reply.code) == (507, "UNAVAILABLE") and detail["reason"] == "disk_full"


async def test_a_chunk_that_does_not_fit_is_refused_and_the_upload_goes_on(ask, small_disk):
    place = (await ask("POST", "/v2/a/blobs/uploads/")).headers["location"]
    half = len(DATA) // 2
    assert (await ask("PATCH", place, DATA[:half])).status == 202
    pieces = [DATA[at : at + 65_536] for at in range(half, len(DATA), 65_536)]
    with filled(small_disk, left=200_000):
        assert full(await ask("PATCH", place, pieces))
        assert (await ask("GET", f"/v2/a/blobs/{DIGEST}")).status == 404
    came = int((await ask("GET", place)).headers["range"].removeprefix("0-")) + 1
    assert half <= came < len(DATA)
    rest = DATA[came:]
    reply = await ask("PATCH", place, rest, {"Content-Range": f"{came}-{len(DATA) - 1}"})
    assert reply.status == 202
    assert (await ask("PUT", f"{place}?digest={DIGEST}")).status == 201
    assert (await ask("GET", f"/v2/a/blobs/{DIGEST}")).body == DATA


@pytest.mark.parametrize("alone", [True, False])
async def test_a_whole_blob_that_does_not_fit_leaves_nothing(ask, small_disk, alone):
    path = f"/v2/a/blobs/uploads/?digest={DIGEST}"
    if not alone:
        path = (await ask("POST", "/v2/a/blobs/uploads/")).headers["location"] + f"?digest={DIGEST}"
    with filled(small_disk, left=500_000):
        assert full(await ask("POST" if alone else "PUT", path, DATA))
        if alone:
            assert not list((small_disk / "depot" / "uploads").iterdir())
        assert (await ask("GET", f"/v2/a/blobs/{DIGEST}")).status == 404
    if alone:
        assert (await ask("POST", path, DATA)).status == 201
    else:
        place = path.partition("?")[0]
        came = int((await ask("GET", place)).headers["range"].removeprefix("0-")) + 1
        assert (await ask("PUT", path, DATA[came if came > 1 else 0 :])).status == 201
    assert (await ask("GET", f"/v2/a/blobs/{DIGEST}")).body == DATA


async def test_a_manifest_that_does_not_fit_is_not_there_and_what_is_there_is_served(ask, small_disk):
    assert (await ask("POST", f"/v2/a/blobs/uploads/?digest={digest_of(CONFIG)}", CONFIG)).status == 201
    assert (await ask("POST", f"/v2/b/blobs/uploads/?digest={digest_of(b'other')}", b"other")).status == 201
    ask.app._pushes._kept.clear()  # as when half an hour went by
    ask.app._pushes._slot = -1
    raw = document_of()
    assert (await ask("PUT", "/v2/a/manifests/v1", raw, {"content-type": MANIFEST})).status == 201
    large = raw[:-1] + b',"annotations":{"a":"' + b"x" * 300_000 + b'"}}'
    with filled(small_disk):
        assert full(await ask("PUT", "/v2/a/manifests/v2", large, {"content-type": MANIFEST}))
        assert (await ask("GET", "/v2/a/manifests/v2")).status == 404
        assert (await ask("GET", "/v2/a/manifests/v1")).body == raw
        for name in ("a", "b"):  # one that was just pushed, and one that nobody asked for yet
            data = CONFIG if name == "a" else b"other"
            assert (await ask("HEAD", f"/v2/{name}/blobs/{digest_of(data)}")).status == 200
            assert (await ask("GET", f"/v2/{name}/blobs/{digest_of(data)}")).body == data
        assert (await ask("GET", "/v2/a/tags/list")).json()["tags"] == ["v1"]
    assert (await ask("PUT", "/v2/a/manifests/v2", large, {"content-type": MANIFEST})).status == 201


@pytest.mark.parametrize("step", ["sync", "quota"])
async def test_what_fails_at_the_very_end_can_be_ended_later(ask, monkeypatch, step):
    """Where the file system says so late: at the sync, or when the record is made."""
    depot = ask.app._sessions._depot
    place = (await ask("POST", "/v2/a/blobs/uploads/")).headers["location"]
    assert (await ask("PATCH", place, DATA)).status == 202
    with monkeypatch.context() as patch:
        if step == "sync":
            patch.setattr(os, "fsync", _full)
        else:
            patch.setattr(depot, "quota", lambda: 1000)
        reply = await ask("PUT", f"{place}?digest={DIGEST}")
        assert (reply.status, reply.code) == (507, "UNAVAILABLE")
        assert (await ask("GET", f"/v2/a/blobs/{DIGEST}")).status == 404
    assert (await ask("GET", place)).headers["range"] == f"0-{len(DATA) - 1}"
    assert (await ask("PUT", f"{place}?digest={DIGEST}")).status == 201
    assert (await ask("GET", f"/v2/a/blobs/{DIGEST}")).body == DATA
    assert await asyncio.to_thread(lambda: list(depot.fsck())) == []


async def test_where_no_record_of_an_upload_can_be_kept_none_begins(ask, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ferryman.registry.sessions.os.replace", broken)
        assert full(await ask("POST", "/v2/a/blobs/uploads/"))
    assert not ask.app._sessions.opened()
    assert not list(ask.app._sessions._folder.iterdir())
    assert (await ask("POST", "/v2/a/blobs/uploads/")).status == 202


def _full(_: int) -> None:
    raise OSError(28, "No space left on device")
