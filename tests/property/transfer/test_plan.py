"""Ranges, planning and the journal under arbitrary input."""

import statistics
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ferryman.transfer.body import Chunked
from ferryman.transfer.journal import SLOT, Record, decode, encode, newest
from ferryman.transfer.plan import (
    FEW,
    LaneView,
    Pace,
    Paces,
    Ranges,
    SlowStart,
    crawls,
    held_up,
    median,
    next_take,
)
from ferryman.transfer.rate import Bucket

TOTAL = 400
span = st.tuples(st.integers(0, TOTAL), st.integers(0, TOTAL))
spans = st.lists(span, max_size=12)
MIB = 1024 * 1024


def members(pairs: list[tuple[int, int]]) -> set[int]:
    return {byte for start, end in pairs for byte in range(start, end)}


@given(spans)
def test_ranges_are_the_set_of_their_bytes(pairs: list[tuple[int, int]]) -> None:
    ranges = Ranges(pairs)
    found = ranges.spans()
    assert members(found) == members(pairs)
    assert all(before[1] < after[0] for before, after in pairwise(found))
    assert ranges.size() == len(members(pairs))
    assert members(ranges.missing(TOTAL)) == set(range(TOTAL)) - members(pairs)
    watermark = ranges.watermark()
    assert set(range(watermark)) <= members(pairs)
    assert watermark not in members(pairs)


@given(spans, st.integers(0, TOTAL))
def test_clipping_keeps_what_is_below(pairs: list[tuple[int, int]], total: int) -> None:
    assert members(Ranges(pairs).clipped(total).spans()) == {byte for byte in members(pairs) if byte < total}


@given(st.data())
def test_any_order_of_lanes_fetches_every_byte_once(data: st.DataObject) -> None:
    """Simulates transfers: lanes of random speeds take what the planner gives until all is there."""
    total = data.draw(st.integers(1, 80)) * MIB + data.draw(st.integers(0, 1000))
    done = Ranges()
    lanes: list[list[float]] = []
    fetched = 0
    for _ in range(3000):
        if done.size() == total and not lanes:
            break
        views = [LaneView(int(pos), int(end), rate) for _, pos, end, rate in lanes]
        here = Ranges(done.spans())
        for start, pos, _, _ in lanes:
            here.add(int(start), int(pos))
        take = next_take(total, here, views, 4 * MIB) if len(lanes) < 6 else None
        if take:
            assert 0 <= take.start < take.end <= total
            if take.victim is not None:
                assert lanes[take.victim][1] <= take.start
                assert lanes[take.victim][2] == take.end
                lanes[take.victim][2] = take.start
            lanes.append([take.start, take.start, take.end, data.draw(st.sampled_from([0.0, 1e5, 1e7, 1e8]))])
        for lane in lanes:
            step = min(lane[2] - lane[1], data.draw(st.integers(1, 3)) * MIB)
            lane[1] += step
            fetched += int(step)
        for lane in [lane for lane in lanes if lane[1] >= lane[2]]:
            done.add(int(lane[0]), int(lane[1]))
            lanes.remove(lane)
    assert done.size() == total
    assert fetched == total


@given(st.integers(1, 32), st.integers(0, 200), st.integers(0, 10**12))
def test_slow_start_doubles_and_never_exceeds_its_limits(limit: int, answers: int, left: int) -> None:
    start = SlowStart()
    for _ in range(answers):
        before = start.lanes
        start.answered(limit)
        assert before <= start.lanes <= min(limit, 2 * before)
    assert 1 <= start.wanted(limit, left) <= max(1, min(limit, left // MIB))
    assert start.lanes == limit or answers < 2 * limit
    assert start.wanted(limit, left, held=True) == min(FEW, start.wanted(limit, left))


@given(st.lists(st.floats(0, 1e12), min_size=1))
def test_the_median_is_that_of_the_standard_library(values: list[float]) -> None:
    assert median(values) == statistics.median(values)


records = st.builds(
    Record,
    urls=st.lists(st.text(max_size=40), min_size=1, max_size=3).map(tuple),
    total=st.none() | st.integers(0, 2**50),
    etags=st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3),
    modified=st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3),
    done=spans.map(lambda pairs: tuple(Ranges(pairs).spans())),
    safe=spans.map(lambda pairs: tuple(Ranges(pairs).spans())),
    boot=st.text(max_size=10),
    writer=st.text(max_size=10),
    checksum=st.none() | st.text(max_size=20),
)


@given(records, st.integers(0, 2**31))
def test_a_record_survives_the_journal(record: Record, sequence: int) -> None:
    assert decode(encode(record, sequence)) == (sequence, record)


@given(records, records, st.integers(0, 500), st.binary(max_size=20))
def test_a_torn_slot_leaves_the_other_one(one: Record, two: Record, cut: int, junk: bytes) -> None:
    first, second = encode(one, 1), encode(two, 2)
    torn = second[: min(cut, len(second) - 1)] + junk
    assert newest(first.ljust(SLOT, b"\0") + torn)[1] in (one, two)
    assert newest(first.ljust(SLOT, b"\0") + second) == (2, two)


@given(st.binary(max_size=300))
def test_any_bytes_are_no_journal_or_a_record(raw: bytes) -> None:
    assert decode(raw) is None


def test_more_spans_than_fit_are_forgotten_smallest_first() -> None:
    many = tuple((at * 10, at * 10 + (9 if at % 2 else 1)) for at in range(4000))
    record = Record(("u",), 10**9, {}, {}, many, (), "boot", "writer")
    found = decode(encode(record, 1))
    assert found
    assert set(found[1].done) < set(many)
    assert all(end - start == 9 for start, end in found[1].done)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.data())
def test_chunks_are_joined_however_they_are_cut(pieces: list[bytes], data: st.DataObject) -> None:
    raw = (
        b"".join(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nTrailer: x\r\n\r\n"
    )
    decoder, out, at = Chunked(), b"", 0
    while at < len(raw):
        step = data.draw(st.integers(1, 40))
        assert not decoder.done
        out += b"".join(decoder.feed(memoryview(raw[at : at + step])))
        at += step
    assert decoder.done
    assert out == b"".join(pieces)


@given(st.binary(max_size=200))
def test_malformed_chunks_raise_only_value_error(raw: bytes) -> None:
    with suppress(ValueError):
        Chunked().feed(memoryview(raw))


@given(st.integers(1, 10**8), st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 10**7)), max_size=60))
def test_a_bucket_never_lets_through_more_than_its_rate(rate: int, steps: list[tuple[float, int]]) -> None:
    bucket, now, passed = Bucket(rate, 0.0), 0.0, 0
    for wait, want in steps:
        now += wait
        allowed = bucket.allowance(now, want)
        assert 0 <= allowed <= want
        bucket.spend(allowed)
        passed += allowed
        assert passed <= rate * (now + 0.1) + 1


@dataclass
class Simulated:
    """A connection of 20 MB/s; a slow one has `slow_rate` after `slow_after` bytes."""

    start: int
    end: int
    begun: float
    slow_after: int | None
    slow_rate: float
    pos: int = 0
    rate: float = 0.0
    at: float = 0.0

    def __post_init__(self) -> None:
        self.pos, self.at = self.start, self.begun

    def step(self, now: float) -> None:
        brought = self.pos - self.start
        step = 2_000_000
        if self.slow_after is not None:
            step = (
                int(self.slow_rate * 0.1)
                if brought >= self.slow_after
                else min(step, self.slow_after - brought)
            )
        step = min(step, self.end - self.pos)
        self.pos += step
        self.at = now if step else self.at
        self.rate = step / 0.1 if not self.rate else self.rate + 0.5 * (step / 0.1 - self.rate)


class Simulation:
    """A transfer in ticks of 0.1 s, whose second request meets the slow connection."""

    def __init__(self, slow_after: int, slow_rate: float, total: int, most: int) -> None:
        self.slow_after, self.slow_rate, self.total, self.most = slow_after, slow_rate, total, most
        self.done, self.paces, self.lanes = Ranges(), Paces(), list[Simulated]()
        self.now, self.requests = 0.0, 0

    def run(self) -> None:
        while self.done.size() < self.total or self.lanes:
            while len(self.lanes) < self.most and self.start():
                pass
            self.now += 0.1
            for lane in list(self.lanes):
                lane.step(self.now)
                if lane.pos == lane.end:
                    self.end(lane)
            assert self.now < 300

    def start(self) -> bool:
        here = Ranges(self.done.spans())
        for lane in self.lanes:
            here.add(lane.start, lane.pos)
        views = [LaneView(lane.pos, lane.end, lane.rate, self.now - lane.at) for lane in self.lanes]
        pace = self.paces.now(limited=False)
        if len(self.lanes) >= max(1, (self.total - here.size()) // MIB) and not held_up(views, pace):
            return False
        take = next_take(self.total, here, views, 16 * MIB, pace)
        if take is None:
            return False
        if take.victim is not None:
            victim = self.lanes[take.victim]
            victim.end = take.start
            if take.crawled:
                self.paces.robbed()
            if victim.pos >= victim.end:
                self.end(victim)
        self.requests += 1
        after = self.slow_after if self.requests == 2 else None
        self.lanes.append(Simulated(take.start, take.end, self.now, after, self.slow_rate))
        return True

    def end(self, lane: Simulated) -> None:
        self.lanes.remove(lane)
        self.done.add(lane.start, lane.pos)
        self.paces.ended(lane.pos - lane.start, self.now - lane.begun, 0.0)


@given(
    st.integers(0, 16 * MIB - 1),
    st.sampled_from([0.0, 2e3, 50e3, 200e3]),
    st.integers(17, 200).map(lambda size: size * MIB + 17),
    st.integers(2, 16),
)
def test_no_slow_connection_holds_the_tail_wherever_it_becomes_slow(
    slow_after: int, slow_rate: float, total: int, most: int
) -> None:
    simulation = Simulation(slow_after, slow_rate, total, most)
    simulation.run()
    alone = total / (20e6 * max(1, most - 1))
    assert simulation.now < alone + 4.0, "it costs its share and a moment, never its remainder"
    assert simulation.requests < 4 * most + total // (4 * MIB)


@given(st.lists(st.tuples(st.integers(1, 64 * MIB), st.floats(0.7, 1.4)), min_size=1, max_size=16))
def test_connections_of_like_speed_never_count_as_crawling(lanes: list[tuple[int, float]]) -> None:
    views = [LaneView(0, left, 1e6 * share) for left, share in lanes]
    assert not held_up(views, Pace(1e6, 0.05))


@given(st.integers(1, MIB), st.floats(1e3, 1e8), st.floats(0, 1), st.floats(0, 60))
def test_more_waiting_never_makes_a_lane_look_faster(
    left: int, rate: float, delay: float, waited: float
) -> None:
    pace = Pace(1e7, delay)
    if crawls(LaneView(0, left, rate), 1e7, pace):
        assert crawls(LaneView(0, left, rate, waited), 1e7, pace)
    assert crawls(LaneView(0, left, 0.0, 1000.0), 1e7, pace)


def test_patience_grows_while_nothing_helps_and_is_forgotten_when_it_does() -> None:
    paces = Paces()
    before = paces.now(limited=False).patience
    for _ in range(20):
        paces.robbed()
    assert 10 * before < paces.now(limited=False).patience <= 30
    paces.ended(MIB, 0.1, 0.01)
    assert paces.now(limited=False).patience == before
    assert paces.now(limited=False).rate > 0
    assert paces.now(limited=True).rate == 0
