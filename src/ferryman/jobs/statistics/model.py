"""Sums of days: what an end adds to them, and what they say about a period. Pure; times are UNIX seconds, days those of UTC."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from ferryman.jobs.model import Job, Progress, Reason, State

DAY: Final = 86400
EVERYONE: Final = "*"
"""Stands for all owners together; the owner of jobs without one is the empty string."""
ENOUGH_BYTES: Final = 16 << 20
"""Bytes from a host before its speed means anything."""
ENOUGH_SECONDS: Final = 2.0
"""Seconds of work with a host before its speed means anything."""
SHOWN: Final = 10
"""Hosts and categories of a list."""


class Facet(StrEnum):
    """What ends are summed by. Every end has a kind; one without a category or host is found by what is left."""

    KIND = "kind"
    CATEGORY = "category"
    HOST = "host"
    REASON = "reason"


class Span(StrEnum):
    """How long sums are about: a day, or a month, so that a year of many names is told from few rows."""

    DAY = "day"
    MONTH = "month"


class Cell(NamedTuple):
    """Where ends are summed; `day` is the first one of the span.

    `state` is where they led: other than a final one, it was an attempt that will go on.
    """

    owner: str
    facet: str
    span: str
    day: int
    name: str
    state: str


@dataclass(slots=True)
class Sums:
    """How many ends, bytes over the network, bytes that resuming spared, seconds of work."""

    number: int = 0
    bytes: int = 0
    resumed: int = 0
    seconds: float = 0.0

    def add(self, other: "Sums") -> None:
        """Add what `other` counts."""
        self.number += other.number
        self.bytes += other.bytes
        self.resumed += other.resumed
        self.seconds += other.seconds


Rollup = dict[Cell, Sums]
_COUNTED: Final = ("bytes", "resumed", "seconds", "succeeded", "failed", "cancelled", "retries")
_EPOCH: Final = date(1970, 1, 1)


def day_of(now: float) -> int:
    """The day of a moment, counted from 1970-01-01."""
    return int(now // DAY)


def month_of(day: int) -> int:
    """The first day of the month of a day."""
    return day - (_EPOCH + timedelta(days=day)).day + 1


def cover(first: int, last: int) -> list[tuple[Span, int, int]]:
    """Spans that together are the days from `first` to `last`, each as its first and last first day.

    The month of `last` is taken whole: it is for periods that end today.
    """
    begin = first if month_of(first) == first else month_of(month_of(first) + 31)
    if begin > last:
        return [(Span.DAY, first, last)]
    days = [(Span.DAY, first, begin - 1)] if first < begin else []
    return [*days, (Span.MONTH, begin, month_of(last))]


def run_ended(
    rollup: Rollup,
    job: Job,
    state: State,
    reason: Reason | None,
    progress: Progress,
    seconds: float,
    now: float,
) -> Rollup:
    """Add the end of an attempt that worked for `seconds`, with its `progress`.

    Resuming is only counted where the attempt succeeded: then those bytes would surely have been fetched again.
    """
    resumed = progress.resumed if state is State.SUCCEEDED else 0
    return _add(rollup, job, state, reason, Sums(1, progress.network, resumed, max(0.0, seconds)), now)


def job_ended(rollup: Rollup, job: Job, state: State, now: float) -> Rollup:
    """Add the end of a job that did not run: one that was cancelled while it waited."""
    return _add(rollup, job, state, None, Sums(1), now)


def _add(rollup: Rollup, job: Job, state: State, reason: Reason | None, sums: Sums, now: float) -> Rollup:
    names = {Facet.KIND: job.kind, Facet.CATEGORY: job.category, Facet.HOST: job.host}
    if state is not State.SUCCEEDED:
        names[Facet.REASON] = reason
    day = day_of(now)
    for owner in (job.owner or "", EVERYONE):
        for facet, name in names.items():
            for span, first in _spans(facet, day) if name else ():
                cell = Cell(owner, str(facet), str(span), first, str(name), str(state))
                rollup.setdefault(cell, Sums()).add(sums)
    return rollup


def _spans(facet: Facet, day: int) -> list[tuple[Span, int]]:
    """Kinds are few and asked for by day; what is asked for by name is summed by month too."""
    days = [(Span.DAY, day)]
    return days if facet is Facet.KIND else [*days, (Span.MONTH, month_of(day))]


@dataclass(frozen=True, slots=True)
class Named:
    """Sums under one name over a period: ends by final state, attempts that had to be repeated, and how much moved."""

    name: str
    bytes: int = 0
    resumed: int = 0
    seconds: float = 0.0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    retries: int = 0

    @property
    def speed(self) -> float | None:
        """Bytes per second of work, where there was enough of both to say."""
        if self.bytes < ENOUGH_BYTES or self.seconds < ENOUGH_SECONDS:
            return None
        return self.bytes / self.seconds


@dataclass(frozen=True, slots=True)
class DaySums:
    """What was done on the day that begins at `at`."""

    at: float
    bytes: int = 0
    resumed: int = 0
    seconds: float = 0.0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Flow:
    """Bytes of the whole process in the `seconds` from `at` on."""

    at: float
    bytes: int
    seconds: int

    @property
    def rate(self) -> float:
        """Bytes per second."""
        return self.bytes / self.seconds


@dataclass(frozen=True, slots=True)
class Period:
    """What a number of days were like. `flow` is empty where the caller may not see what others do."""

    days: Sequence[DaySums]
    hosts: Sequence[Named]
    slowest: Sequence[Named]
    categories: Sequence[Named]
    failures: Mapping[str, int]
    retries: Mapping[str, int]
    total: DaySums
    saved_seconds: float
    flow: Sequence[Flow] = field(default=())

    @property
    def success(self) -> float | None:
        """The share of jobs that succeeded among those that succeeded or failed."""
        ended = self.total.succeeded + self.total.failed
        return self.total.succeeded / ended if ended else None

    @property
    def speed(self) -> float | None:
        """Bytes per second of work of one job."""
        return self.total.bytes / self.total.seconds if self.total.bytes and self.total.seconds else None


def period(
    days: Mapping[int, DaySums],
    hosts: Sequence[Named],
    categories: Sequence[Named],
    reasons: Iterable[tuple[str, str, int]],
    first: int,
    last: int,
    flow: Sequence[Flow] = (),
) -> Period:
    """Say what the days from `first` to `last` were like; `hosts` and `categories` begin with those of most bytes."""
    rows = [days.get(day) or DaySums(day * DAY) for day in range(first, last + 1)]
    total = _total(rows)
    slow = sorted((host for host in hosts if host.speed), key=lambda host: host.speed or 0.0)
    told = list(reasons)
    return Period(
        days=rows,
        hosts=hosts[:SHOWN],
        slowest=slow[:SHOWN],
        categories=with_rest(categories, total)[:SHOWN],
        failures=_by_number(told, State.FAILED),
        retries=_by_number(told, State.WAITING),
        total=total,
        saved_seconds=saved(hosts, total),
        flow=flow,
    )


def saved(hosts: Iterable[Named], total: DaySums) -> float:
    """Seconds that resuming saved: the bytes it spared at the speed of their host, or of all where that is not known."""
    speed = total.bytes / total.seconds if total.bytes and total.seconds else None
    seconds, known = 0.0, 0
    for host in hosts:
        pace = host.speed or speed
        seconds += host.resumed / pace if pace else 0.0
        known += host.resumed
    rest = max(0, total.resumed - known)
    return seconds + (rest / speed if speed else 0.0)


def with_rest(named: Sequence[Named], total: DaySums) -> list[Named]:
    """Return the names and, under the empty one, what is in `total` beyond them; most bytes first."""
    left = {name: getattr(total, name) - sum(getattr(one, name) for one in named) for name in _COUNTED}
    if not any(left[name] > 0 for name in _COUNTED if name != "seconds"):
        return list(named)
    rest = Named("", **{name: max(0, number) for name, number in left.items()})
    return sorted([*named, rest], key=lambda one: -one.bytes)


def _by_number(reasons: Iterable[tuple[str, str, int]], state: State) -> dict[str, int]:
    found = {name: number for name, of, number in reasons if of == state}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _total(rows: Sequence[DaySums]) -> DaySums:
    sums = {name: sum(getattr(row, name) for row in rows) for name in _COUNTED}
    return DaySums(rows[0].at if rows else 0.0, **sums)


def step_of(days: int) -> int:
    """Seconds of one point of the speed over `days`: whole parts of days, some 150 to 400 points."""
    for most, step in ((1, 600), (7, 3600), (31, 6 * 3600), (92, 12 * 3600)):
        if days <= most:
            return step
    return DAY
