"""Bundles come into a depot: volumes in any order, one by one or together, again after any interruption.

A blob whose segments are all at hand goes straight in; segments that have to wait for another volume are kept as content
of their own, verified and held. References appear in one transaction when everything is there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, NotFound
from ferryman.depot.bundles import errors
from ferryman.depot.bundles.model import Bundle, Named, Part, Segment
from ferryman.depot.bundles.volume import PIECE, Damage, Volume
from ferryman.depot.holds import Hold
from ferryman.depot.model import Origin
from ferryman.depot.names import check_names
from ferryman.depot.origins import volume_origin
from ferryman.depot.service import Depot
from ferryman.oci.manifest import MOST_MANIFEST, Manifest, parse_manifest

Tell = Callable[[int], None]
WAIT: Final = 30 * 86_400.0
"""Seconds that what was brought waits for the other volumes."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came: `missing` are numbers of volumes that have to be brought; references are there when it is empty.

    `brought` bytes of blobs came in, and `there` were in before; `read` bytes of them were read from volumes for that.
    """

    bundle: Bundle
    brought: int
    there: int
    missing: tuple[int, ...]
    read: int

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
        self._key_name = volumes[0].key.name or self._bundle.key_id
        self._origin = Origin(f"bundle:{self._key_name}/{self._bundle.id}", depot.clock.now(), job)
        self._faults = {one.place: one.fault for one in volumes if one.fault}
        self._brought = self._read = 0

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
        return Loaded(bundle, self._brought, found, tuple(sorted(missing)), self._read)

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
                self._put(part.digest, part.size, partial(self._whole, part, there), hold, tell)
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
                self._put(one.digest, one.size, partial(self._from_volume, part, one), hold, tell)
                there.add(one.digest)
            except Damage:
                lacking.add(one.volume)
        return lacking

    def _at_hand(self, one: Segment, there: set[Digest]) -> bool:
        return one.digest in there or one.volume in self._volumes

    def _whole(self, part: Part, there: set[Digest], skip: int) -> Iterator[memoryview]:
        """Yield a blob without its first `skip` bytes."""
        for one in part.segments:
            if skip < one.size or not one.size:
                kept = one.digest in there
                yield from self._kept(one, skip) if kept else self._from_volume(part, one, skip)
            skip = max(0, skip - one.size)

    def _kept(self, one: Segment, skip: int) -> Iterator[memoryview]:
        view = memoryview(bytearray(PIECE))
        with self._depot.open(one.digest, skip) as stream:
            while count := stream.readinto(view):
                yield view[:count]

    def _from_volume(self, part: Part, one: Segment, skip: int) -> Iterator[memoryview]:
        volume = self._volumes[one.volume]
        try:
            for piece in volume.pieces(part, one, skip):
                self._read += len(piece)
                yield piece
        except Damage as error:
            self._faults[volume.place] = str(error)
            raise

    def _put(
        self, digest: Digest, size: int, pieces: Callable[[int], Iterator[memoryview]], hold: Hold, tell: Tell
    ) -> None:
        """Store content, going on where an earlier attempt ended. Raises `Damage` when the pieces are not good."""
        for attempt in (1, 2):
            with self._depot.fetching(digest, self._origin, hold=hold, size=size) as writer:
                if attempt == 2:
                    writer.restart()  # read all of it, so that it is seen which volume is to blame
                resumed = writer.offset
                tell(resumed)
                try:
                    for piece in pieces(resumed):
                        writer.write(piece)
                        tell(len(piece))
                except Damage:
                    writer.restart()  # what came from there is not to be trusted
                    raise
                try:
                    writer.commit()
                except Corrupt as error:
                    if not resumed or attempt == 2:
                        raise errors.content(self._bundle.id, digest, self._key_name) from error
                    continue  # what an earlier attempt left was wrong, or what came behind it
            self._brought += size - resumed
            return

    def _name(self, hold: Hold) -> None:
        """Put all manifests without tags, then all tags at once; nothing when one of them cannot be right."""
        tags: list[tuple[str, Digest, str]] = []
        for one in self._bundle.named:
            self._check_named(one)
        for one in self._bundle.named:
            self._depot.put_manifest(
                one.repository, self._manifest(one), None, self._origin, hold, sparse=one.sparse
            )
            tags += [(one.repository, one.digest, tag) for tag in one.tags]
        self._depot.tag_all(tags, self._origin)

    def _check_named(self, one: Named) -> None:
        """Raise `Invalid` when the list names what cannot be named, or a manifest that lacks something."""
        for tag in one.tags or (None,):
            check_names(one.repository, tag)
        manifest = self._manifest(one)
        wanted = [blob.digest for blob in manifest.blobs if not blob.urls]
        wanted += [] if one.sparse else [child.digest for child in manifest.children]
        there = self._depot.blobs(wanted)
        lacking = [digest for digest in wanted if digest not in there]
        if lacking:
            raise errors.unfinished(self._bundle.id, one.digest, lacking[0], self._key_name)

    def _manifest(self, one: Named) -> Manifest:
        if not self._depot.has(one.digest):
            raise errors.unfinished(self._bundle.id, one.digest, one.digest, self._key_name)
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
