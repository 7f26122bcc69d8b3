"""How local commands find the daemon of a home, from what `daemon.home` leaves there. Loads little: every command may ask."""

import fcntl
import json
import os
from typing import NamedTuple

from ferryman.core.errors import Denied

LOCK = "daemon.lock"
NOTE = "daemon.json"
TOKEN = "local.token"  # noqa: S105 - the name of a file


class Running(NamedTuple):
    """A daemon that local commands can talk to."""

    address: str
    pid: int
    token: str


def find_running(folder: "str | os.PathLike[str]") -> Running | None:
    """Return where the daemon of a home is; None when none runs, also when one was killed and could not tidy up.

    Raises `Denied` (`home_unreadable`) for the home of somebody else.
    """
    try:
        if not _is_held(f"{os.fspath(folder)}/{LOCK}"):
            return None
        note = json.loads(_text(folder, NOTE))
        token = _text(folder, f"keys/{TOKEN}").strip()
        return Running(str(note["address"]), int(note["pid"]), token)
    except PermissionError as error:
        raise Denied(
            "home_unreadable",
            f"The home folder {folder} belongs to somebody else.",
            advice="Run the command as that user, or set FERRY_ADDRESS and FERRY_TOKEN.",
        ) from error
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _text(folder: "str | os.PathLike[str]", name: str) -> str:
    with open(f"{os.fspath(folder)}/{name}", encoding="utf-8") as file:  # noqa: PTH123 - pathlib is not loaded for it
        return file.read()


def _is_held(lock: str) -> bool:
    handle = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
