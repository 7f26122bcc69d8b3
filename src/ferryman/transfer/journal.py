"""The journal beside an arriving file: which spans are on disk, of which object, and who is writing.

`<target>.ferry` has two slots of 64 KiB written in turn, each with a sequence number and a checksum: a crash in the
middle of a write leaves the other slot. `done` are spans handed to the operating system: they survive `kill -9`, and
count after a restart on the same boot. `safe` are spans that were flushed to the disk before the record was written:
after a power cut (another boot) only they count.
"""

import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ferryman.core.errors import Conflict
from ferryman.transfer.plan import Ranges

SLOT: Final = 64 * 1024
SAVE_EVERY: Final = 4 * 1024 * 1024
"""Bytes received between two records."""
_MOST_SPANS: Final = 1500
_VERSION: Final = 1

Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Record:
    """What the journal knows. `etags` and `modified` map a host to what it gave."""

    urls: tuple[str, ...]
    total: int | None
    etags: dict[str, str]
    modified: dict[str, str]
    done: tuple[tuple[int, int], ...]
    safe: tuple[tuple[int, int], ...]
    boot: str
    writer: str
    checksum: str | None = None

    def usable(self, boot: str, file_size: int) -> Ranges:
        """The spans that may be believed on boot `boot` of a partial file of `file_size` bytes."""
        spans = self.done if boot == self.boot else self.safe
        return Ranges(spans).clipped(file_size)


def encode(record: Record, sequence: int) -> bytes:
    """Render one slot. With more spans than fit, the smallest are forgotten: they are fetched again."""
    data = asdict(record)
    for key in ("done", "safe"):
        kept = sorted(data[key], key=lambda span: span[0] - span[1])[:_MOST_SPANS]
        data[key] = sorted(kept)
    body = json.dumps({"v": _VERSION, "n": sequence, **data}, separators=(",", ":")).encode()
    line = b"%08x %d " % (zlib.crc32(body), len(body)) + body
    if len(line) > SLOT:
        raise ValueError("journal record too large")
    return line


def decode(slot: bytes) -> tuple[int, Record] | None:
    """Read one slot; None when it is empty, torn or of another version."""
    try:
        crc, length, rest = slot.split(b" ", 2)
        body = rest[: int(length)]
        if len(body) != int(length) or zlib.crc32(body) != int(crc, 16):
            return None
        data: dict[str, Any] = json.loads(body)
        if data.pop("v") != _VERSION:
            return None
        sequence = int(data.pop("n"))
        for key in ("done", "safe"):
            data[key] = tuple((int(start), int(end)) for start, end in data[key])
        data["urls"] = tuple(data["urls"])
        return sequence, Record(**data)
    except (ValueError, KeyError, TypeError):
        return None


def newest(raw: bytes) -> tuple[int, Record | None]:
    """The sequence number and record of the newer good slot; `(0, None)` when there is none."""
    slots = [found for at in (0, SLOT) if (found := decode(raw[at : at + SLOT]))]
    return max(slots, key=lambda found: found[0]) if slots else (0, None)


def boot_id() -> str:
    """An identity of this boot of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


class Journal:
    """An open journal. Not thread-safe, except `sync`.

    The partial file's lock (`flock`) keeps other processes out; because that lies on some network file systems, every
    save also looks whether another writer's record appeared, and raises `Conflict` (`target_busy`) then.
    """

    def __init__(self, path: Path, writer: str) -> None:
        """Open or create `path`. Raises `OSError`."""
        self.path, self._writer = path, writer
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        self._sequence, self.found = newest(os.pread(self._fd, 2 * SLOT, 0))
        self._saved = False

    def save(self, record: Record) -> None:
        """Write a record into the older slot. Raises `Conflict`, `OSError`."""
        if self._saved and self.taken():
            raise busy(self.path)
        self._sequence += 1
        os.pwrite(self._fd, encode(record, self._sequence), SLOT * (self._sequence % 2))
        self._saved = True

    def taken(self) -> bool:
        """Whether the newest record is another writer's."""
        _, current = newest(os.pread(self._fd, 2 * SLOT, 0))
        return current is not None and current.writer != self._writer

    def sync(self) -> None:
        """Flush to the disk."""
        os.fdatasync(self._fd)

    def close(self, *, remove: bool = False) -> None:
        """Close; `remove` also deletes the file."""
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(self._fd)


def busy(path: Path) -> Conflict:
    """The error for a target that another process is writing."""
    return Conflict(
        "target_busy",
        f"Another transfer is writing '{path.with_suffix('')}'.",
        advice="Wait until it is done, or choose another target.",
    )
