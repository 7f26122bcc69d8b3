"""What the methods work with."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ferryman.accounts.model import Principal
from ferryman.downloads.aria2 import values
from ferryman.downloads.aria2.gids import Gids
from ferryman.downloads.change import Changes
from ferryman.downloads.model import KIND
from ferryman.downloads.service import Downloads
from ferryman.downloads.speed import Speed
from ferryman.jobs.model import Job, Query, State
from ferryman.jobs.service import Ledger
from ferryman.settings.service import SettingsService
from ferryman.web.job import owner_filter

ACTIVE: Final = (State.RUNNING,)
WAITING: Final = (State.QUEUED, State.WAITING, State.PAUSED)
STOPPED: Final = (State.SUCCEEDED, State.FAILED, State.CANCELLED)
UNFINISHED: Final = (*ACTIVE, *WAITING)
MOST_STOPPED: Final = 1000
"""Stopped downloads that are shown, the newest; all of them are in the history."""
MOST_LISTED: Final = 10_000
_ORDER: Final = {ACTIVE: "created_at", WAITING: "run_order", STOPPED: "finished_at"}


@dataclass(frozen=True, slots=True)
class House:
    """The rooms behind the methods. `root` is the download folder."""

    ledger: Ledger
    downloads: Downloads
    changes: Changes
    settings: SettingsService
    speed: Speed
    gids: Gids
    root: Path
    session: str = field(default_factory=lambda: secrets.token_hex(20))

    def tell(self, job: Job, caller: Principal, keys: Iterable[str] = ()) -> values.Status:
        """Return `job` as aria2 does."""
        self.gids.tell(job)
        return values.status(job, self.root, keys, own=owns(caller, job))

    async def jobs(
        self,
        caller: Principal,
        states: tuple[State, ...],
        most: int = MOST_LISTED,
        *,
        backwards: bool = False,
    ) -> list[Job]:
        """Return the first `most` downloads within reach, or the last ones `backwards`.

        They come in the order in which they run or ended. Of the stopped ones only the newest count.
        """
        if states == STOPPED and not backwards:
            newest = await self.jobs(caller, states, MOST_STOPPED, backwards=True)
            return newest[::-1][: max(0, most)]
        most = min(most, MOST_STOPPED if states == STOPPED else MOST_LISTED)
        sort = f"{'-' if backwards else ''}{_ORDER[states]}"
        query = Query(kinds=(KIND,), states=states, owner=owner_filter(caller), sort=sort)
        found: list[Job] = []
        if most > 0:
            async for job in self.ledger.each(query):
                found.append(job)
                if len(found) >= most:
                    break
        return found


def owns(caller: Principal, job: Job) -> bool:
    """Tell whether `job` is the caller's own; whoever holds the home folder owns all of them."""
    return caller.via == "local" or (job.owner is not None and job.owner == caller.user_id)
