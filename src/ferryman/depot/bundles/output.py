"""Files that appear whole or not at all, perhaps compressed while they are written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import zstandard

from ferryman.core.durable import is_full, sync_folder
from ferryman.core.errors import Denied, Exhausted, FerryError


class Out(Protocol):
    """What takes bytes."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Take all of `data`."""
        ...


def part_of(path: Path) -> Path:
    """Return where the bytes of `path` are until they are all there. Pure."""
    return path.with_name(f".{path.name}.part")


@contextmanager
def written(path: Path, *, zstd: bool = False, since: int = 0) -> Iterator[Out]:
    """Give what takes the bytes of `path`; the name appears at the end of the block, durably, and never when it failed.

    The first `since` bytes of an earlier attempt stay. After an error nothing is left; whoever is interrupted leaves the part
    to the next attempt. Raises `Exhausted` (`disk_full`) and `Denied` (`place_unwritable`).
    """
    fresh = part_of(path)
    try:
        with fresh.open("r+b" if since else "wb") as file:
            file.truncate(since)
            file.seek(since)
            if zstd:
                with zstandard.ZstdCompressor(level=3, write_checksum=True).stream_writer(
                    file, closefd=False
                ) as out:
                    yield out
            else:
                yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise unwritable(path, error) from error
    except FerryError:
        fresh.unlink(missing_ok=True)
        raise


def unwritable(path: Path, error: OSError) -> Exhausted | Denied:
    """Return what a failed write means."""
    if is_full(error):
        return Exhausted(
            "disk_full",
            f"The disk of {path} is full.",
            advice="Make room and do the same again: volumes that are complete are kept; or write to another disk.",
        )
    return Denied(
        "place_unwritable",
        f"{path} cannot be written ({error.strerror}).",
        advice="Choose a place that may be written to.",
    )
