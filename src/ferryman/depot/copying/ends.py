"""Opens places to read from and to write to, each once, and closes them all. Loads only what the places need."""

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ferryman.depot.copying.model import Place
from ferryman.depot.copying.movers import DEPOT
from ferryman.depot.model import Origin
from ferryman.oci.client import RegistryClient
from ferryman.oci.location import Location, Transport
from ferryman.oci.options import RegistryOptions
from ferryman.oci.ports import Source, Target
from ferryman.oci.session import Registries

if TYPE_CHECKING:
    from ferryman.depot.service import Depot, Hold
    from ferryman.oci.transports import TransportOptions


@dataclass(frozen=True, slots=True)
class Side:
    """How to reach the places of one side. `local` says, when it is needed, how to reach places on this machine."""

    registry: RegistryOptions = field(default_factory=RegistryOptions)
    local: "Callable[[RegistryOptions], TransportOptions] | None" = None


@dataclass(frozen=True, slots=True)
class Kept:
    """The depot as one end: what is read there, and what is written there while `hold` keeps it."""

    depot: "Depot"
    hold: "Hold"
    origin: Callable[[Place | None], Origin]


class Ends:
    """All places of one copy. Thread-safe."""

    def __init__(
        self,
        locations: Mapping[Place, Location],
        source: Side,
        target: Side,
        *,
        kept: Kept | None = None,
        came_from: Mapping[Place, Place] | None = None,
        registries: tuple[Registries, Registries] | None = None,
    ) -> None:
        """Open `locations`. `registries` of both sides outlive the copy when given: their connections stay open.

        `came_from` says which source the depot is to remember for what is written to a place.
        """
        self._came_from = came_from or {}
        self._locations, self._sides, self._kept = locations, (source, target), kept
        self._registries = registries or (Registries(source.registry), Registries(target.registry))
        self._own = registries is None
        self._lock = threading.Lock()
        self._clients: dict[tuple[bool, Place], RegistryClient] = {}
        self._sources: dict[Place, Source] = {}
        self._targets: dict[Place, Target] = {}

    def source(self, place: Place) -> Source:
        """Return the place to read from. Raises what opening it raises."""
        with self._lock:
            if place not in self._sources:
                self._sources[place] = self._open_source(place)
            return self._sources[place]

    def target(self, place: Place) -> Target:
        """Return the place to write to. Raises what opening it raises."""
        with self._lock:
            if place not in self._targets:
                self._targets[place] = self._open_target(place)
            return self._targets[place]

    def client(self, place: Place) -> RegistryClient | None:
        """Return the registry of a source, when it is one."""
        location = self._locations.get(place)
        if location is None or location.transport is not Transport.DOCKER:
            return None
        with self._lock:
            return self._client(place, location, writes=False)

    def close(self, *, failed: bool = False) -> list[str]:
        """Close all and return what a person should be told. What a target collects is thrown away when it `failed`.

        Raises what finishing a target raises. Repeatable.
        """
        with self._lock:
            targets, sources, clients = self._targets, self._sources, self._clients
            self._targets, self._sources, self._clients = {}, {}, {}
        notes: list[str] = [note for source in sources.values() for note in getattr(source, "notes", ())]
        try:
            for target in targets.values():
                abandon = getattr(target, "abandon", None)
                if failed and abandon is not None:
                    abandon()
                else:
                    target.close()
                notes += getattr(target, "notes", ())
        finally:
            for source in sources.values():
                with contextlib.suppress(OSError):
                    source.close()
            for client in clients.values():
                client.close()
            if self._own:
                for registries in self._registries:
                    registries.close()
        return notes

    def _open_source(self, place: Place) -> Source:
        location = self._locations[place]
        if location.transport is Transport.DOCKER:
            return self._client(place, location, writes=False).source()
        if location.transport is Transport.DEPOT:
            return self._depot().depot.source(place.repository)
        from ferryman.oci.transports import open_source  # noqa: PLC0415 - registries need none of it

        return open_source(location, self._local(self._sides[0]))

    def _open_target(self, place: Place) -> Target:
        location = self._locations[place]
        if location.transport is Transport.DOCKER:
            return self._client(place, location, writes=True).target()
        if place.registry == DEPOT:
            kept = self._depot()
            return kept.depot.target(place.repository, kept.origin(self._came_from.get(place)), kept.hold)
        from ferryman.oci.transports import open_target  # noqa: PLC0415 - registries need none of it

        return open_target(location, self._local(self._sides[1]))

    def _client(self, place: Place, location: Location, *, writes: bool) -> RegistryClient:
        key = writes, place
        if key not in self._clients:
            side, registries = self._sides[writes], self._registries[writes]
            self._clients[key] = RegistryClient(
                location.place,
                place.repository,
                side.registry,
                registries=registries,
                spelled=location.spelled,
            )
        return self._clients[key]

    def _depot(self) -> Kept:
        assert self._kept is not None
        return self._kept

    def _local(self, side: Side) -> "TransportOptions | None":
        return side.local(side.registry) if side.local else None
