"""Room on the disk for all running downloads together, so that the last one to start is the one that waits."""

import threading
from pathlib import Path

from ferryman.transfer.preflight import Need, check_space


class Space:
    """What each running download still has to write. Thread-safe."""

    def __init__(self) -> None:
        """Nothing is needed yet."""
        self._needs: dict[str, Need] = {}
        self._lock = threading.Lock()

    def reserve(self, holder: str, folder: Path, size: int) -> None:
        """Note that `holder` still needs `size` bytes in the existing `folder`.

        Raises `Exhausted` (`disk_full`) when there is no room for it beside what the others need; it is not noted then.
        """
        need = Need(folder, max(0, size))
        with self._lock:
            others = [other for name, other in self._needs.items() if name != holder]
            check_space([*others, need])
            self._needs[holder] = need

    def update(self, holder: str, size: int) -> None:
        """Note how much `holder` still needs; nothing when it has reserved nothing."""
        with self._lock:
            if (need := self._needs.get(holder)) is not None:
                self._needs[holder] = Need(need.folder, max(0, size))

    def release(self, holder: str) -> None:
        """Forget what `holder` needs."""
        with self._lock:
            self._needs.pop(holder, None)
