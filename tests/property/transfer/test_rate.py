"""Rate limits against a clock of our own: bytes of any 5 s, whatever reads, ticks and changes do."""

from hypothesis import example, given
from hypothesis import strategies as st

from ferryman.transfer.rate import BURST_SECONDS, LATE_SECONDS, Bucket

rates = st.integers(20_000, 30_000_000)
ticks = st.lists(st.floats(0.02, 0.15), min_size=60, max_size=120)


def read(bucket: Bucket, now: float, connections: int) -> int:
    """What lanes take in one tick: each asks until it has to wait."""
    taken = 0
    for _ in range(connections):
        while allowed := bucket.allowance(now, 1 << 20):
            bucket.spend(allowed)
            taken += allowed
    return taken


def in_window(reads: list[tuple[float, int]], start: float) -> int:
    return sum(count for at, count in reads if start < at <= start + 5)


@given(rates, st.integers(1, 32), ticks)
@example(26_490_342, 1, [0.125] * 60)  # more than a tenth between ticks, and pieces that leave something over
def test_bytes_of_any_five_seconds_are_within_five_percent_though_ticks_are_late(
    rate: int, connections: int, steps: list[float]
) -> None:
    bucket, now, reads = Bucket(rate, 0.0), 0.0, []
    for step in steps:
        now += step
        reads.append((now, read(bucket, now, connections)))
    for start, _ in reads[1::7]:
        if start + 5 > now:
            break
        assert 0.95 * rate * 5 <= in_window(reads, start) <= 1.05 * rate * 5


@given(rates, rates, st.integers(1, 8))
def test_a_change_holds_from_the_moment_it_is_made(before: int, after: int, connections: int) -> None:
    bucket = Bucket(before, 0.0)
    for tick in range(1, 100):
        read(bucket, tick * 0.02, connections)
    changed = 99 * 0.02
    bucket.set_rate(after, changed)
    reads = [(tick * 0.02, read(bucket, tick * 0.02, connections)) for tick in range(100, 400)]
    assert 0.95 * after * 5 <= in_window(reads, changed) <= 1.05 * after * 5 + BURST_SECONDS * before


@given(rates, st.floats(0, 1000))
def test_time_without_a_reader_is_not_saved_up(rate: int, idle: float) -> None:
    bucket = Bucket(rate, 0.0)
    assert read(bucket, idle, 1) <= rate * BURST_SECONDS + 1
    assert read(bucket, idle + 1000.0, 1) <= rate * LATE_SECONDS + 1


@given(rates)
def test_reads_are_worth_their_cost(rate: int) -> None:
    bucket, now = Bucket(rate, 0.0), 0.0
    for _ in range(500):
        now += 0.001
        allowed = bucket.allowance(now, 1 << 40)
        assert not allowed or allowed >= rate * BURST_SECONDS / 4 - 1
        bucket.spend(allowed)
