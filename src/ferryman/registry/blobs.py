"""Blobs: sent whole or in part, looked for, taken out of a repository (distribution-spec 1.1, "Pulling blobs")."""

from ferryman.core.digests import Digest
from ferryman.core.errors import NotFound
from ferryman.depot.service import Depot
from ferryman.oci.reference import parse_digest
from ferryman.registry.answers import SAFE, Answer, empty_answer
from ferryman.registry.asked import Asked
from ferryman.registry.errors import Refusal
from ferryman.registry.located import Found, Located
from ferryman.registry.ports import Arriving, Headers, Upstreams
from ferryman.registry.pushes import Pushes
from ferryman.registry.ranges import Unsatisfiable, tags_match, wanted
from ferryman.registry.threads import Threads


class Blobs:
    """Answers for `/v2/NAME/blobs/DIGEST`."""

    def __init__(
        self, depot: Depot, upstreams: Upstreams, *, threads: Threads, located: Located, pushes: Pushes
    ) -> None:
        """Serve what `depot` has and `upstreams` bring. What HEAD finds is held by `pushes`: a push may count on it."""
        self._depot = depot
        self._upstreams = upstreams
        self._threads = threads
        self._located = located
        self._pushes = pushes

    async def answer(self, asked: Asked) -> Answer:
        """Answer one request. Raises `Refusal` and errors of the depot."""
        digest = parse_digest(asked.route.last)
        if asked.method == "DELETE":
            note = asked.note("depot.unlink", f"{asked.repository}@{digest}")
            await self._threads.call(self._depot.unlink_blob, asked.repository, digest, note)
            return empty_answer(202, [])
        found = await self._located.find(asked.repository, digest) or await self._fetch(
            asked.repository, digest
        )
        if asked.method == "HEAD":
            await self._pushes.keep_where_possible(digest)
        return _send(found, digest, asked)

    async def _fetch(self, repository: str, digest: Digest) -> Found | Arriving:
        brought = (
            await self._upstreams.blob(repository, digest) if self._upstreams.covers(repository) else False
        )
        if not isinstance(brought, bool):
            return brought
        found = await self._located.find(repository, digest) if brought else None
        if found is None:
            raise NotFound("blob_unknown", f"{repository} has no blob {digest}.")
        return found


def _lines(digest: Digest, size: int) -> Headers:
    return [
        (b"content-type", b"application/octet-stream"),
        (b"content-length", str(size).encode()),
        (b"docker-content-digest", str(digest).encode()),
        (b"etag", f'"{digest}"'.encode()),
        (b"accept-ranges", b"bytes"),
        (b"cache-control", b"max-age=31536000"),
        *SAFE,
    ]


def _here(asked: Asked, digest: Digest) -> tuple[bytes, bytes]:
    """Say where the blob is: Ollama's client refuses a whole blob without `Location`, others do not look."""
    return b"location", f"/v2/{asked.name}/blobs/{digest}".encode()


def _send(found: Found | Arriving, digest: Digest, asked: Asked) -> Answer:
    etag = f'"{digest}"'
    condition = asked.header(b"if-none-match")
    if condition is not None and tags_match(condition, etag):
        return Answer(304, [(b"etag", etag.encode()), (b"docker-content-digest", str(digest).encode())])
    part = _part(asked, etag, found.size)
    if part is None:
        lines = [*_lines(digest, found.size), _here(asked, digest), *asked.extra]
        return _body(Answer(200, lines, length=found.size), found)
    first, length = part
    said = f"bytes {first}-{first + length - 1}/{found.size}".encode()
    lines = [*_lines(digest, length), (b"content-range", said), *asked.extra]
    return _body(Answer(206, lines, first=first, length=length, whole=False), found)


def _body(answer: Answer, found: Found | Arriving) -> Answer:
    """Give the answer its body: a file, or what arrives."""
    if isinstance(found, Found):
        answer.file = found.path
    else:
        answer.stream = found.chunks(answer.first, answer.length)
    return answer


def _part(asked: Asked, etag: str, size: int) -> tuple[int, int] | None:
    header = asked.header(b"range") if asked.method == "GET" else None
    if header is None or (asked.header(b"if-range") or etag) != etag:
        return None
    try:
        return wanted(header, size)
    except Unsatisfiable:
        raise Refusal(
            416,
            "SIZE_INVALID",
            f"The blob has {size:,} bytes; '{header[:60]}' is outside of it.",
            headers=((b"content-range", f"bytes */{size}".encode()),),
        ) from None
