"""The body of an upload on its way into the depot: received on the loop, hashed and written in threads."""

import asyncio
from typing import Final

from ferryman.depot.service import BlobWriter
from ferryman.registry.asked import Asked, Disconnected
from ferryman.registry.errors import Refusal
from ferryman.registry.threads import Threads

BATCH: Final = 1 << 20
"""Bytes handed to a thread at once: while they are hashed and written, the next ones arrive."""


async def arrive(asked: Asked, writer: BlobWriter, threads: Threads, *, most: int | None = None) -> None:
    """Write the whole body. What came before a cut connection is written all the same.

    Memory: two batches. Raises `Disconnected`, `Refusal` 413 beyond `most` bytes, and what the writer raises.
    """
    writing: asyncio.Task[None] | None = None
    cut, taken = False, 0
    try:
        while True:
            pieces, more, cut = await _batch(asked)
            taken += sum(map(len, pieces))
            if most is not None and taken > most:
                raise Refusal(413, "SIZE_INVALID", "The blob is larger than blobs may be here.")
            if writing is not None:
                await writing
                writing = None
            if not more:
                if pieces:
                    await threads.call(_write, writer, pieces)
                break
            writing = asyncio.ensure_future(threads.call(_write, writer, pieces))
    finally:
        if writing is not None:
            await asyncio.wait([writing])
    if cut:
        raise Disconnected


async def _batch(asked: Asked) -> tuple[list[bytes], bool, bool]:
    """Return the next pieces, whether more come, and whether the client went away."""
    pieces: list[bytes] = []
    size = 0
    while size < BATCH:
        message = await asked.receive()
        if message["type"] == "http.disconnect":
            return pieces, False, True
        piece = message.get("body", b"")
        if piece:
            pieces.append(piece)
            size += len(piece)
        if not message.get("more_body", False):
            return pieces, False, False
    return pieces, True, False


def _write(writer: BlobWriter, pieces: list[bytes]) -> None:
    for piece in pieces:
        writer.write(piece)
