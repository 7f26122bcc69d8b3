"""Unpacks what has arrived, beside it, under a name that is free."""

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from ferryman.core.archives.model import ArchiveLimits, Interrupted, Step, Unpacked
from ferryman.core.archives.unpack import bare_name, staging_of, unpack
from ferryman.core.errors import FerryError
from ferryman.core.settings import Settings
from ferryman.core.units import format_size, parse_size
from ferryman.downloads.claims import Claims
from ferryman.downloads.model import DownloadSpec
from ferryman.downloads.steps import After, noted_by
from ferryman.jobs.model import Document, Progress
from ferryman.jobs.run import Run, Stopped
from ferryman.transfer.model import Overwrite

PHASE: Final = "unpacking"


class Unpacking:
    """Implements `steps.Step`."""

    name = PHASE

    def __init__(self, claims: Claims, settings: Callable[[], Settings]) -> None:
        """Reserve names with `claims`; the limits are those of `settings` at the moment."""
        self._claims = claims
        self._settings = settings

    def wanted(self, spec: DownloadSpec, result: Document) -> bool:
        """Tell whether the file is to be unpacked; one that was there before is left alone."""
        return spec.unpack and not result.get("skipped")

    async def do(self, spec: DownloadSpec, run: Run, after: After) -> Document:  # noqa: ARG002 - the form of all steps
        """Unpack the file. Raises what `core.archives` raises, and `Stopped`."""
        archive, mark = Path(after.result["path"]), run.job.id
        target = await self._target(archive, mark, after)
        if (done := await asyncio.to_thread(_shown, target, mark)) is not None:
            run.log.info(f"It had been unpacked to {target} before the interruption.")
            return done
        run.log.info(f"unpacking to {target}")
        progress = _Shown(run)
        try:
            unpacked = await asyncio.to_thread(
                unpack,
                archive,
                target,
                mark=mark,
                limits=limits_of(self._settings()),
                progress=progress,
                stopped=lambda: run.stop_reason is not None,
            )
        except Interrupted as error:
            await after.write_note(PHASE, None)
            raise Stopped from error
        except FerryError:  # nothing is left of it, and the name is free for others
            await after.write_note(PHASE, None)
            raise
        run.log.info(f"unpacked {unpacked.entries} entries, {format_size(unpacked.size)}")
        return _document(unpacked)

    async def _target(self, archive: Path, mark: str, after: After) -> Path:
        """Return where to: noted before it begins, so that a rerun knows its own."""
        noted = after.note(PHASE)
        if isinstance(noted, str) and Path(noted).parent == archive.parent:
            return Path(noted)
        wanted = archive.with_name(bare_name(archive.name))
        target = await asyncio.to_thread(self._claims.claim, mark, wanted, Overwrite.RENAME)
        # While the folder of the work is there, what stands at the target is somebody else's.
        await asyncio.to_thread(staging_of(target, mark).mkdir, exist_ok=True)
        await after.write_note(PHASE, str(target))
        return target


def remove_leftover(checkpoint: Document | None, job_id: str, root: Path) -> None:
    """Remove what a job left half-unpacked that never runs again. Blocks."""
    noted = noted_by(checkpoint, PHASE)
    if isinstance(noted, str) and Path(noted).is_relative_to(root.resolve()):
        shutil.rmtree(staging_of(Path(noted), job_id), ignore_errors=True)


class _Shown:
    """Shows progress of the thread that unpacks in the loop of the run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._began = run.latest

    def __call__(self, step: Step) -> None:
        now: Progress = replace(
            self._began, items_done=step.entries, rate=0.0, eta=None, slow=None, connections=0
        )
        self._loop.call_soon_threadsafe(self._run.progress, now)


def limits_of(settings: Settings) -> ArchiveLimits:
    """Return what an archive may cost."""
    return ArchiveLimits(
        entries=settings.unpack_entries, size=parse_size(settings.unpack_size), ratio=settings.unpack_ratio
    )


def _shown(target: Path, mark: str) -> Document | None:
    """Return what an earlier run finished: its folder of work has become the target."""
    if not os.path.lexists(target) or staging_of(target, mark).exists():
        return None
    files = [path for path in target.rglob("*") if path.is_file() and not path.is_symlink()]
    if not target.is_dir():
        files = [target]
    return _document(Unpacked(target, len(files), sum(path.stat().st_size for path in files)))


def _document(unpacked: Unpacked) -> Document:
    return {
        "unpacked": str(unpacked.path),
        "unpacked_entries": unpacked.entries,
        "unpacked_size": unpacked.size,
    }
