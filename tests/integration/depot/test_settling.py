"""Many small contents at once: few syncs, in the right order, each on its own when something goes wrong, whole after a kill."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ferryman.core.clock import SystemClock
from ferryman.core.digests import Digest
from ferryman.core.errors import Exhausted
from ferryman.db import Database, sqlite_url
from ferryman.depot import settling
from ferryman.depot.service import Depot
from ferryman.depot.writer import BlobWriter
from tests.conformance.depot.making import ORIGIN, digest_of
from tests.integration.depot.settler import contents

ROOT = Path(__file__).parents[3]


@pytest.fixture
def quota() -> list[int]:
    return [0]


@pytest.fixture
def depot(tmp_path: Path, quota: list[int]) -> Iterator[Depot]:
    database = Database(sqlite_url(tmp_path / "ferry.db"))
    database.migrate()
    made = Depot(tmp_path / "depot", database, SystemClock(), quota=lambda: quota[0])
    yield made
    made.close()
    database.close_now()


def verified(depot: Depot, content: bytes) -> BlobWriter:
    writer = depot.writer(ORIGIN, digest_of(content))
    writer.write(content)
    writer.verify()
    return writer


def test_bytes_then_names_then_folders_then_records(depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[tuple[str, str]] = []
    fsync, rename = os.fsync, Path.rename

    def synced(handle: int) -> None:
        steps.append(("sync", os.readlink(f"/proc/self/fd/{handle}")))
        fsync(handle)

    def renamed(path: Path, target: Path) -> Path:
        steps.append(("name", str(path)))
        return rename(path, target)

    everything = contents()
    assert depot.commit_all([verified(depot, b"folders are there")])
    writers = [verified(depot, one) for one in everything]
    uploads = str(depot.folder / "uploads")
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    add = settling.content.add_blobs
    monkeypatch.setattr(
        settling.content, "add_blobs", lambda *words: (steps.append(("record", "")), add(*words))[1]
    )
    depot.commit_all(writers)
    bytes_synced = [path for kind, path in steps if kind == "sync" and path.startswith(uploads)]
    names = [path for kind, path in steps if kind == "name"]
    folders = [path for kind, path in steps if kind == "sync" and not path.startswith(uploads)]
    assert sorted(bytes_synced) == sorted(names)
    assert len(names) == len(everything)
    kinds = [kind for kind, _ in steps]
    first_name, last_name = kinds.index("name"), len(kinds) - 1 - kinds[::-1].index("name")
    assert all(kind == "sync" for kind in kinds[:first_name])
    assert set(folders) == {str(depot.path(digest_of(one)).parent) for one in everything}
    assert len(folders) == len(set(folders))
    assert kinds[last_name + 1 :] == ["sync"] * len(folders) + ["record"]


def test_whoever_comes_at_once_is_settled_together_and_gets_their_own(depot: Depot) -> None:
    everything = [b"%d" % (number // 2) for number in range(120)]  # each twice
    together = threading.Barrier(8)

    def bring(part: list[bytes]) -> list[Digest]:
        together.wait()
        found = []
        for one in part:
            with depot.fetching(digest_of(one), ORIGIN, size=len(one)) as writer:
                writer.write(one[writer.offset :])
                found.append(writer.commit().digest)
        return found

    with ThreadPoolExecutor(8) as pool:
        parts = [everything[start::8] for start in range(8)]
        for part, found in zip(parts, pool.map(bring, parts), strict=True):
            assert found == [digest_of(one) for one in part]
    assert list(depot.fsck()) == []
    assert depot.used() == sum(len(one) for one in set(everything))


def test_what_has_no_room_takes_nothing_along(depot: Depot, quota: list[int]) -> None:
    everything = contents()[:10]
    quota[0] = sum(len(one) for one in everything[:4]) + 5
    with pytest.raises(Exhausted) as told:
        depot.commit_all([verified(depot, one) for one in everything])
    assert told.value.code == "depot_full"
    there = [one for one in everything if depot.has(digest_of(one))]
    assert len(there) == 4
    assert depot.used() == sum(len(one) for one in there)
    quota[0] = 0
    depot.gc(grace=0)
    assert list(depot.fsck()) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "step", ["begin:25", "name:1", "name:27", "folder:1", "folder:20", "record:1", "record:2", "settle:1"]
)
def test_killed_at_a_step(tmp_path: Path, step: str) -> None:
    url, log = sqlite_url(tmp_path / "ferry.db"), tmp_path / "log"
    database = Database(url)
    database.migrate()
    words = [sys.executable, "-m", "tests.integration.depot.settler", str(tmp_path / "depot"), url, str(log)]
    assert subprocess.run([*words, step], cwd=ROOT, check=False).returncode == -signal.SIGKILL
    depot = Depot(tmp_path / "depot", database, SystemClock())
    for line in log.read_text().splitlines():
        assert depot.has(Digest.parse(line)), "it was acknowledged"
    assert {str(one.trouble) for one in depot.fsck()} <= {"stray"}
    depot.gc(grace=0)
    assert list(depot.fsck()) == []
    assert not list((tmp_path / "depot" / "uploads").iterdir())
    subprocess.run([*words, "none"], cwd=ROOT, check=True)
    assert all(depot.path(digest_of(one)).read_bytes() == one for one in contents())
    assert depot.used() == sum(len(one) for one in contents())
    depot.close()
    database.close_now()
