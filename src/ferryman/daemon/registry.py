"""Builds the registry of this home: the depot over the distribution protocol at `/v2/`."""

from collections.abc import Callable
from pathlib import Path

from ferryman.core.access_lines import parse_access
from ferryman.core.clock import Clock
from ferryman.core.live import Live
from ferryman.core.settings import Settings
from ferryman.core.units import parse_size
from ferryman.depot.service import Depot
from ferryman.registry.access import People, Policy, RegistryAccess
from ferryman.registry.app import Registry
from ferryman.registry.door import PATH, TokenDoor
from ferryman.registry.ollama import Models
from ferryman.registry.ports import Rules
from ferryman.registry.tokens import TokenMaker


def registry_of(
    depot: Depot,
    people: People,
    home: Path,
    *,
    live: Live,
    clock: Clock,
    count: Callable[[str, int], None],
    local_token: Callable[[], str | None],
) -> Registry:
    """Serve `depot` to those whom the settings let in; a change of settings holds for the next request."""
    rules, policy = [rules_of(live.now())], [policy_of(live.now())]

    def follow(settings: Settings) -> None:
        rules[0], policy[0] = rules_of(settings), policy_of(settings)

    live.subscribe(follow)
    tokens = TokenMaker()
    access = RegistryAccess(people, clock, tokens, policy=lambda: policy[0], local_token=local_token)
    return Registry(
        depot,
        access,
        folder=home / "uploads",
        clock=clock,
        upstreams=Models(depot),
        rules=lambda: rules[0],
        doors={PATH: TokenDoor(access, tokens, clock)},
        count=count,
    )


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
