"""Brings lost content again, from where it came: every place that is known is tried in turn."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, FerryError, NotFound
from ferryman.depot.model import Origin
from ferryman.depot.origins import MOST, locations_of, volume_origin, volumes_of, who_has_to_act
from ferryman.depot.service import Depot
from ferryman.oci.location import Location
from ferryman.oci.manifest import Descriptor
from ferryman.oci.ports import Source

_ANY: Final = "application/octet-stream"
_BUFFER: Final = 1 << 20

Pieces = Callable[[Sequence[Path], Digest], Iterator[memoryview]]
"""Reads content out of volumes of bundles. Raises `FerryError`."""


class Repair:
    """Implements the `repair` of `Depot.fsck`. For one thread at a time."""

    def __init__(
        self,
        depot: Depot,
        open_sources: Callable[[Location], Iterable[Callable[[], Source]]],
        bundled: Pieces | None = None,
    ) -> None:
        """Bring content into `depot`.

        `open_sources(location)` gives the ways to open a place, which are tried in turn; `bundled` reads volumes.
        """
        self._depot, self._open_sources, self._bundled = depot, open_sources, bundled

    def __call__(self, digest: Digest, origin: Origin) -> bool:
        """Fetch `digest` again; False when no origin is known.

        Raises `NotFound` (`blob_unrepaired`), which names each place with what went wrong there, and who has to act.
        """
        origins = _unique([origin, *self._depot.origins(digest)])
        failures: list[str] = []
        for place, bring in self._ways(digest, origins):
            try:
                bring()
            except FerryError as error:
                failures.append(f"{place}: {error.message}")
            else:
                return True
        told = [*failures, *who_has_to_act(origins)]
        if not told:
            return False
        raise NotFound(
            "blob_unrepaired",
            " ".join(told),
            advice="Bring what needs it again, then check again.",
        )

    def _ways(self, digest: Digest, origins: Sequence[Origin]) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield places with what brings the content from there."""
        for location in locations_of(origins, self._depot.repositories_of(digest, MOST)):
            origin = Origin(str(location), self._depot.clock.now())
            for opening in self._open_sources(location):
                yield str(location), functools.partial(self._from, opening, digest, origin)
        volumes = volumes_of(origins)
        if volumes and self._bundled is not None:
            yield volume_origin(volumes[0]), functools.partial(self._from_bundle, volumes, digest)

    def _from(self, opening: Callable[[], Source], digest: Digest, origin: Origin) -> None:
        with closing(opening()) as source:
            if self._depot.media_type_of(digest) is None:
                self._from_source(source, digest, origin)
                return
            raw = self._manifest(source, digest)
            with self._depot.writer(origin, digest) as writer:
                writer.write(raw)
                writer.commit()

    def _manifest(self, source: Source, digest: Digest) -> bytes:
        """Return a manifest; where a place knows no digests, as registries of Ollama, by the tags that named it here."""
        try:
            return source.manifest(digest).raw
        except NotFound:
            for tag in self._depot.tags_that_named(digest):
                with contextlib.suppress(NotFound):
                    found = source.resolve(tag)
                    if found.digest == digest:
                        return found.raw
            raise

    def _from_source(self, source: Source, digest: Digest, origin: Origin) -> None:
        size = self._depot.lost_size(digest)

        def pieces(offset: int) -> Iterator[memoryview]:
            view = memoryview(bytearray(_BUFFER))
            with source.open_blob(Descriptor(_ANY, digest, size or 0), offset) as stream:
                while count := stream.readinto(view):
                    yield view[:count]

        self._store(digest, origin, size, pieces)

    def _from_bundle(self, volumes: Sequence[Path], digest: Digest) -> None:
        assert self._bundled is not None
        bundled, origin = self._bundled, Origin(volume_origin(volumes[0]), self._depot.clock.now())

        def pieces(offset: int) -> Iterator[memoryview]:
            for piece in bundled(volumes, digest):
                skipped = min(offset, len(piece))
                offset -= skipped
                yield piece[skipped:]

        self._store(digest, origin, self._depot.lost_size(digest), pieces)

    def _store(
        self,
        digest: Digest,
        origin: Origin,
        size: int | None,
        pieces: Callable[[int], Iterator[memoryview]],
    ) -> None:
        """Store content, going on where an earlier attempt ended; once more from its beginning when that was wrong."""
        for _ in range(2):
            with self._depot.fetching(digest, origin, size=size) as writer:
                resumed = writer.offset
                if size is None or resumed < size:
                    for piece in pieces(resumed):
                        if size is not None and writer.offset + len(piece) > size:
                            writer.restart()
                            raise Corrupt("blob_too_long", f"{digest} has more than its {size} bytes there.")
                        writer.write(piece)
                try:
                    writer.commit()
                except Corrupt:
                    if not resumed:
                        raise
                else:
                    return


def _unique(origins: Iterable[Origin]) -> list[Origin]:
    return list({one.source: one for one in reversed(list(origins))}.values())[::-1]
