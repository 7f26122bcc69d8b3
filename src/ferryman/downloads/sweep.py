"""Removes what had arrived of downloads that are cancelled while they do not run: paused, queued or waiting ones."""

import asyncio
import contextlib
from pathlib import Path

import structlog

from ferryman.core.errors import FerryError
from ferryman.downloads.model import KIND
from ferryman.downloads.trail import Trail
from ferryman.downloads.unpacking import remove_leftover
from ferryman.jobs.model import State
from ferryman.jobs.service import Ledger

_log = structlog.get_logger("ferryman.downloads")


class Sweeper:
    """Follows the hub. A `core.lifecycle.Service`. What a running download had is removed by its own run."""

    def __init__(self, ledger: Ledger, root: Path) -> None:
        """Remove partial files below `root` only."""
        self._ledger = ledger
        self._root = root
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._follow(), name="ferryman-sweeper")

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        with self._ledger.hub.subscribe() as messages:
            async for message in messages:
                data = message.data
                if message.name == "job" and data["kind"] == KIND and data["state"] == State.CANCELLED:
                    await self._sweep(str(data["id"]))

    async def _sweep(self, job_id: str) -> None:
        try:
            job = await self._ledger.get(job_id)
            if job.state is State.CANCELLED:
                await asyncio.to_thread(remove_leftover, job.checkpoint, job.id, self._root)
            trail = Trail.read(job.checkpoint, self._root) if job.state is State.CANCELLED else None
            if trail is not None:
                await asyncio.to_thread(trail.remove_partial)
        except (FerryError, OSError) as error:
            _log.warning("what arrived of a cancelled download stays", job=job_id, error=str(error))
