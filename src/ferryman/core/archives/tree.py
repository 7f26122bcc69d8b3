"""Writes what the guard let through below one folder that nobody else knows. Links are made last: nothing is ever written through one."""

import contextlib
import os
import stat
from pathlib import Path

from ferryman.core.archives.guard import clash, leads_out, readable, special
from ferryman.core.archives.model import Entry, Kind, Pieces


class Tree:
    """The content of one archive below `root`, an empty folder. Not for concurrent use.

    Owners, device numbers and all bits of a mode but "executable" are left out.
    """

    def __init__(self, root: Path) -> None:
        """Write below `root`."""
        self._root = root
        self._places: dict[tuple[str, ...], Path] = {(): root}
        self._files: dict[tuple[str, ...], Path] = {}
        self._links: dict[tuple[str, ...], tuple[Entry, str]] = {}

    def folder(self, entry: Entry, parts: tuple[str, ...]) -> None:
        """Make a folder and those above it; the same one may come again. Raises `Invalid` (`archive_duplicate`)."""
        self._folder(entry, parts)

    def file(self, entry: Entry, parts: tuple[str, ...], pieces: Pieces) -> None:
        """Write a file. Raises `Invalid` (`archive_duplicate`) and what reading and writing raise."""
        place = self._new(entry, parts)
        place, handle = _create(place, 0o777 if entry.executable else 0o666)
        try:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    view = view[os.write(handle, view) :]
            if entry.modified is not None:
                with contextlib.suppress(OSError, OverflowError, ValueError):
                    os.utime(handle, (entry.modified, entry.modified))
        finally:
            os.close(handle)
        self._places[parts] = self._files[parts] = place

    def hardlink(self, entry: Entry, parts: tuple[str, ...], target: tuple[str, ...]) -> None:
        """Give a file of this archive a second name. Raises `Invalid` (`archive_link`, `archive_duplicate`)."""
        known = self._files.get(target)
        if known is None:
            raise leads_out(entry.name, entry.target)
        place = self._new(entry, parts)
        os.link(known, place, follow_symlinks=False)
        self._places[parts] = self._files[parts] = place

    def link(self, entry: Entry, parts: tuple[str, ...], target: str) -> None:
        """Note a symbolic link for the end. Raises `Invalid` (`archive_duplicate`)."""
        self._new(entry, parts)
        self._links[parts] = (entry, target)

    def finish(self) -> None:
        """Make the links and see where they really lead. Raises `Invalid` (`archive_link`, `archive_duplicate`)."""
        made = []
        for parts, (entry, target) in self._links.items():
            place = self._folder(entry, parts[:-1]) / parts[-1]
            if os.path.lexists(place):
                raise clash(entry.name)
            place.symlink_to(target)
            made.append((place, entry))
        base = self._root.resolve()
        for place, entry in made:
            try:
                real = Path(os.path.realpath(place))
            except (OSError, RecursionError) as error:
                raise leads_out(entry.name, entry.target) from error
            if not real.is_relative_to(base):
                raise leads_out(entry.name, entry.target)

    def _folder(self, entry: Entry, parts: tuple[str, ...]) -> Path:
        known = self._places.get(parts)
        if known is not None:
            if parts in self._files:
                raise clash(entry.name)
            return known
        if parts in self._links:
            raise clash(entry.name)
        place = self._folder(entry, parts[:-1]) / parts[-1]
        with contextlib.suppress(
            FileExistsError
        ):  # on a file system without case it may be another spelling of it
            place.mkdir()
        if not stat.S_ISDIR(place.lstat().st_mode):
            raise clash(entry.name)
        self._places[parts] = place
        return place

    def _new(self, entry: Entry, parts: tuple[str, ...]) -> Path:
        if not parts or parts in self._places or parts in self._links:
            raise clash(entry.name)
        return self._folder(entry, parts[:-1]) / parts[-1]


def _create(place: Path, mode: int) -> tuple[Path, int]:
    """Make a new file; where the file system takes another name for the same (`README`, `readme`), number it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    for number in range(1, 1000):
        candidate = place if number == 1 else place.with_name(f"{place.stem} ({number - 1}){place.suffix}")
        try:
            return candidate, os.open(candidate, flags, mode)
        except FileExistsError:
            continue
    raise FileExistsError(place)


def refuse_special(entry: Entry) -> None:
    """Raise `Invalid` (`archive_special`) for an entry that is neither file nor folder nor link."""
    if entry.kind is Kind.OTHER:
        raise special(entry.name, readable(entry.target) or "a device, pipe or socket")
