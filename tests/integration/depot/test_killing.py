"""The sweep and those who bring content run at once, and are killed at any moment: nothing that is needed is ever gone."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ferryman.core.clock import SystemClock
from ferryman.core.digests import Digest
from ferryman.db import Database, sqlite_url
from ferryman.depot.service import Depot
from ferryman.testing.postgres import postgres

ROOT = Path(__file__).parents[3]
KILLS = 36
BRINGERS = ("one", "two", "three")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "ferry.db")
        return
    with postgres() as server:
        yield server.new_database()


class Crew:
    """Processes that are killed and started again."""

    def __init__(self, folder: Path, url: str, logs: Path) -> None:
        self.folder, self.url, self.logs = folder, url, logs
        self.running: dict[str, subprocess.Popen] = {}
        self.errors = logs / "errors"

    def start(self, name: str) -> None:
        what = "sweep" if name.startswith("sweep") else "bring"
        command = [
            sys.executable, "-m", "tests.integration.depot.worker",
            what, str(self.folder), self.url, str(self.logs / name), name,
        ]  # fmt: skip
        with self.errors.open("ab") as errors:
            self.running[name] = subprocess.Popen(command, cwd=ROOT, stderr=errors)

    def kill(self, name: str) -> bool:
        """Kill one with no chance to tidy up; False when it ended by itself."""
        process = self.running.pop(name)
        alive = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        return alive

    def bring(self) -> int:
        return sum(
            line.startswith("set")
            for name in BRINGERS
            if (self.logs / name).exists()
            for line in (self.logs / name).read_text().splitlines()
        )

    def wait_for_more(self, than: int) -> None:
        deadline = time.monotonic() + 60
        while self.bring() <= than:
            assert time.monotonic() < deadline, self.errors.read_text()[-3000:]
            for name, process in list(self.running.items()):
                assert process.poll() is None, f"{name}: {self.errors.read_text()[-3000:]}"
            time.sleep(0.02)


@pytest.mark.timeout(400)
def test_nothing_that_is_needed_goes(url, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    database = Database(url)
    database.migrate()
    depot = Depot(tmp_path / "depot", database, SystemClock())
    crew = Crew(tmp_path / "depot", url, logs)
    chance = random.Random(os.urandom(8))
    for name in (*BRINGERS, "sweep-a", "sweep-b"):
        crew.start(name)
    try:
        for _ in range(KILLS):
            crew.wait_for_more(crew.bring())
            name = chance.choice(list(crew.running))
            assert crew.kill(name), f"{name} ended by itself: {crew.errors.read_text()[-3000:]}"
            crew.start(name)
        crew.wait_for_more(crew.bring() + 5)
    finally:
        for name in list(crew.running):
            crew.kill(name)
    check(depot, logs)
    depot.gc(grace=0)
    check(depot, logs)
    assert list(depot.fsck()) == []
    known = {path for digest, path in depot._files.each() if depot.has(digest)}
    assert {path for _, path in depot._files.each()} == known
    assert depot.used() == sum(path.stat().st_size for path in known)
    assert not list((depot.folder / "uploads").iterdir())
    depot.close()
    database.close_now()


def check(depot: Depot, logs: Path) -> None:
    """Everything that a log relies on is there, and all that it names."""
    for name in BRINGERS:
        held, tags = read(logs / name)
        for digest in held:
            assert depot.path(digest).exists(), f"{name}: {digest} was held"
        for tag, digest in tags.items():
            assert depot.tagged(f"team/{name}", tag) == digest
    for ref in depot.refs(limit=10_000):
        found = depot.manifest(ref.repository, ref.digest)
        images = [found] if not found.is_index else [depot.manifest(ref.repository, found.children[0].digest)]
        for one in images:
            for blob in one.blobs:
                assert depot.path(blob.digest).stat().st_size == blob.size


def read(path: Path) -> tuple[set[Digest], dict[str, Digest]]:
    held: set[Digest] = set()
    tags: dict[str, Digest] = {}
    for line in path.read_text().splitlines():
        word, *rest = line.split()
        match word:
            case "hold":
                held.clear()
            case "have":
                held.add(Digest.parse(rest[0]))
            case "set":
                tags[rest[0]] = Digest.parse(rest[1])
            case "drop":
                tags.pop(rest[0], None)
            case _:
                raise AssertionError(line)
    return held, tags
