"""Names as Ollama's client asks for them: `library/x` is `registry.ollama.ai/library/x` of the depot, `Org/X` maybe `hf.co/Org/X`.

Capitals are written as `oci.capitals` does before a name comes here.
"""

from collections.abc import Sequence
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid, NotFound
from ferryman.depot.service import Depot
from ferryman.oci.manifest import Descriptor
from ferryman.oci.reference import check_repository
from ferryman.registry.ports import Arriving, NoUpstreams, Upstreams

HOST: Final = "registry.ollama.ai"
HOSTS: Final = (HOST, "hf.co", "huggingface.co")
"""Where models without a host may be kept in the depot, in the order in which they are looked for."""
MOST: Final = 10_000


class Models:
    """Implements `Upstreams` before another one: a model's short name leads to it unless the depot has that name itself."""

    def __init__(self, depot: Depot, behind: Upstreams | None = None) -> None:
        """Look for names in `depot`, then ask `behind`. For one event loop."""
        self._depot, self._behind = depot, behind or NoUpstreams()
        self._places: dict[tuple[str, str | None], str] = {}
        self._seen = -1

    def place(self, repository: str, ns: str | None, /) -> str:
        """Return the name in the depot. Reads the database once for each name after a change of the depot."""
        placed = self._behind.place(repository, ns)
        if placed != repository or not (is_short(repository) or ns):
            return placed
        key = repository, ns
        now = self._depot.generation()
        if now != self._seen or len(self._places) >= MOST:
            self._places.clear()
            self._seen = now
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = self._found(repository, ns)
        return found

    def covers(self, repository: str, /) -> bool:
        """Whether what is behind covers it."""
        return self._behind.covers(repository)

    async def manifest(self, repository: str, reference: str, /) -> bool:
        """Ask what is behind."""
        return await self._behind.manifest(repository, reference)

    async def blob(self, repository: str, digest: Digest, /) -> Arriving | bool:
        """Ask what is behind."""
        return await self._behind.blob(repository, digest)

    async def tags(self, repository: str, /) -> Sequence[str]:
        """Ask what is behind."""
        return await self._behind.tags(repository)

    async def referrers(self, repository: str, digest: Digest, /) -> Sequence[Descriptor]:
        """Ask what is behind."""
        return await self._behind.referrers(repository, digest)

    def _found(self, repository: str, ns: str | None) -> str:
        """Return the longer name when it is there: with `?ns=` it goes first, else it is the second choice."""
        if ns:
            longer = f"{ns}/{repository}"
            return longer if self._has(longer) else repository
        if self._has(repository):
            return repository
        every = [f"{host}/{repository}" for host in HOSTS]
        there = next((longer for longer in every if self._has(longer)), None)
        return there or next((longer for longer in every if self._behind.covers(longer)), repository)

    def _has(self, repository: str) -> bool:
        try:
            self._depot.tags(check_repository(repository), limit=1)
        except (NotFound, Invalid):
            return False
        return True


def is_short(repository: str) -> bool:
    """Tell whether a name can be that of a model without its host: two parts, the first no host. Pure."""
    first, slash, rest = repository.partition("/")
    return bool(slash) and "/" not in rest and "." not in first and ":" not in first
