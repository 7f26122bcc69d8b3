"""Builds the registry of this home: the depot over the distribution protocol at `/v2/`."""

import os
from collections.abc import Callable
from pathlib import Path

from ferryman.core.access_lines import Upstream, parse_access, parse_upstreams
from ferryman.core.clock import Clock
from ferryman.core.live import Live
from ferryman.core.settings import Settings
from ferryman.core.units import parse_size
from ferryman.core.upstream_logins import parse_logins
from ferryman.depot.service import Depot
from ferryman.oci.authfile import AuthFiles
from ferryman.oci.options import Login, RegistryOptions
from ferryman.registry.access import People, Policy, RegistryAccess
from ferryman.registry.app import Registry
from ferryman.registry.door import PATH, TokenDoor
from ferryman.registry.ollama import Models
from ferryman.registry.ports import Record, Rules
from ferryman.registry.tokens import TokenMaker
from ferryman.registry.upstream import PullThrough
from ferryman.transfer.policy import AddressPolicy


def registry_of(
    depot: Depot,
    people: People,
    home: Path,
    *,
    live: Live,
    clock: Clock,
    count: Callable[[str, int], None],
    local_token: Callable[[], str | None],
    record: Record,
) -> Registry:
    """Serve `depot` to those whom the settings let in; a change of settings holds for the next request.

    Deletions are written down by `record`.
    """
    rules, policy = [rules_of(live.now())], [policy_of(live.now())]
    ups = [parse_upstreams(live.now().registry_upstreams)]
    tokens = TokenMaker()
    access = RegistryAccess(people, clock, tokens, policy=lambda: policy[0], local_token=local_token)
    through = PullThrough(
        depot,
        clock,
        upstreams=lambda: ups[0],
        options=lambda upstream: options_of(upstream, home, live),
        fresh_s=lambda: float(live.now().registry_fresh_seconds),
    )
    registry = Registry(
        depot,
        access,
        folder=home / "uploads",
        clock=clock,
        upstreams=Models(depot, through),
        rules=lambda: rules[0],
        doors={PATH: TokenDoor(access, tokens, clock)},
        count=count,
        closing=through.close,
        record=record,
    )

    def follow(settings: Settings) -> None:
        rules[0], policy[0] = rules_of(settings), policy_of(settings)
        before, ups[0] = ups[0], parse_upstreams(settings.registry_upstreams)
        if ups[0] != before:
            registry.forget()

    live.subscribe(follow)
    return registry


def rules_of(settings: Settings) -> Rules:
    """Return what the settings permit."""
    patterns = settings.registry_immutable.split(",")
    return Rules(
        read_only=settings.registry_read_only,
        delete=settings.registry_delete,
        immutable=tuple(pattern.strip() for pattern in patterns if pattern.strip()),
        largest_upload=parse_size(settings.registry_largest),
        upload_hours=float(settings.registry_upload_hours),
        sparse=settings.registry_sparse,
    )


def policy_of(settings: Settings) -> Policy:
    """Return who the settings say may do what."""
    return Policy(settings.registry_anonymous, parse_access(settings.registry_access))


class Addresses:
    """The address policy of upstreams, asked anew each time: who sets them is an admin, so only `deny` forbids."""

    def __init__(self, live: Live) -> None:
        """Follow the setting `private_addresses`."""
        self._live = live

    def check(self, ip: str, host: str = "") -> None:
        """Return when the address may be connected to. Raises `Denied` (`address_refused`)."""
        self._now().check(ip, host)

    def check_host(self, host: str) -> None:
        """Judge a host that a proxy resolves. Raises `Denied` (`address_refused`)."""
        self._now().check_host(host)

    def _now(self) -> AddressPolicy:
        return AddressPolicy(private=self._live.now().private_addresses != "deny")


def options_of(upstream: Upstream, home: Path, live: Live) -> RegistryOptions:
    """Return how to talk to an upstream: as whom the settings, else `auth.json` of the home, else the files of Docker and Podman say."""

    def login(name: str) -> Login | None:
        given = parse_logins(live.now().registry_logins).get(upstream.name)
        if given is not None:
            return Login(given.user, given.password)
        own = home / "auth.json"
        files = AuthFiles(os.environ, Path.home(), file=own if own.exists() else None)
        rest = name.partition("/")[2]
        return files.login(f"{upstream.name}/{rest}") or files.login(name)

    return RegistryOptions(
        plain_http=upstream.plain_http,
        logins=login,
        allow=Addresses(live),
        connect_timeout=5.0,
        retries=2,
    )
