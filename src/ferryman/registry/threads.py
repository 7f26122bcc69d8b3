"""Where the registry does what blocks: the database, hashing, disks."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
THREADS: Final = 16
"""Enough for uploads that wait for the disk not to hold up each other."""


class Threads:
    """A pool of its own, so that the registry neither waits for others nor lets them wait."""

    def __init__(self, most: int = THREADS) -> None:
        """Begin `most` threads, each when it is first needed."""
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="registry")

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `function` returns. What runs in a thread goes on when the caller is cancelled."""
        loop = asyncio.get_running_loop()
        work: Callable[..., Any] = (lambda: function(*args, **kwargs)) if kwargs else function
        result: T = await loop.run_in_executor(self._pool, work, *(() if kwargs else args))
        return result

    def close(self) -> None:
        """Let what runs end, and end the threads."""
        self._pool.shutdown(wait=True)
