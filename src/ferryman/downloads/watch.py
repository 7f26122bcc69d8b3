"""Looks at one transfer until it ends: shows progress, keeps the checkpoint, stops it when the run has to stop."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from ferryman.downloads.trail import Trail
from ferryman.jobs.model import Progress
from ferryman.jobs.run import Run, Stopped, StopReason
from ferryman.transfer.model import Result, Snapshot
from ferryman.transfer.service import Stopped as TransferStopped
from ferryman.transfer.service import Transfer

LOOK: Final = 0.5
"""Seconds between two looks at a transfer."""


class Watch:
    """One transfer of one run. `trails` gives the checkpoint once the file has a name, when `trail` is None."""

    def __init__(
        self, transfer: Transfer, run: Run, trails: "asyncio.Queue[Trail]", trail: Trail | None
    ) -> None:
        """Nothing is awaited yet."""
        self._transfer = transfer
        self._run = run
        self._trails = trails
        self._trail = trail

    async def until_end(self, seen: Callable[[Snapshot], None]) -> Result:
        """Return the result. Raises what the transfer or `seen` raises, and `Stopped`; nothing moves afterwards."""
        ended = asyncio.ensure_future(self._transfer.result())
        stopped = asyncio.ensure_future(self._run.stopped())
        begun = asyncio.ensure_future(self._trails.get())
        try:
            while True:
                waiting: set[asyncio.Future[Any]] = {ended, stopped}
                if self._trail is None:
                    waiting.add(begun)
                await asyncio.wait(waiting, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                over = ended.done()  # as of now: what it ends with has to be shown, too
                await self._keep(begun)
                await self._show(seen)
                if over:
                    return ended.result()
                if stopped.done():
                    self._transfer.stop(keep=self._run.stop_reason is not StopReason.CANCEL)
                    await asyncio.wait({ended})
        except TransferStopped as error:
            raise Stopped from error
        finally:
            stopped.cancel()
            begun.cancel()
            await self._end(ended)

    async def _keep(self, begun: "asyncio.Future[Trail]") -> None:
        """Record the target as soon as it has a name, and the size as soon as it is known."""
        if self._trail is None and begun.done():
            self._trail = begun.result()
            await self._run.save(self._trail.document())
        total = self._transfer.snapshot().total
        if self._trail is not None and total is not None and self._trail.total != total:
            self._trail = replace(self._trail, total=total)
            await self._run.save(self._trail.document())

    async def _show(self, seen: Callable[[Snapshot], None]) -> None:
        now = self._transfer.snapshot()
        seen(now)
        self._run.progress(progress_of(now))
        if self._run.stop_reason is None:
            await self._run.phase(str(now.phase))

    async def _end(self, ended: "asyncio.Future[Result]") -> None:
        """Leave nothing moving, whatever happened here."""
        self._transfer.stop()
        with contextlib.suppress(Exception):  # what stopped the watch is raised already
            await ended


def progress_of(now: Snapshot) -> Progress:
    """Return a snapshot as the ledger keeps it."""
    return Progress(
        total=now.total,
        network=now.network,
        disk=now.disk,
        verified=now.verified,
        rate=now.rate,
        eta=now.eta,
        slow=now.slow,
        connections=now.connections,
        resumed=now.resumed,
    )
