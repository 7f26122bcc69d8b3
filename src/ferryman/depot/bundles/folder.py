"""The folder of bundles of a home: what lies in it by name, and how much more may.

`NAME` is one file, or `NAME.001`, `NAME.002` … are its volumes; inventories of others lie there as well. What begins with a
dot is on its way and is not shown. Blocking; several processes may use one folder.
"""

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferryman.core.durable import sync_folder
from ferryman.core.errors import Exhausted, Invalid, NotFound
from ferryman.core.units import format_size

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,149}$"
"""What a file there is called: never a path, never hidden."""
RESERVE: Final = 16 << 20
"""Bytes of the disk that are left to the database and the system."""
_NAME: Final = re.compile(NAME)
_VOLUME: Final = re.compile(r"(.+)\.[0-9]{3,5}")
_STARTS: Final = {
    b"ferryman/bundle.": "bundle",
    b"\x28\xb5\x2f\xfd": "bundle",
    b'{"key": "ferry-e': "inventory",
}


@dataclass(frozen=True, slots=True)
class File:
    """A file: bytes, and when it was written (UNIX seconds)."""

    name: str
    size: int
    modified_at: float


@dataclass(frozen=True, slots=True)
class Stored:
    """A bundle with its files, by what its first bytes look like: `bundle`, `inventory`, or `other`."""

    name: str
    kind: str
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(one.size for one in self.files)

    @property
    def modified_at(self) -> float:
        """When the last of them was written."""
        return max(one.modified_at for one in self.files)


class BundleFolder:
    """The files of one folder, which is made when something comes. Thread-safe."""

    def __init__(self, path: Path, quota: Callable[[], int] = lambda: 0) -> None:
        """Look into `path`; `quota` is how many bytes it may hold, 0 is no limit."""
        self.path = path
        self._quota = quota

    def make(self) -> None:
        """Make it. Raises `OSError`."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def all(self) -> list[Stored]:
        """Return what is there, by name."""
        files = {one.name: one for one in self._files()}
        groups: dict[str, list[File]] = {}
        for name in sorted(files):
            found = _VOLUME.fullmatch(name)
            stem = found.group(1) if found else name
            groups.setdefault(name if stem in files else stem, []).append(files[name])
        return [
            Stored(
                name,
                kind_of(self.path / group[0].name),
                tuple(sorted(group, key=lambda one: (len(one.name), one.name))),
            )
            for name, group in sorted(groups.items())
        ]

    def find(self, name: str) -> Stored:
        """Return one by its name, that of a split one without `.001`. Raises `NotFound` (`bundle_unknown`)."""
        for one in self.all():
            if one.name == name:
                return one
        raise _unknown(name)

    def file(self, name: str) -> Path:
        """Return the path of one file. Raises `NotFound` (`bundle_unknown`), `Invalid` (`bundle_name`)."""
        path = self.place(name)
        try:
            good = stat.S_ISREG(path.lstat().st_mode)
        except OSError:
            good = False
        if not good:
            raise _unknown(name)
        return path

    def place(self, name: str) -> Path:
        """Return where a file of that name is or will be. Raises `Invalid` (`bundle_name`)."""
        if not _NAME.fullmatch(name):
            raise Invalid(
                "bundle_name",
                f"'{name[:160]}' cannot name a file of a bundle.",
                advice="Write up to 150 letters, digits, dots, dashes and underscores; begin with a letter or digit.",
                fields={"name": "cannot name a file"},
            )
        return self.path / name

    def remove(self, name: str) -> Stored:
        """Delete a bundle with all its volumes. Raises `NotFound` (`bundle_unknown`)."""
        found = self.find(name)
        for one in found.files:
            (self.path / one.name).unlink(missing_ok=True)
        sync_folder(self.path)
        return found

    def check_room(self, size: int, coming: int = 0, left: int = 0) -> None:
        """Raise `Exhausted` (`bundles_full`, `disk_full`) unless `size` more bytes fit.

        `coming` bytes are promised to others, and `left` of those have not arrived yet.
        """
        quota, used = self._quota(), sum(one.size for one in self._files()) + coming
        if quota and used + size > quota:
            raise Exhausted(
                "bundles_full",
                f"The folder of bundles holds {format_size(used)} of {format_size(quota)}; {format_size(size)} more do not fit.",
                advice="Delete bundles that are not needed any more, or raise bundle_quota.",
            )
        disk = os.statvfs(self.path)
        free = disk.f_bavail * disk.f_frsize
        if size + left + RESERVE > free:
            raise Exhausted(
                "disk_full",
                f"The disk of {self.path} has {format_size(max(0, free - left))} left; {format_size(size)} more do not fit.",
                advice="Make room; what arrived is kept, and the upload goes on.",
            )

    def _files(self) -> list[File]:
        found = []
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                        about = entry.stat(follow_symlinks=False)
                        found.append(File(entry.name, about.st_size, about.st_mtime))
        except FileNotFoundError:
            return []
        return found


def kind_of(path: Path) -> str:
    """Return what a file looks like by its first bytes: `bundle`, `inventory` or `other`."""
    try:
        with path.open("rb", buffering=0) as opened:
            start = opened.read(16)
    except OSError:
        start = b""
    return next((kind for sign, kind in _STARTS.items() if start.startswith(sign)), "other")


def _unknown(name: str) -> NotFound:
    return NotFound(
        "bundle_unknown",
        f"There is no bundle '{name[:160]}' in the folder of bundles.",
        advice="List them with GET /api/v1/bundles; upload it, or put its files there.",
    )
