"""The body of a `gc` job: one clean-up of the depot."""

import asyncio
import threading
from typing import Final

from ferryman.depot.model import GcReport
from ferryman.depot.service import Depot
from ferryman.images.upkeep import GC, GcSpec
from ferryman.jobs.model import Document, Progress
from ferryman.jobs.run import Run, Stopped

PHASES: Final = ("cleaning",)
MOST_NAMED: Final = 500
"""Tags that the result names."""


class GcHandler:
    """Implements `jobs.ports.Handler`. It begins anew after an interruption: what is gone is gone."""

    kind = GC
    spec = GcSpec

    def __init__(self, depot: Depot) -> None:
        """Clean up `depot`."""
        self._depot = depot

    async def run(self, spec: GcSpec, run: Run) -> Document:
        """Clean up and tell what went. Raises `Stopped`."""
        await run.phase(PHASES[0])
        loop, halt = asyncio.get_running_loop(), threading.Event()

        def tell(_phase: str, done: int, total: int) -> None:
            loop.call_soon_threadsafe(run.progress, Progress(items_done=done, items_total=total))

        def clean() -> GcReport:
            return self._depot.gc(grace=spec.grace, dry_run=spec.dry_run, tell=tell, stop=halt.is_set)

        work = asyncio.ensure_future(asyncio.to_thread(clean))
        stopped = asyncio.ensure_future(run.stopped())
        try:
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
            halt.set()
            report = await work
            if stopped.done():
                raise Stopped
        finally:
            halt.set()
            stopped.cancel()
        for name in report.tags:
            run.log.info(f"no rule lets the tag {name} stay")
        run.log.info(
            f"{report.blobs} blobs ({report.size} bytes) and {report.strays} other files "
            f"{'would go' if spec.dry_run else 'are gone'}"
        )
        return {**report.to_dict(), "tags": list(report.tags[:MOST_NAMED]), "tags_removed": len(report.tags)}
