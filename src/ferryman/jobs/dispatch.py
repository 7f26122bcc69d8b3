"""Waking workers inside one process."""

import asyncio
from collections.abc import Sequence


class LocalDispatch:
    """Implements `ports.Dispatch` for one event loop; `announce` may be called from any thread."""

    def __init__(self) -> None:
        """Nothing announced yet."""
        self._kinds: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    def announce(self, kind: str) -> None:
        """Wake workers that serve `kind`."""
        self._kinds.add(kind)
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if self._loop is None or self._loop is here:
            self._wake.set()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def wait(self, kinds: Sequence[str], timeout: float) -> bool:
        """Wait for one of `kinds`."""
        self._loop = asyncio.get_running_loop()
        deadline = self._loop.time() + timeout
        while True:
            found = self._kinds & set(kinds)
            if found:
                self._kinds -= found
                return True
            self._wake.clear()
            # Not `wait_for`: before Python 3.12 it may swallow a cancellation that meets the wake-up.
            try:
                async with asyncio.timeout_at(deadline):
                    await self._wake.wait()
            except TimeoutError:
                found = self._kinds & set(kinds)
                self._kinds -= found
                return bool(found)
