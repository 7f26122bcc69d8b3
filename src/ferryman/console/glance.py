"""What page, API and command say at a glance: what is happening, is it well, what needs someone."""

import asyncio
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferryman.accounts.model import Principal
from ferryman.jobs.model import Job, Query, Reason, State
from ferryman.jobs.service import Ledger
from ferryman.jobs.statistics.model import DAY, Flow
from ferryman.jobs.statistics.service import Statistics
from ferryman.web.job import owner_filter

MOST_ACTIVE: Final = 100
RECENT: Final = 10
STUCK: Final = (Reason.DISK_FULL,)
"""Reasons to wait that only a person can end."""
LOW: Final = 1 << 30
"""Bytes of free room that are few whatever is to come."""
HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Room:
    """Room on the disk of the downloads, in bytes. `coming` is what the running jobs still have to write."""

    path: Path
    total: int
    free: int
    coming: int

    @property
    def low(self) -> bool:
        """Whether it is about to be full."""
        return self.free < max(LOW, self.coming)

    @property
    def short(self) -> bool:
        """Whether what is running does not fit."""
        return self.free < self.coming


@dataclass(frozen=True, slots=True)
class Glance:
    """What one caller sees. `failed` and `failures` are about the last day, `flow` is the last hour by minutes."""

    counts: Mapping[State, int]
    active: Sequence[Job]
    recent: Sequence[Job]
    failed: Sequence[Job]
    failures: int
    stuck: Sequence[Job]
    due: Sequence[Job]
    room: Room | None
    flow: Sequence[Flow]

    @property
    def rate(self) -> float:
        """Bytes per second of all that runs."""
        return sum(job.progress.rate for job in self.active)


class Overview:
    """Looks at the ledger. Safe to use from many tasks at once."""

    def __init__(self, ledger: Ledger, statistics: Statistics, folder: Path) -> None:
        """`folder` is where downloads go."""
        self._ledger = ledger
        self._statistics = statistics
        self._folder = folder

    async def look(self, caller: Principal) -> Glance:
        """Return what `caller` may see of all jobs."""
        owner, ledger = owner_filter(caller), self._ledger
        yesterday = ledger.clock.now() - DAY
        failing = Query(
            states=(State.FAILED,), owner=owner, finished_since=yesterday, sort="-finished_at", limit=RECENT
        )
        active, recent, failed, stuck = [
            (await ledger.list(query)).items
            for query in (
                Query(states=(State.RUNNING,), owner=owner, sort="-created_at", limit=MOST_ACTIVE),
                Query(states=(State.SUCCEEDED,), owner=owner, sort="-finished_at", limit=RECENT),
                failing,
                Query(states=(State.WAITING,), reasons=STUCK, owner=owner, limit=RECENT),
            )
        ]
        failures = len(failed) if len(failed) < RECENT else (await ledger.summary(failing)).number
        return Glance(
            counts=await ledger.counts(owner=owner),
            active=active,
            recent=recent,
            failed=failed,
            failures=failures,
            stuck=stuck,
            due=await ledger.due(owner, RECENT),
            room=await asyncio.to_thread(room_of, self._folder, coming(active)),
            flow=await self._statistics.recent(HOUR) if caller.allows("jobs:all") else (),
        )


def coming(jobs: Iterable[Job]) -> int:
    """Return the bytes that running jobs still have to write, as far as known."""
    return sum(max(0, job.progress.total - job.progress.disk) for job in jobs if job.progress.total)


def room_of(folder: Path, still: int = 0) -> Room | None:
    """Return the room where `folder` is or will be; None when it cannot be told."""
    place = next((path for path in (folder, *folder.parents) if path.exists()), None)
    if place is None:
        return None
    try:
        usage = shutil.disk_usage(place)
    except OSError:
        return None
    return Room(path=folder, total=usage.total, free=usage.free, coming=still)
