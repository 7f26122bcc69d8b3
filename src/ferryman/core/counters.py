"""How often things changed, in a file that all processes of a machine map: to ask costs no system call.

Each thing has two numbers: changes begun, changes ended. While they are the same nothing is on its way, and the number says
which state this is. A process that is killed between the two leaves them different: whoever asks has to look itself then.
"""

import fcntl
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")
_NUMBER: Final = 8
"""Bytes of a number: native, so that each is written and read at once."""


class Counters:
    """Thread-safe, and safe with several processes."""

    def __init__(self, path: Path, pairs: int = 1) -> None:
        """Map the file at `path`, which is made or made longer when needed."""
        self._gate = threading.Lock()
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = pairs * 2 * _NUMBER
        if os.fstat(self._handle).st_size < size:
            os.ftruncate(self._handle, size)
        self._map = mmap.mmap(self._handle, size)
        self._numbers = memoryview(self._map).cast("Q")

    def settled(self, *pairs: int) -> int | None:
        """Return a number that is larger after each change of one of `pairs`; None while a change is on its way."""
        numbers, total = self._numbers, 0
        for pair in pairs:
            begun = numbers[2 * pair]
            if begun != numbers[2 * pair + 1]:
                return None
            total += begun
        return total

    def begun(self, pair: int) -> int:
        """Return how many changes of a pair began."""
        return self._numbers[2 * pair]

    def watch(self, pairs: tuple[int, ...], otherwise: Callable[[], T]) -> Callable[[], int | T]:
        """Return `settled` of `pairs` as a function that is called for every request; `otherwise` is called for None."""
        numbers = self._numbers
        if len(pairs) == 1:
            only = 2 * pairs[0]

            def one() -> int | T:
                begun = numbers[only]
                return begun if begun == numbers[only + 1] else otherwise()

            return one
        if len(pairs) != 3:
            return lambda: otherwise() if (found := self.settled(*pairs)) is None else found
        first, second, third = (2 * pair for pair in pairs)

        def three() -> int | T:
            a, b, c = numbers[first], numbers[second], numbers[third]
            if a == numbers[first + 1] and b == numbers[second + 1] and c == numbers[third + 1]:
                return a + b + c
            return otherwise()

        return three

    @contextmanager
    def changing(self, *pairs: int) -> Iterator[None]:
        """Surround a change."""
        self.begin(*pairs)
        try:
            yield
        finally:
            self.end(*pairs)

    def begin(self, *pairs: int) -> None:
        """Say that a change begins; `end` has to follow. Blocks for a moment while another process counts."""
        with self._alone():
            for pair in pairs:
                self._numbers[2 * pair] += 1

    def end(self, *pairs: int) -> None:
        """Say that a change is over, whether it succeeded or not."""
        with self._alone():
            for pair in pairs:
                self._numbers[2 * pair + 1] += 1

    def repair(self) -> None:
        """Forget changes that were begun and never ended. Only while nobody can be changing anything."""
        with self._alone():
            for at in range(0, len(self._numbers), 2):
                begun, ended = self._numbers[at], self._numbers[at + 1]
                if begun != ended:
                    self._numbers[at] = self._numbers[at + 1] = max(begun, ended) + 1

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        with self._gate:
            if self._handle >= 0:
                self._numbers.release()
                self._map.close()
                os.close(self._handle)
                self._handle = -1

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._gate:
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._handle, fcntl.LOCK_UN)
