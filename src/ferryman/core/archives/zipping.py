"""Writing a zip archive: entries as they are, nothing compressed, any size (zip64)."""

import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MADE: Final = (1980, 1, 1, 0, 0, 0)
"""The same content gives the same archive."""


@dataclass(frozen=True, slots=True)
class Packed:
    """One file of the archive: its path there, and its content. `size` is bytes."""

    name: str
    size: int
    pieces: Iterator[bytes]


def write_zip(path: Path, files: Iterable[Packed]) -> int:
    """Write `files` to the zip archive `path`, which appears when it is whole and durable; return its bytes.

    Blocks. Raises `OSError`, and what reading the pieces raises; nothing is left then.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as raw:
            with zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                for file in files:
                    info = zipfile.ZipInfo(file.name, _MADE)
                    info.external_attr = 0o644 << 16
                    info.file_size = file.size
                    with archive.open(info, "w", force_zip64=file.size >= zipfile.ZIP64_LIMIT) as entry:
                        for piece in file.pieces:
                            entry.write(piece)
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path.stat().st_size
