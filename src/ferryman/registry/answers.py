"""What is sent back: whole bodies, files, pieces of files, streams."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ferryman.registry.errors import Refusal
from ferryman.registry.ports import Headers
from ferryman.registry.threads import Threads

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PIECE: Final = 1 << 20
SMALL: Final = 1 << 16
"""Files up to this size are read at once: cheaper than to hand them over."""
VERSION: Final = (b"docker-distribution-api-version", b"registry/2.0")
SAFE: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
)
"""Content is anyone's: a browser must not run it."""


@dataclass(slots=True)
class Answer:
    """One answer. With `file` the bytes `first` to `first + length` of it are the body; else `stream`, else `body`."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    file: Path | None = None
    first: int = 0
    length: int = 0
    whole: bool = True
    stream: AsyncIterator[bytes] | None = None


def json_answer(status: int, body: bytes, headers: Headers | None = None) -> Answer:
    """Return an answer with a JSON body."""
    lines = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    return Answer(status, [*lines, *(headers or [])], body)


def empty_answer(status: int, headers: Headers) -> Answer:
    """Return an answer without a body. Nothing is said about the length where HTTP forbids it (204, 304)."""
    if status in {204, 304}:
        return Answer(status, headers)
    return Answer(status, [*headers, (b"content-length", b"0")])


def refusal_answer(refusal: Refusal) -> Answer:
    """Return the answer of a refusal."""
    return json_answer(refusal.status, refusal.body(), list(refusal.headers))


async def deliver(answer: Answer, scope: Scope, receive: Receive, send: Send, threads: Threads) -> None:
    """Send `answer`; only its head for HEAD.

    A stream that raises ends the connection before its end, and so it is known to be incomplete. Raises what it raised.
    """
    head = {"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, VERSION]}
    if scope["method"] == "HEAD":
        await send(head)
        await send({"type": "http.response.body", "body": b""})
    elif answer.file is not None:
        await _file(answer, head, scope, send, threads)
    elif answer.stream is not None:
        await send(head)
        await _stream(answer.stream, receive, send)
    else:
        await send(head)
        await send({"type": "http.response.body", "body": answer.body})


async def _stream(stream: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    """Send what comes, until it ends or the client goes away."""
    gone = asyncio.ensure_future(_gone(receive))
    coming: asyncio.Future[bytes | None] | None = None
    try:
        # The server keeps the head until something follows; what arrives may take its time.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        while True:
            coming = asyncio.ensure_future(_next(stream))
            await asyncio.wait({coming, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                return
            piece = coming.result()
            if piece is None:
                await send({"type": "http.response.body", "body": b""})
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        tasks = [task for task in (gone, coming) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()


async def _next(stream: AsyncIterator[bytes]) -> bytes | None:
    return await anext(stream, None)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _file(answer: Answer, head: Message, scope: Scope, send: Send, threads: Threads) -> None:
    assert answer.file is not None
    if answer.length <= SMALL:
        body = _small(answer.file, answer.first, answer.length)
        await send(head)
        await send({"type": "http.response.body", "body": body})
        return
    if answer.whole and "http.response.pathsend" in scope.get("extensions", {}):
        await send(head)
        await send({"type": "http.response.pathsend", "path": str(answer.file)})
        return
    descriptor = os.open(answer.file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        await send(head)
        await _pieces(descriptor, answer.first, answer.length, send, threads)
    finally:
        os.close(descriptor)
    await send({"type": "http.response.body", "body": b""})


def _small(path: Path, first: int, length: int) -> bytes:
    with path.open("rb", buffering=0) as file:
        file.seek(first)
        return file.read(length)


async def _pieces(descriptor: int, first: int, length: int, send: Send, threads: Threads) -> None:
    end = first + length
    while first < end:
        piece = await threads.call(os.pread, descriptor, min(PIECE, end - first), first)
        if not piece:
            raise OSError(f"the file ended at {first}, {end} bytes were announced")
        first += len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
