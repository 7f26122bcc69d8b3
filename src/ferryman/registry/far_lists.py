"""Lists of upstreams: tags and referrers, asked for whole and kept for a while, so that their pages fit together."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import structlog

from ferryman.core.clock import Clock
from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, Denied, FerryError, Invalid, NotFound, Unavailable
from ferryman.oci.manifest import Descriptor
from ferryman.oci.reference import check_tag
from ferryman.registry.far import Far
from ferryman.registry.threads import Threads

AGAIN_S: Final = 30.0
"""How long an upstream that did not answer is not asked for a list again."""
MOST_TAGS: Final = 100_000
MOST_REFERRERS: Final = 5_000
"""Entries of one list that are taken over; what is behind them is left out, and the log says so."""
MOST_KEPT: Final = 400_000
"""Entries of all lists together that are kept."""
_log = structlog.get_logger("registry.upstream")


@dataclass(frozen=True, slots=True)
class _Kept:
    """A list, or why there is none, and until when it holds."""

    until: float
    items: Sequence[Any] = ()
    error: Unavailable | None = None

    @property
    def weight(self) -> int:
        return len(self.items) + 10


class FarLists:
    """For one event loop. Each list is fetched once for all who wait for it."""

    def __init__(self, far: Far, clock: Clock, threads: Threads, fresh_s: Callable[[], float]) -> None:
        """Ask `far` in `threads`; lists are good for `fresh_s()` seconds."""
        self._far, self._clock, self._threads, self._fresh_s = far, clock, threads, fresh_s
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._weight = 0

    async def tags(self, repository: str) -> Sequence[str]:
        """Return all tags in the order of their bytes; none when upstream refuses. Raises `Unavailable`."""
        return await self._list(f"tags {repository}", repository, lambda: self._tags(repository))

    async def referrers(self, repository: str, digest: Digest) -> Sequence[Descriptor]:
        """Return what refers to a manifest, in the order of the digests; raises as `tags`."""
        key = f"referrers {repository}@{digest}"
        return await self._list(key, repository, lambda: self._referrers(repository, digest))

    async def _list(self, key: str, repository: str, ask: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        kept = self._kept.get(key)
        if kept is None or kept.until <= self._clock.monotonic():
            kept = await self._far.once(key, lambda: self._asked(key, repository, ask))
        if kept.error is not None:
            raise kept.error
        return kept.items

    async def _asked(self, key: str, repository: str, ask: Callable[[], Sequence[Any]]) -> _Kept:
        """Ask upstream. What it refuses or does not know is an empty list."""
        fresh, now = self._fresh_s(), self._clock.monotonic()
        try:
            kept = _Kept(now + fresh, await self._threads.call(ask))
        except NotFound:
            kept = _Kept(now + fresh)
        except (Denied, Unavailable, Corrupt, Invalid) as error:
            _log.warning("upstream did not list", repository=repository, why=error.code, what=error.message)
            kept = _Kept(now + min(AGAIN_S, fresh), error=_unavailable(error))
        self._keep(key, kept)
        return kept

    def _keep(self, key: str, kept: _Kept) -> None:
        earlier = self._kept.pop(key, None)
        self._weight += kept.weight - (earlier.weight if earlier else 0)
        self._kept[key] = kept
        while self._weight > MOST_KEPT:
            _, gone = self._kept.popitem(last=False)
            self._weight -= gone.weight

    def _tags(self, repository: str) -> Sequence[str]:
        with self._far.client(repository) as client:
            found = list(islice(client.tags(), MOST_TAGS + 1))
        if len(found) > MOST_TAGS:
            _log.warning("upstream has too many tags", repository=repository, most=MOST_TAGS)
        return sorted({tag for tag in found[:MOST_TAGS] if _is_tag(tag)})

    def _referrers(self, repository: str, digest: Digest) -> Sequence[Descriptor]:
        with self._far.client(repository) as client:
            found = client.source().attached(digest)
        if len(found) > MOST_REFERRERS:
            _log.warning("upstream has too many referrers", repository=repository, most=MOST_REFERRERS)
        unique = {str(one.digest): one for one in found[:MOST_REFERRERS]}
        return [unique[text] for text in sorted(unique)]


def _is_tag(text: str) -> bool:
    try:
        check_tag(text)
    except Invalid:
        return False
    return True


def _unavailable(error: FerryError) -> Unavailable | None:
    """Return what is raised to callers: an upstream that refuses us has nothing for us."""
    if isinstance(error, Unavailable):
        return error
    if isinstance(error, Denied) and error.code != "address_refused":
        return None
    return Unavailable(error.code, error.message, advice=error.advice)
