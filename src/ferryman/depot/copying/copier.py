"""One copy from beginning to end: read what is asked for, plan, carry out. What commands and jobs call."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ferryman.core.errors import FerryError
from ferryman.depot.copying.asking import plan_of
from ferryman.depot.copying.ends import Ends, Kept
from ferryman.depot.copying.gather import Gatherer
from ferryman.depot.copying.meter import Meter
from ferryman.depot.copying.model import Choice, Image, Plan, Wish
from ferryman.depot.copying.movers import DEPOT, Direct, Into, Through, Ways
from ferryman.depot.copying.run import Mover, Outcome, Runner
from ferryman.depot.copying.uploads import Uploads

if TYPE_CHECKING:
    from ferryman.transfer.service import Engine

THREADS: Final = 8
"""Requests of one copy at once; each registry's pace holds them back further."""

Log = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is to be done, and which references cannot be read at all, with why."""

    plan: Plan
    failed: tuple[tuple[Wish, FerryError], ...] = ()


@dataclass(frozen=True, slots=True)
class How:
    """How a copy is done. `connections` is for one large blob; without `store` nothing is kept between registries."""

    choice: Choice = field(default_factory=Choice)
    store: bool = True
    connections: int = 4
    threads: int = THREADS


class Copier:
    """Copies once. `prepare`, then `carry_out`, from one thread; the meter may be read and stopped from others."""

    def __init__(
        self,
        ends: Ends,
        how: How,
        meter: Meter,
        *,
        kept: Kept | None = None,
        engine: "Callable[[], Engine] | None" = None,
        uploads: Uploads | None = None,
        log: Log | None = None,
    ) -> None:
        """Copy between `ends`. With `kept` blobs may go through the depot; `engine` is asked for when a large one does."""
        self._ends, self._how, self._meter = ends, how, meter
        self._kept, self._engine, self._uploads, self._log = kept, engine, uploads, log

    def prepare(self, wishes: Sequence[Wish]) -> Prepared:
        """Read the references, hold what the depot is to get, ask the targets, and plan. Nothing is written but the hold.

        Raises what the targets answer (`Denied`, `Unavailable`…); what is wrong with a reference is in the answer.
        """
        with ThreadPoolExecutor(self._how.threads, "plan") as pool:
            try:
                found = Gatherer(self._ends.source, self._how.choice, pool).gather(wishes)
                if self._kept is not None and any(image.target.registry == DEPOT for image in found.images):
                    self._keep(found.images)
                plan = plan_of(found.images, self._ends.target, pool)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return Prepared(plan, tuple(found.failed))

    def carry_out(self, plan: Plan) -> Outcome:
        """Do what is planned. Raises `Stopped`; what fails for an image is in the answer."""
        if self._uploads is not None:
            self._uploads.sweep()
        return Runner(
            plan,
            self._ends.target,
            self._mover(plan),
            self._meter,
            threads=self._how.threads,
            log=self._log,
        ).run()

    def _keep(self, images: Sequence[Image]) -> None:
        assert self._kept is not None
        digests = {one.digest for image in images for manifest in image.manifests for one in manifest.blobs}
        digests |= {manifest.digest for image in images for manifest in image.manifests}
        self._kept.hold.keep(digests)

    def _mover(self, plan: Plan) -> Mover:
        direct = Direct(self._ends.source, self._ends.target, self._uploads)
        if self._kept is None:
            return Ways(direct)
        from ferryman.depot.copying.store import Store, worth_engine  # noqa: PLC0415 - loads the engine

        large = any(worth_engine(step.blob) for step in plan.blobs)
        store = Store(
            self._kept.depot,
            self._kept.hold,
            self._kept.origin,
            self._ends.source,
            self._meter,
            engine=self._engine() if self._engine and large else None,
            client=self._ends.client,
            connections=self._how.connections,
        )
        through = Through(store, self._ends.target, self._uploads) if self._how.store else None
        return Ways(direct, Into(store), through)
