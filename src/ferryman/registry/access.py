"""Who may do what: names with passwords, API tokens, the registry's own tokens, and those who did not sign in."""

import asyncio
import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from ferryman.accounts.model import Principal, local_principal
from ferryman.accounts.passwords import TOKEN_PREFIX
from ferryman.core.access_lines import AccessLine, granted
from ferryman.core.clock import Clock
from ferryman.core.errors import Denied
from ferryman.registry.ports import Action, Decision, Headers
from ferryman.registry.tokens import SERVICE, Claims, TokenMaker, Wanted, covers

FRESH_S: Final = 5.0
"""How long what was right is believed without asking: what was revoked or disabled is refused after that."""
MOST: Final = 5000
"""Decisions and headers that are remembered, each."""
RIGHTS: Final[dict[Action, str | None]] = {
    "base": None,
    "pull": "depot:read",
    "catalog": "depot:read",
    "push": "depot:write",
    "delete": "depot:delete",
}
_REPOSITORY: Final = frozenset({"pull", "push", "delete"})


class People(Protocol):
    """Who knows names, passwords and API tokens."""

    async def principal_of_token(self, secret: str) -> Principal | None:
        """Return whom the API token stands for."""
        ...

    async def principal_of_password(self, name: str, password: str, client: str) -> Principal:
        """Return who signs in. Raises `Denied` (`login_failed`), `Unavailable` (`login_throttled`)."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings say: `lines` decide for the repositories they match, rights of roles for all others."""

    anonymous: bool = False
    lines: tuple[AccessLine, ...] = ()

    def permits(self, principal: Principal | None, repository: str, action: Action) -> bool:
        """Tell whether `principal` (None: not signed in) may do `action`. Pure."""
        right = RIGHTS[action]
        if principal is None:
            return self.anonymous and action in {"pull", "base"} and self._anonymous(repository, action)
        if right is None:
            return True
        lined = self._lined(principal.role.rank + 1, repository, action)
        if lined is None:
            return principal.allows(right)
        # A token never exceeds what it was made for; a person has what the lines say.
        return lined and (not principal.via.startswith("token:") or principal.allows(right))

    def _anonymous(self, repository: str, action: Action) -> bool:
        return self._lined(0, repository, action) is not False

    def _lined(self, rank: int, repository: str, action: Action) -> bool | None:
        if not self.lines or action not in _REPOSITORY:
            return None
        found = granted(self.lines, repository, rank)
        return None if found is None else action in found


@dataclass(frozen=True, slots=True)
class Known:
    """Whom a header stands for until `until` (monotonic seconds); `access` limits what a token of the registry carries."""

    principal: Principal | None
    until: float
    access: tuple[Wanted, ...] | None = None


class RegistryAccess:
    """Implements `registry.ports.Access`. For one event loop."""

    def __init__(
        self,
        people: People,
        clock: Clock,
        tokens: TokenMaker,
        *,
        policy: Callable[[], Policy] = Policy,
        local_token: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Ask `people`; also accept the local token, which only the owner of the home folder can read."""
        self._people, self._clock, self._tokens = people, clock, tokens
        self._policy, self._local = policy, local_token
        self._known: dict[bytes, Known] = {}
        self._decided: dict[tuple[bytes | None, str, Action], tuple[Decision, float, Policy]] = {}
        self._asking: dict[tuple[bytes, str], asyncio.Task[Principal | None]] = {}

    def known(self, authorization: bytes | None, repository: str, action: Action, /) -> Decision | None:
        """Decide for those who asked a moment ago, and for the absence of credentials where that suffices."""
        key, policy, now = (authorization, repository, action), self._policy(), self._clock.monotonic()
        kept = self._decided.get(key)
        if kept is not None and kept[1] > now and kept[2] is policy:
            return kept[0]
        if authorization is None:
            # A client that finds the door open never signs in: `/v2/` always asks for it.
            if action == "base" or not policy.permits(None, repository, action):
                return None
            return self._keep(key, Decision(True), now + FRESH_S, policy)
        found = self._known.get(authorization)
        if found is None or found.until <= now:
            return None
        decision = _decision(found, policy, repository, action)
        return self._keep(key, decision, found.until, policy) if decision.allowed else None

    async def decide(
        self, headers: Headers, repository: str, action: Action, /, *, client: str = ""
    ) -> Decision:
        """Decide after looking at passwords and tokens. Raises `Unavailable` (`login_throttled`)."""
        header = _header(headers, b"authorization")
        challenge = challenge_of(headers, repository, action)
        if not header:
            return Decision(False, challenge=challenge, message="Sign in first.")
        found = await self._look(header, client)
        if found is None:
            wrong = challenge + (b',error="invalid_token"' if _is_bearer(header) else b"")
            return Decision(
                False, challenge=wrong, message="The name, password or token is wrong, expired or revoked."
            )
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[header] = found
        decision = _decision(found, self._policy(), repository, action)
        if decision.allowed or found.access is None:
            return decision
        more = challenge + b',error="insufficient_scope"'
        return Decision(False, decision.who, challenge=more, message=decision.message)

    async def signed_in(self, header: bytes, client: str) -> Principal | None:
        """Return who an `Authorization: Basic` header stands for, None when nobody. Raises `Unavailable`.

        Requests that come together are one attempt: clients open several connections at once.
        """
        key = (header, client)
        task = self._asking.get(key)
        if task is None:
            task = asyncio.ensure_future(self._principal(header, client))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def of_secret(self, secret: str) -> Principal | None:
        """Return whom an API token or the local token stands for."""
        local = self._local()
        if local and hmac.compare_digest(secret.encode(), local.encode()):
            return local_principal()
        return await self._people.principal_of_token(secret) if secret else None

    async def of_password(self, name: str, secret: str, client: str) -> Principal | None:
        """Return whom a name and a password or API token stand for. Raises `Unavailable` (`login_throttled`)."""
        found = await self.of_secret(secret)
        if found is not None or not name or not secret or secret.startswith(TOKEN_PREFIX):
            return found
        try:
            return await self._people.principal_of_password(name, secret, client)
        except Denied:
            return None

    def permits(self, principal: Principal | None, repository: str, action: Action) -> bool:
        """Tell what the settings and roles say at this moment."""
        return self._policy().permits(principal, repository, action)

    @property
    def anonymous(self) -> bool:
        """Whether somebody who did not sign in may pull anything."""
        return self._policy().anonymous

    async def _look(self, header: bytes, client: str) -> Known | None:
        now = self._clock.monotonic()
        kept = self._known.get(header)
        if kept is not None and kept.until > now:
            return kept
        if _is_bearer(header):
            secret = header.partition(b" ")[2].strip().decode("latin-1")
            claims = self._tokens.read(secret, self._clock.now())
            if claims is not None:
                return self._of_claims(claims)
            principal = await self.of_secret(secret)
        else:
            principal = await self.signed_in(header, client)
        return Known(principal, now + FRESH_S) if principal else None

    def _of_claims(self, claims: Claims) -> Known:
        left = claims.until - self._clock.now()
        return Known(claims.principal, self._clock.monotonic() + left, claims.access)

    async def _principal(self, header: bytes, client: str) -> Principal | None:
        name, secret = basic_of(header)
        return await self.of_password(name, secret, client)

    def _keep(
        self, key: tuple[bytes | None, str, Action], decision: Decision, until: float, policy: Policy
    ) -> Decision:
        if len(self._decided) >= MOST:
            self._decided.clear()
        self._decided[key] = (decision, until, policy)
        return decision


def challenge_of(headers: Headers, repository: str, action: Action) -> bytes:
    """Return the challenge: where a token is had, and for what (RFC 6750 section 3). Pure.

    The address is that of the request; behind a proxy that speaks TLS, `X-Forwarded-Proto` says so.
    """
    host = _header(headers, b"host")
    if not host or any(byte in b'"\\ ,' or byte < 33 for byte in host):
        host = b"localhost"
    scheme = b"https" if _header(headers, b"x-forwarded-proto") == b"https" else b"http"
    scope = {
        "base": "",
        "catalog": "registry:catalog:*",
        "push": f"repository:{repository}:pull,push",
    }.get(action, f"repository:{repository}:{action}")
    line = b'Bearer realm="%s://%s/v2/token",service="%s"' % (scheme, host, SERVICE.encode())
    return line + (b',scope="%s"' % scope.encode() if scope else b"")


def basic_of(header: bytes) -> tuple[str, str]:
    """Return name and password of an `Authorization: Basic` header, both empty when it is none. Pure."""
    scheme, _, rest = header.partition(b" ")
    if scheme.lower() != b"basic":
        return "", ""
    try:
        name, _, secret = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def _is_bearer(header: bytes) -> bool:
    return header[:7].lower() == b"bearer "


def _header(headers: Headers, wanted: bytes) -> bytes:
    return next((value for name, value in headers if name == wanted), b"")


def _decision(found: Known, policy: Policy, repository: str, action: Action) -> Decision:
    who = found.principal.name if found.principal else "anonymous"
    if action == "base":
        return Decision(True, who)
    if found.access is not None and not covers(found.access, repository, action):
        return Decision(False, who, message=f"The token is not for '{action}' here.")
    if not policy.permits(found.principal, repository, action):
        return Decision(False, who, message=f"'{who}' may not {action} here.")
    if action == "catalog" and policy.lines:
        return Decision(True, who, visible=lambda name: policy.permits(found.principal, name, "pull"))
    return Decision(True, who)
