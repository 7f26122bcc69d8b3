"""How a job went over time: a bounded series of points in the job's folder, coarser the longer the job runs."""

import contextlib
import json
import threading
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Final

from ferryman.jobs.model import Progress

MOST: Final = 300
"""Points that are kept; when there are more, two become one and the next ones are twice as far apart."""
FINEST: Final = 1.0
"""Seconds between two points in the beginning."""
WINDOW: Final = 10.0
"""Seconds that the rate of a progress covers; over longer times it is told from the bytes."""
NAME: Final = "speed.jsonl"


@dataclass(frozen=True, slots=True)
class Point:
    """Progress at a moment (UNIX seconds) of a run; `rate` is the mean since the point before, bytes per second."""

    at: float
    run: int
    network: int
    disk: int
    verified: int
    rate: float


@dataclass(frozen=True, slots=True)
class Series:
    """Points in order of time, at least `step` seconds apart within a run."""

    step: float = FINEST
    points: tuple[Point, ...] = ()

    def add(self, point: Point, *, last: bool = False) -> "Series":
        """Return the series with `point`, or itself when that is too early; the `last` one of a run never is."""
        before = self.points[-1] if self.points else None
        if before is not None and before.run == point.run:
            gap = point.at - before.at
            if gap < self.step * 0.95 and not last:
                return self
            if gap > WINDOW:
                point = replace(point, rate=round(max(0, point.network - before.network) / gap, 1))
        grown = Series(self.step, (*self.points, point))
        return grown if len(grown.points) <= MOST else grown.halved()

    def halved(self) -> "Series":
        """Return half as many points, twice as far apart; the last one and each run's last one stay exact."""
        points: list[Point] = []
        earlier: Point | None = None
        for point in self.points:
            if earlier is not None and earlier.run == point.run:
                points.append(replace(point, rate=(earlier.rate + point.rate) / 2))
                earlier = None
            else:
                if earlier is not None:
                    points.append(earlier)
                earlier = point
        if earlier is not None:
            points.append(earlier)
        if len(points) > MOST // 2 + 1:  # as many runs as points: the latest are worth more
            points = points[-MOST // 2 :]
        return Series(self.step * 2, tuple(points))


def point_of(progress: Progress, run: int, now: float) -> Point:
    """Return the point that `progress` is now."""
    return Point(
        round(now, 1), run, progress.network, progress.disk, progress.verified, round(progress.rate, 1)
    )


class SeriesFile:
    """The series of one job on disk, for one run. Thread-safe; a file that cannot be written stops nothing."""

    def __init__(self, folder: Path) -> None:
        """Keep it in `folder`, which is made when needed; nothing is read yet."""
        self._path = folder / NAME
        self._series: Series | None = None
        self._first: Point | None = None
        self._gate = threading.Lock()

    def begin(self, progress: Progress, run: int, now: float) -> None:
        """Let the series of this run begin where it goes on; that is kept with the first point."""
        self._first = replace(point_of(progress, run, now), rate=0.0)

    def add(self, progress: Progress, run: int, now: float, *, last: bool = False) -> None:
        """Keep the progress of a run when it is time to."""
        with self._gate:
            before = after = self._series or read_series(self._path.parent)
            if self._first is not None:
                after, self._first = after.add(self._first, last=True), None
            after = after.add(point_of(progress, run, now), last=last)
            self._series = after
            if after is not before:
                with contextlib.suppress(OSError):
                    self._write(before, after)

    def _write(self, before: Series, after: Series) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if after.step == before.step and before.points:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.writelines(_line(point) for point in after.points[len(before.points) :])
            return
        fresh = self._path.with_suffix(".new")
        fresh.write_text(f"{after.step}\n{''.join(_line(point) for point in after.points)}", "utf-8")
        fresh.replace(self._path)


def read_series(folder: Path) -> Series:
    """Read the series of a job's folder; empty when there is none. A line that a power cut spoilt is left out."""
    try:
        lines = (folder / NAME).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return Series()
    try:
        step = max(FINEST, float(lines[0]))
    except (IndexError, ValueError):
        return Series()
    return Series(step, tuple(point for line in lines[1:] if (point := _point(line)) is not None))


def _line(point: Point) -> str:
    return json.dumps(astuple(point), separators=(",", ":")) + "\n"


def _point(line: str) -> Point | None:
    try:
        at, run, network, disk, verified, rate = json.loads(line)
        return Point(float(at), int(run), int(network), int(disk), int(verified), float(rate))
    except (ValueError, TypeError):
        return None
