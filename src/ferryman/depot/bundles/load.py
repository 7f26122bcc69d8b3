"""Bundles come into a depot: volumes in any order, one by one or together, again after any interruption.

A blob whose segments are all at hand goes straight in; segments that have to wait for another volume are kept as content
of their own, verified and held. References appear in one transaction when everything is there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, NotFound
from ferryman.depot.bundles import errors
from ferryman.depot.bundles.model import Bundle, Named, Part, Segment
from ferryman.depot.bundles.volume import PIECE, Damage, Volume
from ferryman.depot.holds import Hold
from ferryman.depot.model import Origin
from ferryman.depot.origins import volume_origin
from ferryman.depot.service import Depot
from ferryman.oci.manifest import MOST_MANIFEST, Manifest, parse_manifest

Tell = Callable[[int], None]
WAIT: Final = 30 * 86_400.0
"""Seconds that what was brought waits for the other volumes."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came: `missing` are numbers of volumes that have to be brought; references are there when it is empty."""

    bundle: Bundle
    brought: int
    there: int
    missing: tuple[int, ...]

    @property
    def complete(self) -> bool:
        """Whether everything is there."""
        return not self.missing


class Loading:
    """One bundle on its way into a depot. For one thread; two at a time get in each other's way, but spoil nothing."""

    def __init__(self, depot: Depot, volumes: Sequence[Volume], job: str | None = None) -> None:
        """Load from `volumes`, at least one, all of one bundle."""
        self._depot = depot
        self._bundle = volumes[0].bundle
        self._volumes = {one.number: one for one in volumes}
        name = volumes[0].key.name or self._bundle.key_id
        self._origin = Origin(f"bundle:{name}/{self._bundle.id}", depot.clock.now(), job)
        self._faults = {one.place: one.fault for one in volumes if one.fault}
        self._brought = 0

    @property
    def total(self) -> int:
        """Bytes of the bundle."""
        return self._bundle.size

    def run(self, tell: Tell, broken: Sequence[tuple[str, str]] = ()) -> Loaded:
        """Bring everything that is in the volumes; `broken` are further files (place, why) that could not be opened.

        Raises `Corrupt` (`volume_damaged`) after everything good was kept, `NotFound` (`bundle_base_missing`),
        `Exhausted` (`depot_full`, `disk_full`).
        """
        bundle = self._bundle
        hold = self._depot.begin(f"bundle:{bundle.id}", WAIT)
        segments = [one.digest for part in bundle.parts for one in part.segments]
        there = hold.keep([*(part.digest for part in bundle.parts), *segments, *bundle.assumed])
        lacking = [str(digest) for digest in bundle.assumed if digest not in there]
        if lacking:
            hold.release()
            raise errors.base_missing(lacking)
        missing: set[int] = set()
        found = 0
        for part in bundle.parts:
            if part.digest in there:
                found += part.size
                tell(part.size)
            else:
                missing |= self._bring(part, there, hold, tell)
        self._remember()
        damaged = [*broken, *self._faults.items()]
        if missing and damaged:
            raise errors.damaged(damaged)
        if not missing:
            self._name(hold)
            hold.release()
        return Loaded(bundle, self._brought, found, tuple(sorted(missing)))

    def _remember(self) -> None:
        """Note which volumes hold which content: a check that finds it damaged reads it from there again."""
        at, job = self._origin.at, self._origin.job
        held = {
            (part.digest, volume_origin(self._volumes[cut.volume].path))
            for part in self._bundle.parts
            for cut in part.segments
            if cut.volume in self._volumes
        }
        self._depot.remember((digest, Origin(source, at, job)) for digest, source in sorted(held, key=str))

    def _bring(self, part: Part, there: set[Digest], hold: Hold, tell: Tell) -> set[int]:
        """Bring a blob, or what there is of it; return the volumes that lack."""
        lacking = {one.volume for one in part.segments if not self._at_hand(one, there)}
        if not lacking:
            try:
                self._put(part.digest, part.size, lambda: self._whole(part, there), hold, tell)
            except Damage:
                if len(part.segments) == 1:
                    return {part.segments[0].volume}
            else:
                there.add(part.digest)
                return set()
        for one in part.segments:
            if one.digest in there or one.volume not in self._volumes:
                continue
            try:
                self._put(one.digest, one.size, lambda one=one: self._from_volume(part, one), hold, tell)  # type: ignore[misc]
                there.add(one.digest)
            except Damage:
                lacking.add(one.volume)
        return lacking

    def _at_hand(self, one: Segment, there: set[Digest]) -> bool:
        return one.digest in there or one.volume in self._volumes

    def _whole(self, part: Part, there: set[Digest]) -> Iterator[memoryview]:
        for one in part.segments:
            kept = one.digest in there
            yield from self._kept(one) if kept else self._from_volume(part, one)

    def _kept(self, one: Segment) -> Iterator[memoryview]:
        view = memoryview(bytearray(PIECE))
        with self._depot.open(one.digest) as stream:
            while count := stream.readinto(view):
                yield view[:count]

    def _from_volume(self, part: Part, one: Segment) -> Iterator[memoryview]:
        volume = self._volumes[one.volume]
        try:
            yield from volume.pieces(part, one)
        except Damage as error:
            self._faults[volume.place] = str(error)
            raise

    def _put(
        self, digest: Digest, size: int, pieces: Callable[[], Iterator[memoryview]], hold: Hold, tell: Tell
    ) -> None:
        """Store content, going on where an earlier attempt ended. Raises `Damage` when the pieces are not good."""
        for attempt in (1, 2):
            with self._depot.fetching(digest, self._origin, hold=hold, size=size) as writer:
                resumed = writer.offset
                try:
                    self._append(writer.offset, writer.write, pieces(), tell)
                except Damage:
                    writer.restart()  # what came from there is not to be trusted
                    raise
                try:
                    writer.commit()
                except Corrupt:
                    if not resumed or attempt == 2:
                        raise
                    continue  # what an earlier attempt left was wrong
            self._brought += size - resumed
            return

    @staticmethod
    def _append(
        skip: int, write: Callable[[memoryview], int], pieces: Iterator[memoryview], tell: Tell
    ) -> None:
        for piece in pieces:
            tell(len(piece))
            if skip < len(piece):
                write(piece[skip:])
            skip = max(0, skip - len(piece))

    def _name(self, hold: Hold) -> None:
        """Put all manifests without tags, then all tags at once."""
        tags: list[tuple[str, Digest, str]] = []
        for one in self._bundle.named:
            self._depot.put_manifest(
                one.repository, self._manifest(one), None, self._origin, hold, sparse=one.sparse
            )
            tags += [(one.repository, one.digest, tag) for tag in one.tags]
        self._depot.tag_all(tags, self._origin)

    def _manifest(self, one: Named) -> Manifest:
        size = self._depot.size(one.digest)
        if size != one.size or size > MOST_MANIFEST:
            raise errors.invalid("The bundle", f"says {one.digest} is a manifest of {one.size} bytes")
        return parse_manifest(self._depot.path(one.digest).read_bytes(), one.media_type, one.digest)


def demand_complete(loaded: Loaded) -> None:
    """Raise `NotFound` (`volume_missing`) when volumes have to be brought."""
    if loaded.missing:
        raise missing_volumes(loaded)


def missing_volumes(loaded: Loaded) -> NotFound:
    """The error that names the volumes that have to be brought."""
    return errors.missing(loaded.missing, len(loaded.bundle.volumes))
