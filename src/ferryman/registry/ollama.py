"""Names as Ollama's client asks for them: `library/x` is `registry.ollama.ai/library/x` of the depot."""

from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import NotFound
from ferryman.depot.service import Depot
from ferryman.registry.ports import Arriving, NoUpstreams, Upstreams

HOST: Final = "registry.ollama.ai"
MOST: Final = 10_000


class Models:
    """Implements `Upstreams` before another one: a model's short name leads to it unless the depot has that name itself."""

    def __init__(self, depot: Depot, behind: Upstreams | None = None) -> None:
        """Look for names in `depot`, then ask `behind`. For one event loop."""
        self._depot, self._behind = depot, behind or NoUpstreams()
        self._places: dict[str, str] = {}
        self._seen = -1

    def place(self, repository: str, ns: str | None, /) -> str:
        """Return the name in the depot. Reads the database once for each name after a change of the depot."""
        placed = self._behind.place(repository, ns)
        if ns or placed != repository or not is_short(repository):
            return placed
        now = self._depot.generation()
        if now != self._seen or len(self._places) >= MOST:
            self._places.clear()
            self._seen = now
        found = self._places.get(repository)
        if found is None:
            found = self._places[repository] = self._found(repository)
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

    def _found(self, repository: str) -> str:
        model = f"{HOST}/{repository}"
        if self._has(repository) or not (self._behind.covers(model) or self._has(model)):
            return repository
        return model

    def _has(self, repository: str) -> bool:
        try:
            self._depot.tags(repository, limit=1)
        except NotFound:
            return False
        return True


def is_short(repository: str) -> bool:
    """Tell whether a name can be that of a model without its host: two parts, the first no host. Pure."""
    first, slash, rest = repository.partition("/")
    return bool(slash) and "/" not in rest and "." not in first and ":" not in first
