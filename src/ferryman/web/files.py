"""Files as answers: whole by path-send, or the one range that was asked for (RFC 9110, sections 13 and 14)."""

import asyncio
import os
from email.utils import formatdate
from pathlib import Path
from typing import Final

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ferryman.core.ranges import Unsatisfiable, tags_match, wanted

PIECE: Final = 1 << 20
ANSWERS: Final[dict[int | str, dict[str, object]]] = {
    200: {"description": "All of it.", "content": {"application/octet-stream": {}}},
    206: {"description": "The range that was asked for.", "content": {"application/octet-stream": {}}},
    304: {"description": "It is still what `If-None-Match` names."},
    416: {"description": "The range lies outside of it."},
}
"""The answers of a route that sends a file, for its description."""


class SentFile(Response):
    """A regular file, to be kept under `name`. Memory: one piece. What is sent is the file that was opened.

    Raises `HTTPException` 416 when made.
    """

    def __init__(self, request: Request, path: Path, name: str, *, once: bool = False) -> None:
        """Answer `request` with the file at `path`; `once` removes it. Blocks a moment. Raises `OSError`."""
        super().__init__(None)
        self._path = path
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        if once:
            path.unlink()
        self._whole = not once
        try:
            self._describe(request, name)
        except BaseException:
            os.close(self._handle)
            raise

    def _describe(self, request: Request, name: str) -> None:
        found = os.fstat(self._handle)
        tag = f'"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"'
        changed = formatdate(found.st_mtime, usegmt=True)
        lines = {"accept-ranges": "bytes", "etag": tag, "last-modified": changed}
        self._first, self._length = 0, found.st_size
        if tags_match(request.headers.get("if-none-match", ""), tag):
            self.status_code, self._length = 304, 0
            self.init_headers(lines)
            del self.headers["content-length"]
            return
        if request.headers.get("if-range", tag) in {tag, changed}:
            try:
                part = wanted(request.headers.get("range", ""), found.st_size)
            except Unsatisfiable:
                size = {"Content-Range": f"bytes */{found.st_size}"}
                raise HTTPException(416, f"The file has {found.st_size} bytes.", size) from None
            if part is not None:
                self.status_code, self._whole = 206, False
                self._first, self._length = part
                last = self._first + self._length - 1
                lines["content-range"] = f"bytes {self._first}-{last}/{found.st_size}"
        lines["content-type"] = "application/octet-stream"
        lines["content-length"] = str(self._length)
        lines["content-disposition"] = f'attachment; filename="{name}"'
        self.init_headers(lines)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it, and close it."""
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            if scope["method"] == "HEAD" or not self._length:
                await send({"type": "http.response.body", "body": b""})
            elif self._whole and "http.response.pathsend" in scope.get("extensions", {}):
                await send({"type": "http.response.pathsend", "path": str(self._path)})
            else:
                await self._pieces(send)
        finally:
            os.close(self._handle)

    async def _pieces(self, send: Send) -> None:
        at, end = self._first, self._first + self._length
        while at < end:
            piece = await asyncio.to_thread(os.pread, self._handle, min(PIECE, end - at), at)
            if not piece:
                raise OSError(f"{self._path.name} ended at {at}, {end} bytes were announced")
            at += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": at < end})
