"""A job as aria2 describes a download: the same keys, numbers as text. Pure."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from ferryman.core.secrets import mask
from ferryman.downloads.aria2.gids import gid
from ferryman.jobs.model import TERMINAL, Job, Reason, State

Status = dict[str, Any]
_PIECE: Final = 1 << 20
_MOST_PIECES: Final = 8192
STATUSES: Final[Mapping[State, str]] = {
    State.RUNNING: "active",
    State.QUEUED: "waiting",
    State.WAITING: "waiting",
    State.PAUSED: "paused",
    State.SUCCEEDED: "complete",
    State.FAILED: "error",
    State.CANCELLED: "removed",
}
_REMOVED: Final = "31"
_ERRORS: Final[Mapping[Reason, str]] = {
    Reason.INVALID: "28",
    Reason.DENIED: "24",
    Reason.NOT_FOUND: "3",
    Reason.CONFLICT: "13",
    Reason.NETWORK: "6",
    Reason.TIMEOUT: "2",
    Reason.DISK_FULL: "9",
    Reason.CORRUPT: "32",
}
"""aria2's exit codes for what we know; 1 is for all else."""


def status(job: Job, root: Path, keys: Iterable[str] = (), *, own: bool = True) -> Status:
    """Return `job` as `aria2.tellStatus` does, narrowed to `keys` when there are any.

    `own` shows addresses as they were given: front ends add them again. Others see them without what looks secret.
    """
    done, total, piece = _done(job), _total(job), _piece(_total(job))
    found: Status = {
        "completedLength": str(done),
        "connections": str(job.progress.connections if job.state is State.RUNNING else 0),
        "dir": folder_of(job, root),
        "downloadSpeed": str(speed(job)),
        "files": files(job, root, own=own),
        "gid": gid(job),
        "numPieces": str(-(-total // piece)),
        "pieceLength": str(piece),
        "status": STATUSES[job.state],
        "totalLength": str(total),
        "uploadLength": "0",
        "uploadSpeed": "0",
    }
    if total:
        found["bitfield"] = _bits(done, total, piece)
    if job.state in TERMINAL:
        found |= _ending(job)
    wanted = set(keys)
    return {key: value for key, value in found.items() if key in wanted} if wanted else found


def files(job: Job, root: Path, *, own: bool = True) -> list[Status]:
    """Return the one file of `job` as `aria2.getFiles` does."""
    return [
        {
            "completedLength": str(_done(job)),
            "index": "1",
            "length": str(_total(job)),
            "path": path_of(job, root),
            "selected": "true",
            "uris": uris(job, own=own),
        }
    ]


def uris(job: Job, *, own: bool = True) -> list[Status]:
    """Return the addresses of `job` as `aria2.getUris` does: of those in use the first is said to be it."""
    begun = job.state is State.RUNNING or job.state in TERMINAL
    return [
        {"status": "used" if begun and not place else "waiting", "uri": str(url) if own else mask(str(url))}
        for place, url in enumerate(job.spec.get("urls") or ())
    ]


def servers(job: Job, *, own: bool = True) -> list[Status]:
    """Return what an active `job` is fetched from, as `aria2.getServers` does."""
    used = [
        {"currentUri": each["uri"], "downloadSpeed": str(speed(job)), "uri": each["uri"]}
        for each in uris(job, own=own)
        if each["status"] == "used"
    ]
    return [{"index": "1", "servers": used}]


def folder_of(job: Job, root: Path) -> str:
    """Return the folder the file of `job` goes to."""
    folder = str(job.spec.get("folder") or "")
    return str(root / folder) if folder else str(root)


def path_of(job: Job, root: Path) -> str:
    """Return the file of `job`; empty while its name is not known."""
    for kept in (job.result, job.checkpoint):
        for name in ("path", "target"):
            if kept and isinstance(kept.get(name), str):
                return str(kept[name])
    given = str(job.spec.get("name") or "")
    return str(Path(folder_of(job, root)) / given) if given else ""


def speed(job: Job) -> int:
    """Return bytes per second of a job that runs, 0 for others."""
    return max(0, int(job.progress.rate)) if job.state is State.RUNNING else 0


def _done(job: Job) -> int:
    return _total(job) if job.state is State.SUCCEEDED else max(0, job.progress.disk)


def _total(job: Job) -> int:
    size = (job.result or {}).get("size")
    if job.state is State.SUCCEEDED and isinstance(size, int):
        return size
    return max(0, job.progress.total or job.size or 0)


def _piece(total: int) -> int:
    """Return how long a piece is said to be: a MiB, more for files that would have too many of them to list."""
    piece = _PIECE
    while total > piece * _MOST_PIECES:
        piece *= 2
    return piece


def _bits(done: int, total: int, piece: int) -> str:
    """Return how much is there as if it had come in order: which pieces exactly is the business of the transfer."""
    number = -(-total // piece)
    full = number if done >= total else min(number, done // piece)
    width = -(-number // 8) * 8
    return f"{((1 << full) - 1) << (width - full):0{width // 4}x}"


def _ending(job: Job) -> Status:
    if job.state is State.SUCCEEDED:
        return {"errorCode": "0", "errorMessage": ""}
    if job.state is State.CANCELLED:
        return {"errorCode": _REMOVED, "errorMessage": ""}
    code = _ERRORS.get(job.reason, "1") if job.reason else "1"
    return {"errorCode": code, "errorMessage": mask(job.error or "")}
