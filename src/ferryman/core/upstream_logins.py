"""Who we are at upstream registries: lines `NAME = USER:PASSWORD`, as people write them. Pure.

Lines end with a line break, or with a semicolon before the next `NAME =`: passwords may have semicolons. Messages never
have a password.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ferryman.core.access_lines import is_upstream_name
from ferryman.core.errors import Invalid

HIDDEN: Final = "***"
"""Stands for a password: shown in its place, and typed to keep the one that is there."""
MOST: Final = 200
"""Lines at most."""
_BETWEEN: Final = re.compile(r"[\r\n]+|;(?=[ \t]*[A-Za-z0-9.:\-]{1,260}[ \t]*=)")


@dataclass(frozen=True, slots=True)
class UpstreamLogin:
    """A user of a registry."""

    user: str
    password: str = field(repr=False)


def parse_logins(text: str) -> Mapping[str, UpstreamLogin]:
    """Return logins by the name of their upstream. Raises `Invalid` (`upstream_login_invalid`)."""
    found: dict[str, UpstreamLogin] = {}
    for number, (name, login) in enumerate(_read(text), 1):
        if not is_upstream_name(name) or not login.user or not login.password:
            raise _wrong(
                f"Login {number} is none.",
                "Write NAME = USER:PASSWORD, such as 'docker.io = ferry:secret', with the name the upstream has",
            )
        if login.password == HIDDEN:
            raise _wrong(f"The password of {login.user[:80]} at {name} is not known.", "Type it")
        if name in found:
            raise _wrong(f"There are two logins for {name}.", "Keep one line for it")
        found[name] = login
    if len(found) > MOST:
        raise _wrong(f"{len(found)} logins are too many.", f"Write at most {MOST}")
    return found


def hidden_logins(text: str) -> str:
    """Return the logins without their passwords."""
    return "; ".join(f"{name} = {login.user}:{HIDDEN}" for name, login in _read(text))


def kept_logins(text: str, before: str) -> str:
    """Return `text` with the passwords of `before` where it has `***` for the same user of the same upstream."""
    earlier = dict(_read(before))
    lines = []
    for name, login in _read(text):
        known = earlier.get(name)
        same = login.password == HIDDEN and known is not None and known.user == login.user
        password = known.password if same and known else login.password
        lines.append(f"{name} = {login.user}:{password}")
    return "\n".join(lines)


def _read(text: str) -> Iterator[tuple[str, UpstreamLogin]]:
    """Yield what lines say, right or not."""
    for line in _BETWEEN.split(text):
        if not line.strip():
            continue
        name, _, rest = line.partition("=")
        user, _, password = rest.strip().partition(":")
        yield name.strip().lower(), UpstreamLogin(user.strip(), password)


def _wrong(message: str, advice: str) -> Invalid:
    return Invalid("upstream_login_invalid", message, advice=f"{advice}.")
