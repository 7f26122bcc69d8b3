"""Values of accounts: roles, scopes, users, tokens, sessions and the principal who acts. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal, get_args

from ferryman.core.errors import Denied, Invalid
from ferryman.core.ids import is_id

Scope = Literal[
    "downloads:read",
    "downloads:write",
    "depot:read",
    "depot:write",
    "depot:delete",
    "jobs:read",
    "jobs:write",
    "jobs:all",
    "settings:read",
    "settings:write",
    "users:read",
    "users:write",
    "audit:read",
    "metrics:read",
]
SCOPES: Final[tuple[str, ...]] = get_args(Scope)
"""Every scope. `jobs:all` reaches jobs of other users; the others say area and verb."""

_VIEWER = frozenset({"downloads:read", "depot:read", "jobs:read", "metrics:read"})
_MEMBER = _VIEWER | {"downloads:write", "depot:write", "jobs:write"}
_OPERATOR = _MEMBER | {"depot:delete", "jobs:all", "settings:read"}

MIN_PASSWORD: Final = 10
MAX_PASSWORD: Final = 1024
_USER_NAME = re.compile(r"[a-z][a-z0-9._-]{0,63}")
_RESERVED = frozenset({"system", "local", "anonymous"})
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]{1,100}")


class Role(StrEnum):
    """What a user is trusted with; each role may do all that the ones before it may."""

    VIEWER = "viewer"
    MEMBER = "member"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """0 for viewer up to 3 for admin."""
        return list(Role).index(self)


ROLE_SCOPES: Final = {
    Role.VIEWER: _VIEWER,
    Role.MEMBER: _MEMBER,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: frozenset(SCOPES),
}
"""The scopes each role stands for."""


@dataclass(frozen=True, slots=True)
class User:
    """A person or machine with a name. Times are UNIX seconds.

    `temporary_password` says the password was made by Ferryman and should be changed; it works until then.
    """

    id: str
    name: str
    role: Role
    disabled: bool
    temporary_password: bool
    created_at: float
    updated_at: float
    last_login_at: float | None


@dataclass(frozen=True, slots=True)
class Token:
    """An API token without its secret. `hint` is the beginning of the secret, to recognise it by."""

    id: str
    user_id: str
    user_name: str
    name: str
    hint: str
    scopes: frozenset[str]
    created_at: float
    expires_at: float | None
    last_used_at: float | None


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that signed in. `csrf` belongs to this session only and must accompany every change it asks for."""

    id: str
    user_id: str
    csrf: str
    client: str
    created_at: float
    expires_at: float
    seen_at: float


@dataclass(frozen=True, slots=True)
class Proof:
    """What a principal showed, without its secret, so that it can be looked at again.

    `token` is the id of an API token, `password` stands for the password that was right, `until` is when it expires (UNIX
    seconds).
    """

    token: str = ""
    password: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts, and what they may do right now.

    `user_id` is None for a person who acts on the machine itself. `via` tells how they came: `session`,
    `token:<token name>`, `password`, `local`, or `system` for Ferryman itself.
    """

    user_id: str | None
    name: str
    role: Role
    scopes: frozenset[str]
    via: str
    proof: Proof | None = field(default=None, compare=False, repr=False)

    def allows(self, scope: str) -> bool:
        """Tell whether this principal holds `scope`."""
        return scope in self.scopes

    def require(self, scope: str) -> None:
        """Raise `Denied` (`scope_missing`) unless this principal holds `scope`."""
        if scope not in self.scopes:
            raise Denied(
                "scope_missing",
                f"'{self.name}' ({self.role}) lacks the right '{scope}'.",
                advice="Ask an admin for a higher role, or use a token that carries this scope.",
            )

    def reaches(self, owner: str | None) -> bool:
        """Tell whether things of the user with id `owner` are within reach: one's own, or all with `jobs:all`."""
        return "jobs:all" in self.scopes or (owner is not None and owner == self.user_id)


def local_principal(name: str = "local") -> Principal:
    """Return the principal of whoever holds the home folder: they own the database, so they may do everything."""
    return Principal(None, name, Role.ADMIN, ROLE_SCOPES[Role.ADMIN], "local")


def system_principal() -> Principal:
    """Return the principal of what Ferryman does by itself, such as creating the first admin."""
    return Principal(None, "system", Role.ADMIN, ROLE_SCOPES[Role.ADMIN], "system")


def parse_role(text: str) -> Role:
    """Read a role. Raises `Invalid` (`user_role`)."""
    try:
        return Role(text.strip().lower())
    except ValueError as error:
        raise Invalid(
            "user_role",
            f"'{text[:80]}' is not a role.",
            advice=f"Choose one of {', '.join(Role)}.",
            fields={"role": "is not a role"},
        ) from error


def check_user_name(text: str) -> str:
    """Return `text` when it can name a user. Raises `Invalid` (`user_name`)."""
    if not _USER_NAME.fullmatch(text) or text in _RESERVED or is_id(text):
        raise Invalid(
            "user_name",
            f"{text[:80]!r} cannot be a user name.",
            advice="Start with a lower-case letter, then up to 63 lower-case letters, digits, dots, dashes or "
            "underscores; system, local and anonymous are taken.",
            fields={"name": "cannot be a user name"},
        )
    return text


def check_password(password: str, name: str) -> str:
    """Return `password` when it is good enough for the user `name`. Raises `Invalid` (`user_password`).

    Length is what counts (NIST SP 800-63B, section 3.1.1.2): no rules about kinds of characters.
    The message never repeats the password.
    """
    wrong = ""
    if len(password) < MIN_PASSWORD:
        wrong = f"has {len(password)} characters, at least {MIN_PASSWORD} are needed"
    elif len(password) > MAX_PASSWORD:
        wrong = f"has {len(password)} characters, at most {MAX_PASSWORD} are allowed"
    elif len(set(password)) < 4 or password.lower().strip() == name:
        wrong = "is too easy to guess"
    if wrong:
        raise Invalid(
            "user_password",
            f"The password {wrong}.",
            advice="Take a few words that do not belong together.",
            fields={"password": wrong},
        )
    return password


def check_token_name(text: str) -> str:
    """Return the trimmed name of a token. Raises `Invalid` (`token_name`)."""
    name = text.strip()
    if not _PRINTABLE.fullmatch(name):
        raise Invalid(
            "token_name",
            f"{text[:80]!r} cannot name a token.",
            advice="Write 1 to 100 printable characters.",
            fields={"name": "cannot name a token"},
        )
    return name


def check_scopes(scopes: Iterable[str], holder: Principal, role: Role) -> frozenset[str]:
    """Return the scopes of a new token for a user with `role`, asked for by `holder`.

    None may hand out what they do not hold, and no token exceeds its user.
    Raises `Invalid` (`token_scopes`) and `Denied` (`scope_exceeds`).
    """
    wanted = frozenset(scopes)
    unknown = ", ".join(repr(item[:40]) for item in sorted(wanted - set(SCOPES))[:5])
    if unknown or not wanted:
        raise Invalid(
            "token_scopes",
            f"Unknown scope {unknown}." if unknown else "A token needs at least one scope.",
            advice=f"Choose from {', '.join(SCOPES)}.",
            fields={"scopes": f"unknown: {unknown}" if unknown else "is empty"},
        )
    if beyond := sorted(wanted - (ROLE_SCOPES[role] & holder.scopes)):
        raise Denied(
            "scope_exceeds",
            f"A token for a {role} asked for by '{holder.name}' cannot carry {', '.join(beyond)}.",
            advice="Leave these scopes out, or give the user a higher role first.",
        )
    return wanted


def user_to_dict(user: User) -> dict[str, Any]:
    """Return the user as plain values; times stay UNIX seconds."""
    return {
        "id": user.id,
        "name": user.name,
        "role": str(user.role),
        "disabled": user.disabled,
        "temporary_password": user.temporary_password,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "last_login_at": user.last_login_at,
    }


def token_to_dict(token: Token) -> dict[str, Any]:
    """Return the token (never its secret) as plain values; times stay UNIX seconds."""
    return {
        "id": token.id,
        "user_id": token.user_id,
        "user": token.user_name,
        "name": token.name,
        "hint": token.hint,
        "scopes": sorted(token.scopes),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
    }
