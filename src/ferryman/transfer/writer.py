"""A thread that writes big decrypted buffers while the loop decrypts the next ones.

Decrypting and writing cost about the same, so one thread doing both is half as fast as two. The writes bypass the page
cache where file and file system allow it: filling the cache costs more than all else when nobody reads the file back.
"""

import mmap
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from ferryman.transfer.disk import PartFile
from ferryman.transfer.plan import MiB

PAGE: Final = 4096
BUFFER: Final = MiB
_BUFFERS: Final = 4
_LATELY: Final = 0.1
"""Seconds for which a missing buffer says that the disk is behind."""
WORTH: Final = 256 * 1024
"""Less than this is written by the loop itself: handing it over would cost more than it saves."""


def pieces(at: int, count: int) -> tuple[int, int]:
    """Where in `count` bytes for offset `at` the whole pages begin and end; equal when there are none. Pure."""
    first = min(count, -at % PAGE)
    last = count - (at + count) % PAGE
    return (first, last) if last > first else (count, count)


class Write:
    """Bytes on their way into a file. `error` and `done` are set by the writer's thread."""

    __slots__ = ("at", "buffer", "data", "done", "error", "part")

    def __init__(self, part: PartFile, buffer: memoryview, skip: int, count: int, at: int) -> None:
        """Write `count` bytes of `buffer` from `skip` on to offset `at` of `part`."""
        self.part, self.buffer, self.at = part, buffer, at
        self.data = buffer[skip : skip + count]
        self.error: OSError | None = None
        self.done = threading.Event()

    def run(self) -> None:
        """Write all of it; never raises."""
        try:
            first, last = pieces(self.at, len(self.data))
            self.part.write(self.data[:first], self.at)
            self.part.write_through(self.data[first:last], self.at + first)
            self.part.write(self.data[last:], self.at + last)
        except OSError as error:
            self.error = error
        finally:
            self.done.set()


class Writer:
    """Buffers and the thread. Loop only. Memory is bounded by the buffers; who finds none waits for one."""

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        """Thread and buffers come with the first use; `post` runs calls on the loop."""
        self._post = post
        self._free: list[memoryview] = []
        self._made = 0
        self._short_at = 0.0
        self._waiting: deque[Callable[[], None]] = deque()
        self._queue: queue.SimpleQueue[tuple[Write, Callable[[], None]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def take(self) -> memoryview | None:
        """A free buffer of `BUFFER + PAGE` bytes that begins at a page, or None."""
        if self._free:
            return self._free.pop()
        if self._made < _BUFFERS:
            self._made += 1
            return memoryview(mmap.mmap(-1, BUFFER + PAGE))
        self._short_at = time.monotonic()
        return None

    def behind(self, now: float) -> bool:
        """Whether a buffer was missed lately: the disk is slower than what arrives."""
        return now - self._short_at < _LATELY

    def wait(self, then: Callable[[], None]) -> None:
        """Call `then` once when a buffer is free; it takes one at once, or does not want it any more."""
        self._waiting.append(then)

    def give_back(self, buffer: memoryview) -> None:
        """A buffer is free again."""
        self._free.append(buffer)
        if self._waiting:
            self._post(self._serve)

    def _serve(self) -> None:
        for _ in range(len(self._waiting)):
            if not self._free:
                return
            self._waiting.popleft()()

    def write(self, write: Write, then: Callable[[], None]) -> None:
        """Let the thread carry out a write, then call `then` on the loop; the buffer stays taken."""
        self._queue.put((write, then))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ferry-write", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End after what is queued."""
        if self._thread:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while item := self._queue.get():
            write, then = item
            write.run()
            self._post(then)
