"""Files for secrets that libraries only take as files: made for the time of a transfer, readable to the owner alone."""

import hashlib
import os
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_MODE: Final = 0o600


class Lent:
    """Texts as files below one folder, named by their content, each there while somebody uses it. Thread-safe."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use `folder`, which is emptied: what a killed process left there is of no use to anybody.

        Without, one is made where temporary files go.
        """
        self._folder = folder
        self._users: Counter[Path] = Counter()
        self._lock = threading.Lock()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def files(self, *texts: str | None) -> Iterator[tuple[Path | None, ...]]:
        """Give a file for each text that is one. Blocks for the disk, shortly."""
        taken: list[Path] = []
        try:
            paths = tuple(self._take(text) if text else None for text in texts)
            taken = [path for path in paths if path is not None]
            yield paths
        finally:
            for path in taken:
                self._give_back(path)

    def _take(self, text: str) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="ferry-"))
            path = self._folder / hashlib.sha256(text.encode()).hexdigest()
            if not self._users[path]:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
                with os.fdopen(number, "w", encoding="utf-8") as file:
                    file.write(text)
            self._users[path] += 1
            return path

    def _give_back(self, path: Path) -> None:
        with self._lock:
            self._users[path] -= 1
            if self._users[path] <= 0:
                del self._users[path]
                path.unlink(missing_ok=True)
