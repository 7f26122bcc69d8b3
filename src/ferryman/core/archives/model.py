"""The nouns of archives. Pure; sizes are bytes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

CHUNK: Final = 256 * 1024
"""Most bytes one piece of an entry has."""
MIB: Final = 1 << 20


class Kind(StrEnum):
    """What an entry is; `OTHER` is what no archive needs: devices, pipes, sockets."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    HARDLINK = "hardlink"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in an archive, as the archive says; `target` is where a link leads, `modified` UNIX seconds."""

    name: str
    kind: Kind = Kind.FILE
    executable: bool = False
    modified: float | None = None
    target: str = ""


Pieces = Iterator[bytes]
"""The content of an entry, in pieces of at most `CHUNK`; it must be read before the next entry is."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a reader found. `count` and `size` are what the archive says of itself beforehand, if it does."""

    entries: Iterator[tuple[Entry, Pieces]]
    count: int | None = None
    size: int | None = None
    single: bool = False
    """One compressed file, no archive."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may cost. `ratio` is how many times larger than the archive its content may be.

    The ratio only counts from `ratio_from` bytes on: a short log of equal lines is no bomb. `memory` bounds the
    dictionaries that an archive may ask for, `headers` the bytes between two entries.
    """

    entries: int = 100_000
    size: int = 100 * 10**9
    ratio: int = 200
    ratio_from: int = 64 * MIB
    path: int = 1024
    depth: int = 64
    memory: int = 256 * MIB
    headers: int = 4 * MIB


@dataclass(frozen=True, slots=True)
class Step:
    """How far unpacking is; `total` is bytes, when the archive says."""

    entries: int
    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out: `path` is a folder, or the file of a single compressed one."""

    path: Path
    entries: int
    size: int


Progress = Callable[[Step], None]


class Interrupted(Exception):
    """Unpacking was stopped because its caller wanted so; nothing of it is left."""
