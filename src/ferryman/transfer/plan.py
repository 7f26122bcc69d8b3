"""Which bytes to ask for next. Pure: byte ranges, lanes as values, and decisions about them.

Spans are half-open `[start, end)`. Nothing here knows connections; `engine` carries the decisions out.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

MiB: Final = 1024 * 1024
CHUNK: Final = 16 * MiB
"""Smallest span asked for while much is left: small enough to stay near the watermark, where pages are warm."""
CHUNK_MAX: Final = 256 * MiB
FEW: Final = 2
"""Lanes that keep a loop busy which has as much to do as it can: each further one costs both ends, and brings nothing."""
STEAL_MIN: Final = 256 * 1024
"""Less than this is not worth another request while its lane is moving."""


class Ranges:
    """A set of bytes as sorted, disjoint, non-touching spans. Not thread-safe."""

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        """Start with the union of `spans`; empty and reversed ones count for nothing."""
        self._spans: list[tuple[int, int]] = []
        for start, end in spans:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Add the bytes `[start, end)`."""
        if end <= start:
            return
        spans = self._spans
        low = bisect_right(spans, (start, -1))
        if low and spans[low - 1][1] >= start:
            low -= 1
            start = spans[low][0]
        high = low
        while high < len(spans) and spans[high][0] <= end:
            end = max(end, spans[high][1])
            high += 1
        spans[low:high] = [(start, end)]

    def spans(self) -> list[tuple[int, int]]:
        """The spans in order."""
        return list(self._spans)

    def size(self) -> int:
        """How many bytes are in the set."""
        return sum(end - start for start, end in self._spans)

    def watermark(self) -> int:
        """How many bytes from 0 on are there without a hole."""
        return self._spans[0][1] if self._spans and self._spans[0][0] == 0 else 0

    def missing(self, total: int) -> list[tuple[int, int]]:
        """The holes in `[0, total)`."""
        holes, at = [], 0
        for start, end in self._spans:
            if start >= total:
                break
            if start > at:
                holes.append((at, start))
            at = max(at, end)
        if at < total:
            holes.append((at, total))
        return holes

    def clipped(self, total: int) -> "Ranges":
        """The part below `total`."""
        return Ranges((start, min(end, total)) for start, end in self._spans if start < total)


@dataclass(frozen=True, slots=True)
class LaneView:
    """A lane as the planner sees it: next byte, end of its span, bytes per second (0 = not known yet).

    `waited` is for how many seconds nothing arrived.
    """

    pos: int
    end: int
    rate: float
    waited: float = 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """What a fresh request may expect: bytes per second (0 = not known), seconds to its first byte.

    `patience` is how many seconds a lane may hold the rest beyond what is fair before it counts as crawling.
    """

    rate: float = 0.0
    delay: float = 0.0
    patience: float = 0.2


@dataclass(frozen=True, slots=True)
class Take:
    """Ask for `[start, end)`; when `victim` is set, it is that lane's tail and the lane must end at `start`.

    `crawled` says that the victim was too slow, not only the one with most left.
    """

    start: int
    end: int
    victim: int | None = None
    crawled: bool = False


def chunk_for(rate: float, first_byte: float) -> int:
    """How much to ask for at once, so that waiting for the next answer costs a lane at most about 3 % of its time."""
    return int(min(CHUNK_MAX, max(CHUNK, rate * first_byte * 30)))


def next_take(
    total: int, done: Ranges, lanes: Sequence[LaneView], chunk: int, pace: Pace = Pace()
) -> Take | None:
    """What an idle connection should fetch: the first hole nobody has, else a part of the slowest remainder.

    Returns None when nothing sensible is left. Lanes whose span is empty never count as victims.
    """
    held = Ranges(done.spans())
    for lane in lanes:
        held.add(lane.pos, lane.end)
    holes = held.missing(total)
    if holes:
        start, end = holes[0]
        # A rest smaller than half a chunk is taken along: it would only cost a request later.
        return Take(start, end if end - start <= chunk + chunk // 2 else start + chunk)
    return _steal(lanes, pace)


def crawls(lane: LaneView, fastest: float, pace: Pace) -> bool:
    """Whether a lane holds what is left of its span so long that a fresh request would have it several times over."""
    left = lane.end - lane.pos
    if left <= 0 or fastest <= 0:
        return False
    needs = max(left / lane.rate if lane.rate > 0 else 0.0, lane.waited)
    return needs > 4 * (pace.delay + left / fastest) + pace.patience


def held_up(lanes: Sequence[LaneView], pace: Pace) -> bool:
    """Whether some lane crawls: worth another connection however little is left."""
    fastest = _fastest(lanes, pace)
    return any(crawls(lane, fastest, pace) for lane in lanes)


def _fastest(lanes: Sequence[LaneView], pace: Pace) -> float:
    return max([pace.rate, *(lane.rate for lane in lanes)])


def _steal(lanes: Sequence[LaneView], pace: Pace) -> Take | None:
    best, longest = None, 0.0
    fastest = _fastest(lanes, pace)
    for index, lane in enumerate(lanes):
        left = lane.end - lane.pos
        if left <= 0:
            continue
        time_left = max(left / lane.rate if lane.rate > 0 else left / (fastest / 8 + 1), lane.waited)
        if (left >= 2 * STEAL_MIN or crawls(lane, fastest, pace)) and time_left > longest:
            best, longest = index, time_left
    if best is None or longest < 0.05:
        return None
    victim = lanes[best]
    crawled = crawls(victim, fastest, pace)
    start = victim.pos if crawled and victim.rate <= 0 else cut(victim, fastest)  # it never brought anything
    return Take(start, victim.end, best, crawled)


def cut(victim: LaneView, thief_rate: float) -> int:
    """Where to cut a lane's remainder so that it and a thief of `thief_rate` end together; half when unknown.

    A cut at `pos` takes everything: the slow lane would hold the tail for less than it is worth.
    """
    left = victim.end - victim.pos
    if victim.rate <= 0 or thief_rate <= 0:
        return victim.pos + left // 2
    keep = int(left * min(0.5, victim.rate / (victim.rate + thief_rate)))
    return victim.pos + keep if keep >= 16 * 1024 else victim.pos


def median(values: Sequence[float]) -> float:
    """The middle of at least one value, of two middles their mean. The standard library's loads fractions and decimals."""
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


class SlowStart:
    """How many lanes to use: 1→2→4→8…, doubled when as many answers came as lanes were new."""

    __slots__ = ("_heard", "lanes")

    def __init__(self) -> None:
        """Start with one."""
        self.lanes = 1
        self._heard = 0

    def answered(self, limit: int) -> None:
        """A lane got its answer; never grows past `limit`."""
        self._heard += 1
        if self._heard >= max(1, self.lanes // 2) and self.lanes < limit:
            self.lanes, self._heard = min(limit, self.lanes * 2), 0

    def wanted(self, limit: int, bytes_left: int, *, held: bool = False) -> int:
        """Lanes to use now: at most `limit`, and no more than one for each MiB that is left.

        `held` says that more of them would bring nothing, or that it is too early to know: then `FEW` are enough.
        """
        return max(1, min(self.lanes, FEW if held else limit, limit, bytes_left // MiB))


class Paces:
    """What lanes that ended brought, as what a fresh one may expect; and how patient to be with those that crawl."""

    __slots__ = ("_known", "_patience")

    def __init__(self) -> None:
        """Know nothing."""
        self._known: deque[tuple[float, float]] = deque(maxlen=9)
        self._patience = Pace().patience

    def ended(self, count: int, seconds: float, first_byte: float) -> None:
        """Note a lane that brought `count` bytes in `seconds` after its first byte; tiny ones say nothing."""
        if count < STEAL_MIN or seconds <= 0:
            return
        self._known.append((count / seconds, first_byte))
        if count / seconds >= median([rate for rate, _ in self._known]) / 2:
            self._patience = Pace().patience

    def robbed(self) -> None:
        """A crawling lane was replaced: wait longer before the next, for it may be the whole way that is slow."""
        self._patience = min(30.0, self._patience * 2)

    def now(self, *, limited: bool) -> Pace:
        """What to expect; under a limit of ours speeds of earlier say nothing."""
        if limited or not self._known:
            return Pace(patience=self._patience)
        rates, delays = zip(*self._known, strict=True)
        return Pace(median(rates), median(delays), self._patience)


def backoff(fruitless: int, first: float, retry_after: float | None) -> float:
    """Seconds before the next try after `fruitless` tries that brought nothing; what the server asked for wins."""
    delay = min(30.0, first * 2.0 ** max(0, fruitless - 1))
    return min(300.0, max(delay, retry_after or 0.0))
