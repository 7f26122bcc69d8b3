"""Which files the running downloads of one process are going to write, so that no two write the same."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from ferryman.core.errors import Conflict
from ferryman.transfer.model import Overwrite
from ferryman.transfer.naming import name_from
from ferryman.transfer.preflight import free_name


class Claims:
    """Targets by who writes them. Thread-safe; claiming looks at the file system and never blocks for long."""

    def __init__(self) -> None:
        """Nothing is claimed yet."""
        self._holders: dict[Path, str] = {}
        self._lock = threading.Lock()

    def claim(self, holder: str, target: Path, overwrite: Overwrite) -> Path:
        """Reserve `target` for `holder`, or with `RENAME` the next free name beside it. Idempotent.

        Raises `Conflict` (`target_twice`) when another holder writes it and renaming is not wanted.
        """
        with self._lock:
            if self._holders.get(target, holder) != holder:
                if overwrite is not Overwrite.RENAME:
                    raise Conflict(
                        "target_twice",
                        f"Another download is writing '{target}' already.",
                        advice="Wait for it, give another name, or choose to rename.",
                    )
                target = free_name(target, taken=self._holders)
            self._holders[target] = holder
            return target

    def release(self, holder: str) -> None:
        """Give up what `holder` claimed."""
        with self._lock:
            for target in [path for path, other in self._holders.items() if other == holder]:
                del self._holders[target]

    def namer(
        self,
        holder: str,
        folder: Path,
        overwrite: Overwrite,
        told: Callable[[Path], None] | None = None,
    ) -> Callable[[Mapping[str, str], str], str]:
        """Return what names the file of `holder` from an answer, claims it, and says so to `told`."""

        def name(headers: Mapping[str, str], url: str) -> str:
            target = self.claim(holder, folder / name_from(headers, url), overwrite)
            if told is not None:
                told(target)
            return target.name

        return name
