"""Where the blobs of repositories are: kept in memory, and looked up for a whole image when its manifest is read."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferryman.core.digests import Digest
from ferryman.depot.service import Depot
from ferryman.oci.manifest import Manifest
from ferryman.registry.cache import Cache
from ferryman.registry.threads import Threads

MOST_EXPECTED: Final = 200
"""Blobs of one manifest that are looked up with it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A blob of a repository: its file and size."""

    path: Path
    size: int


class Located:
    """Finds blobs. For the event loop only."""

    def __init__(self, depot: Depot, threads: Threads) -> None:
        """Ask `depot` in `threads`."""
        self._depot = depot
        self._threads = threads
        self._cache: Cache[Found] = Cache()

    async def find(self, repository: str, digest: Digest) -> Found | None:
        """Return where a blob of a repository is; None when the repository does not have it, or its file is gone."""
        found = self._cache.get(_key(repository, digest))
        if found is None:
            seen = self._cache.seen(self._depot.watch(repository))
            found = (await self._threads.call(self._look, repository, [digest])).get(digest)
            if found is not None:
                self._cache.put(_key(repository, digest), found, seen)
        return found if found and _there(found) else None

    async def manifest(self, repository: str, reference: str) -> Manifest:
        """Read a manifest, and find its blobs with it: who asks for one asks for the others at once.

        Raises `NotFound` (`manifest_unknown`), `Corrupt` (`blob_lost`).
        """
        seen = self._cache.seen(self._depot.watch(repository))
        manifest, found = await self._threads.call(self._read, repository, reference)
        for digest, one in found.items():
            self._cache.put(_key(repository, digest), one, seen)
        return manifest

    def _read(self, repository: str, reference: str) -> tuple[Manifest, dict[Digest, Found]]:
        manifest = self._depot.manifest(repository, reference)
        return manifest, self._look(repository, [blob.digest for blob in manifest.blobs[:MOST_EXPECTED]])

    def _look(self, repository: str, digests: Sequence[Digest]) -> dict[Digest, Found]:
        if not digests:
            return {}
        return {digest: Found(*there) for digest, there in self._depot.files_in(repository, digests).items()}


def _key(repository: str, digest: Digest) -> str:
    return f"{repository}@{digest}"


def _there(found: Found) -> bool:
    """Tell whether the file is there still: a few microseconds, so it is done on the loop."""
    return os.path.exists(found.path)  # noqa: PTH110 - a third of the time of Path.exists
