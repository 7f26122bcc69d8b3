"""What of one exchange was read but is not in the file yet, because the writer still has it. Loop only."""

from collections import deque
from collections.abc import Callable

from ferryman.transfer.carrier import Sink
from ferryman.transfer.writer import Write, Writer


class Ahead:
    """Buffers on their way into the file, in order. `written` is called after each that arrived."""

    def __init__(self, writer: Writer, sink: Sink, written: Callable[[OSError | None], None]) -> None:
        """Start with none."""
        self._writer, self._sink, self._written = writer, sink, written
        self._pending: deque[Write] = deque()

    def __bool__(self) -> bool:
        """Whether anything is on its way."""
        return bool(self._pending)

    def send(self, buffer: memoryview, skip: int, count: int) -> None:
        """Write `count` bytes from `skip` on where the sink's next byte belongs; the buffer is given back then."""
        write = Write(self._sink.part, buffer, skip, count, self._sink.offset())
        self._pending.append(write)
        self._sink.lent(count)
        self._writer.write(write, lambda: self._done(write))

    def settle(self) -> OSError | None:
        """Wait until everything is written, and count it up to the first error, which is returned."""
        error = None
        while self._pending:
            self._pending[0].done.wait()
            error = self._account() or error
            if error:
                self.forget()
        return error

    def forget(self) -> None:
        """Wait until nothing writes any more, and count nothing: the file may be closed after this."""
        while self._pending:
            write = self._pending.popleft()
            write.done.wait()
            self._writer.give_back(write.buffer)

    def _done(self, write: Write) -> None:
        if self._pending and self._pending[0] is write:  # else it was settled meanwhile
            self._written(self._account())

    def _account(self) -> OSError | None:
        write = self._pending.popleft()
        self._writer.give_back(write.buffer)
        if write.error is None:
            self._sink.took(len(write.data))
        return write.error
