"""The ways of a blob: straight from a source to the target, into the depot, or through the depot."""

from collections.abc import Callable
from typing import Final, Protocol

from ferryman.core.errors import Corrupt, FerryError, NotFound, Unavailable
from ferryman.depot.copying.asking import Open
from ferryman.depot.copying.meter import Item
from ferryman.depot.copying.model import BlobStep, Place
from ferryman.depot.copying.uploads import Uploads
from ferryman.oci.manifest import Descriptor
from ferryman.oci.ports import BlobStream, Source


class Keeper(Protocol):
    """Brings blobs into the depot; `store.Store` is one."""

    def fetch(self, blob: Descriptor, source: Place, item: Item) -> None:
        """Bring a blob from `source` into the depot; nothing happens when it is there. Raises `Stopped`."""
        ...

    def open(self, blob: Descriptor, offset: int) -> BlobStream:
        """Open a blob that is in the depot."""
        ...


class Direct:
    """Straight from the source to the target. The target checks the digest before it shows a blob."""

    def __init__(
        self, source: Callable[[Place], Source], target: Open, uploads: Uploads | None = None
    ) -> None:
        """Open places with these; with `uploads` an interrupted upload goes on."""
        self._source, self._target, self._uploads = source, target, uploads

    def legs(self, _step: BlobStep, _place: Place) -> int:
        """Once."""
        return 1

    def move(self, step: BlobStep, place: Place, item: Item) -> None:
        """Send it from the first source that can give it."""
        from_any(step, lambda source: self._send(step.blob, source, place, item))

    def _send(self, blob: Descriptor, source: Place, place: Place, item: Item) -> None:
        reader = self._source(source)

        def open_at(offset: int) -> BlobStream:
            item.begin(offset)
            return reader.open_blob(blob, offset)

        resume = self._uploads.of(place, blob) if self._uploads else None
        self._target(place).put_blob(blob, open_at, item.tell, resume)


class Into:
    """Into the depot, which is the target."""

    def __init__(self, keeper: Keeper) -> None:
        """Fetch with `keeper`."""
        self._keeper = keeper

    def legs(self, _step: BlobStep, _place: Place) -> int:
        """Once."""
        return 1

    def move(self, step: BlobStep, _place: Place, item: Item) -> None:
        """Fetch it; putting the manifest links it to the repository."""
        from_any(step, lambda source: self._keeper.fetch(step.blob, source, item))


class Through:
    """Into the depot, and from there to the target."""

    def __init__(self, keeper: Keeper, target: Open, uploads: Uploads | None = None) -> None:
        """Fetch with `keeper`, send to `target`."""
        self._keeper, self._target, self._uploads = keeper, target, uploads

    def legs(self, _step: BlobStep, _place: Place) -> int:
        """Twice."""
        return 2

    def move(self, step: BlobStep, place: Place, item: Item) -> None:
        """Fetch it and send it. What is in the depot is only sent."""
        blob = step.blob
        from_any(step, lambda source: self._keeper.fetch(blob, source, item))

        def open_at(offset: int) -> BlobStream:
            item.begin(offset, leg=1)
            return self._keeper.open(blob, offset)

        resume = self._uploads.of(place, blob) if self._uploads else None
        self._target(place).put_blob(blob, open_at, item.tell, resume)


class Ways:
    """Chooses the way of each blob by where it comes from and goes to."""

    def __init__(self, direct: Direct, into: Into | None = None, through: Through | None = None) -> None:
        """Without `into` there is no depot; without `through` nothing is kept on its way between registries."""
        self._direct, self._into, self._through = direct, into, through

    def legs(self, step: BlobStep, place: Place) -> int:
        """As the way has it."""
        return self._way(step, place).legs(step, place)

    def move(self, step: BlobStep, place: Place, item: Item) -> None:
        """Take the way."""
        self._way(step, place).move(step, place, item)

    def _way(self, step: BlobStep, place: Place) -> Direct | Into | Through:
        if place.registry == DEPOT and self._into is not None:
            return self._into
        kept = keeps_between(step.sources[0], place)
        return self._through if kept and self._through is not None else self._direct


DEPOT = "depot:"
"""The registry of every place in the depot."""


_BEGIN_ANEW: Final = ("docker:", "oci-archive:", "docker-archive:", "docker-daemon:")
"""Targets that keep nothing of a copy that broke off, or not always. Folders and containerd keep what arrived."""


def keeps_between(source: Place, target: Place) -> bool:
    """Tell whether blobs from `source` stay in the depot on their way to `target`, so that nothing is fetched twice."""
    return source.registry.startswith("docker:") and target.registry.startswith(_BEGIN_ANEW)


def from_any(step: BlobStep, take: Callable[[Place], None]) -> None:
    """Call `take` with one source after the other until one gives the blob. Raises what the last one raised."""
    last: FerryError | None = None
    for source in step.sources[:4]:
        try:
            take(source)
        except (NotFound, Corrupt, Unavailable) as error:
            last = error
        else:
            return
    assert last is not None
    raise last
