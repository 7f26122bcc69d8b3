"""What the event stream shows: the ledger and its hub, in the shape of the API."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from ferryman.jobs.hub import Message
from ferryman.jobs.service import Ledger
from ferryman.web.job import job_view


class LedgerFeed:
    """Implements `web.stream.Feed`."""

    def __init__(self, ledger: Ledger) -> None:
        """Show what happens in `ledger`."""
        self._ledger = ledger

    async def subscribe(self) -> AsyncIterator[Message]:
        """Follow what happens; jobs in the shape of the API."""
        with self._ledger.hub.subscribe() as subscription:
            async for message in subscription:
                if message.name == "job":
                    yield Message(
                        "job", await self.job(str(message.data["id"])), await self._ledger.last_event()
                    )
                    yield Message("counts", await self._counts())
                else:
                    yield message

    async def last_id(self) -> int:
        """The id of the newest stored event."""
        return await self._ledger.last_event()

    async def changed(self, after: int, limit: int) -> Sequence[tuple[int, str]]:
        """Stored events after `after`."""
        return [(event.id, event.job_id) for event in await self._ledger.events(None, after, limit)]

    async def job(self, job_id: str) -> dict[str, Any]:
        """One job as the API shows it."""
        return job_view(await self._ledger.get(job_id)).model_dump(mode="json")

    async def _counts(self) -> dict[str, Any]:
        return {str(state): number for state, number in (await self._ledger.counts()).items()}
