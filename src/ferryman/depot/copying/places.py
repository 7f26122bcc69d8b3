"""From what people write to wishes: which source goes where, and under which name. Pure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ferryman.core.errors import Conflict, Invalid
from ferryman.depot.copying.model import Place, Wish
from ferryman.depot.copying.movers import DEPOT
from ferryman.oci.location import PATHS, Location, Transport, parse_location
from ferryman.oci.reference import Reference, check_host, check_repository

FLAT: Final = frozenset({Transport.DOCKER_DAEMON, Transport.DOCKER_ARCHIVE})
"""Targets that take the image of one platform."""
LAYOUTS: Final = frozenset({Transport.OCI, Transport.OCI_ARCHIVE})


class Places:
    """Wishes, and the location that each place was written as, to open it. `place` gives equal places for equal things."""

    def __init__(self) -> None:
        """Nothing is wished yet."""
        self.wishes: list[Wish] = []
        self.locations: dict[Place, Location] = {}
        self.came_from: dict[Place, Place] = {}
        """Which place each target gets its (first) image from: what the depot remembers of manifests."""

    def add(self, sources: Sequence[str], target: str) -> None:
        """Wish all `sources` to `target`.

        A target that ends with `/`, and `depot:` alone, takes several. A target without a tag gets the tag of the source, or none
        when the source is named by digest. Raises `Invalid` (`location_invalid`, `reference_invalid`, `target_single`),
        `Conflict` (`target_twice`) when two sources would take the same name.
        """
        read = [parse_location(source) for source in sources]
        many = target == DEPOT or (target.endswith("/") and target.startswith((*_WITH_NAMES,)))
        whole = None if many else parse_location(target)
        if whole is not None and len(read) > 1 and not _takes_many(whole):
            raise Invalid(
                "target_single",
                f"{len(read)} images cannot all become '{target[:200]}'.",
                advice="End the target with / to put each below it under its own name.",
            )
        for source in read:
            end = whole or _below(target, source)
            self._wish(source, end, several=len(read) > 1)

    def _wish(self, source: Location, target: Location, *, several: bool) -> None:
        from_place, to_place = place_of(source), place_of(target)
        tag = _tag(source, target, several=several)
        wish = Wish(str(source), from_place, source.wanted, to_place, tag, target.transport in FLAT)
        other = next(
            (one for one in self.wishes if tag and (one.target, one.tag) == (to_place, tag)),
            None,
        )
        if other is not None and (other.source, other.wanted) == (wish.source, wish.wanted):
            return  # the same twice
        if other is not None:
            raise Conflict(
                "target_twice",
                f"'{other.said}' and '{wish.said}' would both become {to_place}:{tag}.",
                advice="Copy them one by one, each with its own name for the target.",
            )
        self.locations.setdefault(from_place, source)
        self.locations.setdefault(to_place, target)
        self.came_from.setdefault(to_place, from_place)
        self.wishes.append(wish)


def place_of(location: Location) -> Place:
    """Return the place of a location: what shares blobs, and the repository in it."""
    reference = location.reference
    if location.transport is Transport.DOCKER:
        return Place(f"docker://{location.place}", reference.repository if reference else "")
    if location.transport is Transport.DEPOT:
        return Place(DEPOT, reference.repository if reference else "")
    if location.transport in PATHS:
        return Place(f"{location.transport}:{Path(location.place).absolute()}", "")
    name = str(reference) if reference else ""
    return Place(f"{location.transport}:{location.place}", name)


def _takes_many(target: Location) -> bool:
    return target.transport in {*LAYOUTS, Transport.DOCKER_ARCHIVE} and not (target.name or target.reference)


def _tag(source: Location, target: Location, *, several: bool) -> str | None:
    """Return what the target calls it."""
    said = source.reference
    if target.transport in LAYOUTS and (target.name or target.digest):
        return target.name
    if target.transport in LAYOUTS and several and said is not None:
        return str(said)
    if target.transport in {Transport.DOCKER_DAEMON, Transport.DOCKER_ARCHIVE, Transport.CONTAINERD}:
        named = target.reference or said
        return str(named if named is None or named.tag or named.digest else _latest(named)) if named else None
    if target.reference is not None and (target.reference.tag or target.reference.digest):
        return target.reference.tag
    return _own_tag(source, whole=target.transport in LAYOUTS)


def _own_tag(source: Location, *, whole: bool) -> str | None:
    """Return the tag of a source, None when it is named by digest. With `whole` a free name stays as it is."""
    said = source.reference
    if said is not None:
        return said.tag or (None if said.digest else "latest")
    if source.digest:
        return None
    return source.name if whole else _as_tag(source.name)


def _as_tag(name: str | None) -> str:
    """Return the tag for an image that had a free name: what stands behind its last colon, if anything."""
    return name.rpartition(":")[2].rpartition("/")[2] if name else "latest"


def _latest(reference: Reference) -> Reference:
    return Reference(reference.host, reference.repository, "latest")


def _below(target: str, source: Location) -> Location:
    """Return where a source goes below a target that takes several."""
    reference = source.reference
    if target == DEPOT:
        if reference is None:
            name = check_repository(Path(source.place).name.partition(".")[0].lower() or "image")
            return Location(Transport.DEPOT, "", Reference("", name))
        return Location(Transport.DEPOT, "", Reference("", reference.name))
    scheme, _, rest = target.rstrip("/").partition(":")
    named = reference.repository if reference else Path(source.place).name.partition(".")[0].lower()
    last = named.rpartition("/")[2]
    rest = rest.lstrip("/")
    if scheme == Transport.DEPOT:
        repository = check_repository(f"{rest}/{last}") if ":" not in rest else f"{rest}/{last}"
        return Location(Transport.DEPOT, "", Reference("", repository))
    host, _, prefix = rest.partition("/")
    host = check_host(host)
    return Location(
        Transport.DOCKER, host, Reference(host, check_repository(f"{prefix}/{last}" if prefix else last))
    )


_WITH_NAMES: Final = ("docker://", "depot:")
