"""What pushes that are under way count on: content that was found or sent, until its manifest names it."""

from typing import Final

import structlog

from ferryman.core.clock import Clock
from ferryman.core.digests import Digest
from ferryman.core.errors import Exhausted
from ferryman.depot.service import Depot, Hold
from ferryman.registry.threads import Threads

SLOT_S: Final = 1800.0
LIFETIME_S: Final = 3 * SLOT_S
"""Content that a client was told is here stays for at least two slots, an hour."""
_log = structlog.get_logger("registry")


class Pushes:
    """Holds in the depot, a new one every half hour; none is ever released, each ends with its lifetime.

    A sweep may run at any moment, also one without grace: what a client was told a minute ago stays true.
    """

    def __init__(self, depot: Depot, clock: Clock, threads: Threads) -> None:
        """Hold content of `depot`."""
        self._depot = depot
        self._clock = clock
        self._threads = threads
        self._slot = -1
        self._hold: Hold | None = None
        self._kept: set[Digest] = set()

    def hold(self) -> Hold:
        """Return the hold of now. Blocks when it has to be begun."""
        slot = int(self._clock.now() // SLOT_S)
        if slot != self._slot or self._hold is None:
            hold = self._depot.begin(f"registry:{slot}", LIFETIME_S)
            self._slot, self._hold, self._kept = slot, hold, set()
        return self._hold

    async def keep(self, *digests: Digest) -> None:
        """Hold `digests`; nothing is done for those that are held already."""
        slot = int(self._clock.now() // SLOT_S)
        if slot != self._slot or not self._kept.issuperset(digests):
            await self._threads.call(self.keep_now, *digests)

    async def keep_where_possible(self, digest: Digest) -> None:
        """As `keep`, for whoever may only want to pull: a disk without room for the hold refuses them nothing."""
        try:
            await self.keep(digest)
        except Exhausted:
            _log.warning("what a client was told is here is not held: there is no room", digest=str(digest))

    def keep_now(self, *digests: Digest) -> None:
        """As `keep`, from a thread."""
        hold = self.hold()
        hold.keep(digests)
        self._kept.update(digests)
