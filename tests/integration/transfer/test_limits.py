"""Limits of speed, by hand and by the hour, and of space."""

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from ferryman.core.errors import Exhausted
from ferryman.core.timetable import Timetable
from ferryman.testing.upstream import File, Upstream, made_up
from ferryman.transfer.rate import LATE_SECONDS
from ferryman.transfer.service import Transfer
from ferryman.transfer.task import Task

from .conftest import Fetcher, wait_for

MiB = 1 << 20
DATA = made_up(48 * MiB)

pytestmark = pytest.mark.usefixtures("carrier")


def speed(transfers: list[Transfer], seconds: float) -> float:
    """Bytes per second over a span that begins and ends with fresh numbers."""

    def received() -> int:
        return sum(transfer.snapshot().network for transfer in transfers)

    def next_change() -> tuple[float, int]:
        before = received()
        wait_for(lambda: received() != before)
        return time.monotonic(), received()

    began, first = next_change()
    time.sleep(seconds)
    ended, last = next_change()
    return (last - first) / (ended - began)


def assert_holds(measured: float, limit: float) -> None:
    """Never more than 5 % above; a busy machine may be slower."""
    assert 0.6 * limit <= measured <= 1.05 * limit


@pytest.fixture
def running(fetch: Fetcher, upstream: Upstream) -> Iterator[Callable[..., Transfer]]:
    url = upstream.serve("/a", File(DATA))
    started: list[Transfer] = []

    def start(**more: object) -> Transfer:
        transfer = fetch.start(url, name=f"file{len(started)}", connections=4, **more)
        started.append(transfer)
        wait_for(lambda: transfer.snapshot().network > 0)
        return transfer

    yield start
    for transfer in started:
        transfer.stop(keep=False)


def test_the_limit_of_one_transfer_holds_and_changes(running: Callable[..., Transfer]):
    transfer = running(rate_limit=2 * MiB)
    assert_holds(speed([transfer], 5.0), 2 * MiB)
    transfer.set_rate(4 * MiB)
    time.sleep(0.3)
    assert_holds(speed([transfer], 2.0), 4 * MiB)


@dataclass
class Counted:
    """Bytes as the engine counted them, at its own times."""

    entries: list[tuple[float, int]] = field(default_factory=list)

    def hold(self, began: float, rate: int) -> None:
        """Check the 5 s from `began`: never 5 % more; as much less only for as long as nothing ran at all."""
        wait_for(lambda: time.monotonic() > began + 5.2)
        inside = [(at, count) for at, count in self.entries if began < at <= began + 5]
        times = [began, *(at for at, _ in inside), began + 5]
        stood_still = sum(max(0.0, after - before - LATE_SECONDS) for before, after in pairwise(times))
        received = sum(count for _, count in inside)
        assert 0.95 * rate * (5 - stood_still) <= received <= 1.05 * rate * 5


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    kept, arrived = Counted(), Task.arrived

    def noting(task: Task, count: int) -> None:
        kept.entries.append((time.monotonic(), count))
        arrived(task, count)

    monkeypatch.setattr(Task, "arrived", noting)
    return kept


@pytest.mark.parametrize("connections", [1, 8])
def test_a_limit_is_kept_within_five_percent_over_five_seconds(
    fetch: Fetcher, upstream: Upstream, counted: Counted, connections: int
):
    transfer = fetch.start(upstream.serve("/a", File(DATA)), connections=connections, rate_limit=250_000)
    wait_for(lambda: transfer.snapshot().network > 50_000)
    counted.hold(time.monotonic(), 250_000)
    transfer.set_rate(2_000_000)
    time.sleep(0.3)
    counted.hold(time.monotonic(), 2_000_000)
    transfer.stop(keep=False)


def test_the_limit_of_all_together_holds(running: Callable[..., Transfer], fetch: Fetcher):
    fetch.engine.set_global_rate(3 * MiB)
    transfers = [running() for _ in range(3)]
    time.sleep(0.5)
    assert_holds(speed(transfers, 3.0), 3 * MiB)
    shares = [transfer.snapshot().network for transfer in transfers]
    assert min(shares) > 0.1 * max(shares)


def test_a_timetable_changes_the_limit_by_the_hour(running: Callable[..., Transfer], fetch: Fetcher):
    table = Timetable.parse("00:00-24:00=1MiB/s")
    fetch.engine.set_timetable(table.rate_at)
    transfer = running()
    time.sleep(1.5)
    assert_holds(speed([transfer], 3.0), MiB)
    fetch.engine.set_timetable(Timetable.parse("").rate_at)
    assert transfer.wait(40).path.read_bytes() == DATA


def test_a_full_disk_loses_nothing(upstream: Upstream, fetch: Fetcher):
    small = fetch.folder / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "none", small], check=False, capture_output=True
    ).returncode:
        pytest.skip("only root may mount a small file system")
    try:
        url = upstream.serve("/a", File(DATA[: 9 * MiB]))
        with pytest.raises(Exhausted) as full:
            fetch(url, target=small / "file", connections=2)
        assert full.value.code == "disk_full"
        assert str(small) in full.value.message
        assert not (small / "file").exists()
        subprocess.run(["mount", "-o", "remount,size=32m", small], check=True)
        result = fetch(url, target=small / "file", connections=2)
        assert result.path.read_bytes() == DATA[: 9 * MiB]
        assert result.resumed > 2 * MiB
        assert sorted(path.name for path in Path(small).iterdir()) == ["file"]
    finally:
        subprocess.run(["umount", "-l", small], check=True)
