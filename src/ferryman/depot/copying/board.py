"""What waits for what: manifests wait for their blobs and children. Pure bookkeeping; not thread-safe."""

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum

from ferryman.core.digests import Digest
from ferryman.depot.copying.model import ManifestStep, Place, Plan


class Kind(StrEnum):
    """What has arrived somewhere."""

    BLOB = "blob"
    MANIFEST = "manifest"


Thing = tuple[Kind, Place, Digest]


class Board:
    """Tells which manifests can be put next. Each is told once: as ready or as lost."""

    def __init__(self, plan: Plan) -> None:
        """Begin with nothing arrived; what the plan does not bring is there already."""
        coming: set[Thing] = {(Kind.MANIFEST, step.target, step.manifest.digest) for step in plan.manifests}
        for step in plan.blobs:
            coming |= {(Kind.BLOB, place, step.blob.digest) for place in (step.first, *step.then)}
        self._waits: list[set[Thing]] = []
        self._wanted: defaultdict[Thing, list[int]] = defaultdict(list)
        self._steps = plan.manifests
        self._told: set[int] = set()
        for number, put in enumerate(plan.manifests):
            needs = _needs(put) & coming
            self._waits.append(needs)
            for need in needs:
                self._wanted[need].append(number)

    def ready(self) -> list[ManifestStep]:
        """Return what waits for nothing."""
        return self._tell(number for number, needs in enumerate(self._waits) if not needs)

    def arrived(self, thing: Thing) -> list[ManifestStep]:
        """Note that something is there; return what has become ready by that."""
        for number in self._wanted.get(thing, ()):
            self._waits[number].discard(thing)
        return self._tell(number for number in self._wanted.get(thing, ()) if not self._waits[number])

    def lost(self, thing: Thing) -> list[ManifestStep]:
        """Note that something will not come; return all that cannot be put because of that, parents included."""
        found: list[ManifestStep] = []
        open_things = [thing]
        while open_things:
            steps = self._tell(self._wanted.get(open_things.pop(), ()))
            found += steps
            open_things += [(Kind.MANIFEST, step.target, step.manifest.digest) for step in steps]
        return found

    def _tell(self, numbers: Iterable[int]) -> list[ManifestStep]:
        fresh = [number for number in dict.fromkeys(numbers) if number not in self._told]
        self._told.update(fresh)
        return [self._steps[number] for number in fresh]


def _needs(put: ManifestStep) -> set[Thing]:
    blobs: set[Thing] = {(Kind.BLOB, put.target, digest) for digest in put.blobs}
    return blobs | {(Kind.MANIFEST, put.target, digest) for digest in put.children}
