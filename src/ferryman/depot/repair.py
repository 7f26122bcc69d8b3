"""Brings lost content again, from where it came."""

from collections.abc import Callable, Iterator
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import FerryError
from ferryman.depot.model import Origin
from ferryman.depot.service import Depot
from ferryman.oci.location import Transport, parse_location
from ferryman.oci.manifest import Descriptor
from ferryman.oci.ports import Source

MOST: Final = 5
"""Places that are tried for one blob."""
_ANY: Final = "application/octet-stream"
_BUFFER: Final = 1 << 20


class Repair:
    """Implements the `repair` of `Depot.fsck`. For one thread at a time."""

    def __init__(self, depot: Depot, open_source: Callable[[str, str], Source]) -> None:
        """Bring content into `depot`; `open_source(host, repository)` opens a repository of a registry."""
        self._depot = depot
        self._open = open_source

    def __call__(self, digest: Digest, origin: Origin) -> bool:
        """Fetch `digest` again; False when no place is known. Raises what went wrong at the last place."""
        failure: FerryError | None = None
        for host, repository in self._places(digest, origin):
            source = self._open(host, repository)
            try:
                self._fetch(source, digest, Origin(f"docker://{host}/{repository}", self._depot.clock.now()))
            except FerryError as error:
                failure = error
            else:
                return True
            finally:
                source.close()
        if failure is not None:
            raise failure
        return False

    def _places(self, digest: Digest, origin: Origin) -> Iterator[tuple[str, str]]:
        """Yield registries and repositories: the origin first, then those that repositories of the depot are named after."""
        named = [f"docker://{name}" for name in self._depot.repositories_of(digest, MOST) if is_hosted(name)]
        found: dict[tuple[str, str], None] = {}
        for text in (origin.source, *named):
            place = place_of(text)
            if place is not None:
                found[place] = None
        yield from list(found)[:MOST]

    def _fetch(self, source: Source, digest: Digest, origin: Origin) -> None:
        media_type = self._depot.media_type_of(digest)
        if media_type is not None:
            with self._depot.writer(origin, digest) as writer:
                writer.write(source.manifest(digest).raw)
                writer.commit()
            return
        size = self._depot.lost_size(digest)
        view = memoryview(bytearray(_BUFFER))
        with self._depot.fetching(digest, origin, size=size) as writer:
            with source.open_blob(Descriptor(_ANY, digest, size or 0), writer.offset) as stream:
                while count := stream.readinto(view):
                    writer.write(view[:count])
            writer.commit()


def place_of(text: str) -> tuple[str, str] | None:
    """Return host and repository of `docker://HOST/REPOSITORY…`, None for another origin."""
    if not text.startswith("docker://"):
        return None
    try:
        location = parse_location(text)
    except FerryError:
        return None
    reference = location.reference
    if location.transport is not Transport.DOCKER or reference is None:
        return None
    return reference.host, reference.repository


def is_hosted(repository: str) -> bool:
    """Whether a repository of the depot is named after a registry, as `quay.io/team/app` is."""
    first, slash, _ = repository.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")
