"""Who may do what: names with passwords, API tokens, the registry's own tokens, and those who did not sign in."""

import asyncio
import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from ferryman.accounts.model import Principal, local_principal
from ferryman.accounts.passwords import TOKEN_PREFIX
from ferryman.core.access_lines import AccessLine, granted
from ferryman.core.clock import Clock
from ferryman.core.errors import Denied
from ferryman.registry.ports import Action, Decision, Headers
from ferryman.registry.tokens import SERVICE, TokenMaker, Wanted, covers

FRESH_S: Final = 5.0
"""How long a name with a password or an API token is believed without asking, while no account changes."""
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

    @property
    def generation(self) -> Callable[[], int | None]:
        """What returns a number that is another one after every change that takes rights away; None to believe nothing."""
        ...

    async def again(self, principal: Principal) -> Principal | None:
        """Return who that is by now, None when they may come in no more."""
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
class Signed:
    """Who signed in, as they were in `generation` of the accounts."""

    principal: Principal
    generation: int | None


@dataclass(frozen=True, slots=True)
class Known:
    """Whom a header stands for until `until` (monotonic seconds); `access` limits what a token of the registry carries.

    `generation` is that of the accounts when they were looked at: in another one they are looked at again.
    """

    principal: Principal | None
    until: float
    generation: int | None
    access: tuple[Wanted, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Decided:
    decision: Decision
    until: float
    generation: int | None
    policy: Policy


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
        self._decided: dict[tuple[bytes | None, str, Action], _Decided] = {}
        self._asking: dict[tuple[bytes, str], asyncio.Task[Signed | None]] = {}
        self.generation = people.generation

    def known(self, authorization: bytes | None, repository: str, action: Action, /) -> Decision | None:
        """Decide for those who asked a moment ago, and for the absence of credentials where that suffices."""
        key, policy, now = (authorization, repository, action), self._policy(), self._clock.monotonic()
        generation = self.generation() if authorization is not None else 0
        kept = self._decided.get(key)
        if kept is not None and kept.generation == generation and kept.until > now and kept.policy is policy:
            return kept.decision
        decided = self._from_memory(key, policy, now, generation)
        if decided is None:
            return None
        if len(self._decided) >= MOST:
            self._decided.clear()
        self._decided[key] = decided
        return decided.decision

    def _from_memory(
        self, key: tuple[bytes | None, str, Action], policy: Policy, now: float, generation: int | None
    ) -> _Decided | None:
        """Decide by whom a header stood for when it was looked at; only what is allowed is decided so."""
        authorization, repository, action = key
        if authorization is None:
            # A client that finds the door open never signs in: `/v2/` always asks for it.
            if action == "base" or not policy.permits(None, repository, action):
                return None
            return _Decided(Decision(True), now + FRESH_S, generation, policy)
        found = self._known.get(authorization)
        if generation is None or found is None or found.until <= now or found.generation != generation:
            return None
        decision = _decision(found, policy, repository, action)
        return _Decided(decision, found.until, generation, policy) if decision.allowed else None

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
            self._known.pop(header, None)
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

    async def signed_in(self, header: bytes, client: str) -> Signed | None:
        """Return who an `Authorization: Basic` header stands for, None when nobody. Raises `Unavailable`.

        Requests that come together are one attempt: clients open several connections at once.
        """
        key = (header, client)
        task = self._asking.get(key)
        if task is None:
            task = asyncio.ensure_future(self._signed(header, client))
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
        """Return whom a header stands for at this moment; what was looked at in an earlier generation is looked at again."""
        generation, now = self.generation(), self._clock.monotonic()
        kept = self._known.get(header)
        if kept is None or kept.until <= now:
            kept = self._of_token(header)
        if kept is not None:
            found = await self._again(kept, generation)
            if found is not None or kept.access is not None:
                return found
        if _is_bearer(header):
            principal = await self.of_secret(_secret(header))
            return Known(principal, now + FRESH_S, generation) if principal else None
        signed = await self.signed_in(header, client)
        return Known(signed.principal, now + FRESH_S, signed.generation) if signed else None

    async def _again(self, known: Known, generation: int | None) -> Known | None:
        """Return `known` as it is in `generation`, None when its principal may come in no more."""
        principal = known.principal
        if principal is None or (generation is not None and known.generation == generation):
            return known if principal else replace(known, generation=generation)
        now = await self._people.again(principal)
        return replace(known, principal=now, generation=generation) if now else None

    def _of_token(self, header: bytes) -> Known | None:
        """Return what a token of the registry says, None when it is none or is over."""
        if not _is_bearer(header):
            return None
        now = self._clock.now()
        claims = self._tokens.read(_secret(header), now)
        if claims is None:
            return None
        until = self._clock.monotonic() + claims.until - now
        return Known(claims.principal, until, claims.generation, claims.access)

    async def _signed(self, header: bytes, client: str) -> Signed | None:
        name, secret = basic_of(header)
        generation = self.generation()
        principal = await self.of_password(name, secret, client)
        return Signed(principal, generation) if principal else None


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


def _secret(header: bytes) -> str:
    return header.partition(b" ")[2].strip().decode("latin-1")


def _is_bearer(header: bytes) -> bool:
    return header[:7].lower() == b"bearer "


def _header(headers: Headers, wanted: bytes) -> bytes:
    return next((value for name, value in headers if name == wanted), b"")


def _decision(found: Known, policy: Policy, repository: str, action: Action) -> Decision:
    principal = found.principal
    who = principal.name if principal else "anonymous"
    if action == "base":
        return Decision(True, who)
    if found.access is not None and not covers(found.access, repository, action):
        return Decision(False, who, message=f"The token is not for '{action}' here.")
    if not policy.permits(principal, repository, action):
        return Decision(False, who, message=f"'{who}' may not {action} here.")
    if action == "catalog" and policy.lines:
        return Decision(True, who, visible=lambda name: policy.permits(principal, name, "pull"))
    return Decision(True, who, principal=principal)
