"""Upkeep of the depot as jobs: asked for by people, and once a day by itself."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Final

import structlog
from pydantic import BaseModel, ConfigDict, Field

from ferryman.accounts.model import Principal
from ferryman.core.errors import FerryError
from ferryman.core.live import Live
from ferryman.jobs.model import Job, NewJob
from ferryman.jobs.service import Ledger

GC: Final = "gc"
FSCK: Final = "fsck"
NEVER: Final = 24
"""The hour of `depot_gc_hour` that never comes."""
LONGEST_GRACE: Final = 366 * 86_400
LOOK: Final = 60.0
"""Seconds between two looks at the clock."""
_log = structlog.get_logger("ferryman.images")


class GcSpec(BaseModel):
    """A clean-up of the depot."""

    model_config = ConfigDict(extra="forbid")

    grace: Annotated[float, Field(ge=0, le=LONGEST_GRACE, allow_inf_nan=False)] = Field(
        86_400.0, description="Seconds that content nobody refers to is kept."
    )
    dry_run: bool = Field(False, strict=True, description="Only tell what would go.")


class FsckSpec(BaseModel):
    """A check of the depot."""

    model_config = ConfigDict(extra="forbid")

    deep: bool = Field(True, strict=True, description="Read every byte, not only names and sizes.")
    repair: bool = Field(
        True, strict=True, description="Fetch damaged and missing content again from where it came."
    )
    plain_http: bool = Field(False, strict=True, description="Fetch it from registries without TLS.")


class Upkeep:
    """Makes the jobs. Safe to use from many tasks at once."""

    def __init__(self, ledger: Ledger) -> None:
        """Put jobs into `ledger`."""
        self._ledger = ledger

    async def gc(self, spec: GcSpec, caller: Principal | None, key: str | None = None) -> Job:
        """Order a clean-up. `key` makes a repeated request harmless. Raises `Conflict`."""
        title = "What a clean-up of the depot would remove" if spec.dry_run else "Clean up the depot"
        return await self._add(GC, title, spec, caller, key)

    async def fsck(self, spec: FsckSpec, caller: Principal | None, key: str | None = None) -> Job:
        """Order a check. Raises `Conflict`."""
        return await self._add(FSCK, "Check the depot", spec, caller, key)

    async def _add(
        self, kind: str, title: str, spec: BaseModel, caller: Principal | None, key: str | None
    ) -> Job:
        owner = caller.user_id if caller else None
        who = f"{owner or (caller.name if caller else 'system')}/{kind}/{key}" if key else None
        job = NewJob(
            kind=kind, title=title, spec=spec.model_dump(mode="json"), owner=owner, idempotency_key=who
        )
        return await self._ledger.submit(job)


class Nightly:
    """A `core.lifecycle.Service` that orders a clean-up once a day, at the hour of the settings."""

    def __init__(self, upkeep: Upkeep, live: Live, now: Callable[[], datetime] = datetime.now) -> None:
        """Order through `upkeep`; `now` is the local time."""
        self._upkeep, self._live, self._now = upkeep, live, now
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look at the clock."""
        self._task = asyncio.create_task(self._forever(), name="ferryman-depot-nightly")

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def look(self, before: datetime) -> datetime:
        """Order a clean-up when its hour came since `before`; return the time of this look."""
        now, settings = self._now(), self._live.now()
        if is_due(before, now, settings.depot_gc_hour):
            spec = GcSpec(grace=settings.depot_grace_hours * 3600.0)
            # With several daemons on one database, the day is the key: one of them orders it.
            await self._upkeep.gc(spec, None, f"nightly-{now:%Y-%m-%d}")
        return now

    async def _forever(self) -> None:
        before = self._now()
        while True:
            await asyncio.sleep(LOOK)
            try:
                before = await self.look(before)
            except FerryError as error:
                _log.warning("the nightly clean-up was not ordered", error=str(error))


def is_due(before: datetime, now: datetime, hour: int) -> bool:
    """Whether the beginning of `hour` lies behind `before` and not behind `now`; local times."""
    if hour >= NEVER:
        return False
    last = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    if last > now:
        last -= timedelta(days=1)
    return last > before
