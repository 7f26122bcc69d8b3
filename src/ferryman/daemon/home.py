"""The home folder of a running daemon: one daemon per home; `daemon.announced` is how local commands find it.

`daemon.lock` is held while it runs; `daemon.json` names its address and process; `keys/local.token` is a new secret at
each start, readable by the owner of the home alone, which lets local commands act without a password.
"""

import fcntl
import json
import os
import secrets
from pathlib import Path

from ferryman.core.errors import Conflict, Denied
from ferryman.daemon.announced import LOCK, NOTE, TOKEN


class Home:
    """Holds a home folder for one daemon. Not for concurrent use."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is touched yet."""
        self.folder = folder
        self.token = secrets.token_urlsafe(32)
        self._lock = -1

    def take(self) -> None:
        """Make the folder and hold it. Raises `Conflict` (`home_busy`) when a daemon runs there, `Denied`."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / "keys").mkdir(mode=0o700, exist_ok=True)
            self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Denied(
                "home_unwritable",
                f"The home folder {self.folder} cannot be used: {error.strerror}.",
                advice="Choose another with FERRY_HOME, or make it writable.",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._lock, 32, 0).decode("ascii", "replace").strip()
            os.close(self._lock)
            self._lock = -1
            raise Conflict(
                "home_busy",
                f"A Ferryman (process {holder or 'unknown'}) already runs in {self.folder}.",
                advice="Use that one, stop it, or choose another home with FERRY_HOME.",
            ) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        _write_private(self.folder / "keys" / TOKEN, self.token)

    def announce(self, address: str) -> None:
        """Tell local commands where the daemon is."""
        note = json.dumps({"address": address, "pid": os.getpid()})
        _write_private(self.folder / NOTE, note)

    def silence(self) -> None:
        """Take the announcement back: the daemon is about to stop. Idempotent."""
        (self.folder / NOTE).unlink(missing_ok=True)

    def leave(self) -> None:
        """Give the folder back. Idempotent."""
        if self._lock >= 0:
            self.silence()
            (self.folder / "keys" / TOKEN).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1


def _write_private(path: Path, text: str) -> None:
    """Replace a file atomically with one that only its owner reads."""
    temporary = path.with_name(path.name + ".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)
    temporary.replace(path)
