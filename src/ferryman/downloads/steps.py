"""What follows a transfer: steps that each go on after an interruption, in the job's own checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from ferryman.downloads.model import DownloadSpec
from ferryman.jobs.model import Document
from ferryman.jobs.run import Run

_KEY = "after"


class Step(Protocol):
    """One thing done with a file that has arrived. Safe to use for several jobs at once."""

    @property
    def name(self) -> str:
        """The phase it is shown as."""
        ...

    def wanted(self, spec: DownloadSpec, result: Document) -> bool:
        """Tell whether it has something to do."""
        ...

    async def do(self, spec: DownloadSpec, run: Run, after: "After") -> Document:
        """Do it and return what it adds to the result. It may be called again after any interruption.

        Raises `FerryError`, and `Stopped` when the run has to stop.
        """
        ...


class After:
    """What is known and done after the transfer, kept in the checkpoint beside the trail."""

    def __init__(self, run: Run, result: Document) -> None:
        """Begin with the `result` of the transfer, or go on with what the checkpoint holds."""
        self._run = run
        known = (run.checkpoint or {}).get(_KEY)
        state: Document = dict(known) if isinstance(known, dict) else {}
        self.result: Document = state.get("result") or result
        self._notes: Document = state.get("notes") or {}
        self._done: Document = state.get("done") or {}

    def done(self, step: str) -> Document | None:
        """Return what a finished step added; None when it is not finished."""
        found = self._done.get(step)
        return found if isinstance(found, dict) else None

    def note(self, step: str) -> Any:
        """Return what the step noted before it was interrupted."""
        return self._notes.get(step)

    async def write_note(self, step: str, note: Any) -> None:
        """Keep a note of the step; durable on return."""
        self._notes[step] = note
        await self._save()

    async def finish(self, step: str, added: Document) -> None:
        """Keep that the step is finished; durable on return."""
        self._done[step] = added
        self.result = {**self.result, **added}
        await self._save()

    async def _save(self) -> None:
        state = {"result": self.result, "notes": self._notes, "done": self._done}
        await self._run.save({**(self._run.checkpoint or {}), _KEY: state})


def noted_by(checkpoint: Document | None, step: str) -> Any:
    """Return what a step noted in a checkpoint."""
    state = (checkpoint or {}).get(_KEY)
    notes = state.get("notes") if isinstance(state, dict) else None
    return notes.get(step) if isinstance(notes, dict) else None


def arrived(checkpoint: Document | None, root: Path) -> Document | None:
    """Return the result of a transfer whose steps were interrupted; None when its file is not there as it was."""
    state = (checkpoint or {}).get(_KEY)
    result = state.get("result") if isinstance(state, dict) else None
    if not isinstance(result, dict) or not isinstance(result.get("path"), str):
        return None
    path = Path(result["path"])
    if (
        not path.is_relative_to(root.resolve())
        or not path.is_file()
        or path.stat().st_size != result.get("size")
    ):
        return None
    return result


async def follow(steps: Sequence[Step], spec: DownloadSpec, run: Run, result: Document) -> Document:
    """Take the steps that are wanted and not done, in order, and return the result with what they add."""
    after = After(run, result)
    for step in steps:
        if after.done(step.name) is None and step.wanted(spec, after.result):
            await run.phase(step.name)
            await after.finish(step.name, await step.do(spec, run, after))
    return after.result
