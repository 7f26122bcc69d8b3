"""Live events as server-sent events (HTML Living Standard, section 9.2): `GET /api/v1/events`.

A viewer first gets what changed since `Last-Event-ID`, then what happens now. What is sent is state, not history:
a job that changed five times while nobody listened is sent once, as it is. Events: `hello` (the stream begins here),
`reset` (too much was missed: load anew), `job`, `deleted`, `progress`, `log`, `counts`. A viewer sees own jobs only, and all of
them with `jobs:all`.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse

from ferryman.accounts.model import Principal
from ferryman.core.errors import FerryError, NotFound
from ferryman.web.auth import allow
from ferryman.web.job import owner_filter

PACE: Final = 0.9
"""Seconds between two progress messages about the same job to the same viewer: a little less than the second between two records."""
HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment keeps the connection open."""
MOST_MISSED: Final = 1000
"""Events a viewer may have missed; beyond that it is told to load anew."""
MOVES: Final = frozenset({"job", "deleted"})
"""Messages after which the numbers of jobs may be others."""
TOPICS: Final = ("job", "deleted", "progress", "log", "counts")
_REMEMBERED: Final = 10_000


class News(Protocol):
    """A message of the hub: `id` is that of the stored event, None for what is not stored."""

    @property
    def name(self) -> str:
        """One of `TOPICS`; `counts` is made here."""
        ...

    @property
    def data(self) -> dict[str, Any]:
        """A job with its `id` and `owner`; progress and log lines with the `id` of their job."""
        ...

    @property
    def id(self) -> int | None:
        """Position in the stored events."""
        ...


class Feed(Protocol):
    """Where the stream gets its messages. `LedgerFeed` is it over a ledger and its hub."""

    def subscribe(self) -> AsyncIterator[News]:
        """Follow what happens from the first `anext` on; never blocks whoever publishes."""
        ...

    async def last_id(self) -> int:
        """Return the id of the newest stored event, 0 when there is none."""
        ...

    async def changed(self, after: int, limit: int) -> Sequence[tuple[int, str]]:
        """Return `(event id, job id)` of stored events after `after`, the oldest first."""
        ...

    async def job(self, job_id: str) -> dict[str, Any]:
        """Return the job as the `job` message shows it. Raises `NotFound`."""
        ...

    async def counts(self, owner: str | None) -> dict[str, int]:
        """Return how many jobs are in each state: those of `owner`, or all."""
        ...


class Viewer:
    """One open stream: what it may see and wants to hear about. Not for concurrent use."""

    def __init__(self, feed: Feed, caller: Principal, topics: Sequence[str] = ()) -> None:
        """Show `caller` the `topics`; none means all."""
        self._feed = feed
        self._caller = caller
        self._topics = frozenset(topics or TOPICS)
        self._known: dict[str, bool] = {}

    def wants(self, topic: str) -> bool:
        """Tell whether the viewer asked for this topic; what it has to know anyway is asked for always."""
        return topic in self._topics or topic == "reset"

    async def counts(self) -> dict[str, Any]:
        """Return the numbers of the jobs within the viewer's reach."""
        return dict(await self._feed.counts(owner_filter(self._caller)))

    async def admits(self, news: News) -> bool:
        """Tell whether this message concerns the viewer; what moves jobs does whatever the topics are."""
        if news.name == "reset":  # the hub had to drop what this viewer did not take
            return True
        if news.name not in MOVES and not self.wants(news.name):
            return False
        if self._caller.allows("jobs:all"):
            return True
        if news.name == "job":
            return self._remember(str(news.data["id"]), news.data.get("owner"))
        job_id = news.data.get("id")
        return job_id is not None and await self._reaches(str(job_id))

    async def missed(self, after: int) -> AsyncGenerator[str, None]:
        """Yield the jobs that changed after event `after`, each once, as they are now."""
        events = await self._feed.changed(after, MOST_MISSED + 1)
        if len(events) > MOST_MISSED:
            yield encode("reset", {}, await self._feed.last_id())
            return
        latest = {job_id: event_id for event_id, job_id in events}
        for job_id, event_id in sorted(latest.items(), key=lambda item: item[1]):
            with suppress(NotFound):
                job = await self._feed.job(job_id)
                if self.wants("job") and self._caller.reaches(job.get("owner")):
                    yield encode("job", job, event_id)

    async def _reaches(self, job_id: str) -> bool:
        if job_id in self._known:
            return self._known[job_id]
        try:
            job = await self._feed.job(job_id)
        except FerryError:
            return False
        return self._remember(job_id, job.get("owner"))

    def _remember(self, job_id: str, owner: str | None) -> bool:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[job_id] = self._caller.reaches(owner)
        return self._known[job_id]


def encode(name: str, data: dict[str, Any], event_id: int | None = None) -> str:
    """Return one event as text. JSON has no line ends, so `data` is one line."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, separators=(',', ':'), default=str)}\n\n"


class Outbox:
    """Keeps the latest progress of each job, and that counts changed, until their turn. Not for concurrent use."""

    def __init__(self, viewer: Viewer, pace: float) -> None:
        """Send what `viewer` wants; let progress and counts through once in `pace` seconds."""
        self._viewer = viewer
        self._pace = pace
        self._waiting: dict[str, News] = {}
        self._recount = False
        self._flushed = time.monotonic() - pace

    def take(self, news: News) -> list[str]:
        """Return what to send now that `news` came."""
        if news.name == "progress":
            self._waiting[str(news.data.get("id", ""))] = news
            return []
        self._recount = self._recount or (news.name in MOVES and self._viewer.wants("counts"))
        return [encode(news.name, news.data, news.id)] if self._viewer.wants(news.name) else []

    async def due(self) -> list[str]:
        """Return what waited long enough."""
        if not self._idle() and time.monotonic() - self._flushed >= self._pace:
            texts = [encode(news.name, news.data, news.id) for news in self._waiting.values()]
            if self._recount:
                texts.append(encode("counts", await self._viewer.counts()))
            self._waiting.clear()
            self._recount = False
            self._flushed = time.monotonic()
            return texts
        return []

    def patience(self, heartbeat: float) -> float:
        """Return the seconds to wait for the next message."""
        return heartbeat if self._idle() else max(0.0, self._flushed + self._pace - time.monotonic())

    def _idle(self) -> bool:
        return not self._waiting and not self._recount


async def follow(
    feed: Feed,
    viewer: Viewer,
    after: int | None,
    still_allowed: Callable[[], Awaitable[bool]],
    *,
    pace: float = PACE,
    heartbeat: float = HEARTBEAT,
) -> AsyncGenerator[str, None]:
    """Yield the text of the stream until the viewer goes, the feed ends or `still_allowed` says no.

    About every `heartbeat` seconds the viewer's rights are looked at again, and a comment carries the id to resume
    from: the newest event of the heartbeat before, which by now has surely been told.
    """
    messages = feed.subscribe()
    upcoming = asyncio.ensure_future(anext(messages, None))
    await asyncio.sleep(0)  # the subscription begins now, so nothing falls between history and present
    outbox = Outbox(viewer, pace)
    checked = time.monotonic()
    try:
        start = await feed.last_id() if after is None else after
        yield encode("hello", {}, start)
        async for text in viewer.missed(start):
            yield text
        told = start
        while True:
            await asyncio.wait({upcoming}, timeout=outbox.patience(heartbeat))
            texts: list[str] = []
            if upcoming.done():
                news = upcoming.result()
                if news is None:
                    return
                upcoming = asyncio.ensure_future(anext(messages, None))
                texts = outbox.take(news) if await viewer.admits(news) else []
            texts += await outbox.due()
            if time.monotonic() - checked >= heartbeat:
                checked = time.monotonic()
                if not await still_allowed():
                    return
                texts.append(f": still here\nid: {told}\n\n")
                told = await feed.last_id()
            for text in texts:
                yield text
    finally:
        await _end(messages, upcoming)


async def _end(messages: AsyncIterator[News], upcoming: asyncio.Future[News | None]) -> None:
    upcoming.cancel()
    await asyncio.wait({upcoming})
    if isinstance(messages, AsyncGenerator):
        await messages.aclose()


def events_router(feed: Feed, *, pace: float = PACE, heartbeat: float = HEARTBEAT) -> APIRouter:
    """Return the router of `GET /events`, to be mounted under `/api/v1`."""
    router = APIRouter(tags=["events"])

    @router.get(
        "/events",
        response_class=EventStream,
        responses={200: {"description": "Server-sent events.", "content": {"text/event-stream": {}}}},
    )
    async def events(
        request: Request,
        caller: Annotated[Principal, allow("jobs:read")],
        topics: Annotated[
            list[str] | None, Query(max_length=8, description="Names of events; none means all.")
        ] = None,
        last_event_id: Annotated[str | None, Header(description="Id of the last event seen.")] = None,
    ) -> StreamingResponse:
        """Follow jobs live; resumes after `Last-Event-ID`."""
        after = _event_id(last_event_id)

        async def still_allowed() -> bool:
            try:
                found = await request.app.state.gate.identify(request)
            except FerryError:
                return False
            return found is not None and found.principal.allows("jobs:read")

        viewer = Viewer(feed, caller, topics or ())
        return EventStream(follow(feed, viewer, after, still_allowed, pace=pace, heartbeat=heartbeat))

    return router


class EventStream(StreamingResponse):
    """An answer that no proxy may keep or collect."""

    media_type = "text/event-stream"

    def init_headers(self, headers: Any = None) -> None:
        """Add what keeps proxies from buffering."""
        super().init_headers(headers)
        self.headers["Cache-Control"] = "no-store"
        self.headers["X-Accel-Buffering"] = "no"


def _event_id(text: str | None) -> int | None:
    """Read `Last-Event-ID`; anything that is not one of ours starts the stream afresh."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None
