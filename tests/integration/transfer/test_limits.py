"""Limits of speed, by hand and by the hour, and of space."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ferryman.core.errors import Exhausted
from ferryman.core.timetable import Timetable
from ferryman.testing.upstream import File, Upstream, made_up
from ferryman.transfer.service import Transfer

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
