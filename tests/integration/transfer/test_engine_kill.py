"""`kill -9` in the middle: what is fetched again is counted, and the file is bit-exact."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ferryman.core.digests import Digest
from ferryman.testing.upstream import File, Upstream, made_up
from ferryman.transfer.journal import newest
from ferryman.transfer.model import Options, Request
from ferryman.transfer.service import Engine

MIB = 1024 * 1024

CHILD = """
import sys
from pathlib import Path
from ferryman.transfer.model import Options, Request
from ferryman.transfer.service import Engine

with Engine() as engine:
    transfer = engine.submit(Request((sys.argv[1],), Path(sys.argv[2]), Options(connections=int(sys.argv[3]))))
    while not transfer.done():
        print(transfer.snapshot().network, flush=True)
        try:
            transfer.wait(0.01)
        except TimeoutError:
            pass
"""


def killed_after(url: str, target: Path, connections: int, received: int) -> int:
    """Run a transfer in a process of its own, kill it when it received so much; returns what it said it had."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, url, str(target), str(connections)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout
    said = 0
    end = time.monotonic() + 30
    while said < received and time.monotonic() < end:
        said = int(child.stdout.readline() or received)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    rest = child.stdout.read().split()
    child.stdout.close()
    return int(rest[-1]) if rest else said


@pytest.mark.parametrize(("connections", "mebibytes"), [(1, 3), (1, 11), (4, 9), (8, 21)])
def test_at_most_8_mib_are_fetched_again(tmp_path: Path, connections: int, mebibytes: int) -> None:
    file = File(made_up(40 * MIB, str(mebibytes)), rate=40 * MIB // connections)
    target = tmp_path / "f"
    with Upstream() as upstream:
        url = upstream.serve("/f", file)
        had = killed_after(url, target, connections, mebibytes * MIB)
        assert (tmp_path / "f.part").exists()
        assert not target.exists()
        file.rate = 0
        digest = Digest("sha256", file.sha256)
        with Engine() as engine:
            result = engine.submit(Request((url,), target, Options(connections=connections), digest)).wait(60)
    assert hashlib.sha256(target.read_bytes()).hexdigest() == file.sha256
    assert result.network + result.resumed == len(file.data)
    assert result.network <= len(file.data) - had + 8 * MIB


def test_killed_again_and_again(tmp_path: Path) -> None:
    file = File(made_up(40 * MIB), rate=15 * MIB)
    target = tmp_path / "f"
    with Upstream() as upstream:
        url = upstream.serve("/f", file)
        for _ in range(4):
            killed_after(url, target, 3, 8 * MIB)
        file.rate = 0
        with Engine() as engine:
            result = engine.submit(Request((url,), target)).wait(60)
    assert target.read_bytes() == file.data
    assert result.resumed > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f"]


def test_the_journal_never_claims_bytes_that_are_not_there(tmp_path: Path) -> None:
    file = File(made_up(40 * MIB), rate=10 * MIB)
    with Upstream() as upstream:
        killed_after(upstream.serve("/f", file), tmp_path / "f", 4, 20 * MIB)
    _, record = newest((tmp_path / "f.ferry").read_bytes())
    assert record
    partial = (tmp_path / "f.part").read_bytes()
    for start, end in record.done:
        assert partial[start:end] == file.data[start:end]
