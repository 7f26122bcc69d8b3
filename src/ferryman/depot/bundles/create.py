"""Bundles are written: laid out first, signed, then streamed from the depot. Memory stays bounded; nothing is copied beside.

Only segments of blobs that cross from one volume to the next are read twice: their digests are part of what is signed. The same
content gives the same bytes; so whoever is interrupted goes on with what is there (`progress`).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ferryman.core.digests import Digest, new_hasher
from ferryman.core.errors import Invalid
from ferryman.depot.bundles.folder import kind_of
from ferryman.depot.bundles.gather import gather
from ferryman.depot.bundles.inventory import Inventory
from ferryman.depot.bundles.keys import Keys
from ferryman.depot.bundles.model import CONTEXT, Bundle, Named, Part, Segment
from ferryman.depot.bundles.output import part_of, unwritable
from ferryman.depot.bundles.plan import Cut, cut, too_small
from ferryman.depot.bundles.progress import WritingProgress
from ferryman.depot.bundles.volume import MOST_LIST, head, split_of
from ferryman.depot.bundles.writing import VolumeWriter, read
from ferryman.depot.service import Depot

Tell = Callable[[int], None]
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be written: `volume_size` bytes at most per file (None: one file)."""

    refs: tuple[str, ...]
    path: Path
    volume_size: int | None = None
    zstd: bool = False
    against: Inventory | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """What was written; `kept` bytes of blobs were there from an earlier attempt."""

    bundle: Bundle
    files: tuple[Path, ...]
    size: int
    kept: int


class Creation:
    """One bundle on its way out of a depot. `total` is how many bytes of blobs there are to write."""

    def __init__(self, depot: Depot, keys: Keys, order: Order) -> None:
        """Find out what belongs to it. Raises `NotFound`, `Invalid` (`bundle_empty`), `Corrupt`."""
        self._depot, self._keys, self._order = depot, keys, order
        found = gather(depot, order.refs)
        if not found.named:
            raise Invalid("bundle_empty", "No reference was given.", advice="Name at least one.")
        self._named: tuple[Named, ...] = tuple(found.named)
        came = depot.blobs([one.digest for one in self._named])
        self._as_of = float(int(max((blob.created_at for blob in came.values()), default=0.0)))
        there = order.against.blobs if order.against else frozenset[Digest]()
        self._assumed = tuple(digest for digest in found.blobs if digest in there)
        self._blobs = [(digest, size) for digest, size in found.blobs.items() if digest not in there]
        self.total = sum(size for _, size in self._blobs)

    def run(self, tell: Tell) -> Created:
        """Write it, going on where an earlier attempt was interrupted.

        Raises `Exhausted` (`disk_full`), `Denied`, `Invalid` (`volume_size_small`), `NotFound`, `Corrupt`, `Conflict`
        (`bundle_busy`).
        """
        output = self._order.path
        try:
            progress = WritingProgress(output, self._keys, "zstd" if self._order.zstd else "tar")
        except OSError as error:
            raise unwritable(output, error) from error
        name = hashlib.sha256(str(output.absolute()).encode()).hexdigest()[:32]
        with progress, self._depot.begin(f"bundle-out:{name}", _DAY) as hold:
            hold.keep([digest for digest, _ in self._blobs] + [one.digest for one in self._named])
            bundle, seal = self._agreed(progress)
            files, kept = self._files(len(bundle.volumes)), 0
            for number, path in enumerate(files, 1):
                volume = VolumeWriter(self._depot, bundle, seal, number, path)
                if progress.has(number, path):
                    kept += volume.size
                    tell(volume.size)
                    continue
                kept += volume.write(tell, zstd=self._order.zstd, go_on=progress.same_boot)
                progress.note(number, path)
                hold.renew()
            self._clear(files)
            progress.end()
        return Created(bundle, files, sum(path.stat().st_size for path in files), kept)

    def discard(self) -> None:
        """Take away what an interrupted attempt left; files that have their name stay. Raises `Conflict`, `OSError`."""
        with WritingProgress(self._order.path, self._keys, "") as progress:
            bundle = progress.read()
            for path in self._files(len(bundle.volumes) if bundle else 1):
                part_of(path).unlink(missing_ok=True)
            progress.end()

    def _agreed(self, progress: WritingProgress) -> tuple[Bundle, bytes]:
        """Return the list and its seal: those of an earlier attempt when they are about the same."""
        pieces, volumes = self._laid_out()
        earlier = progress.read()
        if earlier is not None and _outline(earlier) == _outline(
            self._bundle(pieces, volumes, lambda digest, _: digest)
        ):
            return earlier, self._keys.sign(CONTEXT, earlier.raw)
        bundle = self._bundle(pieces, volumes, self._digest)
        seal = self._keys.sign(CONTEXT, bundle.raw)
        try:
            progress.begin(bundle, seal)
        except OSError as error:
            raise unwritable(self._order.path, error) from error
        return bundle, seal

    def _laid_out(self) -> tuple[list[list[Cut]], list[int]]:
        """Lay everything out: the list grows with the number of volumes, and takes room in each of them."""
        most = self._order.volume_size
        if most is not None and self._order.zstd:
            most -= most // 500 + 1024  # what cannot be compressed becomes a little larger
        reserved = 4096
        seal = self._keys.sign(CONTEXT, b"")
        while True:
            if most is not None and most <= reserved:
                raise too_small(reserved)
            pieces, volumes = cut(self._blobs, most - reserved if most is not None else None)
            draft = self._bundle(pieces, volumes, lambda digest, _: digest)
            size = len(head(draft, seal, len(volumes)))
            if len(draft.raw) > MOST_LIST:
                raise too_small(2 * (most or 0))
            if most is None or size <= reserved:
                return pieces, volumes
            reserved = size + 4096

    def _bundle(
        self, pieces: list[list[Cut]], volumes: list[int], digest_of: Callable[[Digest, Cut], Digest]
    ) -> Bundle:
        parts = tuple(
            Part(
                digest,
                size,
                tuple(
                    Segment(
                        one.volume,
                        one.at,
                        one.offset,
                        one.size,
                        digest if one.size == size else digest_of(digest, one),
                    )
                    for one in mine
                ),
            )
            for (digest, size), mine in zip(self._blobs, pieces, strict=True)
        )
        return Bundle(self._keys.own().id, self._as_of, self._named, parts, self._assumed, tuple(volumes))

    def _digest(self, digest: Digest, one: Cut) -> Digest:
        hasher = new_hasher("sha256")
        for piece in read(self._depot, digest, one.offset, one.size):
            hasher.update(piece)
        return Digest("sha256", hasher.hexdigest())

    def _files(self, count: int) -> tuple[Path, ...]:
        path = self._order.path
        if self._order.volume_size is None:
            return (path,)
        return tuple(path.with_name(f"{path.name}.{number:03}") for number in range(1, count + 1))

    def _clear(self, files: tuple[Path, ...]) -> None:
        """Remove what an earlier bundle of this name left beside: nobody shall load the volumes of two as one."""
        path = self._order.path
        if self._order.volume_size is None:
            return
        for one in [path, *split_of(path)]:
            if one not in files and one.is_file() and kind_of(one) == "bundle":
                one.unlink(missing_ok=True)


def _outline(bundle: Bundle) -> tuple[object, ...]:
    """Return what a list says but for the digests of segments."""
    places = [
        (part.digest, part.size, [(cut.volume, cut.at, cut.offset, cut.size) for cut in part.segments])
        for part in bundle.parts
    ]
    return bundle.key_id, bundle.created_at, bundle.named, places, bundle.assumed, bundle.volumes
