"""The body of a `bundle` job: a bundle is written to, or loaded from, the folder `bundles` of the home."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from ferryman.accounts.model import Principal
from ferryman.core.errors import Denied, FerryError, Invalid
from ferryman.depot.bundles.create import Creation, Order
from ferryman.depot.bundles.folder import NAME
from ferryman.depot.bundles.inventory import read_inventory
from ferryman.depot.bundles.keys import Keys
from ferryman.depot.bundles.load import Loading, demand_complete
from ferryman.depot.bundles.verify import verify
from ferryman.depot.bundles.volume import open_all, volumes_of
from ferryman.depot.service import Depot
from ferryman.jobs.model import Document, Job, NewJob, Progress
from ferryman.jobs.run import Run, Stopped, StopReason
from ferryman.jobs.service import Ledger

BUNDLE: Final = "bundle"
PHASES: Final = ("carrying",)
LOOK: Final = 0.5
"""Seconds between two looks at how far it is."""
FileName = Annotated[str, Field(max_length=150, pattern=NAME)]
Ref = Annotated[str, Field(min_length=1, max_length=390, pattern=r"^[^\x00-\x1f\x7f]*$")]


FilePath = Annotated[str, Field(min_length=2, max_length=4000, pattern=r"^/[^\x00]+$")]


class Paths(BaseModel):
    """Files of the daemon's machine in place of names in its folder of bundles: only for who calls from there."""

    model_config = ConfigDict(extra="forbid")

    output: FilePath | None = Field(None, description="Where to write; split, with `.001` and so on.")
    against: FilePath | None = Field(None, description="Inventory of the receiver.")
    files: Annotated[list[FilePath], Field(max_length=1000)] = Field([], description="Volumes to load.")


class BundleSpec(BaseModel):
    """A bundle to write or to load. Files lie in the folder `bundles` of the home, and are named without a path."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["create", "load", "verify"] = Field(
        description="Write it from the depot, load it into the depot, or read every byte of it and check."
    )
    name: FileName | None = Field(
        None, description="Its file; that of a split one without `.001`. Left out only with `paths`."
    )
    refs: Annotated[list[Ref], Field(max_length=1000)] = Field([], description="References to write.")
    volume_size: Annotated[int, Field(ge=65_536, le=1 << 50)] | None = Field(
        None, description="Bytes of a volume at most; null is one file."
    )
    zstd: bool = Field(False, strict=True, description="Compress each file.")
    against: FileName | None = Field(None, description="Inventory of the receiver, in the same folder.")
    more: bool = Field(False, strict=True, description="Volumes that are missing will follow.")
    paths: Paths | None = Field(None, description="Files elsewhere on the daemon's machine.")

    def where(self) -> str:
        """Return what people call its files."""
        if self.paths is None:
            return self.name or ""
        return next(iter(self.paths.files), "") if self.action != "create" else self.paths.output or ""


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
        except Stopped:
            if run.stop_reason is StopReason.CANCEL and spec.action == "create":
                await asyncio.to_thread(self._discard, spec)
            raise
        finally:
            halt.set()
            stopped.cancel()

    def _create(
        self, spec: BundleSpec, _job: str, tell: Callable[[int], None], expect: Callable[[int], None]
    ) -> Document:
        making = self._creation(spec)
        expect(making.total)
        made = making.run(tell)
        return {
            "id": made.bundle.id,
            "key_id": made.bundle.key_id,
            "references": made.bundle.references[:1000],
            "blobs": len(made.bundle.parts),
            "left_out": len(made.bundle.assumed),
            "size": made.bundle.size,
            "kept": made.kept,
            "files": [path.name if spec.paths is None else str(path) for path in made.files[:1000]],
        }

    def _creation(self, spec: BundleSpec) -> Creation:
        if spec.paths is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            output = self._folder / (spec.name or "")
            against = self._folder / spec.against if spec.against else None
        else:
            output = Path(spec.paths.output or "")
            against = Path(spec.paths.against) if spec.paths.against else None
        there = read_inventory(against, self._keys) if against else None
        return Creation(
            self._depot, self._keys, Order(tuple(spec.refs), output, spec.volume_size, spec.zstd, there)
        )

    def _discard(self, spec: BundleSpec) -> None:
        """Take away what a cancelled job left of files that have no name yet; the rest is somebody's."""
        with contextlib.suppress(FerryError, OSError):
            self._creation(spec).discard()

    def _load(
        self, spec: BundleSpec, job: str, tell: Callable[[int], None], expect: Callable[[int], None]
    ) -> Document:
        volumes, broken = open_all(volumes_of(self._files(spec)), self._keys)
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
            "read": loaded.read,
        }

    def _files(self, spec: BundleSpec) -> list[Path]:
        if spec.paths is not None:
            return [Path(one) for one in spec.paths.files]
        return [self._folder / (spec.name or "")]

    def _verify(
        self, spec: BundleSpec, _job: str, tell: Callable[[int], None], expect: Callable[[int], None]
    ) -> Document:
        volumes, broken = open_all(volumes_of(self._files(spec)), self._keys, trusted=False)
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
        """Order one. `key` makes a repeated request harmless. Raises `Conflict`, `Invalid`, `Denied`."""
        check(spec, caller)
        owner = caller.user_id
        who = f"{owner or caller.name}/{BUNDLE}/{key}" if key else None
        verb = {"create": "Write", "load": "Load", "verify": "Check"}[spec.action]
        title = f"{verb} the bundle {spec.where()}"[:300]
        return await self._ledger.submit(
            NewJob(
                kind=BUNDLE, title=title, spec=spec.model_dump(mode="json"), owner=owner, idempotency_key=who
            )
        )


def check(spec: BundleSpec, caller: Principal) -> None:
    """Raise `Invalid` when it does not say which files, and `Denied` when the caller may not name paths. Pure."""
    named = spec.where()
    if not named or (spec.paths is not None and spec.name is not None):
        raise Invalid(
            "bundle_order",
            "The order does not say which files it is about.",
            advice="Give 'name', or 'paths' with 'output' to write and 'files' otherwise, and not both.",
            fields={"name": "is needed, or paths"},
        )
    if spec.paths is not None and caller.via != "local":
        raise Denied(
            "paths_local",
            "Only commands on the machine of the daemon may name paths there.",
            advice="Use 'name': upload to and download from the folder of bundles, see the how-to of bundles.",
        )
