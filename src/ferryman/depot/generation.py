"""How often references changed, by any process: see `core.counters`. While a change is on its way the database is asked.

Caches that hold many things ask for what they hold alone: a change of one tag leaves them the others. Names share a number
now and then, which costs a look at the database, not truth.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final
from zlib import crc32

from ferryman.core.counters import Counters

SLOTS: Final = 4096
_ANY, _ALL, _FIRST = 0, 1, 2
"""Pairs: every change; changes that may be of anything; the first of the names."""


class Generation:
    """Thread-safe, and safe with several processes."""

    def __init__(self, path: Path, ask: Callable[[], int]) -> None:
        """Map the file at `path`, which is made when needed; `ask` reads the number of the database."""
        self._ask = ask
        self._counters = Counters(path, _FIRST + SLOTS)
        self.now: Callable[[], int] = self._counters.watch((_ANY,), self._asked)
        """Returns a number that is another one after every change."""

    def of(self, *names: str) -> Callable[[], int]:
        """Return what gives a number that is another one after every change of what bears one of `names`; very cheap."""
        pairs = (_ALL, *(_slot(name) for name in names))
        return self._counters.watch(pairs, self._asked)

    def changing(self, *names: str) -> AbstractContextManager[None]:
        """Surround the transaction of a change of what bears `names`; without names of anything."""
        slots = {_slot(name) for name in names}
        return self._counters.changing(_ANY, *(slots or {_ALL}))

    def repair(self) -> None:
        """Forget changes that were begun and never ended. Only while nobody can be changing anything."""
        self._counters.repair()

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        self._counters.close()

    def _asked(self) -> int:
        return -1 - self._ask()


def _slot(name: str) -> int:
    return _FIRST + crc32(name.encode()) % SLOTS
