"""Removes the file a download fetched, when its entry is deleted for good and that was asked for."""

import asyncio
from pathlib import Path

import structlog

from ferryman.core.errors import Invalid
from ferryman.core.paths import join_within
from ferryman.jobs.model import Job, Query, State
from ferryman.jobs.service import Ledger

_log = structlog.get_logger("ferryman.downloads")


class Discard:
    """Implements `jobs.purge.Discard`: removes only what is certainly the job's own."""

    def __init__(self, ledger: Ledger, root: Path) -> None:
        """Remove files below `root` only."""
        self._ledger = ledger
        self._root = root

    async def __call__(self, job: Job) -> None:
        """Remove the result of `job`, unless another download has fetched that file anew, or it is not as it was."""
        path = own_result(job, self._root)
        if path is None:
            return
        if await self._belongs_to_another(job, path):
            _log.info("the file of a deleted download is that of another one and stays", job=job.id)
            return
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _belongs_to_another(self, job: Job, path: Path) -> bool:
        query = Query(kinds=(job.kind,), states=(State.SUCCEEDED,), text=path.name)
        async for other in self._ledger.each(query):
            if other.id != job.id and (other.result or {}).get("path") == str(path):
                return True
        return False


def own_result(job: Job, root: Path) -> Path | None:
    """Return the file `job` fetched; None when it fetched none, or when what is there is not that file any more."""
    result = job.result or {}
    path, size = result.get("path"), result.get("size")
    if job.state is not State.SUCCEEDED or result.get("skipped") or not isinstance(path, str):
        return None
    base = root.resolve()
    if not Path(path).is_relative_to(base):
        return None
    try:
        found = join_within(base, str(Path(path).relative_to(base)))
    except Invalid:  # it leads out of the folder
        return None
    if found != Path(path) or found.is_symlink() or not found.is_file():
        return None
    return found if found.stat().st_size == size else None
