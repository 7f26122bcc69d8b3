"""Tokens that the registry gives out itself: signed, for a few minutes, for what was asked for. Pure but for the key.

They are JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256, as docs.docker.com "Token Authentication Specification" has
them. Only this registry reads them, so that the signature needs no certificate.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from ferryman.accounts.model import SCOPES, Principal, Proof, Role
from ferryman.core.errors import FerryError
from ferryman.oci.reference import check_repository

LIFETIME_S: Final = 300
SERVICE: Final = "ferryman"
MOST_SCOPES: Final = 50
MOST_LENGTH: Final = 16_384
ACTIONS: Final = frozenset({"pull", "push", "delete"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a scope asks for; `repository` is empty for the catalog."""

    repository: str
    actions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: who, until when (UNIX seconds), and what of their rights it carries. `principal` None is anonymous.

    `generation` is that of the accounts when `principal` was looked at.
    """

    principal: Principal | None
    until: float
    access: tuple[Wanted, ...]
    generation: int | None = None


class TokenMaker:
    """Makes and reads tokens with a key that is never stored: a restart ends all of them, and clients fetch new ones."""

    def __init__(self, key: bytes | None = None) -> None:
        """Sign with `key`, 32 random bytes when none is given."""
        self._key = key or secrets.token_bytes(32)

    def make(
        self,
        principal: Principal | None,
        access: Iterable[Wanted],
        now: float,
        generation: int | None = None,
    ) -> str:
        """Return a token for `principal`, as looked at in `generation`, from `now` on for `lifetime_of` seconds."""
        who = principal and [
            principal.user_id,
            principal.name,
            str(principal.role),
            sorted(principal.scopes),
            principal.via,
            principal.proof and [principal.proof.token, principal.proof.password, principal.proof.until],
        ]
        body = {
            "iss": SERVICE,
            "aud": SERVICE,
            "sub": principal.name if principal else "",
            "iat": int(now),
            "exp": int(now) + lifetime_of(principal, now),
            "jti": secrets.token_hex(8),
            "who": who,
            "gen": generation,
            "access": [[one.repository, sorted(one.actions)] for one in access],
        }
        text = f"{_HEAD}.{_coded(json.dumps(body).encode())}"
        return f"{text}.{_coded(self._signed(text))}"

    def read(self, token: str, now: float) -> Claims | None:
        """Return what a token says; None unless it was made here and is still good."""
        text, _, signature = token.rpartition(".")
        head, _, body = text.partition(".")
        if len(token) > MOST_LENGTH or head != _HEAD or not token.isascii():
            return None
        if not hmac.compare_digest(signature, _coded(self._signed(text))):
            return None
        try:
            said = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        except (binascii.Error, ValueError):
            return None
        return _claims(said) if said["exp"] > now else None

    def _signed(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(), hashlib.sha256)


def lifetime_of(principal: Principal | None, now: float) -> int:
    """Return how many seconds a token lives: no longer than the API token it was traded for. Pure."""
    until = principal.proof.until if principal and principal.proof else None
    return LIFETIME_S if until is None else max(1, min(LIFETIME_S, int(until - now)))


def parse_scopes(texts: Iterable[str]) -> tuple[Wanted, ...]:
    """Read scopes such as `repository:team/app:pull,push`; what is none is left out, as the specification asks. Pure."""
    found: list[Wanted] = []
    for text in [part for given in texts for part in given.split()][:MOST_SCOPES]:
        kind, _, rest = text.partition(":")
        name, _, actions = rest.rpartition(":")
        wanted = frozenset(actions.split(","))
        if kind == "registry" and name == "catalog":
            found.append(Wanted("", frozenset({"catalog"})))
        elif kind.partition("(")[0] == "repository" and (ACTIONS & wanted or "*" in wanted):
            try:
                check_repository(name)
            except FerryError:
                continue
            found.append(Wanted(name, ACTIONS if "*" in wanted else ACTIONS & wanted))
    return tuple(found)


def covers(access: Iterable[Wanted], repository: str, action: str) -> bool:
    """Tell whether a token's access has `action` on `repository`.

    Clients ask for the name they know: what the depot keeps below the name of a host may be asked for without it. Pure.
    """
    names = {repository}
    host, _, rest = repository.partition("/")
    if action == "pull" and rest and ("." in host or ":" in host or host == "localhost"):
        names |= {rest, rest.removeprefix("library/")}
    return any(action in one.actions and one.repository in names for one in access)


def _claims(said: dict[str, Any]) -> Claims:
    """Read claims whose signature was right."""
    who = said["who"]
    access = tuple(Wanted(name, frozenset(actions)) for name, actions in said["access"])
    return Claims(_principal(*who) if who else None, float(said["exp"]), access, said["gen"])


def _principal(
    user_id: str | None, name: str, role: str, scopes: list[str], via: str, proof: list[Any] | None
) -> Principal:
    held = frozenset(scopes) & frozenset(SCOPES)
    return Principal(user_id, name, Role(role), held, via, Proof(*proof) if proof else None)


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


_HEAD: Final = _coded(b'{"alg":"HS256","typ":"JWT"}')
