"""How many connections each host bears: learned from its refusals and shared by all transfers of an engine.

Pure: the time is an argument. Loop thread only.
"""

from dataclasses import dataclass
from typing import Final

RECOVERY_SECONDS: Final = 30.0
"""After this long without a refusal a host is offered one connection more."""


@dataclass(slots=True)
class _Host:
    limit: int
    active: int = 0
    closed_until: float = 0.0
    refused_at: float = 0.0


class Hosts:
    """Places per host (`scheme://host:port`)."""

    def __init__(self, per_host: int) -> None:
        """Every host starts with `per_host` places."""
        self._per_host = per_host
        self._hosts: dict[str, _Host] = {}

    def acquire(self, host: str, now: float) -> bool:
        """Take a place; False when all are taken or the host asked us to wait."""
        entry = self._hosts.get(host)
        if entry is None:
            entry = self._hosts[host] = _Host(self._per_host)
        self._recover(entry, now)
        if now < entry.closed_until or entry.active >= entry.limit:
            return False
        entry.active += 1
        return True

    def release(self, host: str) -> None:
        """Give a place back."""
        self._hosts[host].active -= 1

    def refused(self, host: str, now: float, wait: float) -> int:
        """The host answered 429 or 503: fewer places, and none for `wait` seconds. Returns the new limit."""
        entry = self._hosts.setdefault(host, _Host(self._per_host))
        if now - entry.refused_at > 1.0:  # several lanes hear the same refusal: it counts once
            entry.limit = max(1, min(entry.limit, entry.active) // 2)
            entry.refused_at = now
        entry.closed_until = max(entry.closed_until, now + wait)
        return entry.limit

    def refusing(self, host: str, now: float) -> bool:
        """Whether the host is below what we would like because it refused us."""
        entry = self._hosts.get(host)
        return entry is not None and (now < entry.closed_until or entry.limit < self._per_host)

    def opens_at(self, host: str) -> float:
        """When the host may be asked again."""
        entry = self._hosts.get(host)
        return entry.closed_until if entry else 0.0

    def _recover(self, entry: _Host, now: float) -> None:
        if entry.limit < self._per_host and now - entry.refused_at > RECOVERY_SECONDS:
            entry.limit += 1
            entry.refused_at = now
