"""Calls an ASGI application directly: no socket, no thread."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers with lower-case names (the last of each), and the whole body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


async def call(
    app: Any,
    method: str,
    path: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | list[bytes] = b"",
    doc: Any = None,
) -> Answer:
    """Send one request; `doc` is sent as JSON; a list of bodies is sent in pieces without a length."""
    sent = {"host": "localhost", **{name.lower(): value for name, value in (headers or {}).items()}}
    if doc is not None:
        body = json.dumps(doc).encode()
        sent.setdefault("content-type", "application/json")
    if isinstance(body, bytes) and body:
        sent.setdefault("content-length", str(len(body)))
    pieces = list(body) if isinstance(body, list) else [body]
    where, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": where,
        "raw_path": where.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8470),
        "state": {},
    }
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    start = next(message for message in said if message["type"] == "http.response.start")
    rest = b"".join(message.get("body", b"") for message in said if message["type"] == "http.response.body")
    return Answer(
        start["status"], {name.decode().lower(): value.decode() for name, value in start["headers"]}, rest
    )
