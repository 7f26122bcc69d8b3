"""How local commands find the daemon of a home, from what `daemon.home` leaves there. Loads little: every command may ask."""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path

from ferryman.core.errors import Denied

LOCK = "daemon.lock"
NOTE = "daemon.json"
TOKEN = "local.token"  # noqa: S105 - the name of a file


@dataclass(frozen=True, slots=True)
class Running:
    """A daemon that local commands can talk to."""

    address: str
    pid: int
    token: str


def find_running(folder: Path) -> Running | None:
    """Return where the daemon of a home is; None when none runs, also when one was killed and could not tidy up.

    Raises `Denied` (`home_unreadable`) for the home of somebody else.
    """
    try:
        if not _is_held(folder / LOCK):
            return None
        note = json.loads((folder / NOTE).read_text())
        token = (folder / "keys" / TOKEN).read_text().strip()
        return Running(str(note["address"]), int(note["pid"]), token)
    except PermissionError as error:
        raise Denied(
            "home_unreadable",
            f"The home folder {folder} belongs to somebody else.",
            advice="Run the command as that user, or set FERRY_ADDRESS and FERRY_TOKEN.",
        ) from error
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_held(lock: Path) -> bool:
    handle = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
