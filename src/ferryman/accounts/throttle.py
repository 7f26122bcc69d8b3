"""Slows down guessing of passwords: each failure makes the next attempt wait longer. Pure but for its memory.

Two counters per attempt: one for the name together with the client, one for the client alone, so that neither trying
many passwords for one name nor one password for many names pays. A name alone is never locked: nobody can lock out
somebody else from a different address. The memory is per process and bounded.
"""

import ipaddress
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, TypeVar

from ferryman.core.clock import Clock
from ferryman.core.errors import Unavailable

_CLIENT_FACTOR: Final = 5
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class ThrottlePolicy:
    """`free` failures cost nothing, then `first` seconds doubling up to `most`; forgotten after `memory` seconds."""

    free: int = 3
    first: float = 1.0
    most: float = 300.0
    memory: float = 3600.0
    entries: int = 10_000

    def delay(self, failures: int, free: int) -> float:
        """Seconds to wait after `failures` failed attempts when `free` of them cost nothing."""
        if failures < free:
            return 0.0
        return min(self.most, self.first * 2.0 ** min(failures - free, 60))


@dataclass(slots=True)
class _Entry:
    failures: int = 0
    last: float = -math.inf


class Throttle:
    """Counts failed logins. For one event loop; no method waits."""

    def __init__(self, clock: Clock, policy: ThrottlePolicy | None = None) -> None:
        """Count with `clock`'s monotonic seconds."""
        self._clock = clock
        self._policy = policy or ThrottlePolicy()
        self._pairs: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._clients: OrderedDict[str, _Entry] = OrderedDict()

    def admit(self, name: str, client: str) -> None:
        """Let an attempt through and count it as failed until `succeeded` says otherwise.

        Counting before the password is checked keeps a burst of parallel attempts from slipping through.
        Raises `Unavailable` (`login_throttled`) with `retry_after`; a refused attempt is not counted.
        """
        now, origin = self._clock.monotonic(), network_of(client)
        pair = self._recall(self._pairs, (name[:128], origin), now)
        whole = self._recall(self._clients, origin, now)
        free = self._policy.free
        wait = max(
            pair.last + self._policy.delay(pair.failures, free) - now,
            whole.last + self._policy.delay(whole.failures, free * _CLIENT_FACTOR) - now,
        )
        if wait > 0:
            raise Unavailable(
                "login_throttled",
                f"Too many failed logins from {client[:64]}.",
                advice=f"Try again in {math.ceil(wait)} s.",
                retry_after=float(math.ceil(wait)),
            )
        for entry in (pair, whole):
            entry.failures += 1
            entry.last = now

    def succeeded(self, name: str, client: str) -> None:
        """Forget the failures of this name and client, and take back this attempt from the client's count."""
        origin = network_of(client)
        self._pairs.pop((name[:128], origin), None)
        whole = self._clients.get(origin)
        if whole and whole.failures > 0:
            whole.failures -= 1

    def _recall(self, entries: OrderedDict[_Key, _Entry], key: _Key, now: float) -> _Entry:
        entry = entries.pop(key, None)
        if entry is None or now - entry.last > self._policy.memory:
            entry = _Entry()
        entries[key] = entry
        while len(entries) > self._policy.entries:
            entries.popitem(last=False)
        return entry


def network_of(client: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 an IPv6 address belongs to."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client[:128]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
