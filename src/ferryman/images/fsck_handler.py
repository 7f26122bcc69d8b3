"""The body of a `fsck` job: one check of the depot, with what it fetched again."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from ferryman.core.errors import Corrupt
from ferryman.depot.model import CheckTotals, Finding, Trouble
from ferryman.depot.service import Depot, Repair
from ferryman.images.upkeep import FSCK, FsckSpec
from ferryman.jobs.model import Document, Progress
from ferryman.jobs.run import Run, Stopped

PHASES: Final = ("checking",)
LOOK: Final = 0.5
"""Seconds between two looks at how far it is."""
SAVE_EVERY: Final = 20
"""Looks after which it is recorded how far the check is."""
MOST_NAMED: Final = 200
"""Findings that the result names."""


class FsckHandler:
    """Implements `jobs.ports.Handler`. It goes on behind the last blob that was recorded."""

    kind = FSCK
    spec = FsckSpec

    def __init__(self, depot: Depot, repairing: Callable[[bool], AbstractContextManager[Repair]]) -> None:
        """Check `depot`; `repairing(plain_http)` gives what brings content again for the time of a block."""
        self._depot, self._repairing = depot, repairing

    async def run(self, spec: FsckSpec, run: Run) -> Document:
        """Check, and tell what was wrong. Raises `Corrupt` (`depot_damaged`) when something stays wrong, `Stopped`."""
        await run.phase(PHASES[0])
        earlier = run.checkpoint or {}
        totals, findings = CheckTotals(), list(earlier.get("findings", []))
        totals.done, totals.done_size = int(earlier.get("done", 0)), int(earlier.get("done_size", 0))
        loop, halt = asyncio.get_running_loop(), threading.Event()

        def found(one: Finding) -> None:
            findings.append(shown(one))
            log = run.log.info if one.repaired or one.trouble is Trouble.STRAY else run.log.warning
            log(told(one))

        def check() -> None:
            with self._repairing(spec.plain_http) as repair:
                for one in self._depot.fsck(
                    spec.deep,
                    repair if spec.repair else None,
                    totals=totals,
                    stop=halt.is_set,
                    after=str(earlier.get("last", "")),
                ):
                    loop.call_soon_threadsafe(found, one)

        work = asyncio.ensure_future(asyncio.to_thread(check))
        stopped = asyncio.ensure_future(run.stopped())
        try:
            await self._watch(run, work, stopped, totals, findings)
            halt.set()
            await work
            await asyncio.sleep(0)  # what was found last is noted
            if stopped.done():
                await run.save(state_of(totals, findings))
                raise Stopped
        finally:
            halt.set()
            stopped.cancel()
        return result_of(totals, findings)

    async def _watch(
        self,
        run: Run,
        work: "asyncio.Future[Any]",
        stopped: "asyncio.Future[Any]",
        totals: CheckTotals,
        findings: list[Document],
    ) -> None:
        """Show and record how far it is until it ends or has to."""
        looks = 0
        while not work.done() and not stopped.done():
            await asyncio.wait({work, stopped}, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
            run.progress(
                Progress(
                    total=totals.size or None,
                    verified=totals.done_size,
                    items_done=totals.done,
                    items_total=totals.blobs,
                )
            )
            looks += 1
            if looks % SAVE_EVERY == 0 and not stopped.done():
                await run.save(state_of(totals, findings))


def state_of(totals: CheckTotals, findings: list[Document]) -> Document:
    """Return what is needed to go on later."""
    return {
        "last": totals.last,
        "done": totals.done,
        "done_size": totals.done_size,
        "findings": findings[:MOST_NAMED],
    }


def result_of(totals: CheckTotals, findings: list[Document]) -> Document:
    """Return the result. Raises `Corrupt` (`depot_damaged`) when something stays wrong."""
    left = [one for one in findings if not one["repaired"] and one["trouble"] != Trouble.STRAY]
    if left:
        problem = Corrupt(
            "depot_damaged",
            f"{len(left)} of {totals.done} blobs are damaged or missing, such as {left[0]['what']}.",
            advice="Fetch what needs them again; the log of this job names all. Damaged files are in 'damaged' of the depot.",
        )
        problem.details = {"findings": left[:MOST_NAMED]}
        raise problem
    return {
        "blobs": totals.done,
        "size": totals.done_size,
        "repaired": sum(bool(one["repaired"]) for one in findings),
        "strays": sum(one["trouble"] == Trouble.STRAY for one in findings),
        "findings": findings[:MOST_NAMED],
    }


def shown(one: Finding) -> Document:
    """Return a finding as JSON has it."""
    return {
        "trouble": str(one.trouble),
        "what": one.what,
        "size": one.size,
        "source": one.origin.source if one.origin else None,
        "detail": one.detail,
        "repaired": one.repaired,
        "set_aside": one.set_aside,
        "used_by": list(one.used_by),
    }


def told(one: Finding) -> str:
    """Return a finding as a line of a log."""
    needed = f", needed by {', '.join(one.used_by)}" if one.used_by else ""
    return f"{'repaired' if one.repaired else one.trouble}: {one.what}{needed}. {one.detail}"
