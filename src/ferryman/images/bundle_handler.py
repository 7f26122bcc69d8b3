"""The body of a `bundle` job: a bundle is written to, or loaded from, the folder `bundles` of the home."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from ferryman.accounts.model import Principal
from ferryman.depot.bundles.create import Creation, Order
from ferryman.depot.bundles.folder import NAME
from ferryman.depot.bundles.inventory import read_inventory
from ferryman.depot.bundles.keys import Keys
from ferryman.depot.bundles.load import Loading, demand_complete
from ferryman.depot.bundles.verify import verify
from ferryman.depot.bundles.volume import open_all, volumes_of
from ferryman.depot.service import Depot
from ferryman.jobs.model import Document, Job, NewJob, Progress
from ferryman.jobs.run import Run, Stopped
from ferryman.jobs.service import Ledger

BUNDLE: Final = "bundle"
PHASES: Final = ("carrying",)
LOOK: Final = 0.5
"""Seconds between two looks at how far it is."""
FileName = Annotated[str, Field(max_length=150, pattern=NAME)]
Ref = Annotated[str, Field(min_length=1, max_length=390, pattern=r"^[^\x00-\x1f\x7f]*$")]


class BundleSpec(BaseModel):
    """A bundle to write or to load. Files lie in the folder `bundles` of the home, and are named without a path."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["create", "load", "verify"] = Field(
        description="Write it from the depot, load it into the depot, or read every byte of it and check."
    )
    name: FileName = Field(description="Its file; that of a split one without `.001`.")
    refs: Annotated[list[Ref], Field(max_length=1000)] = Field([], description="References to write.")
    volume_size: Annotated[int, Field(ge=65_536, le=1 << 50)] | None = Field(
        None, description="Bytes of a volume at most; null is one file."
    )
    zstd: bool = Field(False, strict=True, description="Compress each file.")
    against: FileName | None = Field(None, description="Inventory of the receiver, in the same folder.")
    more: bool = Field(False, strict=True, description="Volumes that are missing will follow.")


class BundleHandler:
    """Implements `jobs.ports.Handler`. What was loaded before an interruption is not read again."""

    kind = BUNDLE
    spec = BundleSpec

    def __init__(self, depot: Depot, folder: Path, keys: Keys) -> None:
        """Carry bundles of `depot` to and from `folder`."""
        self._depot = depot
        self._folder = folder
        self._keys = keys

    async def run(self, spec: BundleSpec, run: Run) -> Document:
        """Write or load. Raises what the rooms of bundles raise, and `Stopped`."""
        await run.phase(PHASES[0])
        halt = threading.Event()
        moved, totals = [0], [0]

        def tell(count: int) -> None:
            moved[0] += count
            if halt.is_set():
                raise Stopped

        def expect(total: int) -> None:
            totals[0] = total

        body = {"create": self._create, "load": self._load, "verify": self._verify}[spec.action]
        work = asyncio.ensure_future(asyncio.to_thread(body, spec, run.job.id, tell, expect))
        stopped = asyncio.ensure_future(run.stopped())
        try:
            while not work.done():
                await asyncio.wait({work, stopped}, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                run.progress(Progress(total=totals[0] or None, verified=moved[0]))
                if stopped.done():
                    halt.set()
                    await asyncio.wait({work})
            return work.result()
        finally:
            halt.set()
            stopped.cancel()

    def _create(
        self, spec: BundleSpec, _job: str, tell: Callable[[int], None], expect: Callable[[int], None]
    ) -> Document:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        there = read_inventory(self._folder / spec.against, self._keys) if spec.against else None
        order = Order(tuple(spec.refs), self._folder / spec.name, spec.volume_size, spec.zstd, there)
        making = Creation(self._depot, self._keys, order)
        expect(making.total)
        made = making.run(tell)
        return {
            "id": made.bundle.id,
            "key_id": made.bundle.key_id,
            "references": made.bundle.references[:1000],
            "blobs": len(made.bundle.parts),
            "left_out": len(made.bundle.assumed),
            "size": made.bundle.size,
            "files": [path.name for path in made.files[:1000]],
        }

    def _load(
        self, spec: BundleSpec, job: str, tell: Callable[[int], None], expect: Callable[[int], None]
    ) -> Document:
        volumes, broken = open_all(volumes_of([self._folder / spec.name]), self._keys)
        try:
            loading = Loading(self._depot, volumes, job)
            expect(loading.total)
            loaded = loading.run(tell, broken)
        finally:
            for one in volumes:
                one.close()
        if not spec.more:
            demand_complete(loaded)
        return {
            "id": loaded.bundle.id,
            "complete": loaded.complete,
            "missing": list(loaded.missing[:1000]),
            "references": loaded.bundle.references[:1000],
            "brought": loaded.brought,
            "there": loaded.there,
        }

    def _verify(
        self, spec: BundleSpec, _job: str, tell: Callable[[int], None], expect: Callable[[int], None]
    ) -> Document:
        volumes, broken = open_all(volumes_of([self._folder / spec.name]), self._keys, trusted=False)
        try:
            expect(volumes[0].bundle.size)
            checked = verify(volumes, tell, broken)
        finally:
            for one in volumes:
                one.close()
        return {"id": checked.bundle.id, "blobs": checked.blobs, "size": checked.size}


class Bundles:
    """Makes the jobs. Safe to use from many tasks at once."""

    def __init__(self, ledger: Ledger) -> None:
        """Put jobs into `ledger`."""
        self._ledger = ledger

    async def add(self, spec: BundleSpec, caller: Principal, key: str | None = None) -> Job:
        """Order one. `key` makes a repeated request harmless. Raises `Conflict`."""
        owner = caller.user_id
        who = f"{owner or caller.name}/{BUNDLE}/{key}" if key else None
        verb = {"create": "Write", "load": "Load", "verify": "Check"}[spec.action]
        title = f"{verb} the bundle {spec.name}"
        return await self._ledger.submit(
            NewJob(
                kind=BUNDLE, title=title, spec=spec.model_dump(mode="json"), owner=owner, idempotency_key=who
            )
        )
