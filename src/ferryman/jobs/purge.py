"""Removes for good what was deleted a while ago: rows, events, logs, and with them what features keep of a job."""

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from ferryman.core.errors import FerryError
from ferryman.jobs.model import Job
from ferryman.jobs.service import Ledger

TRASH_SECONDS: Final = 60.0
"""How long deleted jobs can be brought back."""
LOOK: Final = 5.0
"""Seconds between two looks."""
Discard = Callable[[Job], Awaitable[None]]
"""Removes what a job of one kind fetched. It may be called again when a process died in between."""

_log = structlog.get_logger("ferryman.jobs")


class Purger:
    """Empties the trash. A `core.lifecycle.Service`.

    First a job is marked, so that it cannot be brought back; then its files go, and its row at last. Whoever is killed
    in between leaves a marked row, and the next one goes on from there.
    """

    def __init__(
        self, ledger: Ledger, discards: Mapping[str, Discard], *, after: float = TRASH_SECONDS
    ) -> None:
        """`discards` removes the files of a kind of jobs, where that was asked for; `after` is in seconds."""
        self._ledger = ledger
        self._discards = dict(discards)
        self._after = after
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._forever(), name="ferryman-purger")

    async def stop(self) -> None:
        """Stop looking; what is half removed is finished by the next one."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def purge(self) -> int:
        """Remove what is due now; return how many jobs that were."""
        number = 0
        while doomed := await self._ledger.store.doom(self._ledger.clock.now() - self._after):
            for gone in doomed:
                await self._remove(gone.job, files=gone.files)
            await self._ledger.store.remove([gone.job.id for gone in doomed])
            number += len(doomed)
        return number

    async def _forever(self) -> None:
        while True:
            try:
                await self.purge()
            except FerryError as error:
                _log.warning("the trash is not emptied yet", error=error.message)
            except Exception:  # noqa: BLE001 - no fault may end this service
                _log.exception("a fault while the trash was emptied")
            await asyncio.sleep(min(LOOK, self._after))

    async def _remove(self, job: Job, *, files: bool) -> None:
        discard = self._discards.get(job.kind)
        if files and discard is not None:
            try:
                await discard(job)
            except (FerryError, OSError) as error:
                _log.warning("what a deleted job fetched stays", job=job.id, error=str(error))
        await asyncio.to_thread(shutil.rmtree, self._ledger.folder(job.id), ignore_errors=True)
