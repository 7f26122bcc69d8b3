"""Reading the statistics, and keeping the traffic of the process."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import structlog

from ferryman.core.clock import Clock
from ferryman.core.errors import FerryError
from ferryman.db import Database
from ferryman.jobs.statistics import sql
from ferryman.jobs.statistics.model import DAY, EVERYONE, Facet, Flow, Period, day_of, period, step_of

SAMPLE: Final = 10.0
"""Seconds between two looks at how much arrived."""
TIDY: Final = 3600.0
"""Seconds between two removals of old traffic."""
_log = structlog.get_logger("ferryman.statistics")


class Statistics:
    """What was done, over all history. Safe to use from many tasks at once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Read from `database`, which must be migrated."""
        self._db = database
        self._clock = clock

    async def period(self, days: int, owner: str | None, *, flow: bool = False) -> Period:
        """Say what the last `days` days were like, today included: for one owner, or for all.

        With `flow` also how fast the whole process was.
        """
        now = self._clock.now()
        last = day_of(now)
        first, who, step = last - days + 1, EVERYONE if owner is None else owner, step_of(days)
        return await self._db.read(
            lambda c: period(
                sql.by_day(c, who, first, last),
                sql.by_name(c, who, Facet.HOST, first, last),
                sql.by_name(c, who, Facet.CATEGORY, first, last),
                sql.by_reason(c, who, first, last),
                first,
                last,
                sql.traffic(c, now - DAY if days == 1 else first * DAY, now, step) if flow else (),
            )
        )

    async def recent(self, seconds: float) -> list[Flow]:
        """How fast the whole process was of late, by minutes; the present one is left out, it is not over."""
        now = self._clock.now()
        flows = await self._db.read(lambda c: sql.traffic(c, now - seconds, now, sql.MINUTE))
        return flows[:-1]

    async def reasons(self) -> list[tuple[str, str, int]]:
        """Reason, state it led to, and how often, over all that is kept."""
        return await self._db.read(lambda c: sql.totals(c, Facet.REASON))


class TrafficKeeper:
    """Keeps how much arrives. A `core.lifecycle.Service`; a fault of the database costs samples, nothing else."""

    def __init__(
        self, database: Database, clock: Clock, received: Callable[[], int], sample: float = SAMPLE
    ) -> None:
        """`received` tells the bytes since the process started."""
        self._db = database
        self._clock = clock
        self._received = received
        self._sample = sample
        self._seen = 0
        self._tidied = float("-inf")
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._seen = self._received()
        self._task = asyncio.create_task(self._follow(), name="ferryman-traffic")

    async def stop(self) -> None:
        """Keep what arrived since the last look, and end."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            await self._look()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._sample)
            await self._look()

    async def _look(self) -> None:
        total, now = self._received(), self._clock.now()
        tidy = self._clock.monotonic() - self._tidied >= TIDY
        try:
            if total > self._seen:
                await self._db.write(lambda c: sql.add_traffic(c, now, total - self._seen))
                self._seen = total
            if tidy:
                await self._db.write(lambda c: sql.forget_traffic(c, now))
                self._tidied = self._clock.monotonic()
        except FerryError as error:
            _log.warning("traffic is not kept yet", error=error.message)
