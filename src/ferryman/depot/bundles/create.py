"""Bundles are written: laid out first, signed, then streamed from the depot. Memory stays bounded; nothing is copied beside.

Only segments of blobs that cross from one volume to the next are read twice: their digests are part of what is signed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ferryman.core.digests import Digest, new_hasher
from ferryman.core.errors import Corrupt, Invalid
from ferryman.depot.bundles.gather import gather
from ferryman.depot.bundles.inventory import Inventory
from ferryman.depot.bundles.keys import Keys
from ferryman.depot.bundles.model import CONTEXT, Bundle, Named, Part, Segment
from ferryman.depot.bundles.output import Out, written
from ferryman.depot.bundles.plan import Cut, cut, too_small
from ferryman.depot.bundles.volume import MOST_LIST, PIECE, head
from ferryman.depot.service import Depot
from ferryman.oci.transports.tars import END, header, padding

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
    """What was written."""

    bundle: Bundle
    files: tuple[Path, ...]
    size: int


class Creation:
    """One bundle on its way out of a depot. `total` is how many bytes of blobs there are to write."""

    def __init__(self, depot: Depot, keys: Keys, order: Order) -> None:
        """Find out what belongs to it. Raises `NotFound`, `Invalid` (`bundle_empty`), `Corrupt`."""
        self._depot, self._keys, self._order = depot, keys, order
        self._now = float(int(depot.clock.now()))
        found = gather(depot, order.refs)
        if not found.named:
            raise Invalid("bundle_empty", "No reference was given.", advice="Name at least one.")
        self._named: tuple[Named, ...] = tuple(found.named)
        there = order.against.blobs if order.against else frozenset[Digest]()
        self._assumed = tuple(digest for digest in found.blobs if digest in there)
        self._blobs = [(digest, size) for digest, size in found.blobs.items() if digest not in there]
        self.total = sum(size for _, size in self._blobs)

    def run(self, tell: Tell) -> Created:
        """Write it. Raises `Exhausted` (`disk_full`), `Denied`, `Invalid` (`volume_size_small`), `NotFound`, `Corrupt`."""
        with self._depot.begin(f"bundle-out:{self._order.path.name[:150]}", _DAY) as hold:
            hold.keep([digest for digest, _ in self._blobs] + [one.digest for one in self._named])
            bundle = self._laid_out()
            seal = self._keys.sign(CONTEXT, bundle.raw)
            files = self._files(len(bundle.volumes))
            for number, path in enumerate(files, 1):
                with written(path, zstd=self._order.zstd) as out:
                    self._write(out, bundle, seal, number, tell)
                hold.renew()
        return Created(bundle, files, sum(path.stat().st_size for path in files))

    def _laid_out(self) -> Bundle:
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
                return self._bundle(pieces, volumes, self._digest)
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
        return Bundle(self._keys.own().id, self._now, self._named, parts, self._assumed, tuple(volumes))

    def _digest(self, digest: Digest, one: Cut) -> Digest:
        hasher = new_hasher("sha256")
        for piece in self._read(digest, one.offset, one.size):
            hasher.update(piece)
        return Digest("sha256", hasher.hexdigest())

    def _files(self, count: int) -> tuple[Path, ...]:
        path = self._order.path
        if self._order.volume_size is None:
            return (path,)
        return tuple(path.with_name(f"{path.name}.{number:03}") for number in range(1, count + 1))

    def _write(self, out: Out, bundle: Bundle, seal: bytes, number: int, tell: Tell) -> None:
        out.write(head(bundle, seal, number))
        for part in bundle.parts:
            for one in part.segments:
                if one.volume == number:
                    out.write(header(part.name(one), one.size))
                    self._copy(out, part, one, tell)
                    out.write(padding(one.size))
        out.write(END)

    def _copy(self, out: Out, part: Part, one: Segment, tell: Tell) -> None:
        hasher = new_hasher(one.digest.algorithm)
        for piece in self._read(part.digest, one.offset, one.size):
            hasher.update(piece)
            out.write(piece)
            tell(len(piece))
        if hasher.hexdigest() != one.digest.hex:
            raise _wrong(part.digest)

    def _read(self, digest: Digest, offset: int, size: int) -> Iterable[memoryview]:
        view = memoryview(bytearray(min(PIECE, max(size, 1))))
        with self._depot.open(digest, offset) as stream:
            while size:
                count = stream.readinto(view[: min(len(view), size)])
                if not count:
                    raise _wrong(digest)
                yield view[:count]
                size -= count


def _wrong(digest: Digest) -> Corrupt:
    return Corrupt(
        "blob_mismatch",
        f"The depot's content of {digest} is damaged.",
        advice="Run 'ferry depot fsck --repair', then make the bundle again.",
    )
