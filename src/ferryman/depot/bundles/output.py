"""Files that appear whole or not at all, perhaps compressed while they are written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import zstandard

from ferryman.core.durable import is_full, sync_folder
from ferryman.core.errors import Denied, Exhausted


class Out(Protocol):
    """What takes bytes."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Take all of `data`."""
        ...


@contextmanager
def written(path: Path, *, zstd: bool = False) -> Iterator[Out]:
    """Give what takes the bytes of `path`; the name appears at the end of the block, durably, and never when it failed.

    Raises `Exhausted` (`disk_full`) and `Denied` (`place_unwritable`).
    """
    fresh = path.with_name(f".{path.name}.part")
    try:
        with fresh.open("wb") as file:
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
        raise _translated(path, error) from error
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _translated(path: Path, error: OSError) -> Exhausted | Denied:
    if is_full(error):
        return Exhausted(
            "disk_full",
            f"The disk of {path} is full.",
            advice="Make room, or write to another disk; with --volume-size, volumes can be carried one by one.",
        )
    return Denied(
        "place_unwritable",
        f"{path} cannot be written ({error.strerror}).",
        advice="Choose a place that may be written to.",
    )
