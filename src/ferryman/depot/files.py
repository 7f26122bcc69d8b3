"""The folder of the depot: where what lies, and how it gets there so that a power cut takes nothing away.

blobs/sha256/ab/abcd…     content, immutable
partial/sha256/abcd…      content of a known digest that is arriving; another attempt goes on with it
uploads/ID                content that is arriving
damaged/sha256-abcd….N    what a check set aside
lock, gate, generation    see `lock` and `generation`
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ferryman.core.digests import Digest
from ferryman.core.durable import is_full, sync_folder
from ferryman.core.errors import Denied, Exhausted, FerryError, Invalid
from ferryman.core.ids import new_id
from ferryman.core.units import format_size
from ferryman.depot.model import ALGORITHMS


class Files:
    """Paths below one folder, and the few ways files change. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        """Make the folder and what is always in it. Raises `Denied` (`depot_unwritable`), `Exhausted` (`disk_full`)."""
        self.folder = folder
        self.uploads = folder / "uploads"
        self.damaged = folder / "damaged"
        wanted = [self.uploads, self.damaged]
        wanted += [folder / kind / name for kind in ("blobs", "partial") for name in ALGORITHMS]
        try:
            for path in wanted:
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from error

    def blob(self, digest: Digest) -> Path:
        """Return where content is. Raises `Invalid` (`digest_unsupported`)."""
        checked(digest)
        return self.folder / "blobs" / digest.algorithm / digest.hex[:2] / digest.hex

    def partial(self, digest: Digest) -> Path:
        """Return where content of a known digest arrives. Raises `Invalid` (`digest_unsupported`)."""
        checked(digest)
        return self.folder / "partial" / digest.algorithm / digest.hex

    def settle(self, arrived: Path, digest: Digest) -> None:
        """Give durable content its name, durably. What had the name before is replaced by the same."""
        sync_folder(self.name(arrived, digest))

    def name(self, arrived: Path, digest: Digest) -> Path:
        """Give durable content its name; durable once the folder, which is returned, is synced."""
        place = self.blob(digest)
        try:
            arrived.rename(place)
        except FileNotFoundError:
            self._make_folders(digest.algorithm)
            arrived.rename(place)
        return place.parent

    def _make_folders(self, algorithm: str) -> None:
        """Make all folders of an algorithm at once: one sync instead of 256."""
        folder = self.folder / "blobs" / algorithm
        for number in range(256):
            (folder / f"{number:02x}").mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder)

    def put_away(self, digest: Digest) -> Path:
        """Take content its name, quickly, and return where it is now; the caller deletes it. It may be gone already."""
        path = self.uploads / new_id()
        with contextlib.suppress(FileNotFoundError):
            self.blob(digest).rename(path)
        return path

    def set_aside(self, digest: Digest) -> str:
        """Move damaged content away; return its path below the folder."""
        stem = f"{digest.algorithm}-{digest.hex}"
        number = 1 + sum(1 for _ in self.damaged.glob(f"{stem}.*"))
        aside = self.damaged / f"{stem}.{number}"
        self.blob(digest).rename(aside)
        sync_folder(self.damaged)
        return str(aside.relative_to(self.folder))

    def each(self) -> Iterator[tuple[Digest | None, Path]]:
        """Yield every file below `blobs` with its digest, None when its name is none."""
        for algorithm in ALGORITHMS:
            for folder, _, names in os.walk(self.folder / "blobs" / algorithm):
                for name in sorted(names):
                    yield _named(algorithm, Path(folder), name), Path(folder) / name

    def free(self) -> int:
        """Return the bytes the disk has left for us."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize


def _named(algorithm: str, folder: Path, name: str) -> Digest | None:
    try:
        digest = Digest.parse(f"{algorithm}:{name}")
    except Invalid:
        return None
    return digest if digest.hex == name and folder.name == name[:2] else None


def checked(digest: Digest) -> Digest:
    """Return `digest` when content is named by its algorithm. Raises `Invalid` (`digest_unsupported`)."""
    if digest.algorithm not in ALGORITHMS:
        raise Invalid(
            "digest_unsupported",
            f"'{digest}' does not name content: its algorithm is {digest.algorithm}.",
            advice=f"Use one of {', '.join(ALGORITHMS)}.",
        )
    return digest


@contextmanager
def translated(path: Path, size: int = 0, *, missing: bool = True) -> Iterator[None]:
    """Turn errors of the disk into those of `core.errors`; without `missing` not that of a file that is not there."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not missing:
            raise
        raise unwritable(path, error, size) from error


def unwritable(path: Path, error: OSError, size: int = 0) -> FerryError:
    """Return what a failed write means."""
    if is_full(error):
        wanted = f" for {format_size(size)}" if size else ""
        return Exhausted(
            "disk_full",
            f"The disk of {path} has no room{wanted}: {error.strerror}.",
            advice="Make room, or run 'ferry depot gc'; what arrived completely is kept.",
        )
    return Denied(
        "depot_unwritable",
        f"{path} cannot be written: {error.strerror or error}.",
        advice="Let the user who runs Ferryman write there, or choose another folder with depot_folder.",
    )


def remove_unused(path: Path) -> int | None:
    """Delete an unfinished file unless a writer has it open; return its size, None when it stays or is gone."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino != os.fstat(handle).st_ino:  # it became a blob, and another one arrives here
            return None
        size = os.fstat(handle).st_size
        path.unlink(missing_ok=True)
    except (BlockingIOError, FileNotFoundError):
        return None
    finally:
        os.close(handle)
    return size
