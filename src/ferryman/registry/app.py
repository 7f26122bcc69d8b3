"""The registry as one ASGI application for `/v2/`: no framework, because most of what it does is done very often."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from ferryman.core.clock import Clock
from ferryman.core.errors import FerryError
from ferryman.depot.service import Depot
from ferryman.oci.capitals import lowered
from ferryman.oci.reference import check_repository
from ferryman.registry.answers import (
    Answer,
    Receive,
    Scope,
    Send,
    deliver,
    json_answer,
    refusal_answer,
)
from ferryman.registry.asked import Asked, Disconnected
from ferryman.registry.blobs import Blobs
from ferryman.registry.cache import Cache, Kept
from ferryman.registry.errors import Refusal, refusal_of
from ferryman.registry.lists import Lists
from ferryman.registry.located import Located
from ferryman.registry.manifests import Manifests
from ferryman.registry.ports import (
    OPEN_RULES,
    Access,
    Action,
    Decision,
    NoUpstreams,
    Record,
    Rules,
    Upstreams,
)
from ferryman.registry.pushes import Pushes
from ferryman.registry.pushing import Pushing
from ferryman.registry.ranges import tags_match
from ferryman.registry.routes import METHODS, Kind, Query, Route, route_of
from ferryman.registry.sessions import Sessions
from ferryman.registry.threads import Threads

App = Callable[[Scope, Receive, Send], Awaitable[None]]
READS: Final = frozenset({"GET", "HEAD"})
ROUND_S: Final = 60.0
_log = structlog.get_logger("registry")

_OF_MODELS: Final = frozenset({Kind.MANIFEST, Kind.BLOB})
"""What Ollama's client reads, by names that may have capitals; nothing else of a registry has any."""


class Registry:
    """The depot over the distribution protocol: an ASGI application and a `core.lifecycle.Service`.

    Runs on one event loop; what blocks is done in its own threads. Any number of requests at once.
    """

    def __init__(
        self,
        depot: Depot,
        access: Access,
        *,
        folder: Path,
        clock: Clock,
        upstreams: Upstreams | None = None,
        rules: Callable[[], Rules] = lambda: OPEN_RULES,
        doors: Mapping[str, App] | None = None,
        count: Callable[[str, int], None] | None = None,
        closing: Callable[[], object] = bool,
        record: Record | None = None,
    ) -> None:
        """Serve `depot`; records of uploads are kept in `folder`.

        `doors` are applications at exact paths that are not of the protocol, such as that which gives tokens.
        `count` hears the method and status of each answer. `closing` is called at the end; it may block.
        Deletions are written down by `record`.
        """
        self._access = access
        self._upstreams = upstreams or NoUpstreams()
        self._rules = rules
        self._doors = dict(doors or {})
        self._count = count or _ignore
        self._closing = closing
        self._record = record
        self._threads = Threads()
        self._hot: Cache[Kept] = Cache(lambda kept: kept.size + 1000)
        self._pushes = Pushes(depot, clock, self._threads)
        lifetime = lambda: rules().upload_hours * 3600  # noqa: E731 - read anew each time
        self._sessions = Sessions(folder, depot, clock, self._pushes, lifetime_s=lifetime)
        self._handlers = self._made(depot, clock)
        self._rounds: asyncio.Task[None] | None = None

    def _made(self, depot: Depot, clock: Clock) -> dict[Kind, Callable[[Asked], Awaitable[Answer]]]:
        """Return who answers for each resource."""
        threads, pushes = self._threads, self._pushes
        located = Located(depot, threads)
        manifests = Manifests(
            depot,
            self._upstreams,
            self._rules,
            clock=clock,
            threads=threads,
            cache=self._hot,
            located=located,
        )
        blobs = Blobs(depot, self._upstreams, threads=threads, located=located, pushes=pushes)
        lists = Lists(depot, self._upstreams, threads)
        pushing = Pushing(
            depot,
            self._sessions,
            pushes,
            self._rules,
            clock=clock,
            threads=threads,
            may_pull=self._may_pull,
        )
        return {
            Kind.BASE: _base,
            Kind.CATALOG: lists.catalog,
            Kind.TAGS: lists.tags,
            Kind.MANIFEST: manifests.answer,
            Kind.BLOB: blobs.answer,
            Kind.UPLOADS: pushing.begin,
            Kind.UPLOAD: pushing.on,
            Kind.REFERRERS: lists.referrers,
        }

    async def start(self) -> None:
        """Begin to look after uploads that nobody continues."""
        self._rounds = asyncio.create_task(self._look_after())

    async def stop(self) -> None:
        """Close open uploads so that the next daemon goes on with them, and end the threads."""
        if self._rounds is not None:
            self._rounds.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._rounds
        for session in self._sessions.opened():
            async with session.turn:
                await self._threads.call(self._sessions.rest, session)
        await asyncio.to_thread(self._closing)
        await asyncio.to_thread(self._threads.close)

    def forget(self) -> None:
        """Forget which answers are ready: what names mean, or where they come from, is another one now. On the loop."""
        self._hot.forget()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path, method = scope["path"], scope["method"]
        kept = self._hot.get(path) if method in READS and not scope["query_string"] else None
        if kept is not None and await self._answered(kept, scope, send):
            return
        door = self._doors.get(path)
        if door is not None:
            await door(scope, receive, send)
            return
        try:
            answer = await self._answer(scope, receive)
        except Disconnected:
            return
        self._count(method, answer.status)
        try:
            await deliver(answer, scope, receive, send, self._threads)
        except FerryError as error:
            # The server closes the connection of an answer that has no end.
            _log.warning("an answer broke off", path=path, why=error.code)

    async def _answered(self, kept: Kept, scope: Scope, send: Send) -> bool:
        """Send a manifest from memory when access is known from memory too. The path of nearly all requests."""
        authorization = condition = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"if-none-match":
                condition = value
        decision = self._access.known(authorization, kept.repository, "pull")
        if decision is None or not decision.allowed:
            return False
        if condition is not None and tags_match(condition.decode("latin-1"), kept.etag):
            self._count(scope["method"], 304)
            await send(kept.unchanged)
            await send(_NOTHING)
            return True
        self._count(scope["method"], 200)
        await send(kept.head)
        await send(kept.body if scope["method"] == "GET" else _NOTHING)
        return True

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        try:
            return await self._routed(scope, receive)
        except Refusal as refusal:
            return refusal_answer(refusal)
        except FerryError as error:
            return refusal_answer(refusal_of(error))
        except (Disconnected, asyncio.CancelledError):
            raise
        except Exception:  # noqa: BLE001 - the last place that can answer; it logs and never shows internals
            _log.exception("registry request failed", method=scope["method"], path=scope["path"])
            return refusal_answer(Refusal(500, "UNKNOWN", "The registry failed; its log says why."))

    async def _routed(self, scope: Scope, receive: Receive) -> Answer:
        route = route_of(scope["path"])
        if route is None:
            raise Refusal(404, "UNSUPPORTED", "There is no such address in the protocol of registries.")
        method = scope["method"]
        if method not in METHODS[route.kind]:
            allowed = ", ".join(METHODS[route.kind]).encode()
            raise Refusal(
                405, "UNSUPPORTED", f"{method} is not possible here.", headers=((b"allow", allowed),)
            )
        if method not in READS and _foreign(scope):
            raise Refusal(403, "DENIED", "A page of another site sent this request.")
        query = Query(scope["query_string"])
        asked = self._asked(scope, receive, route, query)
        action = _action(route.kind, method)
        decision = await self._decide(scope, asked.repository, action)
        if not decision.allowed:
            raise _refused(decision)
        asked.who, asked.principal = decision.who, decision.principal
        self._permit(action)
        asked.visible = decision.visible
        return await self._handlers[route.kind](asked)

    def _asked(self, scope: Scope, receive: Receive, route: Route, query: Query) -> Asked:
        reads = scope["method"] in READS
        spelled = route.repository
        if reads and route.kind in _OF_MODELS and spelled != spelled.lower():
            spelled = lowered(spelled)
        name = check_repository(spelled) if spelled else ""
        asked = Asked(scope, receive, route, query, name, name, record=self._record)
        if name and reads and route.kind is not Kind.UPLOAD:
            ns = query.one("ns")
            asked.repository = self._upstreams.place(name, ns)
            if ns and asked.repository != name:
                asked.extra.append((b"oci-namespace", ns.encode("latin-1", "replace")))
        return asked

    def _permit(self, action: Action) -> None:
        rules = self._rules()
        if rules.read_only and action in {"push", "delete"}:
            raise Refusal(405, "UNSUPPORTED", "This registry is read-only.", headers=(_READS,))
        if not rules.delete and action == "delete":
            raise Refusal(405, "UNSUPPORTED", "Nothing can be deleted in this registry.", headers=(_READS,))

    async def _decide(self, scope: Scope, repository: str, action: Action) -> Decision:
        authorization = next((v for k, v in scope["headers"] if k == b"authorization"), None)
        known = self._access.known(authorization, repository, action)
        if known is not None:
            return known
        client = scope.get("client") or ("",)
        return await self._access.decide(scope["headers"], repository, action, client=str(client[0]))

    async def _may_pull(self, asked: Asked, repository: str) -> bool:
        return (await self._decide(asked.scope, repository, "pull")).allowed

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(ROUND_S)
            try:
                for session in self._sessions.idle():
                    async with session.turn:
                        await self._threads.call(self._sessions.rest, session)
                await self._threads.call(self._sessions.sweep)
            except Exception:  # noqa: BLE001 - a full disk or a busy database: the next round comes
                _log.exception("looking after uploads failed")


_NOTHING: Final[dict[str, Any]] = {"type": "http.response.body", "body": b""}
_READS: Final = (b"allow", b"GET, HEAD")


async def _base(asked: Asked) -> Answer:
    del asked
    return json_answer(200, b"{}")


def _action(kind: Kind, method: str) -> Action:
    if kind is Kind.BASE:
        return "base"
    if kind is Kind.CATALOG:
        return "catalog"
    if kind in {Kind.UPLOAD, Kind.UPLOADS}:
        return "push"
    if method in READS:
        return "pull"
    return "delete" if method == "DELETE" else "push"


def _foreign(scope: Scope) -> bool:
    """Tell whether a browser sends this for a page of another site. No client of registries is a browser."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin")
    return origin is not None and origin.partition(b"://")[2] != headers.get(b"host", b"")


def _refused(decision: Decision) -> Refusal:
    message = decision.message or "This needs a right that was not given."
    if decision.challenge is None:
        return Refusal(403, "DENIED", message, headers=decision.headers)
    headers = ((b"www-authenticate", decision.challenge), *decision.headers)
    return Refusal(401, "UNAUTHORIZED", message, headers=headers)


def _ignore(method: str, status: int) -> None:
    del method, status
