"""Bodies that are too large to be held: received in pieces, while what came before is written."""

from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

PIECE: Final = 1 << 20
BINARY: Final = "application/octet-stream"
DESCRIBED: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {BINARY: {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""The body of such a route, for its description (`openapi_extra`)."""


def is_binary(content_type: str) -> bool:
    """Tell whether a body of this media type may be of any length: nothing but the route itself reads it. Pure."""
    return content_type.partition(";")[0].strip().lower() == BINARY


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """Yield the body in pieces of about a MiB; the last ones too when the client went away.

    Raises `HTTPException`: 415 for another media type, 400 at the end when the client went away.
    """
    if not is_binary(kind := request.headers.get("content-type", "")):
        raise HTTPException(415, f"The media type '{kind[:80]}' is not taken here: send {BINARY}.")
    held = bytearray()
    try:
        async for piece in request.stream():
            held += piece
            if len(held) >= PIECE:
                yield bytes(held)
                held.clear()
    except ClientDisconnect as error:
        if held:
            yield bytes(held)
        raise HTTPException(400, "The client went away in the middle of the body.") from error
    if held:
        yield bytes(held)
