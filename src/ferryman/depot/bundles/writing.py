"""One volume on its way out of a depot: its bytes follow from the signed list, so an interrupted one goes on where it was."""

from collections.abc import Callable, Iterator
from pathlib import Path

from ferryman.core.digests import Digest, new_hasher
from ferryman.core.errors import Corrupt
from ferryman.depot.bundles.model import Bundle, Part, Segment, room
from ferryman.depot.bundles.output import Out, part_of, written
from ferryman.depot.bundles.volume import PIECE, head
from ferryman.depot.service import Depot
from ferryman.oci.transports.tars import END, header, padding

Tell = Callable[[int], None]


class VolumeWriter:
    """Volume `number` of a bundle, to be written to `path`. `size` is its bytes of blobs."""

    def __init__(self, depot: Depot, bundle: Bundle, seal: bytes, number: int, path: Path) -> None:
        """Write from `depot`; nothing happens yet."""
        self._depot, self._path = depot, path
        self._head = head(bundle, seal, number)
        self._cuts = [(part, one) for part in bundle.parts for one in part.segments if one.volume == number]
        self.size = sum(one.size for _, one in self._cuts)

    def write(self, tell: Tell, *, zstd: bool, go_on: bool) -> int:
        """Write it; with `go_on`, behind what an earlier attempt left. Returns how many bytes of blobs it had left.

        Raises as `output.written`, and `Corrupt` (`blob_mismatch`).
        """
        count, since = self._left() if go_on and not zstd else (0, 0)
        kept = sum(one.size for _, one in self._cuts[:count])
        tell(kept)
        with written(self._path, zstd=zstd, since=since) as out:
            if not since:
                out.write(self._head)
            for part, one in self._cuts[count:]:
                out.write(header(part.name(one), one.size))
                self._copy(out, part, one, tell)
                out.write(padding(one.size))
            out.write(END)
        return kept

    def _left(self) -> tuple[int, int]:
        """Return how many segments an earlier attempt wrote whole, and where they end in the file.

        Behind a segment something is only written after its digest was checked, and bytes are written in order: so what
        has something behind it is good, as long as the machine was not switched off in between.
        """
        try:
            with part_of(self._path).open("rb", buffering=0) as file:
                size = file.seek(0, 2)
                file.seek(0)
                if file.read(len(self._head)) != self._head:
                    return 0, 0
        except OSError:
            return 0, 0
        count, end = 0, len(self._head)
        for part, one in self._cuts:
            following = end + room(part.name(one), one.size)
            if following >= size:
                break
            count, end = count + 1, following
        return count, end

    def _copy(self, out: Out, part: Part, one: Segment, tell: Tell) -> None:
        hasher = new_hasher(one.digest.algorithm)
        for piece in read(self._depot, part.digest, one.offset, one.size):
            hasher.update(piece)
            out.write(piece)
            tell(len(piece))
        if hasher.hexdigest() != one.digest.hex:
            raise _wrong(part.digest)


def read(depot: Depot, digest: Digest, offset: int, size: int) -> Iterator[memoryview]:
    """Yield `size` bytes of a blob from `offset`; each piece is good until the next. Raises `Corrupt`, `NotFound`."""
    view = memoryview(bytearray(min(PIECE, max(size, 1))))
    with depot.open(digest, offset) as stream:
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
