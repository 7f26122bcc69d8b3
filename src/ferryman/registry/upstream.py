"""Pull-through: what is asked for and not here is fetched from the registries that the settings name, and stays."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import structlog

from ferryman.core.access_lines import Upstream
from ferryman.core.clock import Clock
from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, Denied, FerryError, NotFound, Unavailable
from ferryman.core.ids import new_id
from ferryman.depot.model import Origin
from ferryman.depot.service import Depot
from ferryman.oci.client import RegistryClient
from ferryman.oci.manifest import Descriptor, Manifest
from ferryman.oci.options import RegistryOptions
from ferryman.oci.reference import check_repository, parse_digest
from ferryman.oci.session import Registries
from ferryman.registry.ports import Arriving
from ferryman.registry.threads import Threads

THREADS: Final = 8
AGAIN_S: Final = 30.0
"""How long an upstream that did not answer for a tag is not asked for it again, while the depot has one."""
MOST: Final = 20_000
"""Tags and blobs that are remembered, each."""
_PAGE: Final = 500
_log = structlog.get_logger("registry.upstream")
T = TypeVar("T")


class PullThrough:
    """Implements `registry.ports.Upstreams`. For one event loop; what blocks is done in its own threads.

    Only blobs that a manifest of the repository names are fetched, so that nobody makes the depot fetch what they like.
    """

    def __init__(
        self,
        depot: Depot,
        clock: Clock,
        *,
        upstreams: Callable[[], tuple[Upstream, ...]],
        options: Callable[[Upstream], RegistryOptions],
        fresh_s: Callable[[], float],
    ) -> None:
        """Fetch into `depot` from `upstreams()`, as `options` say; both are asked again for each request."""
        self._depot, self._clock = depot, clock
        self._upstreams, self._options, self._fresh_s = upstreams, options, fresh_s
        self._threads = Threads(THREADS)
        self._opened: dict[Upstream, Registries] = {}
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._fresh: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._blobs: OrderedDict[tuple[str, Digest], Descriptor] = OrderedDict()
        self._stopped = False

    def place(self, repository: str, ns: str | None, /) -> str:
        """Return `NS/REPOSITORY` for an upstream that is called `ns`; images of Docker Hub without `/` are in `library/`."""
        name = f"{ns}/{repository}" if ns else repository
        upstream = self._upstream(name)
        if upstream is None:
            return repository
        rest = name[len(upstream.name) + 1 :]
        if upstream.name == "docker.io" and "/" not in rest:
            return f"docker.io/library/{rest}"
        return name

    def covers(self, repository: str, /) -> bool:
        """Whether the repository begins with the name of an upstream."""
        return self._upstream(repository) is not None

    async def manifest(self, repository: str, reference: str, /) -> bool:
        """Bring a manifest, see the port."""
        until = self._fresh.get((repository, reference))
        if until is not None and until > self._clock.monotonic():
            return True
        return await self._once(
            f"{repository}@{reference}", lambda: self._fetch_manifest(repository, reference)
        )

    async def blob(self, repository: str, digest: Digest, /) -> Arriving | bool:
        """Bring a blob whole, see the port."""
        return await self._once(f"{repository}@{digest}#", lambda: self._fetch_blob(repository, digest))

    def close(self) -> None:
        """End what is being fetched (it goes on where it was, with the next request) and close connections. Blocks."""
        self._stopped = True
        self._threads.close()
        for registries in self._opened.values():
            registries.close()

    async def _once(self, key: str, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Share one fetch between all who wait; it goes on when one of them goes away."""
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

    async def _fetch_manifest(self, repository: str, reference: str) -> bool:
        tagged = ":" not in reference
        try:
            manifest = await self._threads.call(self._bring_manifest, repository, reference)
        except NotFound:
            self._fresh.pop((repository, reference), None)
            return False
        except (Unavailable, Denied, Corrupt) as error:
            there = await self._threads.call(self._depot.tagged, repository, reference) if tagged else None
            if there is not None:
                _log.warning("upstream did not answer", repository=repository, why=error.code)
                self._keep_fresh(repository, reference, min(AGAIN_S, self._fresh_s()))
                return True
            if isinstance(error, Denied) and error.code != "address_refused":
                return False  # many registries refuse what they do not have
            raise
        for blob in manifest.blobs:
            self._remember(repository, blob)
        if tagged:
            self._keep_fresh(repository, reference, self._fresh_s())
        return True

    def _bring_manifest(self, repository: str, reference: str) -> Manifest:
        """Fetch and store a manifest. Nothing is written when the tag names it already."""
        tag = None if ":" in reference else reference
        with self._client(repository) as client:
            source = client.source()
            found = source.resolve(tag) if tag else source.manifest(parse_digest(reference))
        if tag and self._depot.tagged(repository, tag) == found.digest:
            return found
        origin = self._origin(repository)
        self._depot.put_manifest(repository, found, tag, origin, sparse=True, incomplete=True)
        return found

    async def _fetch_blob(self, repository: str, digest: Digest) -> bool:
        try:
            return await self._threads.call(self._bring_blob, repository, digest)
        except NotFound:
            return False
        except Denied as error:
            if error.code == "address_refused":
                raise
            return False

    def _bring_blob(self, repository: str, digest: Digest) -> bool:
        blob = self._blobs.get((repository, digest)) or self._named(repository, digest)
        if blob is None:
            return False
        with self._client(repository) as client, self._depot.begin(f"pull:{new_id()}") as hold:
            source = client.source()
            target = self._depot.target(repository, self._origin(repository), hold)
            target.put_blob(blob, lambda offset: source.open_blob(blob, offset), self._go_on, None)
            self._depot.link_blob(repository, digest)
        return True

    def _named(self, repository: str, digest: Digest) -> Descriptor | None:
        """Look for a blob in the manifests of the repository: what was remembered does not outlive the process."""
        after = ""
        while page := self._depot.manifests(repository, after, _PAGE):
            for entry in page:
                after = str(entry.digest)
                try:
                    manifest = self._depot.manifest(repository, entry.digest)
                except FerryError:
                    continue
                for blob in manifest.blobs:
                    if blob.digest == digest:
                        return blob
        return None

    def _client(self, repository: str) -> RegistryClient:
        upstream = self._upstream(repository)
        if upstream is None:
            raise NotFound("repository_unknown", f"No upstream has '{repository}'.")
        registries = self._opened.get(upstream)
        if registries is None:
            registries = self._opened.setdefault(upstream, Registries(self._options(upstream)))
        return RegistryClient(upstream.host, repository[len(upstream.name) + 1 :], registries=registries)

    def _origin(self, repository: str) -> Origin:
        return Origin(f"docker://{repository}", self._clock.now())

    def _upstream(self, repository: str) -> Upstream | None:
        host, _, rest = repository.partition("/")
        found = next((one for one in self._upstreams() if one.name == host), None) if rest else None
        if found is None:
            return None
        try:
            check_repository(rest)
        except FerryError:
            return None
        return found

    def _keep_fresh(self, repository: str, tag: str, seconds: float) -> None:
        self._fresh[repository, tag] = self._clock.monotonic() + seconds
        while len(self._fresh) > MOST:
            self._fresh.popitem(last=False)

    def _remember(self, repository: str, blob: Descriptor) -> None:
        self._blobs[repository, blob.digest] = blob
        while len(self._blobs) > MOST:
            self._blobs.popitem(last=False)

    def _go_on(self, count: int) -> None:
        del count
        if self._stopped:
            raise Unavailable("registry_stopping", "Ferryman is being stopped.", advice="Try again.")
