"""Hearing of settings that another process on the same database changed."""

import asyncio
import contextlib
from typing import Final

import structlog

from ferryman.core.errors import FerryError
from ferryman.settings.service import SettingsService

PACE: Final = 5.0
"""Seconds between two looks."""
_log = structlog.get_logger("ferryman.settings")


class Following:
    """Looks for changes every few seconds. A `core.lifecycle.Service`.

    On SQLite no other daemon shares the database, so it is not needed there.
    """

    def __init__(self, settings: SettingsService, *, pace: float = PACE) -> None:
        """Refresh `settings` every `pace` seconds."""
        self._settings = settings
        self._pace = pace
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look(), name="ferryman-settings")

    async def stop(self) -> None:
        """End it. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._pace)
            try:
                await self._settings.refresh()
            except FerryError as error:
                _log.warning("the settings cannot be looked at", error=error.message)
