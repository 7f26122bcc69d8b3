"""Pull-through: what is asked for and not here is fetched from the registries that the settings name, and stays."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from ferryman.core.access_lines import Upstream
from ferryman.core.clock import Clock
from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, Denied, FerryError, Invalid, NotFound, Unavailable
from ferryman.depot.service import Depot
from ferryman.oci.manifest import Descriptor, Manifest
from ferryman.oci.options import RegistryOptions
from ferryman.oci.reference import parse_digest
from ferryman.registry.far import Far, wrong
from ferryman.registry.far_lists import FarLists
from ferryman.registry.fetching import Fetching
from ferryman.registry.ports import Arriving
from ferryman.registry.threads import Threads

THREADS: Final = 8
AGAIN_S: Final = 30.0
"""How long an upstream that did not answer for a tag is not asked for it again, while the depot has one."""
MOST: Final = 20_000
"""Tags that are remembered."""
_log = structlog.get_logger("registry.upstream")


class PullThrough:
    """Implements `registry.ports.Upstreams`. For one event loop; what blocks is done in its own threads."""

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
        self._depot, self._clock, self._fresh_s = depot, clock, fresh_s
        self._threads = Threads(THREADS)
        self._far = Far(clock, upstreams, options)
        self._fetching = Fetching(depot, self._far)
        self._lists = FarLists(self._far, clock, self._threads, fresh_s)
        self._fresh: OrderedDict[tuple[str, str], float] = OrderedDict()

    def place(self, repository: str, ns: str | None, /) -> str:
        """Return `NS/REPOSITORY` for an upstream that is called `ns`; images of Docker Hub without `/` are in `library/`."""
        return self._far.place(repository, ns)

    def covers(self, repository: str, /) -> bool:
        """Whether the repository begins with the name of an upstream."""
        return self._far.upstream(repository) is not None

    async def manifest(self, repository: str, reference: str, /) -> bool:
        """Bring a manifest, see the port."""
        until = self._fresh.get((repository, reference))
        if until is not None and until > self._clock.monotonic():
            return True
        return await self._far.once(
            f"{repository}@{reference}", lambda: self._fetch_manifest(repository, reference)
        )

    async def blob(self, repository: str, digest: Digest, /) -> Arriving | bool:
        """Bring a blob, see the port. Only those that a manifest of the repository names are asked for."""
        try:
            return await self._fetching.blob(repository, digest)
        except NotFound:
            return False
        except Denied as error:
            if not _is_refusal(error):
                raise
            _log.warning("upstream refuses a blob", repository=repository, digest=str(digest), why=error.code)
            return False

    async def tags(self, repository: str, /) -> Sequence[str]:
        """Return the tags upstream has, see the port."""
        return await self._lists.tags(repository)

    async def referrers(self, repository: str, digest: Digest, /) -> Sequence[Descriptor]:
        """Return what refers to a manifest upstream, see the port."""
        return await self._lists.referrers(repository, digest)

    def close(self) -> None:
        """End what is being fetched (it goes on where it was, with the next request) and close connections. Blocks."""
        self._far.stop()
        self._fetching.stop()
        self._threads.close()
        self._far.close()

    async def _fetch_manifest(self, repository: str, reference: str) -> bool:
        tagged = ":" not in reference
        try:
            manifest = await self._threads.call(self._bring, repository, reference)
        except (NotFound, Unavailable, Denied, Corrupt) as error:
            self._fresh.pop((repository, reference), None)
            there = await self._threads.call(self._depot.tagged, repository, reference) if tagged else None
            if there is not None:
                self._stale(repository, reference, error)
                return True
            if isinstance(error, NotFound) or _is_refusal(error):
                return False  # many registries refuse what they do not have
            raise
        self._fetching.remember(repository, manifest.blobs)
        if tagged:
            self._keep_fresh(repository, reference, self._fresh_s())
        return True

    def _stale(self, repository: str, tag: str, error: FerryError) -> None:
        """Serve what the depot has, and say so in the log. An upstream that answered is asked again when the tag is old."""
        _log.warning(
            "upstream did not answer for a tag: the one of the depot is served",
            repository=repository,
            tag=tag,
            why=error.code,
            what=error.message,
        )
        answered = isinstance(error, NotFound)
        self._keep_fresh(repository, tag, self._fresh_s() if answered else min(AGAIN_S, self._fresh_s()))

    def _bring(self, repository: str, reference: str) -> Manifest:
        """Fetch and store a manifest. Nothing is written when the tag names it already."""
        tag = None if ":" in reference else reference
        try:
            with self._far.client(repository) as client:
                source = client.source()
                found = source.resolve(tag) if tag else source.manifest(parse_digest(reference))
        except (Corrupt, Invalid) as error:
            raise wrong(repository, error) from error
        if tag and self._depot.tagged(repository, tag) == found.digest:
            return found
        origin = self._far.origin(repository)
        self._depot.put_manifest(repository, found, tag, origin, sparse=True, incomplete=True)
        return found

    def _keep_fresh(self, repository: str, tag: str, seconds: float) -> None:
        self._fresh[repository, tag] = self._clock.monotonic() + seconds
        while len(self._fresh) > MOST:
            self._fresh.popitem(last=False)


def _is_refusal(error: FerryError) -> bool:
    """Tell whether upstream refuses us, and not we its address."""
    return isinstance(error, Denied) and error.code != "address_refused"
