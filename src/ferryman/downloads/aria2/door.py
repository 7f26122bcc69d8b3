"""Who calls over JSON-RPC: an API token as first parameter (`token:SECRET`) or as bearer token, and nothing else.

The session of a browser is never looked at here: any page could make a browser send it.
"""

import hashlib
import hmac
import time
from collections import OrderedDict
from typing import Any, Final

from ferryman.accounts.model import Principal, local_principal
from ferryman.accounts.throttle import Throttle
from ferryman.core.errors import Unavailable
from ferryman.downloads.aria2.protocol import FAILED, RpcError
from ferryman.web.auth import Authority

PREFIX: Final = "token:"
NEIGHBOURLY: Final = 600.0
"""Seconds for which a program that listens without a token is taken for the one that called from its address."""
_REMEMBERED: Final = 1000


class Door:
    """Tells whom tokens stand for, and slows down guessing them. For one event loop.

    A token that was right here before is always asked about, so that no page and no neighbour who tries wrong ones
    from the same address can lock out an extension that knows the right one.
    """

    def __init__(self, authority: Authority, throttle: Throttle, local_token: str | None = None) -> None:
        """Ask `authority`; `local_token` is the secret only the owner of the home folder can read."""
        self._authority = authority
        self._throttle = throttle
        self._local = local_token
        self._right: OrderedDict[str, None] = OrderedDict()
        self._latest: OrderedDict[str, tuple[str, float]] = OrderedDict()

    async def open(self, secret: str, client: str) -> Principal:
        """Return whom `secret` stands for. Raises `RpcError`: `Unauthorized`, or how long to wait."""
        if self._local and hmac.compare_digest(secret.encode(errors="replace"), self._local.encode()):
            self._remember(client, secret)
            return local_principal()
        name = hashlib.sha256(secret.encode(errors="replace")).hexdigest()
        known = name in self._right
        if not known:
            try:
                self._throttle.admit(name, client)
            except Unavailable as error:
                raise RpcError(f"Too many wrong tokens. {error.advice}", FAILED, 429) from error
        principal = await self._authority.principal_of_token(secret) if secret.isascii() else None
        if principal is None:
            self._right.pop(name, None)
            raise RpcError("Unauthorized")
        if not known:
            self._throttle.succeeded(name, client)
        self._right[name] = None
        self._right.move_to_end(name)
        while len(self._right) > _REMEMBERED:
            self._right.popitem(last=False)
        self._remember(client, secret)
        return principal

    def neighbour(self, client: str) -> str | None:
        """Return the right token that a program at the address `client` used last, unless that is long ago."""
        secret, at = self._latest.get(client, (None, 0.0))
        return secret if time.monotonic() - at < NEIGHBOURLY else None

    def _remember(self, client: str, secret: str) -> None:
        self._latest[client] = (secret, time.monotonic())
        self._latest.move_to_end(client)
        while len(self._latest) > _REMEMBERED:
            self._latest.popitem(last=False)


class Visit:
    """One message of one client: asks the door once for each token in it."""

    def __init__(self, door: Door, client: str, bearer: str | None = None) -> None:
        """`bearer` is the token of the connection, for calls that bring none."""
        self._door = door
        self._client = client
        self._bearer = bearer
        self._met: dict[str, Principal | RpcError] = {}
        self.secret: str | None = None
        """The last token that was right."""

    async def caller(self, params: list[Any]) -> tuple[Principal, list[Any]]:
        """Return who calls, and the parameters without the token. Raises `RpcError` (`Unauthorized`)."""
        secret, rest = self._bearer, params
        if params and isinstance(params[0], str) and params[0].startswith(PREFIX):
            secret, rest = params[0].removeprefix(PREFIX), params[1:]
        if not secret:
            raise RpcError("Unauthorized")
        if secret not in self._met:
            try:
                self._met[secret] = await self._door.open(secret, self._client)
            except RpcError as error:
                self._met[secret] = error
        found = self._met[secret]
        if isinstance(found, RpcError):
            raise found
        self.secret = secret
        return found, rest
