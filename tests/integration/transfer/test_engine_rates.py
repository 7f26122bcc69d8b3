"""Rate limits, what is said about speed, and hosts that refuse."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferryman.core.errors import Unavailable
from ferryman.testing.faults import Crawling, crowded, first, stalling, status
from ferryman.testing.upstream import File, Upstream, made_up
from ferryman.transfer.model import Limits, Options, Request
from ferryman.transfer.service import Engine

MIB = 1024 * 1024


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(Limits(backoff=0.05)) as running:
        yield running


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


def test_the_own_limit_holds(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    file = File(made_up(10 * MIB))
    options = Options(connections=4, rate_limit=2 * MIB)
    transfer = engine.submit(Request((upstream.serve("/f", file),), tmp_path / "f", options))
    shots = []
    while not transfer.done():
        shots.append(transfer.snapshot())
        time.sleep(0.05)
    seconds = transfer.wait(1).seconds
    assert 4.75 <= seconds <= 8, "never faster than the limit; slower only on a busy machine"
    assert any(shot.slow == "our own rate limit" for shot in shots)


def test_the_global_limit_is_shared_and_changes_while_running(upstream: Upstream, tmp_path: Path) -> None:
    url = upstream.serve("/f", File(made_up(8 * MIB)))
    with Engine(rate_limit=MIB) as engine:
        began = time.monotonic()
        transfers = [engine.submit(Request((url,), tmp_path / str(number))) for number in range(2)]
        time.sleep(1.0)
        assert sum(transfer.snapshot().network for transfer in transfers) <= 1.3 * MIB
        engine.set_global_rate(0)
        for transfer in transfers:
            transfer.wait(30)
        assert time.monotonic() - began < 10


def test_a_timetable_sets_the_global_limit(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    url = upstream.serve("/f", File(made_up(4 * MIB)))
    engine.set_timetable(lambda _now: 2 * MIB)
    transfer = engine.submit(Request((url,), tmp_path / "f"))
    assert transfer.wait(30).seconds > 0.5


def test_a_host_that_refuses_gets_fewer_connections(
    engine: Engine, upstream: Upstream, tmp_path: Path
) -> None:
    file = File(made_up(48 * MIB), rate=24 * MIB)
    url = upstream.serve("/f", crowded(file, 2, retry_after="1"))
    messages: list[str] = []
    transfer = engine.submit(
        Request((url,), tmp_path / "f", Options(connections=8)),
        log=lambda _, message: messages.append(message),
    )
    transfer.wait(60)
    assert (tmp_path / "f").read_bytes() == file.data
    assert any("At most" in message for message in messages)
    requests = upstream.seen("/f")
    assert len(requests) < 60, "it does not hammer"


def test_retry_after_is_waited_for(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    url = upstream.serve("/f", first(1, status(503, {"Retry-After": "1"}), File(b"x")))
    engine.submit(Request((url,), tmp_path / "f")).wait(30)
    one, two = upstream.seen("/f")
    assert two.at - one.at >= 1.0


def test_a_host_that_never_answers_well_is_given_up(
    engine: Engine, upstream: Upstream, tmp_path: Path
) -> None:
    url = upstream.serve("/f", status(503))
    with pytest.raises(Unavailable):
        engine.submit(Request((url,), tmp_path / "f")).wait(30)
    assert len(upstream.seen("/f")) == 5


def test_a_stalled_connection_is_replaced(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    file = File(made_up(4 * MIB))
    url = upstream.serve("/f", first(1, stalling(file, MIB), file))
    options = Options(connections=1, stall_timeout=0.5)
    engine.submit(Request((url,), tmp_path / "f", options)).wait(30)
    assert (tmp_path / "f").read_bytes() == file.data


@pytest.mark.parametrize("left", [24 * MIB, 5 * MIB, 2 * MIB - 1, MIB, 300_000, 120_000])
@pytest.mark.parametrize("connections", [2, 8])
def test_another_connection_fetches_what_a_slow_one_holds(
    engine: Engine, upstream: Upstream, tmp_path: Path, left: int, connections: int
) -> None:
    """At 1 kB/s the rest would take minutes, however little it is."""
    file = File(made_up(24 * MIB + 17), rate=64 * MIB)
    crawling = Crawling(file, len(file.data) - left, 1000)
    transfer = engine.submit(
        Request((upstream.serve("/f", crawling),), tmp_path / "f", Options(connections=connections))
    )
    transfer.wait(100)
    assert (tmp_path / "f").read_bytes() == file.data
    assert crawling.rest > 100_000, "the slow connection had the rest to send"
    assert crawling.sent < crawling.rest * 0.9, "somebody else sent it"
    assert len(upstream.seen("/f")) < 40
