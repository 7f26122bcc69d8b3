"""Removes ended downloads that are older, or more, than the settings say. Little by little, so that nothing waits for it."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import structlog

from ferryman.core.errors import FerryError
from ferryman.core.live import Live
from ferryman.core.settings import Settings
from ferryman.downloads.history.service import History

LOOK: Final = 600.0
"""Seconds between two looks."""
_log = structlog.get_logger("ferryman.downloads")


class Retention:
    """A `core.lifecycle.Service` that prunes the history now and then."""

    def __init__(self, history: History, live: Live, *, look: float = LOOK) -> None:
        """Prune `history` as `live` says, every `look` seconds and when the settings change."""
        self._history = history
        self._live = live
        self._look = look
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Begin to look."""
        loop = asyncio.get_running_loop()

        def changed(_settings: Settings) -> None:
            loop.call_soon_threadsafe(self._changed.set)

        self._unsubscribe = self._live.subscribe(changed)
        self._task = asyncio.create_task(self._forever(), name="ferryman-retention")

    async def stop(self) -> None:
        """Stop looking."""
        self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def sweep(self) -> int:
        """Remove what is due now; return how many entries that were."""
        settings = self._live.now()
        days, count = settings.history_days, settings.history_count
        number, more = 0, bool(days or count)
        while more:
            done = await self._history.prune(days=days, count=count)
            number, more = number + done.number, done.more
        return number

    async def _forever(self) -> None:
        while True:
            try:
                if number := await self.sweep():
                    _log.info("ended downloads were removed from the history", number=number)
            except FerryError as error:
                _log.warning("the history was not pruned", error=str(error))
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._look)
