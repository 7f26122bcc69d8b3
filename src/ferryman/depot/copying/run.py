"""Carries a plan out with threads: blobs, then what waits for them. What fails for one image does not stop the others."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, FerryError, Invalid, NotFound, Unavailable
from ferryman.depot.copying.asking import Open
from ferryman.depot.copying.board import Board, Kind, Thing
from ferryman.depot.copying.meter import Item, ItemState, Meter
from ferryman.depot.copying.model import BlobStep, How, Image, ManifestStep, Place, Plan
from ferryman.oci.manifest import Manifest

T = TypeVar("T")
TRIES: Final = 4
"""Attempts of one step, beside those that the client of a registry makes by itself."""
LONGEST_WAIT: Final = 60.0


class Mover(Protocol):
    """Brings the bytes of a blob to a place."""

    def legs(self, step: BlobStep, place: Place) -> int:
        """How often its bytes move: 1, or 2 when they take the way through the depot."""
        ...

    def move(self, step: BlobStep, place: Place, item: Item) -> None:
        """Bring the blob there; on return the target has checked it. Called from many threads. Raises `Stopped` as the meter."""
        ...


@dataclass(frozen=True, slots=True)
class Ended:
    """How one image ended. `instead` is the digest that took the tag where the target refused an index without all children."""

    image: Image
    error: FerryError | None = None
    instead: Digest | None = None


@dataclass(slots=True)
class Outcome:
    """How all ended, in the order of the plan."""

    images: list[Ended] = field(default_factory=list)
    mounted: int = 0
    """Bytes that the target linked instead of taking them again."""

    @property
    def failed(self) -> list[Ended]:
        """Those that did not arrive."""
        return [one for one in self.images if one.error is not None]


class Runner:
    """Carries one plan out, once. `run` blocks; `Meter.stop` ends it from another thread with `Stopped`."""

    def __init__(
        self,
        plan: Plan,
        target: Open,
        mover: Mover,
        meter: Meter,
        *,
        threads: int = 8,
        log: Callable[[str, str], None] | None = None,
    ) -> None:
        """Work with so many `threads`. `log(level, message)` is called from them."""
        self._plan, self._target, self._mover, self._meter = plan, target, mover, meter
        self._log = log or _silent
        self._pool = ThreadPoolExecutor(threads, "copy")
        self._lock = threading.Lock()
        self._board = Board(plan)
        self._open = 1
        self._idle = threading.Event()
        self._errors: dict[tuple[Place, Digest], FerryError] = {}
        self._instead: dict[tuple[Place, Digest], Digest] = {}
        self._crash: BaseException | None = None
        self._mounted = 0

    def run(self) -> Outcome:
        """Do it and tell how each image ended. Raises `Stopped`, after which nothing moves any more."""
        try:
            for step in self._plan.blobs:
                self._submit(self._blob, step, self._item(step))
            for put in self._locked(self._board.ready):
                self._submit(self._put, put)
            self._one_less()
            self._idle.wait()
        except BaseException:
            self._meter.stop()
            raise
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
        if self._crash is not None:
            raise self._crash
        return Outcome([self._ended(image) for image in self._plan.images], self._mounted)

    def _item(self, step: BlobStep) -> Item:
        place = step.first
        legs = self._mover.legs(step, place) if step.how is How.MOVE else 1
        item = self._add(step, place, legs)
        if step.how is How.THERE:
            item.end(ItemState.THERE)
        return item

    def _add(self, step: BlobStep, place: Place, legs: int) -> Item:
        blob = step.blob
        return self._meter.item(str(blob.digest), str(place), blob.size, legs, blob.media_type)

    def _ended(self, image: Image) -> Ended:
        errors = (self._errors.get((image.target, one.digest)) for one in image.manifests)
        error = next((one for one in errors if one is not None), None)
        return Ended(image, error, self._instead.get((image.target, image.root)))

    # Steps, in the threads of the pool

    def _blob(self, step: BlobStep, item: Item) -> None:
        thing = Kind.BLOB, step.first, step.blob.digest
        try:
            if step.how is not How.THERE:
                self._bring(step, step.first, step.origin, item)
        except FerryError as error:
            item.end(ItemState.FAILED)
            self._fail(thing, error)
            for place in step.then:
                self._fail((Kind.BLOB, place, step.blob.digest), error)
            return
        self._arrived(thing)
        for place in step.then:
            self._submit(self._further, step, place)

    def _further(self, step: BlobStep, place: Place) -> None:
        """Give a blob that is in `step.first` to another repository of the same registry."""
        thing = Kind.BLOB, place, step.blob.digest
        try:
            self._bring(step, place, step.first, None)
        except FerryError as error:
            self._fail(thing, error)
            return
        self._arrived(thing)

    def _bring(self, step: BlobStep, place: Place, origin: Place | None, item: Item | None) -> None:
        if origin is not None and self._mount(step, place, origin):
            with self._lock:
                self._mounted += step.blob.size
            if item:
                item.end(ItemState.MOUNTED)
            return
        if item is None:  # the registry refused to link it: the bytes go again
            item = self._add(step, place, self._mover.legs(step, place))
        moving = item
        try:
            self._try(f"{step.blob.digest}", lambda: self._mover.move(step, place, moving))
        except FerryError:
            moving.end(ItemState.FAILED)
            raise
        moving.end(ItemState.DONE)

    def _mount(self, step: BlobStep, place: Place, origin: Place) -> bool:
        if origin == place:
            return True
        return self._try(
            f"{step.blob.digest}", lambda: self._target(place).mount(step.blob, origin.repository)
        )

    def _put(self, put: ManifestStep) -> None:
        thing = Kind.MANIFEST, put.target, put.manifest.digest
        try:
            for tag in put.tags or (None,):
                self._put_as(put, tag)
        except FerryError as error:
            self._fail(thing, error)
            return
        self._arrived(thing)

    def _put_as(self, put: ManifestStep, tag: str | None) -> None:
        end = self._target(put.target)
        try:
            self._try(f"{put.manifest.digest}", lambda: end.put_manifest(put.manifest, tag))
        except (Invalid, NotFound) as error:
            if not put.sparse:
                raise
            if put.instead is None:
                raise _refused_sparse(put, error) from error
            child = self._child(put.target, put.instead)
            self._try(f"{child.digest}", lambda: end.put_manifest(child, tag))
            self._log(
                "warning",
                f"{put.target} takes no index without all its platforms: the tag names the image of the one "
                f"platform, {child.digest}, instead of {put.manifest.digest}.",
            )
            with self._lock:
                self._instead[put.target, put.manifest.digest] = child.digest

    def _child(self, place: Place, digest: Digest) -> Manifest:
        return next(
            manifest
            for image in self._plan.images
            if image.target == place
            for manifest in image.manifests
            if manifest.digest == digest
        )

    def _try(self, what: str, work: Callable[[], T]) -> T:
        """Do `work`, again when the other side failed, with growing pauses. Raises its last error, or `Stopped`."""
        for number in range(1, TRIES + 1):
            self._meter.brake(0)
            try:
                return work()
            except (Unavailable, Corrupt) as error:
                if number == TRIES or (isinstance(error, Corrupt) and number > 1):
                    raise
                self._log("warning", f"{what}: {error.message} It is tried again.")
                self._meter.pause(pause_after(error, number))
        raise AssertionError(what)

    # Bookkeeping

    def _submit(self, work: Callable[..., None], *arguments: object) -> None:
        with self._lock:
            self._open += 1
        try:
            self._pool.submit(work, *arguments).add_done_callback(self._done)
        except RuntimeError:  # the pool is closed: the run is being stopped
            self._one_less()

    def _done(self, future: "Future[None]") -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            with self._lock:
                self._crash = self._crash or error
            self._meter.stop()
        self._one_less()

    def _one_less(self) -> None:
        with self._lock:
            self._open -= 1
            over = not self._open
        if over:
            self._idle.set()

    def _arrived(self, thing: Thing) -> None:
        for put in self._locked(lambda: self._board.arrived(thing)):
            self._submit(self._put, put)

    def _fail(self, thing: Thing, error: FerryError) -> None:
        lost = self._locked(lambda: self._board.lost(thing))
        with self._lock:
            if thing[0] is Kind.MANIFEST:
                self._errors.setdefault((thing[1], thing[2]), error)
            for put in lost:
                self._errors.setdefault((put.target, put.manifest.digest), error)

    def _locked(self, work: Callable[[], Sequence[ManifestStep]]) -> Sequence[ManifestStep]:
        with self._lock:
            return work()


def pause_after(error: FerryError, number: int) -> float:
    """Return the seconds to wait after failure `number`: what the other side asks for, else 1, 2, 4 and so on.

    Bytes that were wrong are asked for again at once.
    """
    if isinstance(error, Corrupt):
        return 0.0
    asked = error.retry_after if isinstance(error, Unavailable) else None
    return min(LONGEST_WAIT, asked if asked is not None else 2.0 ** (number - 1))


def _refused_sparse(put: ManifestStep, error: FerryError) -> Invalid:
    return Invalid(
        "sparse_refused",
        f"{put.target} takes no index without all its platforms ({error.message})",
        advice="Copy all platforms (--all), or name one platform only.",
    )


def _silent(level: str, message: str) -> None:
    """Take messages nobody asked for."""
