"""Earlier downloads of the same addresses, so that nothing is fetched twice without anybody wanting it."""

import asyncio
from collections.abc import Sequence
from typing import Final

from ferryman.accounts.model import Principal
from ferryman.downloads.model import KIND
from ferryman.downloads.order import Draft
from ferryman.jobs.model import Job, Query, State
from ferryman.jobs.service import Ledger
from ferryman.web.job import owner_filter

MOST: Final = 500
"""Downloads of one order that are looked up; the rest of a larger order is only compared with itself."""
_AT_ONCE: Final = 16
_SEEN: Final = 50
_KNOWN: Final = (State.QUEUED, State.RUNNING, State.PAUSED, State.WAITING, State.SUCCEEDED)


class Earlier:
    """Looks for jobs within the caller's reach that fetch or have fetched the same."""

    def __init__(self, ledger: Ledger) -> None:
        """Look in `ledger`."""
        self._ledger = ledger

    async def of(self, draft: Draft, caller: Principal) -> Job | None:
        """Return the newest job that has one of the same addresses and was not cancelled."""
        query = Query(kinds=(KIND,), states=_KNOWN, text=draft.title, owner=owner_filter(caller), limit=_SEEN)
        page = await self._ledger.list(query)
        urls = set(draft.spec.urls)
        return next((job for job in page.items if urls.intersection(job.spec.get("urls", ()))), None)

    async def of_all(self, drafts: Sequence[Draft], caller: Principal) -> list[Job | None]:
        """Return the earlier job for each draft, as far as `MOST`."""
        found: list[Job | None] = []
        for start in range(0, min(len(drafts), MOST), _AT_ONCE):
            part = drafts[start : min(start + _AT_ONCE, MOST)]
            found += await asyncio.gather(*(self.of(draft, caller) for draft in part))
        return found + [None] * (len(drafts) - len(found))
