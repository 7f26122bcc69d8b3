"""A registry in this process, asked without a network."""

import asyncio
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
        given = dict(headers or {})
        if not isinstance(body, list) and body:
            given["content-length"] = str(len(body))
        client = self.begin(method, path, given, pieces)
        await client.task
        return client.reply()

    def begin(
        self, method: str, path: str, headers: dict[str, str] | None = None, pieces: list[bytes] | None = None
    ) -> "Client":
        """Ask, and return at once."""
        path, _, query = path.partition("?")
        given = self.headers | (headers or {})
        scope = {
            "type": "http", "method": method, "path": path, "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in given.items()],
            "client": ("127.0.0.1", 1), "extensions": {},
        }  # fmt: skip
        client = Client([b""] if pieces is None else list(pieces))
        client.task = asyncio.create_task(self.app(scope, client.receive, client.send))
        return client


class Client:
    """One request under way: what was `sent` to it so far. `leave` goes away."""

    task: asyncio.Task[None]

    def __init__(self, waiting: list[bytes]) -> None:
        self.waiting, self.sent = waiting, []
        self.left, self.moved = asyncio.Event(), asyncio.Condition()

    async def receive(self) -> dict[str, Any]:
        if self.waiting and self.waiting[0] != b"!cut":
            return {"type": "http.request", "body": self.waiting.pop(0), "more_body": bool(self.waiting)}
        if not self.waiting:
            await self.left.wait()  # the client stays until it has its answer
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        async with self.moved:
            self.sent.append(message)
            self.moved.notify_all()

    async def leave(self) -> None:
        self.left.set()
        await self.task

    @property
    def status(self) -> int:
        return self.sent[0]["status"] if self.sent else 0

    @property
    def body(self) -> bytes:
        return b"".join(part.get("body", b"") for part in self.sent[1:])

    @property
    def whole(self) -> bool:
        """Whether the answer has its end: a server closes the connection of one that has none."""
        return bool(self.sent) and not self.sent[-1].get("more_body", len(self.sent) == 1)

    async def has(self, count: int) -> None:
        """Wait until `count` bytes of the body came."""
        async with self.moved:
            await self.moved.wait_for(lambda: len(self.body) >= count)

    def reply(self) -> Reply:
        if not self.sent:
            return Reply(0, {}, b"")
        lines = {k.decode(): v.decode() for k, v in self.sent[0]["headers"]}
        return Reply(self.status, lines, self.body)


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
