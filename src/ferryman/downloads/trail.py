"""The checkpoint of a download: which file is its own, so that an interruption at any moment leaves no second copy."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ferryman.jobs.model import Document


@dataclass(frozen=True, slots=True)
class Trail:
    """`target` is the file it writes; `before` tells what was there when it began (inode, size, time of change in ns)."""

    target: str
    before: tuple[int, int, int] | None = None
    total: int | None = None

    @classmethod
    def begin(cls, target: Path, headers: Mapping[str, str] | None = None) -> "Trail":
        """Start at `target`, as it is now; `headers` are those of the first answer, when there is one."""
        return cls(str(target), _mark(target), length_of(headers or {}))

    @classmethod
    def read(cls, checkpoint: Document | None, root: Path) -> "Trail | None":
        """Read a checkpoint; None when there is none that fits a download below `root`."""
        if not checkpoint or not isinstance(checkpoint.get("target"), str):
            return None
        if not Path(checkpoint["target"]).is_relative_to(root.resolve()):
            return None  # the download folder has been moved meanwhile
        before, total = checkpoint.get("before"), checkpoint.get("total")
        mark: Any = tuple(before) if isinstance(before, list) and len(before) == 3 else None
        return cls(checkpoint["target"], mark, total if isinstance(total, int) else None)

    def document(self) -> Document:
        """Return the checkpoint."""
        return {**asdict(self), "before": list(self.before) if self.before else None}

    def complete(self) -> bool:
        """Tell whether the target is this download's finished file: there since it began, whole, nothing arriving.

        A link that the finishing renamed half-way is completed.
        """
        target = Path(self.target)
        mark = _mark(target)
        if mark is None or mark == self.before or self.total is None or mark[1] != self.total:
            return False
        partial = target.with_name(f"{target.name}.part")
        if partial.exists():
            if partial.stat().st_ino != mark[0]:
                return False
            partial.unlink()
        target.with_name(f"{target.name}.ferry").unlink(missing_ok=True)
        return True

    def remove_partial(self) -> None:
        """Remove what has arrived of an unfinished file."""
        target = Path(self.target)
        for ending in (".part", ".ferry"):
            target.with_name(f"{target.name}{ending}").unlink(missing_ok=True)


def length_of(headers: Mapping[str, str]) -> int | None:
    """Return the length of the whole file that an answer announces; None when it does not, or encodes the body."""
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        return None
    text = headers.get("content-range", "").rpartition("/")[2].strip() or headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
