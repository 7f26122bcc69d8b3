"""What a handler sees of its job: phases, progress, log, checkpoints, and when to stop."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from ferryman.jobs.log import JobLog
from ferryman.jobs.model import Document, Job, Progress
from ferryman.jobs.series import SeriesFile


class StopReason(StrEnum):
    """Why a run has to stop."""

    PAUSE = "pause"
    CANCEL = "cancel"
    LOST = "lost"
    SHUTDOWN = "shutdown"
    CLOSED = "closed"
    """The time of day in which it may run is over."""


class Stopped(Exception):
    """A handler raises this when it stopped because it was asked to."""


class Recorder(Protocol):
    """Writes what a run has to record through the ledger, under its epoch."""

    async def __call__(
        self, run: "Run", *, phase: str | None = None, checkpoint: Document | None = None
    ) -> bool:
        """Tell whether the lease still holds. Durable on return."""
        ...


class Run:
    """One attempt of a job. Used in the event loop of its worker; only `log` may be used from other threads."""

    def __init__(self, job: Job, folder: Path, log: JobLog, record: Recorder) -> None:
        """`folder` is the job's own (not made yet)."""
        self.job = job
        self.folder = folder
        self.log = log
        self.series = SeriesFile(folder)
        """How it goes over time; its worker writes it."""
        self.checkpoint: Document | None = job.checkpoint
        """The last state that was saved, by this attempt or one before."""
        self.latest: Progress = job.progress
        self.current_phase = job.phase
        self.stop_reason: StopReason | None = None
        self.dirty = False
        """Whether there is progress that was not recorded yet."""
        self._record = record
        self._stop = asyncio.Event()

    async def phase(self, name: str) -> None:
        """Enter a phase; it is recorded, logged and shown. Raises `Stopped` when the lease was lost."""
        if name != self.current_phase:
            self.current_phase = name
            self.log.info(f"phase: {name}")
            self._demand(await self._record(self, phase=name))

    def progress(self, progress: Progress) -> None:
        """Tell how far it is. Cheap: it is recorded and shown once a second."""
        self.latest = progress
        self.dirty = True

    async def save(self, state: Document) -> None:
        """Record a checkpoint; durable on return. Raises `Stopped` when the lease was lost."""
        self._demand(await self._record(self, checkpoint=state))
        self.checkpoint = state

    async def stopped(self) -> StopReason:
        """Wait until the run has to stop; then there are about 8 seconds to do so."""
        await self._stop.wait()
        assert self.stop_reason is not None
        return self.stop_reason

    def stop(self, reason: StopReason) -> None:
        """Ask the handler to stop. The first reason stays, but a cancel overrides it, and a lost lease is final."""
        if self.stop_reason is None or (
            self.stop_reason is not StopReason.LOST and reason in {StopReason.CANCEL, StopReason.LOST}
        ):
            self.stop_reason = reason
        self._stop.set()

    def _demand(self, holds: bool) -> None:
        if not holds:
            self.stop(StopReason.LOST)
            raise Stopped
