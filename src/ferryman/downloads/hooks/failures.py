"""Tells hooks of downloads that failed: follows the ledger's events from where it stopped, also after a restart."""

import asyncio
import contextlib
from typing import Final

import structlog

from ferryman.core.errors import FerryError
from ferryman.downloads.hooks.model import HookEvent
from ferryman.downloads.hooks.service import Hooks
from ferryman.downloads.hooks.sql import HookStore
from ferryman.downloads.model import KIND
from ferryman.jobs.model import State
from ferryman.jobs.service import Ledger

PACE: Final = 30.0
"""Most seconds until events are looked at."""
AT_ONCE: Final = 1000
_log = structlog.get_logger("ferryman.hooks")


class Failures:
    """A `core.lifecycle.Service`. What it announces twice is one delivery."""

    def __init__(self, ledger: Ledger, store: HookStore, hooks: Hooks) -> None:
        """Follow `ledger`, remember the place in `store`, announce to `hooks`."""
        self._ledger = ledger
        self._store = store
        self._hooks = hooks
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._follow(), name="ferryman-hook-failures")

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        with self._ledger.hub.subscribe() as messages:
            waiting = asyncio.ensure_future(anext(messages))
            try:
                while True:
                    await self._guarded()
                    loop = asyncio.get_running_loop()
                    deadline = loop.time() + PACE
                    while (left := deadline - loop.time()) > 0:
                        done, _ = await asyncio.wait({waiting}, timeout=left)
                        if not done:
                            break
                        data, name = waiting.result().data, waiting.result().name
                        waiting = asyncio.ensure_future(anext(messages))
                        if name == "job" and data["kind"] == KIND and data["state"] == State.FAILED:
                            break
            finally:
                waiting.cancel()

    async def _guarded(self) -> None:
        try:
            await self.catch_up()
        except FerryError as error:
            _log.warning("failed downloads could not be told to hooks", error=error.message)
        except Exception:  # noqa: BLE001 - no fault may end the service
            _log.exception("a fault while telling hooks of failed downloads")

    async def catch_up(self) -> None:
        """Announce what failed since the last time."""
        cursor = await self._store.cursor()
        if cursor is None:
            await self._store.set_cursor(await self._ledger.last_event())
            return
        while events := await self._ledger.events(None, cursor, AT_ONCE):
            failed = {event.job_id for event in events if event.data.get("to") == State.FAILED}
            for job_id in failed:
                await self._announce(job_id)
            cursor = events[-1].id
            await self._store.set_cursor(cursor)

    async def _announce(self, job_id: str) -> None:
        try:
            job = await self._ledger.get(job_id)
        except FerryError:  # it was deleted meanwhile
            return
        if job.kind == KIND and job.state is State.FAILED:
            await self._hooks.announce(job, HookEvent.FAILED, None, job.spec.get("hooks") or ())
