"""The log file of a job: one line an entry, appended and flushed, `TIME LEVEL message key=value …`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ferryman.core.clock import Clock, rfc3339


class JobLog:
    """Writes to `job.log`. Lines are single: line breaks in a message are escaped. Thread-safe by O_APPEND."""

    def __init__(self, path: Path, clock: Clock, tell: Callable[[list[str]], None]) -> None:
        """Append to `path`; `tell` gets each new line for those who watch."""
        self.path = path
        self._clock = clock
        self._tell = tell
        path.parent.mkdir(parents=True, exist_ok=True)

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
        line = " ".join(parts).replace("\r", "\\r").replace("\n", "\\n")
        with self.path.open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(line + "\n")
        self._tell([line])


def read_log(path: Path, offset: int, limit: int) -> tuple[str, int]:
    """Read at most `limit` bytes from `offset`, whole lines where possible; return text and the next offset."""
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            block = stream.read(limit)
    except FileNotFoundError:
        return "", offset
    if len(block) == limit and b"\n" in block:
        block = block[: block.rindex(b"\n") + 1]
    return block.decode("utf-8", "replace"), offset + len(block)
