"""The last step of a download that succeeded: its deliveries are in the ledger before it is done."""

from typing import Final

from ferryman.downloads.hooks.model import HookEvent
from ferryman.downloads.hooks.service import Hooks
from ferryman.downloads.model import DownloadSpec
from ferryman.downloads.steps import After
from ferryman.jobs.model import Document
from ferryman.jobs.run import Run

PHASE: Final = "hooks"


class Announcing:
    """Implements `downloads.steps.Step`. Called twice it makes the same deliveries: their keys are those of the download."""

    name = PHASE

    def __init__(self, hooks: Hooks) -> None:
        """Announce to `hooks`."""
        self._hooks = hooks

    def wanted(self, spec: DownloadSpec, result: Document) -> bool:
        """Tell whether hooks are to hear of it; a file that was there before is no news."""
        return bool(spec.hooks) and not result.get("skipped")

    async def do(self, spec: DownloadSpec, run: Run, after: After) -> Document:
        """Make the deliveries."""
        names = await self._hooks.announce(run.job, HookEvent.SUCCEEDED, after.result, spec.hooks)
        if names:
            run.log.info(f"told: {', '.join(names)}")
        return {"hooks": names} if names else {}
