"""`/jsonrpc` over HTTP and WebSocket. Not part of the described API: its description is that of aria2.

It knows no cookies, so a page of another site can do no more here than anyone without a token, and may therefore call.
"""

import asyncio
import base64
import binascii
import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ferryman.accounts.model import Principal, local_principal
from ferryman.downloads.aria2 import protocol
from ferryman.downloads.aria2.door import Door, Visit
from ferryman.downloads.aria2.events import Story
from ferryman.downloads.aria2.gids import gid_in
from ferryman.downloads.aria2.house import ACTIVE, House
from ferryman.downloads.aria2.methods import Methods
from ferryman.downloads.aria2.protocol import INVALID_REQUEST, RpcError
from ferryman.web.security import host_allowed, origin_allowed

PATH: Final = "/jsonrpc"
MOST_BYTES: Final = 2 * 1024 * 1024
"""Bytes of one message, as in aria2."""
MOST_SOCKETS: Final = 200
PATIENCE: Final = 30.0
"""Seconds a connection may stay open without a right token."""
TRUST: Final = 30.0
"""Seconds a token is believed before notifications ask again whether it still holds."""
CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "1728000",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_LOOK: Final = 0.5
_TOO_LARGE: Final = 1009
_LEFT: Final = 1008
_FULL: Final = 1013
_log = structlog.get_logger("ferryman.rpc")


def router(house: House, door: Door, *, enabled: Callable[[], bool], host: str) -> APIRouter:
    """Return the routes, to be mounted at the root; `host` is the address the daemon listens on."""
    endpoint = Endpoint(house, door, enabled, host)
    routes = APIRouter()
    routes.add_route(PATH, endpoint.http, methods=["GET", "POST", "OPTIONS"], include_in_schema=False)
    routes.add_websocket_route(PATH, endpoint.socket)
    return routes


class Endpoint:
    """Both ways in. For one event loop."""

    def __init__(self, house: House, door: Door, enabled: Callable[[], bool], host: str) -> None:
        """Answer from `house` to whom `door` opens, while `enabled` says so."""
        self._house = house
        self._methods = Methods(house)
        self._door = door
        self._enabled = enabled
        self._host = host
        self._sockets = 0

    async def http(self, request: Request) -> Response:
        """Answer one message, sent as a body or in the query."""
        if not self._enabled():
            raise HTTPException(404)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=CORS)
        visit = Visit(self._door, _client(request), _bearer(request.headers.get("authorization", "")))
        try:
            text = _from_query(request) if request.method in {"GET", "HEAD"} else await request.body()
        except RpcError as error:
            return _response(protocol.failure(None, error), error.status)
        reply = await self._methods.answer(text, visit)
        return _response(reply.document, reply.status)

    async def socket(self, socket: WebSocket) -> None:
        """Answer messages and notify of what happens, until the other side leaves."""
        if not self._enabled() or not host_allowed(socket.headers.get("host", ""), self._host):
            await socket.close(_LEFT)
            return
        if self._sockets >= MOST_SOCKETS:
            await socket.close(_FULL)
            return
        self._sockets += 1
        try:
            await socket.accept()
            await Listener(socket, self._house, self._methods, self._door).serve()
        except (WebSocketDisconnect, RuntimeError):
            if WebSocketState.DISCONNECTED not in {socket.client_state, socket.application_state}:
                raise
        finally:
            self._sockets -= 1


class Listener:
    """One open WebSocket."""

    def __init__(self, socket: WebSocket, house: House, methods: Methods, door: Door) -> None:
        """Serve `socket`, which is accepted."""
        self._socket = socket
        self._house = house
        self._methods = methods
        self._door = door
        self._client = _client(socket)
        self._bearer = _bearer(socket.headers.get("authorization", "")) or socket.query_params.get("token")
        self._elsewhere = not origin_allowed(socket.headers)
        self._secret: str | None = None
        self._caller: Principal | None = None
        self._asked = 0.0
        self._known = asyncio.Event()

    async def serve(self) -> None:
        """Answer and notify until either ends."""
        if self._bearer:
            with contextlib.suppress(RpcError):
                await self._door.open(self._bearer, self._client)
                self._meet(self._bearer)
        tasks = [asyncio.create_task(self._answer()), asyncio.create_task(self._notify())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            data = (message.get("bytes") or b"") if text is None else text.encode(errors="replace")
            if len(data) > MOST_BYTES:
                await self._socket.close(_TOO_LARGE)
                return
            visit = Visit(self._door, self._client, self._bearer)
            reply = await self._methods.answer(data, visit)
            if visit.secret is not None:
                self._meet(visit.secret)
            await self._socket.send_text(protocol.encode(reply.document))

    async def _notify(self) -> None:
        """Tell what happens to downloads within the reach of the last right token, as long as it holds.

        What happens before the other side is known waits: it may say who it is with the call that starts a download.
        """
        story = Story()
        with self._house.ledger.hub.subscribe() as messages:
            for job in await self._house.jobs(local_principal(), ACTIVE):
                story.begin(job.id, job.state)
            if not await self._introduced():
                await self._socket.close(_LEFT)
                return
            async for message in messages:
                if message.name != "job":
                    continue
                caller = await self._believed()
                if caller.allows("downloads:read") and caller.reaches(message.data.get("owner")):
                    for method in story.goes_on(message.data):
                        told = protocol.notification(method, gid_in(message.data))
                        await self._socket.send_text(protocol.encode(told))

    async def _introduced(self) -> bool:
        """Wait until the other side is known; False when it said nothing for too long.

        Programs made for aria2 send no token where they only listen: one that is no page of another site is taken for
        the program that calls from its address. All that it hears are GIDs, which are good for nothing without a token.
        """
        deadline = time.monotonic() + PATIENCE
        while not self._known.is_set() and time.monotonic() < deadline:
            if not self._elsewhere and (secret := self._door.neighbour(self._client)):
                self._meet(secret)
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._known.wait()
        return self._known.is_set()

    def _meet(self, secret: str) -> None:
        if secret != self._secret:
            self._secret, self._caller = secret, None
        self._known.set()

    async def _believed(self) -> Principal:
        """Return whom the token stands for, asked again every `TRUST` seconds. Ends the connection when it holds no more."""
        if self._caller is None or time.monotonic() - self._asked > TRUST:
            try:
                self._caller = await self._door.open(self._secret or "", self._client)
            except RpcError as error:
                await self._socket.close(_LEFT)
                raise WebSocketDisconnect(_LEFT) from error
            self._asked = time.monotonic()
        return self._caller


def _response(document: Any, status: int) -> Response:
    return Response(protocol.encode(document), status, CORS, protocol.MEDIA_TYPE)


def _from_query(request: Request) -> str:
    """Return the message that a GET carries as aria2 takes it: method, id, and params in base64. Raises `RpcError`.

    No JSONP: a script of another page would run what we answer.
    """
    query = request.query_params
    if "jsoncallback" in query:
        raise RpcError("JSONP is not supported: send a POST, also from another site.", INVALID_REQUEST)
    try:
        raw = base64.b64decode(query.get("params", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RpcError("Parse error.", protocol.PARSE_ERROR) from error
    params = protocol.read(raw) if raw else []
    if "method" not in query and not raw:
        raise RpcError("Invalid Request.", INVALID_REQUEST)
    if "method" not in query:
        return protocol.encode(params)
    return protocol.encode({"id": query.get("id"), "method": query["method"], "params": params})


def _bearer(header: str) -> str | None:
    scheme, _, secret = header.partition(" ")
    return secret.strip() if scheme.lower() == "bearer" and secret.strip() else None


def _client(connection: Request | WebSocket) -> str:
    return connection.client.host if connection.client else "unknown"
