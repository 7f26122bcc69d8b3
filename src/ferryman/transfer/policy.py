"""Which addresses a transfer may connect to: checked on what a name resolved to, and again after every redirect.

Link-local and metadata addresses are never allowed, in any spelling: an IPv6 address that carries an IPv4 one
(mapped, NAT64, 6to4, Teredo, ISATAP) is judged by both. Pure; DNS happens elsewhere.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ferryman.core.errors import Denied

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA_ADDRESSES: Final = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",  # most clouds
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's host agent
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::254",  # Amazon, IPv6
        "fd20:ce::254",  # Google, IPv6
        "fd00:42::42",  # Scaleway, IPv6
    )
)
METADATA_NAMES: Final = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})

_NAT64: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
_SITE_LOCAL: Final = ipaddress.IPv6Network("fec0::/10")
_THIS_NETWORK: Final = ipaddress.IPv4Network("0.0.0.0/8")
_LOOPBACK: Final = "a loopback address"
_PRIVATE: Final = "a private address"
_NEVER: Final[tuple[tuple[Callable[[_Address], bool], str], ...]] = (
    (lambda address: address in METADATA_ADDRESSES, "a metadata service"),
    (lambda address: address.is_link_local, "a link-local address"),
    (lambda address: address.is_multicast, "a multicast address"),
    (lambda address: address.is_unspecified or address in _THIS_NETWORK, "not the address of a host"),
    (lambda address: address.version == 4 and address.is_reserved, "a reserved address"),
)
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What may be connected to. `private` also allows loopback, private and shared (100.64.0.0/10) addresses."""

    private: bool = False

    def check(self, ip: str, host: str = "") -> None:
        """Return when `ip` (a textual address that `host` resolved to) is allowed. Thread-safe.

        Raises `Denied` (`address_refused`) naming host and address.
        """
        address = parse_address(ip)
        if address is None:
            raise _refused(ip, host, "not an IP address")
        for candidate in embedded(address):
            if reason := self._reason(candidate):
                raise _refused(ip, host, reason)

    def check_host(self, host: str) -> None:
        """Judge a host before it is resolved: addresses in any spelling, and names known to mean such addresses.

        Needed where a proxy resolves the name. Raises `Denied` (`address_refused`).
        """
        name = host.strip("[]").rstrip(".").lower()
        literal = literal_address(name)
        if literal is not None:
            self.check(str(literal), host)
        elif name in METADATA_NAMES:
            raise _refused(name, host, "a metadata service")
        elif not self.private and (name == "localhost" or name.endswith(".localhost")):
            raise _refused(name, host, _LOOPBACK)

    def _reason(self, address: _Address) -> str | None:
        for applies, reason in _NEVER:
            if applies(address):
                return reason
        if self.private:
            return None
        if address.is_loopback:
            return _LOOPBACK
        return None if address.is_global and address not in _SITE_LOCAL else _PRIVATE


def embedded(address: _Address) -> Iterator[_Address]:
    """Yield the address and every IPv4 address it carries."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    number = int(address)
    low = ipaddress.IPv4Address(number & 0xFFFFFFFF)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped  # the mapped form itself is no network of its own
        return
    if address in _COMPATIBLE and number > 1:
        yield low
        return
    if any(address in network for network in _NAT64):
        yield low  # the prefix only says which translator is used
        return
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield low
    yield address


def parse_address(text: str) -> _Address | None:
    """Read a strict textual address, with or without brackets and zone; None when it is none."""
    try:
        return ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None


def literal_address(host: str) -> _Address | None:
    """Read a host that is an address in any spelling a resolver accepts: `2130706433`, `0x7f.1`, `0177.0.0.1`."""
    strict = parse_address(host)
    if strict is not None:
        return strict
    if not host.isascii() or not host[:1].isdigit() or any(c.isspace() for c in host):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _refused(ip: str, host: str, reason: str) -> Denied:
    name = host.strip("[]")
    where = f"'{name[:200]}' ({ip})" if name and name != ip.strip("[]") else f"'{ip[:200]}'"
    private = reason in {_PRIVATE, _LOOPBACK}
    return Denied(
        "address_refused",
        f"Connecting to {where} is refused: it is {reason}.",
        advice="Ask for the right to fetch from private addresses, or use another source."
        if private
        else "Use a source on another address; this kind is never allowed.",
    )
