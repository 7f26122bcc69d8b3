"""What the origin of content says about bringing it again. Pure.

Origins that are locations (`docker://HOST/REPOSITORY`, `oci:FOLDER`, `containerd:NAMESPACE/NAME`…) and volumes of bundles
(`bundle:/PATH`) can be asked again. Others (`push:USER`, `bundle:NAME/ID`, `import:NAME`) only tell who has to act.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ferryman.core.errors import FerryError
from ferryman.depot.model import Origin
from ferryman.oci.location import Location, Transport, parse_location

MOST: Final = 8
"""Places that are tried for one blob."""
_BUNDLE: Final = "bundle:"


def volume_origin(path: Path) -> str:
    """Return the origin of what a volume of a bundle holds."""
    return f"{_BUNDLE}{path.absolute()}"


def volumes_of(origins: Iterable[Origin]) -> list[Path]:
    """Return the volumes of bundles among `origins`."""
    start = f"{_BUNDLE}/"
    found = (one.source.removeprefix(_BUNDLE) for one in origins if one.source.startswith(start))
    return [Path(text) for text in dict.fromkeys(found)]


def locations_of(origins: Sequence[Origin], repositories: Iterable[str]) -> list[Location]:
    """Return where content can be asked for again: its origins, then what `repositories` of the depot are named after."""
    named = [f"docker://{name}" for name in repositories if is_hosted(name)]
    found: dict[str, Location] = {}
    for text in [*(one.source for one in origins), *named]:
        location = location_of(text)
        if location is not None:
            found.setdefault(_key(location), location)
    return list(found.values())[:MOST]


def location_of(text: str) -> Location | None:
    """Return the location an origin is, None for another origin."""
    try:
        location = parse_location(text)
    except FerryError:
        return None
    return None if location.transport is Transport.DEPOT else location


def _key(location: Location) -> str:
    """What equal places have in common: of a registry, the repository without a tag."""
    if location.transport is Transport.DOCKER and location.reference:
        return f"{location.reference.host}/{location.reference.repository}"
    return str(location)


def is_hosted(repository: str) -> bool:
    """Whether a repository of the depot is named after a registry, as `quay.io/team/app` is."""
    first, slash, _ = repository.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")


def who_has_to_act(origins: Iterable[Origin]) -> list[str]:
    """Return in words what repairs content that nobody can be asked for."""
    found: dict[str, None] = {}
    for origin in origins:
        kind, _, rest = origin.source.partition(":")
        day = datetime.fromtimestamp(origin.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        if kind == "push":
            found[f"{rest} pushed it on {day}: a push of the same image repairs it."] = None
        elif kind == "bundle" and not rest.startswith("/"):
            found[f"It came with the bundle {rest} on {day}: to load it again repairs it."] = None
        elif kind == "import":
            found[f"It was imported from {rest} on {day}: to import it again repairs it."] = None
    return list(found)
