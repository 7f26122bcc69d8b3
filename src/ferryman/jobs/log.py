"""The log file of a job: one line an entry, appended, `TIME LEVEL message key=value …`."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ferryman.core.clock import Clock, rfc3339
from ferryman.core.secrets import mask


class JobLog:
    """Writes to `job.log`. Line breaks in a message are escaped, secrets masked. May be used from any thread.

    A log that cannot be written, such as on a full disk, stops no job: those who watch still get the line.
    """

    def __init__(self, path: Path, clock: Clock, tell: Callable[[list[str]], None]) -> None:
        """Append to `path`; `tell` gets each new line for those who watch, in the thread that wrote it."""
        self.path = path
        self._clock = clock
        self._tell = tell

    def info(self, message: str, **fields: Any) -> None:
        """An ordinary step."""
        self._write("INFO", message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        """Something to know of."""
        self._write("WARNING", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        """Something that failed."""
        self._write("ERROR", message, fields)

    def _write(self, level: str, message: str, fields: dict[str, Any]) -> None:
        parts = [
            rfc3339(self._clock.now()),
            level,
            message,
            *(f"{key}={value}" for key, value in fields.items()),
        ]
        line = mask(" ".join(parts)).replace("\r", "\\r").replace("\n", "\\n")
        with contextlib.suppress(OSError):
            self._append(line)
        self._tell([line])

    def _append(self, line: str) -> None:
        try:
            stream = self.path.open("a", encoding="utf-8", errors="backslashreplace")
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            stream = self.path.open("a", encoding="utf-8", errors="backslashreplace")
        with stream:
            stream.write(line + "\n")


def read_log(path: Path, offset: int, limit: int) -> tuple[str, int]:
    """Read at most `limit` bytes from `offset`, whole lines where possible; return text and the next offset."""
    offset = max(0, offset)
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            block = stream.read(max(4, limit))
    except FileNotFoundError:
        return "", offset
    if len(block) >= limit:
        block = block[: block.rindex(b"\n") + 1] if b"\n" in block else _whole_characters(block)
    return block.decode("utf-8", "replace"), offset + len(block)


def _whole_characters(block: bytes) -> bytes:
    """Without the beginning of a character at the end."""
    for back in range(1, 4):
        byte = block[-back]
        if byte < 0x80:
            return block
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return block if needed <= back else block[:-back]
    return block
