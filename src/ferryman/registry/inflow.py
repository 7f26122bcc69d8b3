"""A blob on its way from an upstream into the depot, passed on while it arrives to all who ask for it."""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ferryman.core.errors import FerryError, Unavailable
from ferryman.registry.threads import Threads

HELD: Final = 1 << 16
"""Bytes at the end of every answer that are held back until the digest of the whole blob is right."""
PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _State:
    """Replaced as a whole by the thread that fetches, so that the loop reads it without a lock.

    `here` bytes have arrived; `round` counts how often they were thrown away and asked for anew.
    """

    begun: bool = False
    here: int = 0
    round: int = 0
    verified: bool = False
    error: FerryError | None = None


class Inflow:
    """Implements `registry.ports.Arriving`. One thread fetches and tells; any number of tasks of the loop follow.

    What arrived is in a file, so that followers cost a descriptor and one piece each, however late or slow they are.
    """

    def __init__(self, size: int, repository: str, threads: Threads, whole: Callable[[], Path]) -> None:
        """Begin with nothing of `size` bytes for `repository`. `whole` says where the blob is when all is done.

        Call it on the loop; `threads` read the file.
        """
        self.size, self.repository = size, repository
        self._threads, self._whole = threads, whole
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._told = False
        self._state = _State()
        self._lock = threading.Lock()
        self._handle = -1
        self._names = [repository]
        self._closed = False

    # For those who ask, on the loop.

    def join(self, repository: str) -> bool:
        """Make the blob part of another repository too when it is here; False when that comes too late."""
        with self._lock:
            if not self._closed and repository not in self._names:
                self._names.append(repository)
            return repository in self._names

    async def begun(self) -> None:
        """Wait until a head can be sent: upstream sends the blob, and a small one is whole. Raises what went wrong."""
        await self._until(lambda state: state.verified or (state.begun and self.size > HELD))

    async def chunks(self, first: int, length: int) -> AsyncIterator[bytes]:
        """Yield a part as it arrives, its last bytes when the whole blob is verified. Raises what went wrong."""
        at, end, turn, handle = first, first + length, -1, -1
        try:
            while at < end:
                state = await self._beyond(at, end)
                if state.round != turn:
                    if at > first:
                        raise _changed()
                    _close(handle)
                    handle, turn = self._open(), state.round
                upto = end if state.verified else min(state.here, end - HELD)
                piece = await self._threads.call(os.pread, handle, min(PIECE, upto - at), at)
                if piece:
                    at += len(piece)
                    yield piece
                elif self._state.round == turn:
                    raise _changed()
        finally:
            _close(handle)

    async def _beyond(self, at: int, end: int) -> _State:
        """Wait until there is something behind `at` that may be sent in an answer that ends at `end`."""
        return await self._until(lambda state: state.verified or min(state.here, end - HELD) > at)

    async def _until(self, right: Callable[[_State], bool]) -> _State:
        while not right(state := self._state):
            if state.error is not None:
                raise state.error
            # A change behind this line schedules `_tell`, which sets the event that is taken here.
            await self._changed.wait()
        return state

    def _open(self) -> int:
        with self._lock:
            if self._handle >= 0:
                return os.dup(self._handle)
        return os.open(self._whole(), os.O_RDONLY | os.O_CLOEXEC)

    # For the thread that fetches.

    def opened(self, handle: int, here: int) -> None:
        """Upstream sends; `handle`, which is owned from now on, reads the file, in which `here` bytes are."""
        self._own(handle)
        self._set(replace(self._state, begun=True, here=here))

    def went_on(self, here: int) -> None:
        """Tell that `here` bytes are in the file."""
        self._set(replace(self._state, here=here))

    def again(self) -> None:
        """Tell that what was there was wrong and is gone: it is asked for anew, into another file."""
        self._set(replace(self._state, here=0, round=self._state.round + 1))

    def verified(self) -> None:
        """Tell that all is there and has the right digest."""
        self._set(replace(self._state, here=self.size, verified=True))

    def named(self) -> list[str]:
        """Return the repositories it is for; from now on nobody joins."""
        with self._lock:
            self._closed = True
            return list(self._names)

    def ended(self, error: FerryError | None = None) -> None:
        """Tell that nothing more comes; `error` says why when it is not whole. Those who have it whole go on."""
        self.named()
        if error is not None and not self._state.verified:
            self._set(replace(self._state, error=error))
        self._own(-1)

    def _own(self, handle: int) -> None:
        with self._lock:
            _close(self._handle)
            self._handle = handle

    def _set(self, state: _State) -> None:
        self._state = state
        if not self._told:
            self._told = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody follows
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._told = False
        self._changed.set()
        self._changed = asyncio.Event()


def _close(handle: int) -> None:
    if handle >= 0:
        os.close(handle)


def _changed() -> Unavailable:
    return Unavailable(
        "upstream_changed",
        "What had arrived of the blob was wrong; it is fetched anew.",
        advice="Ask for it again.",
    )
