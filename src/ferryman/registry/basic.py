"""Access by API tokens: as the password of HTTP basic authentication, or as a bearer token."""

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from ferryman.accounts.model import Principal, local_principal
from ferryman.core.clock import Clock
from ferryman.registry.ports import Action, Decision, Headers

FRESH_S: Final = 5.0
"""How long a token that was right is believed without asking: a revoked one is refused after that."""
MOST: Final = 1000
CHALLENGE: Final = b'Basic realm="Ferryman", charset="UTF-8"'
RIGHTS: Final[dict[Action, str | None]] = {
    "base": None,
    "pull": "depot:read",
    "catalog": "depot:read",
    "push": "depot:write",
    "delete": "depot:delete",
}


class Tokens(Protocol):
    """Who knows tokens."""

    async def principal_of_token(self, secret: str) -> Principal | None:
        """Return whom the API token stands for."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """Whom a header stood for, and until when (monotonic seconds) that is believed."""

    principal: Principal
    until: float


class BasicAccess:
    """Everyone with a token and `depot:read` pulls, with `depot:write` pushes, with `depot:delete` deletes. For one loop."""

    def __init__(self, tokens: Tokens, clock: Clock, local_token: Callable[[], str | None]) -> None:
        """Ask `tokens`; also accept the local token, which only the owner of the home folder can read."""
        self._tokens = tokens
        self._clock = clock
        self._local = local_token
        self._known: dict[bytes, Known] = {}

    def known(self, authorization: bytes | None, repository: str, action: Action, /) -> Decision | None:
        """Decide for those who asked a moment ago."""
        del repository
        if authorization is None:
            return Decision(False, challenge=CHALLENGE, message="Sign in with an API token as the password.")
        found = self._known.get(authorization)
        if found is None or found.until < self._clock.monotonic():
            return None
        return _decision(found.principal, action)

    async def decide(
        self, headers: Headers, repository: str, action: Action, /, *, client: str = ""
    ) -> Decision:
        """Decide after looking at the token."""
        del repository, client
        header = next((value for name, value in headers if name == b"authorization"), b"")
        principal = await self._principal(secret_of(header.decode("latin-1")))
        if principal is None:
            return Decision(False, challenge=CHALLENGE, message="The token is unknown, expired or revoked.")
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[header] = Known(principal, self._clock.monotonic() + FRESH_S)
        return _decision(principal, action)

    async def _principal(self, secret: str) -> Principal | None:
        local = self._local()
        if local and hmac.compare_digest(secret.encode(), local.encode()):
            return local_principal()
        return await self._tokens.principal_of_token(secret) if secret else None


def secret_of(header: str) -> str:
    """Return the token in an `Authorization` header, empty when there is none. Pure."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _decision(principal: Principal, action: Action) -> Decision:
    right = RIGHTS[action]
    if right is None or principal.allows(right):
        return Decision(True, principal.name)
    return Decision(False, principal.name, message=f"'{principal.name}' lacks the right '{right}'.")
