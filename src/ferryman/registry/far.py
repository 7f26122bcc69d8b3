"""Which upstream has a repository, how it is asked, and one question for all who wait for the same answer."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from ferryman.core.access_lines import Upstream
from ferryman.core.clock import Clock
from ferryman.core.errors import Corrupt, FerryError, NotFound, Unavailable
from ferryman.depot.model import Origin
from ferryman.oci.client import RegistryClient
from ferryman.oci.options import RegistryOptions
from ferryman.oci.reference import check_repository
from ferryman.oci.session import Registries

T = TypeVar("T")


class Far:
    """The upstreams there are now. `once` is for the event loop; all else is thread-safe."""

    def __init__(
        self,
        clock: Clock,
        upstreams: Callable[[], tuple[Upstream, ...]],
        options: Callable[[Upstream], RegistryOptions],
    ) -> None:
        """Ask `upstreams()`, as `options` say; both are asked again for each request."""
        self._clock, self._upstreams, self._options = clock, upstreams, options
        self._opened: dict[Upstream, Registries] = {}
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._stopping = threading.Event()

    def place(self, repository: str, ns: str | None) -> str:
        """Return `NS/REPOSITORY` for an upstream that is called `ns`; images of Docker Hub without `/` are in `library/`."""
        name = f"{ns}/{repository}" if ns else repository
        upstream = self.upstream(name)
        if upstream is None:
            return repository
        rest = name[len(upstream.name) + 1 :]
        if upstream.name == "docker.io" and "/" not in rest:
            return f"docker.io/library/{rest}"
        return name

    def upstream(self, repository: str) -> Upstream | None:
        """Return the upstream whose name the repository begins with."""
        host, _, rest = repository.partition("/")
        found = next((one for one in self._upstreams() if one.name == host), None) if rest else None
        if found is None:
            return None
        try:
            check_repository(rest)
        except FerryError:
            return None
        return found

    def client(self, repository: str) -> RegistryClient:
        """Return a client of the repository at its upstream. Raises `NotFound` when none has it."""
        upstream = self.upstream(repository)
        if upstream is None:
            raise NotFound("repository_unknown", f"No upstream has '{repository}'.")
        registries = self._opened.get(upstream)
        if registries is None:
            options = replace(self._options(upstream), sleep=self._pause)
            registries = self._opened.setdefault(upstream, Registries(options))
        return RegistryClient(upstream.host, repository[len(upstream.name) + 1 :], registries=registries)

    def origin(self, repository: str) -> Origin:
        """Return what the depot remembers of content from there."""
        return Origin(f"docker://{repository}", self._clock.now())

    async def once(self, key: str, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Share one question between all who wait; it goes on when one of them goes away."""
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(call())
            self._running[key] = task
            task.add_done_callback(lambda done: self._ended(key, done))
        found: T = await asyncio.shield(task)
        return found

    def _ended(self, key: str, task: asyncio.Task[Any]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # those who wait have it; nobody may be left

    def check(self) -> None:
        """Raise `Unavailable` (`registry_stopping`) when Ferryman is being stopped."""
        if self._stopping.is_set():
            raise Unavailable("registry_stopping", "Ferryman is being stopped.", advice="Try again.")

    def _pause(self, seconds: float) -> None:
        self._stopping.wait(seconds)
        self.check()

    def stop(self) -> None:
        """Let nobody wait any longer between two tries."""
        self._stopping.set()

    def close(self) -> None:
        """Close connections."""
        for registries in self._opened.values():
            registries.close()


def wrong(repository: str, error: FerryError) -> Corrupt:
    """Return the error of an upstream that sends what it must not."""
    return Corrupt(
        "upstream_wrong",
        f"The upstream of {repository} sends something wrong: {error.message}",
        advice="Nothing of it was kept. Tell who runs that registry, or choose another upstream.",
    )
