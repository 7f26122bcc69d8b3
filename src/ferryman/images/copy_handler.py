"""The body of a copy job: plans, moves, shows how far it is, stops when asked, goes on after any interruption."""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from ferryman.core.clock import Clock
from ferryman.core.errors import FerryError, Unavailable
from ferryman.core.secrets import SecretBox
from ferryman.depot.copying.copier import Copier, How, Prepared
from ferryman.depot.copying.ends import Ends, Kept, Side
from ferryman.depot.copying.meter import ItemView, Meter, View
from ferryman.depot.copying.meter import Stopped as CopyStopped
from ferryman.depot.copying.model import Choice, Place
from ferryman.depot.copying.places import Places
from ferryman.depot.copying.result import plan_document, result_document
from ferryman.depot.copying.run import Outcome
from ferryman.depot.copying.uploads import Uploads
from ferryman.depot.model import Origin
from ferryman.depot.service import Depot, Hold
from ferryman.images.model import KIND, CopySpec, Secrets
from ferryman.images.reach import Reach
from ferryman.jobs.model import Document, Progress
from ferryman.jobs.run import Run, Stopped
from ferryman.oci.manifest import Platform
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.service import Engine

PHASES: Final = ("planning", "copying", "finishing")
"""The phases of a copy, in order."""
ITEMS: Final = "/depot/copies/{id}/items"
"""Where the console shows the blobs of a copy."""
LOOK: Final = 0.5
"""Seconds between two looks at a copy."""
LIFETIME: Final = 3600.0
"""Seconds that what a job holds outlives its process: the job comes back sooner."""
RENEW: Final = 600.0
ENDED: Final = 20
"""Copies whose blobs can still be looked at when they do not run any more."""
MOST: Final = 1000
"""Blobs that are kept of one of them."""
Log = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class CopyRooms:
    """What the handler works with."""

    depot: Depot
    engine: Engine
    box: SecretBox
    reach: Reach
    uploads: Path
    clock: Clock


class CopyHandler:
    """Implements `jobs.ports.Handler`. `private` says, each time, whether specs may allow private addresses at all."""

    kind = KIND
    spec = CopySpec

    def __init__(self, rooms: CopyRooms, *, private: Callable[[], bool]) -> None:
        """Copy with the depot, the engine and the connections of `rooms`."""
        self._rooms, self._private = rooms, private
        self._meters: dict[str, Meter] = {}
        self._ended: OrderedDict[str, list[ItemView]] = OrderedDict()
        self._received = 0

    def received(self) -> int:
        """Bytes that went over a network since this process started."""
        return self._received + sum(meter.network for meter in list(self._meters.values()))

    def items(self, job_id: str) -> list[ItemView] | None:
        """Return the blobs of a copy that runs in this process, or was one of its last; None when it is not known."""
        meter = self._meters.get(job_id)
        return meter.items() if meter else self._ended.get(job_id)

    async def run(self, spec: CopySpec, run: Run) -> Document:
        """Copy. Raises what failed, and `Stopped` when asked to stop."""
        loop = asyncio.get_running_loop()
        meter = self._meters[run.job.id] = Meter(rate_limit=spec.rate_limit)

        def log(level: str, message: str) -> None:
            loop.call_soon_threadsafe(run.log.warning if level == "warning" else run.log.info, message)

        def phase(name: str) -> None:
            asyncio.run_coroutine_threadsafe(run.phase(name), loop)

        work = asyncio.ensure_future(asyncio.to_thread(self._copy, spec, run.job.id, meter, log, phase))
        stopped = asyncio.ensure_future(run.stopped())
        try:
            while not work.done():
                await asyncio.wait({work, stopped}, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                run.progress(progress_of(meter.view()))
                if stopped.done():
                    meter.stop()
                    await asyncio.wait({work})
            return work.result()
        except CopyStopped as error:
            raise Stopped from error
        finally:
            stopped.cancel()
            meter.stop()
            self._received += meter.network
            self._meters.pop(run.job.id, None)
            self._keep(run.job.id, meter.items())

    def _keep(self, job_id: str, items: list[ItemView]) -> None:
        self._ended.pop(job_id, None)
        if items:
            self._ended[job_id] = items[:MOST]
        while len(self._ended) > ENDED:
            self._ended.popitem(last=False)

    def plan(self, spec: CopySpec) -> Document:
        """Return what a copy would do, without doing it. Blocks. Raises what stands in the way of all of it."""
        meter = Meter()
        with _Opened(self._rooms, self, spec, f"plan:{threading.get_ident()}", meter, None) as opened:
            return plan_document(opened.copier.prepare(opened.places.wishes))

    def _copy(
        self, spec: CopySpec, job_id: str, meter: Meter, log: Log, phase: Callable[[str], None]
    ) -> Document:
        began = time.monotonic()
        phase(PHASES[0])
        with _Opened(self._rooms, self, spec, f"job:{job_id}", meter, log) as opened:
            prepared = opened.copier.prepare(opened.places.wishes)
            if not prepared.plan.nothing:
                phase(PHASES[1])
                log("info", told(prepared))
            outcome = opened.copier.carry_out(prepared.plan)
            if not prepared.plan.nothing:
                phase(PHASES[2])
            for text in opened.ends.close():
                log("info", text)
        document = result_document(prepared, outcome, meter.view(), time.monotonic() - began)
        raise_failures(prepared, outcome, log)
        return document

    def rule(self, spec: CopySpec) -> AddressPolicy:
        """Return which addresses a copy may reach."""
        return AddressPolicy(private=spec.private and self._private())


class _Opened:
    """What one copy uses, for the time of a block."""

    def __init__(
        self,
        rooms: CopyRooms,
        handler: CopyHandler,
        spec: CopySpec,
        holder: str,
        meter: Meter,
        log: Log | None,
    ) -> None:
        self._rooms, self._holder, self._spec, self._rule = rooms, holder, spec, handler.rule(spec)
        self._meter, self._log = meter, log
        self._over = threading.Event()
        self.places = Places()
        self.places.add(spec.sources, spec.target)

    def __enter__(self) -> Self:
        rooms, spec = self._rooms, self._spec
        secrets = Secrets.model_validate_json(rooms.box.open(spec.sealed, KIND)) if spec.sealed else Secrets()
        source = secrets.source.model_copy(
            update={"plain_http": spec.source_http, "insecure": spec.source_insecure}
        )
        target = secrets.destination.model_copy(
            update={"plain_http": spec.target_http, "insecure": spec.target_insecure}
        )
        self._registries = rooms.reach.sides(source, target, self._rule)
        first, second = self._registries.__enter__()
        self._hold = rooms.depot.begin(self._holder, LIFETIME)
        kept = Kept(rooms.depot, self._hold, self._origin)
        self.ends = Ends(
            self.places.locations,
            Side(first.options),
            Side(second.options),
            kept=kept,
            came_from=self.places.came_from,
            registries=(first, second),
        )
        platforms = tuple(Platform.parse(text) for text in spec.platforms)
        self.copier = Copier(
            self.ends,
            How(Choice(platforms or None, spec.referrers), spec.store, spec.connections),
            self._meter,
            kept=kept,
            engine=lambda: rooms.engine,
            uploads=Uploads(rooms.uploads),
            log=self._log,
        )
        self._renewing = threading.Thread(
            target=renew, args=(self._hold, self._over), name="hold", daemon=True
        )
        self._renewing.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        try:
            self.ends.close(failed=failure[0] is not None)
        finally:
            self._renewing.join()
            self._hold.release()
            self._registries.__exit__(None, None, None)

    def _origin(self, place: Place | None) -> Origin:
        job = self._holder.removeprefix("job:") if self._holder.startswith("job:") else None
        return Origin(str(place) if place else "copy", self._rooms.clock.now(), job)


def renew(hold: Hold, over: threading.Event) -> None:
    """Let a hold live on until `over`."""
    while not over.wait(RENEW):
        try:
            hold.renew()
        except FerryError:  # the copy itself meets what is wrong
            return


def progress_of(view: View) -> Progress:
    """Return how far a copy is as the ledger keeps it."""
    return Progress(
        total=view.total,
        network=view.network,
        disk=view.disk,
        verified=view.verified,
        rate=view.rate,
        eta=view.eta,
        slow=view.slow,
        items_done=view.items_done,
        items_total=view.items_total,
        resumed=view.resumed,
    )


def told(prepared: Prepared) -> str:
    """Say what is to be done, in one line of a log."""
    plan = prepared.plan
    return (
        f"{len(plan.images)} images: {plan.to_move:,} bytes to move, {plan.to_mount:,} to link at the target, "
        f"{plan.there:,} there; {len(plan.manifests)} manifests to put, {plan.manifests_there} there."
    )


def raise_failures(prepared: Prepared, outcome: Outcome, log: Log) -> None:
    """Raise what failed, if anything: one error that says how many, retried when trying again may help one of them."""
    failed = [(wish.said, error) for wish, error in prepared.failed]
    failed += [(one.image.said, one.error) for one in outcome.failed if one.error is not None]
    if not failed:
        return
    for said, error in failed:
        log("warning", f"{said}: {error.message}")
    said, error = next((one for one in failed if isinstance(one[1], Unavailable)), failed[0])
    whole = len(prepared.failed) + len(prepared.plan.images)
    if whole > 1:
        error.message = f"{len(failed)} of {whole} images failed. {said}: {error.message}"
        error.args = (error.message,)
    raise error
