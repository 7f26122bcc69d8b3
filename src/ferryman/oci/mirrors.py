"""Where a registry's content is really fetched from: mirrors and pull-through caches, from a TOML file. Pure.

[registry."docker.io"]
mirrors = ["https://mirror.example.org/hub", "cache.example.org:5000"]   # tried in order before the registry itself
only_digests = false      # true: mirrors are asked for digests only, because their tags may be old
ns = false                # true: mirrors are told the registry with `?ns=docker.io`, as containerd does
plain_http = false        # of the registry itself; a mirror says it with http://
blocked = false           # true: nothing is fetched from the registry itself
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from ferryman.core.errors import Invalid
from ferryman.oci.reference import check_host, check_repository

HUB_API: Final = "registry-1.docker.io"
"""Where `docker.io` answers."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go: `host[:port]`, what stands before the repository, and what is said about the registry.

    `namespace` is sent as `ns` when it is set. `digests_only` endpoints are not asked for tags. `mirror` says that it is not the
    registry itself.
    """

    host: str
    prefix: str = ""
    plain_http: bool = False
    namespace: str = ""
    digests_only: bool = False
    mirror: bool = False

    def repository(self, name: str) -> str:
        """Return the name of a repository there."""
        return f"{self.prefix}/{name}" if self.prefix else name


@dataclass(frozen=True, slots=True)
class Rule:
    """What is known about one registry."""

    mirrors: tuple[Endpoint, ...] = ()
    plain_http: bool = False
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Rules by host, `docker.io` for Docker's hub; `*` is for all others."""

    rules: Mapping[str, Rule] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def reading(self, host: str, plain_http: bool) -> tuple[Endpoint, ...]:
        """Return where to read from, in order. Raises `Invalid` (`registry_blocked`) when nothing is left."""
        rule = self._rule(host)
        found = [*rule.mirrors]
        if not rule.blocked:
            found.append(self.origin(host, plain_http))
        if not found:
            raise Invalid(
                "registry_blocked",
                f"The registry '{host}' is blocked by the settings.",
                advice="Name a mirror for it, or take 'blocked' away.",
            )
        return tuple(found)

    def origin(self, host: str, plain_http: bool) -> Endpoint:
        """Return the registry itself: where is written to."""
        rule = self._rule(host)
        return Endpoint(HUB_API if host == "docker.io" else host, plain_http=plain_http or rule.plain_http)

    def _rule(self, host: str) -> Rule:
        return self.rules.get(host) or self.rules.get("*") or Rule()


_NAMES: Final = frozenset({"mirrors", "only_digests", "ns", "plain_http", "blocked"})


def parse_mirrors(text: str, origin: str = "the file of registries") -> Mirrors:
    """Read the TOML. `origin` is named in errors. Raises `Invalid` (`mirrors_invalid`)."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(origin, str(error)) from error
    registries = document.pop("registry", {})
    if document or not isinstance(registries, dict):
        raise _wrong(origin, f"'{next(iter(document), 'registry')}' is not known")
    return Mirrors(
        MappingProxyType(
            {_host(host, origin): _parse(host, body, origin) for host, body in registries.items()}
        )
    )


def _host(host: str, origin: str) -> str:
    if host == "*":
        return host
    try:
        return check_host(host)
    except Invalid as error:
        raise _wrong(origin, f"'{host[:100]}' is no host") from error


def _parse(host: str, body: object, origin: str) -> Rule:
    if not isinstance(body, dict) or set(body) - _NAMES:
        raise _wrong(origin, f"'{host[:100]}' has something that is not known")
    mirrors = body.get("mirrors", [])
    if not isinstance(mirrors, list) or not all(isinstance(one, str) for one in mirrors):
        raise _wrong(origin, f"the mirrors of '{host[:100]}' are no list of addresses")
    namespace = host if _flag(body, "ns", host, origin) else ""
    only = _flag(body, "only_digests", host, origin)
    return Rule(
        tuple(_endpoint(one, namespace, only, origin) for one in mirrors),
        _flag(body, "plain_http", host, origin),
        _flag(body, "blocked", host, origin),
    )


def _flag(body: Mapping[str, Any], name: str, host: str, origin: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise _wrong(origin, f"'{name}' of '{host[:100]}' is neither true nor false")
    return value


def _endpoint(text: str, namespace: str, only: bool, origin: str) -> Endpoint:
    url = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(url)
        prefix = parts.path.strip("/")
        host = check_host(parts.netloc)
        if parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
            raise _wrong(origin, f"'{text[:100]}' is no address of a mirror")
        if prefix == "v2":
            prefix = ""
        elif prefix:
            check_repository(prefix)
    except (Invalid, ValueError) as error:
        raise _wrong(origin, f"'{text[:100]}' is no address of a mirror") from error
    return Endpoint(host, prefix, parts.scheme == "http", namespace, only, mirror=True)


def _wrong(origin: str, what: str) -> Invalid:
    return Invalid(
        "mirrors_invalid",
        f"In {origin}, {what}.",
        advice='Write [registry."docker.io"] and below it mirrors = ["https://mirror.example.org"].',
    )
