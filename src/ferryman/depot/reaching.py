"""Opens the places that content came from, to bring it again."""

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferryman.oci.authfile import AuthFiles
from ferryman.oci.capitals import spelled
from ferryman.oci.client import RegistryClient
from ferryman.oci.location import Location, Transport
from ferryman.oci.options import Login, RegistryOptions
from ferryman.oci.ports import Source
from ferryman.oci.session import Registries
from ferryman.oci.transports import TransportOptions, open_source


@dataclass(frozen=True, slots=True)
class Through:
    """A registry that images are pulled through: repositories below `name` are at `host`, reached as `options` say."""

    name: str
    host: str
    options: RegistryOptions


def logins_of(home: Path) -> Callable[[str], Login | None]:
    """Return who we are at `HOST/REPOSITORY`: as `auth.json` of a home says, else as Docker and Podman keep it."""
    own = home / "auth.json"
    files = [AuthFiles(os.environ, Path.home())]
    if own.exists():
        files.insert(0, AuthFiles(os.environ, Path.home(), file=own))
    return lambda name: next((login for one in files if (login := one.login(name)) is not None), None)


def local_options(registry: RegistryOptions) -> TransportOptions:
    """Return how places on this machine are reached."""
    return TransportOptions(registry=registry, docker_host=os.environ.get("DOCKER_HOST", ""))


class Reaching:
    """Ways to open places. A registry that is pulled through is asked as that first. For one thread."""

    def __init__(
        self,
        options: RegistryOptions,
        through: Sequence[Through] = (),
        local: TransportOptions | None = None,
    ) -> None:
        """Reach registries as `options` say; `local` says how places on this machine are reached."""
        self._local = local or TransportOptions(registry=options)
        self._registries = Registries(options)
        self._through = {one.name: one for one in through}
        self._opened: dict[str, Registries] = {}

    def __call__(self, location: Location) -> Iterator[Callable[[], Source]]:
        """Yield the ways to open a place."""
        reference = location.reference
        if location.transport is not Transport.DOCKER or reference is None:
            yield functools.partial(self._on_this_machine, location)
            return
        through = self._through.get(reference.host)
        if through is not None:
            opened = self._opened.setdefault(through.name, Registries(through.options))
            yield RegistryClient(through.host, reference.repository, registries=opened).source
            if through.host == reference.host:
                return
        name = spelled(reference.repository)
        if name != reference.repository:  # a model, most likely: its registry knows it with capitals
            yield RegistryClient(
                reference.host, reference.repository, registries=self._registries, spelled=name
            ).source
        yield RegistryClient(reference.host, reference.repository, registries=self._registries).source

    def _on_this_machine(self, location: Location) -> Source:
        source = open_source(location, self._local)
        if location.transport is Transport.DOCKER_DAEMON:
            try:
                source.resolve(location.wanted)  # the engine knows images, and blobs only of what it gave out
            except BaseException:
                source.close()
                raise
        return source

    def close(self) -> None:
        """Close all connections. Repeatable."""
        for registries in (self._registries, *self._opened.values()):
            registries.close()
