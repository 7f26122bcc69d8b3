"""A registry in this process with real accounts: users of every role, their passwords and API tokens."""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import quote

from argon2 import PasswordHasher

from ferryman.accounts.audit import Audit
from ferryman.accounts.model import Role, local_principal
from ferryman.accounts.passwords import Passwords
from ferryman.accounts.service import Accounts
from ferryman.accounts.throttle import Throttle
from ferryman.core.access_lines import parse_access
from ferryman.depot.service import Depot
from ferryman.registry.access import Policy, RegistryAccess
from ferryman.registry.door import PATH, TokenDoor
from ferryman.registry.tokens import TokenMaker
from tests.conformance.registry.peers import MANIFEST, Reply, digest_of
from tests.integration.registry.conftest import Asker

CONFIG = b"{}"
SOMEBODY = local_principal()


class Clock:
    """The time, moved by hand."""

    time = 1_764_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


def password_of(name: str) -> str:
    return f"password of {name}"


def basic(name: str, secret: str | None = None) -> dict[str, str]:
    """The header of a user; without `secret` the right one."""
    text = f"{name}:{password_of(name) if secret is None else secret}"
    return {"authorization": "Basic " + b64encode(text.encode()).decode()}


def document_of(*layers: bytes) -> bytes:
    """A manifest of `CONFIG` and `layers`."""
    named = [{"mediaType": "a/b", "digest": digest_of(one), "size": len(one)} for one in (CONFIG, *layers)]
    return json.dumps({"config": named[0], "layers": named[1:]}).encode()


class Town:
    """Users are named as their roles. `lines` are those of `registry_access`."""

    def __init__(self, made: Any, depot: Depot) -> None:
        self.clock, self.policy, self.depot = Clock(), Policy(), depot
        self.audit = Audit(depot.database, self.clock)
        quick = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1)
        self.accounts = Accounts(
            depot.database, self.clock, passwords=Passwords(quick), throttle=Throttle(self.clock)
        )
        tokens = TokenMaker()
        self.access = RegistryAccess(
            self.accounts, self.clock, tokens, policy=lambda: self.policy, local_token=lambda: "local"
        )
        self.ask: Asker = made(
            self.access,
            clock=self.clock,
            doors={PATH: TokenDoor(self.access, tokens, self.clock)},
            record=self.audit.within,
        )

    async def peopled(self) -> "Town":
        for role in Role:
            await self.accounts.create_user(str(role), password_of(role), role, actor=SOMEBODY)
        return self

    def lines(self, text: str, *, anonymous: bool = False) -> None:
        self.policy = Policy(anonymous, parse_access(text))

    async def token(self, user: str, *scopes: str) -> tuple[str, str]:
        """A new API token: its id and its secret."""
        made, secret = await self.accounts.create_token(user, "ci", scopes, actor=SOMEBODY)
        return made.id, secret

    async def bearer(self, scope: str, headers: dict[str, str]) -> dict[str, str]:
        """The header with a token of the registry for `scope`."""
        reply = await self.ask("GET", f"{PATH}?service=ferryman&scope={quote(scope)}", b"", headers)
        assert reply.status == 200, reply.body
        return {"authorization": f"Bearer {json.loads(reply.body)['token']}"}

    async def blob(self, repository: str, data: bytes, headers: dict[str, str] | None = None) -> Reply:
        path = f"/v2/{repository}/blobs/uploads/?digest={digest_of(data)}"
        return await self.ask("POST", path, data, headers or basic("admin"))

    async def push(
        self, repository: str, *layers: bytes, tag: str = "v1", headers: dict[str, str] | None = None
    ) -> Reply:
        """Push an image; return the answer to its manifest."""
        for data in (CONFIG, *layers):
            await self.blob(repository, data, headers)
        return await self.ask(
            "PUT",
            f"/v2/{repository}/manifests/{tag}",
            document_of(*layers),
            (headers or basic("admin")) | {"content-type": MANIFEST},
        )
