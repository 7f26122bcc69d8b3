"""Who may do what at a registry: challenges (RFC 9110 section 11.6), and the scopes of bearer tokens. Pure; hostile."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME: Final = re.compile(rf"\s*,?\s*({_WORD})(?:\s+|$|(?=,))")
_PARAMETER: Final = re.compile(rf'\s*,?\s*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))\s*')


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a registry wants to see: the scheme in lower case and its parameters."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def realm(self) -> str:
        """Where tokens are given out."""
        return self.parameters.get("realm", "")

    @property
    def service(self) -> str:
        """For which service."""
        return self.parameters.get("service", "")

    @property
    def scopes(self) -> frozenset[str]:
        """What has to be allowed, as the registry writes it."""
        return frozenset(self.parameters.get("scope", "").split())


def pull_scope(repository: str) -> str:
    """What reading a repository needs."""
    return f"repository:{repository}:pull"


def push_scope(repository: str) -> str:
    """What writing to a repository needs."""
    return f"repository:{repository}:pull,push"


def delete_scope(repository: str) -> str:
    """What deleting from a repository needs."""
    return f"repository:{repository}:delete,pull"


CATALOG_SCOPE: Final = "registry:catalog:*"


def parse_challenges(value: str) -> list[Challenge]:
    """Read the value of WWW-Authenticate, several joined by commas; what cannot be read ends the list."""
    found: list[Challenge] = []
    at = 0
    while at < len(value) and (scheme := _SCHEME.match(value, at)):
        at, parameters = scheme.end(), dict[str, str]()
        while parameter := _PARAMETER.match(value, at):
            name, quoted, bare = parameter.groups()
            parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if bare is None else bare)
            at = parameter.end()
        found.append(Challenge(scheme[1].lower(), parameters))
    return found


def join_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Join scopes of the same thing: their actions are united, sorted, each thing once."""
    actions: dict[str, set[str]] = {}
    for scope in scopes:
        thing, _, wanted = scope.rpartition(":")
        actions.setdefault(thing or scope, set()).update(part for part in wanted.split(",") if part)
    return tuple(f"{thing}:{','.join(sorted(wanted))}" for thing, wanted in sorted(actions.items()))
