"""One request, as the parts of the registry see it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ferryman.accounts.model import Principal
from ferryman.depot.model import Note, Origin
from ferryman.registry.answers import Receive, Scope
from ferryman.registry.errors import Refusal
from ferryman.registry.ports import Headers, Record
from ferryman.registry.routes import Query, Route


@dataclass(slots=True)
class Asked:
    """A request that access was given to.

    `repository` is the name in the depot (for pulls what `Upstreams.place` said); `name` what the client wrote, for
    addresses in answers. `who` is the caller's name, `principal` the whole of it; `extra` lines are added to what is
    pulled; `visible` says which repositories a list may name; `record` writes to the audit log.
    """

    scope: Scope
    receive: Receive
    route: Route
    query: Query
    repository: str
    name: str
    who: str = "anonymous"
    extra: Headers = field(default_factory=list)
    visible: Callable[[str], bool] | None = None
    principal: Principal | None = None
    record: Record | None = None

    @property
    def method(self) -> str:
        """The method, in upper case."""
        method: str = self.scope["method"]
        return method

    def header(self, name: bytes) -> str | None:
        """Return the first line of a header (lower-case name)."""
        return next((v.decode("latin-1") for k, v in self.scope["headers"] if k == name), None)

    def length(self) -> int | None:
        """Return Content-Length, None when the body comes in pieces. Raises `Refusal` when it is no number."""
        text = self.header(b"content-length")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit()) or len(text) > 19:
            raise Refusal(400, "SIZE_INVALID", f"Content-Length '{text[:40]}' is not a number.")
        return int(text)

    def origin(self, at: float) -> Origin:
        """Return who pushed, as the depot remembers it."""
        return Origin(f"push:{self.who}", at)

    def note(self, action: str, target: str) -> Note | None:
        """Return what writes a deletion to the audit log in its own transaction: who, from where, what."""
        record, actor = self.record, self.principal or self.who
        if record is None:
            return None
        client = str((self.scope.get("client") or ("",))[0])

        def note(connection: Any, detail: dict[str, Any]) -> None:
            record(connection, actor, action, target, {**detail, "client": client, "through": "registry"})

        return note


class Disconnected(Exception):
    """The client went away before its body was complete."""


async def read_body(asked: Asked, most: int) -> bytes:
    """Return the whole body. Raises `Refusal` 413 when it has more than `most` bytes, and `Disconnected`."""
    length = asked.length()
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await asked.receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece = message.get("body", b"")
        size += len(piece)
        if size <= most:
            pieces.append(piece)
        elif size > most * 8:
            break
        if not message.get("more_body", False):
            break
    # What is a little too large is read to its end: an answer in the middle of a body is lost on many clients.
    if size > most:
        raise Refusal(
            413,
            "SIZE_INVALID",
            f"The manifest has {length or size:,} bytes; at most {most:,} are accepted.",
            detail={"reason": "manifest_too_large", "most": most},
        )
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
