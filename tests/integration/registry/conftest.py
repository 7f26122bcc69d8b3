"""A registry in this process, asked without a network."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ferryman.core.clock import SystemClock
from ferryman.db import Database, sqlite_url
from ferryman.depot.service import Depot
from ferryman.registry.app import Registry
from tests.conformance.registry.peers import Reply


@dataclass
class Asker:
    """Calls an ASGI application as a server does."""

    app: Any
    headers: dict[str, str] = field(default_factory=dict)

    async def __call__(
        self, method: str, path: str, body: bytes | list[bytes] = b"", headers: dict[str, str] | None = None
    ) -> Reply:
        """`body` as a list comes in pieces; a last piece `b"!cut"` stands for a connection that breaks."""
        pieces = body if isinstance(body, list) else [body]
        path, _, query = path.partition("?")
        given = self.headers | (headers or {})
        if not isinstance(body, list) and body:
            given["content-length"] = str(len(body))
        scope = {
            "type": "http", "method": method, "path": path, "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in given.items()],
            "client": ("127.0.0.1", 1), "extensions": {},
        }  # fmt: skip
        sent: list[dict[str, Any]] = []
        waiting = list(pieces)

        async def receive() -> dict[str, Any]:
            if not waiting or waiting[0] == b"!cut":
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        if not sent:
            return Reply(0, {}, b"")
        lines = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return Reply(sent[0]["status"], lines, b"".join(part.get("body", b"") for part in sent[1:]))


@pytest.fixture
async def depot(tmp_path: Path) -> AsyncIterator[Depot]:
    database = Database(sqlite_url(tmp_path / "ferry.db"))
    database.migrate()
    yield Depot(tmp_path / "depot", database, SystemClock())
    await database.close()


@pytest.fixture
async def made(tmp_path: Path, depot: Depot) -> AsyncIterator[Any]:
    """Makes registries on the depot of the test."""
    registries: list[Registry] = []

    def make(access: Any, **more: Any) -> Asker:
        registry = Registry(
            depot, access, folder=tmp_path / "uploads", clock=more.pop("clock", SystemClock()), **more
        )
        registries.append(registry)
        return Asker(registry)

    yield make
    for registry in registries:
        await registry.stop()
