"""Who may do what in which repository, and which registries are upstream: lines as people write them. Pure.

Lines end with a line break or a semicolon; what is behind `#` is a comment.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import urlsplit

from ferryman.core.errors import Invalid

ROLES: Final = ("anonymous", "viewer", "member", "operator", "admin")
"""Whom a line can name, the least trusted first; `anonymous` did not sign in."""
ACTIONS: Final = ("pull", "push", "delete")
MOST: Final = 200
"""Lines at most."""
_PATTERN: Final = re.compile(r"[a-z0-9._/:*?\-]{1,255}")
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.\-]{0,252}[a-z0-9])?(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class AccessLine:
    """From `rank` (the place in `ROLES`) on, `actions` are permitted in repositories that match `pattern`."""

    pattern: str
    rank: int
    actions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Upstream:
    """A registry that is asked for what is not here: `name` begins the repositories, `host` is where it answers."""

    name: str
    host: str
    plain_http: bool


def parse_access(text: str) -> tuple[AccessLine, ...]:
    """Read lines `PATTERN ROLE ACTION,ACTION`. Raises `Invalid` (`access_line_invalid`)."""
    return tuple(_access(line) for line in _lines(text, "access_line_invalid"))


def granted(lines: tuple[AccessLine, ...], repository: str, rank: int) -> frozenset[str] | None:
    """Return what the lines permit to a role in a repository; None when no line is about the repository."""
    matching = [line for line in lines if fnmatchcase(repository, line.pattern)]
    if not matching:
        return None
    return frozenset(action for line in matching if line.rank <= rank for action in line.actions)


def parse_upstreams(text: str) -> tuple[Upstream, ...]:
    """Read lines `NAME = URL`. Raises `Invalid` (`upstream_invalid`)."""
    found = tuple(_upstream(line) for line in _lines(text, "upstream_invalid"))
    names = [one.name for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Invalid(
            "upstream_invalid", f"The upstream '{twice[0]}' is there twice.", advice="Keep one line for it."
        )
    return found


def _lines(text: str, code: str) -> Iterator[str]:
    found = [line.partition("#")[0].strip() for line in re.split(r"[\n;]", text)]
    found = [line for line in found if line]
    if len(found) > MOST:
        raise Invalid(code, f"{len(found)} lines are too many.", advice=f"Write at most {MOST}.")
    yield from found


def _access(line: str) -> AccessLine:
    words = line.split()
    actions = words[2].split(",") if len(words) == 3 else []
    right = (
        len(words) == 3
        and _PATTERN.fullmatch(words[0])
        and words[1] in ROLES
        and set(actions) <= {*ACTIONS, "none"}
    )
    if not right or (words[1] == "anonymous" and not set(actions) <= {"pull", "none"}):
        raise Invalid(
            "access_line_invalid",
            f"'{line[:200]}' is no line of access.",
            advice="Write PATTERN ROLE ACTIONS, such as 'team/* member pull,push'; roles are "
            f"{', '.join(ROLES)}, actions pull, push, delete or none; anonymous can only pull.",
        )
    return AccessLine(words[0], ROLES.index(words[1]), frozenset(actions) - {"none"})


def _upstream(line: str) -> Upstream:
    name, _, url = (part.strip() for part in line.partition("="))
    try:
        parts = urlsplit(url)
        host, _port = parts.netloc.lower(), parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    plain = parts.scheme == "http"
    right = (plain or parts.scheme == "https") and parts.path in {"", "/"} and not parts.query
    if not (right and host and "@" not in host and is_upstream_name(name)):
        raise Invalid(
            "upstream_invalid",
            f"'{line[:200]}' is no upstream.",
            advice="Write NAME = URL, such as 'docker.io = https://registry-1.docker.io': a host name, and an "
            "address without a path or credentials.",
        )
    return Upstream(name, host, plain)


def is_upstream_name(name: str) -> bool:
    """Tell whether a name is one that hosts have, so that it cannot hide what is pushed."""
    known = name.startswith("localhost") or "." in name or ":" in name
    return known and _HOST.fullmatch(name) is not None
