"""What a handler sees of its job: phases, progress, log, checkpoints, and when to stop."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

from ferryman.jobs.log import JobLog
from ferryman.jobs.model import Document, Job, Progress


class StopReason(StrEnum):
    """Why a run has to stop."""

    PAUSE = "pause"
    CANCEL = "cancel"
    LOST = "lost"
    SHUTDOWN = "shutdown"


class Stopped(Exception):
    """A handler raises this when it stopped because it was asked to."""


class Run:
    """One attempt of a job. Used in the event loop of its worker."""

    def __init__(
        self,
        job: Job,
        folder: Path,
        log: JobLog,
        save: Callable[..., Awaitable[bool]],
    ) -> None:
        """`save` writes through the ledger and tells whether the lease still holds."""
        self.job = job
        self.folder = folder
        self.log = log
        self.checkpoint: Document | None = job.checkpoint
        self.latest: Progress = job.progress
        self.current_phase = job.phase
        self.stop_reason: StopReason | None = None
        self.dirty = False
        self._save = save
        self._stop = asyncio.Event()

    async def phase(self, name: str) -> None:
        """Enter a phase; it is recorded, logged and shown."""
        if name != self.current_phase:
            self.current_phase = name
            self.log.info(f"phase: {name}")
            await self._guard(phase=name)

    def progress(self, progress: Progress) -> None:
        """Tell how far it is. Cheap: it is recorded and shown once a second."""
        self.latest = progress
        self.dirty = True

    async def save(self, state: Document) -> None:
        """Record a checkpoint; durable on return. Raises `Stopped` when the lease was lost."""
        self.checkpoint = state
        await self._guard(checkpoint=state)

    async def stopped(self) -> StopReason:
        """Wait until the run has to stop."""
        await self._stop.wait()
        assert self.stop_reason is not None
        return self.stop_reason

    def stop(self, reason: StopReason) -> None:
        """Ask the handler to stop; the first reason stays, but a cancel overrides and a lost lease is final."""
        if self.stop_reason is None or reason in {StopReason.CANCEL, StopReason.LOST}:
            self.stop_reason = reason
        self._stop.set()

    async def _guard(self, **parts: Any) -> None:
        if not await self._save(self.job, **parts):
            self.stop(StopReason.LOST)
            raise Stopped
