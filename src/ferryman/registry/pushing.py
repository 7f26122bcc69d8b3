"""Uploads: begun, continued, finished, cancelled; mounts (distribution-spec 1.1, "Pushing blobs")."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from ferryman.core.clock import Clock
from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid
from ferryman.depot.model import ALGORITHMS
from ferryman.depot.service import Depot
from ferryman.oci.reference import check_repository, parse_digest
from ferryman.registry.answers import Answer, empty_answer
from ferryman.registry.arrival import arrive
from ferryman.registry.asked import Asked
from ferryman.registry.errors import Refusal
from ferryman.registry.ports import Headers, Rules
from ferryman.registry.pushes import Pushes
from ferryman.registry.ranges import chunk
from ferryman.registry.sessions import Session, Sessions
from ferryman.registry.threads import Threads

MayPull = Callable[[Asked, str], Awaitable[bool]]
"""Whether the caller may pull from a repository: what mounting from it takes."""
MOST_SOURCES: Final = 50
PATIENCE_S: Final = 30.0
"""How long a request waits for another one on the same upload."""


class Pushing:
    """Answers for `/v2/NAME/blobs/uploads/` and the addresses of uploads below it."""

    def __init__(
        self,
        depot: Depot,
        sessions: Sessions,
        pushes: Pushes,
        rules: Callable[[], Rules],
        *,
        clock: Clock,
        threads: Threads,
        may_pull: MayPull,
    ) -> None:
        """Take content into `depot`; `may_pull` is asked for the source of a mount."""
        self._depot = depot
        self._sessions = sessions
        self._pushes = pushes
        self._rules = rules
        self._clock = clock
        self._threads = threads
        self._may_pull = may_pull

    async def begin(self, asked: Asked) -> Answer:
        """Answer a POST: a mount, a whole blob in one request, or a new upload."""
        mount, digest = asked.query.one("mount"), asked.query.one("digest")
        if mount is not None:
            wanted = parse_digest(mount)
            if await self._mounted(asked, wanted):
                await self._pushes.keep(wanted)
                return _created(asked, wanted)
            return _accepted(asked, await self._open(asked, wanted.algorithm))
        if digest is not None:
            expected = parse_digest(digest)
            session = await self._open(asked, expected.algorithm)
            async with session.turn:
                return await self._finish(asked, session, expected, alone=True)
        algorithm = asked.query.one("digest-algorithm") or "sha256"
        if algorithm not in ALGORITHMS:
            raise _algorithm(algorithm)
        return _accepted(asked, await self._open(asked, algorithm))

    async def on(self, asked: Asked) -> Answer:
        """Answer a request to an upload. One request works on an upload at a time; others wait for their turn."""
        session = await self._threads.call(self._sessions.find, asked.repository, asked.route.last)
        if asked.method == "GET":
            return await self._status(asked, session)
        expected = parse_digest(asked.query.one("digest") or "") if asked.method == "PUT" else None
        async with _turn(session):
            if session.gone:
                session = await self._threads.call(self._sessions.find, asked.repository, asked.route.last)
            if asked.method == "DELETE":
                await self._threads.call(self._sessions.cancel, session)
                return empty_answer(204, [])
            if expected is not None:
                return await self._finish(asked, session, expected)
            await self._append(asked, session)
            await self._threads.call(self._sessions.grown, session)
        return Answer(202, [*_where(asked, session), (b"content-length", b"0")])

    async def _open(self, asked: Asked, algorithm: str) -> Session:
        origin = asked.origin(self._clock.now())
        return await self._threads.call(self._sessions.begin, asked.repository, origin, algorithm)

    async def _status(self, asked: Asked, session: Session) -> Answer:
        if session.writer is None:
            async with session.turn:
                await self._threads.call(self._sessions.writer, session)
        return empty_answer(204, _where(asked, session))

    async def _append(self, asked: Asked, session: Session, algorithm: str | None = None) -> None:
        """Take the body of a request behind what is there; on a cut connection what came stays."""
        writer = await self._threads.call(self._sessions.writer, session, algorithm)
        before, length = session.offset, self._announced(asked, session)
        try:
            await arrive(asked, writer, self._threads, most=self._room(session))
        finally:
            session.touched = self._clock.monotonic()
        came = session.offset - before
        if length is not None and came != length:
            await self._threads.call(self._sessions.cut, session, before)
            raise Refusal(400, "SIZE_INVALID", f"{came:,} bytes came, {length:,} were announced.")

    def _announced(self, asked: Asked, session: Session) -> int | None:
        """Return how many bytes must come; refuse those that belong elsewhere (416) or are too many (413)."""
        length, text = asked.length(), asked.header(b"content-range")
        limit = self._rules().largest_upload
        if limit and session.offset + (length or 0) > limit:
            raise _too_large(limit)
        if text is None:
            return length
        place = chunk(text)
        if place is None:
            raise Refusal(
                400, "BLOB_UPLOAD_INVALID", f"Content-Range '{text[:60]}' is not of the form FIRST-LAST."
            )
        if place[0] != session.offset:
            raise Refusal(
                416,
                "BLOB_UPLOAD_INVALID",
                f"The chunk begins at {place[0]:,}, the upload is at {session.offset:,}.",
                detail={"offset": session.offset},
                headers=tuple(_where(asked, session)),
            )
        if length is not None and length != place[1]:
            raise Refusal(
                400, "SIZE_INVALID", f"Content-Range says {place[1]:,} bytes, Content-Length {length:,}."
            )
        return place[1]

    def _room(self, session: Session) -> int | None:
        limit = self._rules().largest_upload
        return limit - session.offset if limit else None

    async def _finish(
        self, asked: Asked, session: Session, expected: Digest, *, alone: bool = False
    ) -> Answer:
        """Take the rest, verify, and make it part of the repository."""
        try:
            await self._append(asked, session, expected.algorithm)
            await self._threads.call(self._sessions.commit, session, expected)
        except BaseException:
            if alone and not session.gone:
                await self._threads.call(self._sessions.cancel, session)
            raise
        return _created(asked, expected)

    async def _mounted(self, asked: Asked, digest: Digest) -> bool:
        """Make a blob of another repository part of this one, when it is there and the caller may pull it."""
        source = asked.query.one("from")
        if source is not None:
            sources = [check_repository(source)]
        else:
            sources = await self._threads.call(self._depot.repositories_of, digest, MOST_SOURCES)
        for repository in sources:
            allowed = repository == asked.repository or await self._may_pull(asked, repository)
            if allowed and await self._threads.call(self._link, repository, asked.repository, digest):
                return True
        return False

    def _link(self, source: str, target: str, digest: Digest) -> bool:
        if not self._depot.has_blob_in(source, digest):
            return False
        if source != target:
            self._depot.link_blob(target, digest)
        return True


@contextlib.asynccontextmanager
async def _turn(session: Session) -> AsyncIterator[None]:
    """Wait until nobody else works on the upload. One whose client fell silent does not make others wait for ever."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await session.turn.acquire()
    except TimeoutError:
        raise Refusal(
            429,
            "TOOMANYREQUESTS",
            "Another request is sending to this upload.",
            headers=((b"retry-after", b"5"),),
        ) from None
    try:
        yield
    finally:
        session.turn.release()


def _where(asked: Asked, session: Session) -> Headers:
    """The headers that say where an upload is and how far: an empty one is told as `0-0`, as all registries do."""
    return [
        (b"location", f"/v2/{asked.name}/blobs/uploads/{session.id}".encode()),
        (b"range", f"0-{max(0, session.offset - 1)}".encode()),
        (b"docker-upload-uuid", session.id.encode()),
    ]


def _accepted(asked: Asked, session: Session) -> Answer:
    return empty_answer(202, _where(asked, session))


def _created(asked: Asked, digest: Digest) -> Answer:
    headers = [
        (b"location", f"/v2/{asked.name}/blobs/{digest}".encode()),
        (b"docker-content-digest", str(digest).encode()),
    ]
    return empty_answer(201, headers)


def _algorithm(name: str) -> Invalid:
    return Invalid(
        "digest_unsupported",
        f"Content cannot be named by '{name[:40]}' here.",
        advice=f"Use one of {', '.join(ALGORITHMS)}.",
    )


def _too_large(limit: int) -> Refusal:
    return Refusal(413, "SIZE_INVALID", f"Blobs of at most {limit:,} bytes are taken here.")
