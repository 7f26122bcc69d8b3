"""Builds the registry of this home: the depot over the distribution protocol at `/v2/`."""

from collections.abc import Callable
from pathlib import Path

from ferryman.core.clock import Clock
from ferryman.core.live import Live
from ferryman.core.settings import Settings
from ferryman.core.units import parse_size
from ferryman.depot.service import Depot
from ferryman.registry.app import Registry
from ferryman.registry.ports import Access, Rules


def registry_of(
    depot: Depot,
    access: Access,
    home: Path,
    *,
    live: Live,
    clock: Clock,
    count: Callable[[str, int], None],
) -> Registry:
    """Serve `depot` to those whom `access` lets in; a change of settings holds for the next request."""
    held = [rules_of(live.now())]

    def follow(settings: Settings) -> None:
        held[0] = rules_of(settings)

    live.subscribe(follow)
    return Registry(depot, access, folder=home / "uploads", clock=clock, rules=lambda: held[0], count=count)


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
