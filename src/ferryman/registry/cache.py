"""Manifests and sizes of blobs in memory, ready to be sent, forgotten as soon as any reference of the depot changes."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from ferryman.registry.answers import SAFE, VERSION, Message
from ferryman.registry.ports import Headers

V = TypeVar("V")
MOST_BYTES: Final = 64 << 20
MOST_ENTRIES: Final = 20_000


class Kept:
    """A manifest with its answers made: sending them needs no further work. Never changed once made."""

    __slots__ = ("body", "etag", "head", "lines", "raw", "repository", "said", "size", "unchanged")

    def __init__(self, repository: str, raw: bytes, media_type: str, digest: str) -> None:
        """Make the answers for `raw`, which belongs to `repository`."""
        self.repository, self.raw, self.size, self.etag = repository, raw, len(raw), f'"{digest}"'
        self.said: Headers = [(b"docker-content-digest", digest.encode()), (b"etag", self.etag.encode())]
        self.lines: Headers = [
            (b"content-type", media_type.encode("latin-1", "replace")),
            (b"content-length", str(len(raw)).encode()),
            *self.said,
            *SAFE,
        ]
        self.head: Message = {"type": "http.response.start", "status": 200, "headers": [*self.lines, VERSION]}
        self.body: Message = {"type": "http.response.body", "body": raw}
        self.unchanged: Message = {
            "type": "http.response.start",
            "status": 304,
            "headers": [*self.said, VERSION],
        }


class Cache(Generic[V]):
    """Values by key, all of one generation of the depot. For the event loop only.

    `generation` is asked for every read: it costs a few microseconds, and nobody ever sees what is no longer true.
    """

    def __init__(
        self,
        generation: Callable[[], int],
        weigh: Callable[[V], int] = lambda _: 0,
        *,
        most_bytes: int = MOST_BYTES,
        most_entries: int = MOST_ENTRIES,
    ) -> None:
        """Hold at most `most_bytes` (by `weigh`) in at most `most_entries`; the oldest leave first."""
        self._generation = generation
        self._weigh = weigh
        self._most_bytes, self._most_entries = most_bytes, most_entries
        self._values: OrderedDict[str, V] = OrderedDict()
        self._bytes = 0
        self._seen = -1

    def moment(self) -> int:
        """Return the generation now: to be asked before what is given to `put` is read."""
        now = self._generation()
        if now != self._seen:
            self._values.clear()
            self._bytes, self._seen = 0, now
        return now

    def get(self, key: str) -> V | None:
        """Return what is known and still true."""
        if not self._values:
            return None
        self.moment()
        return self._values.get(key)

    def put(self, key: str, value: V, moment: int) -> None:
        """Keep what was read after `moment()` returned `moment`, unless something changed since."""
        weight = self._weigh(value)
        if moment != self._seen or weight > self._most_bytes // 8 or key in self._values:
            return
        self._values[key] = value
        self._bytes += weight
        while self._bytes > self._most_bytes or len(self._values) > self._most_entries:
            _, gone = self._values.popitem(last=False)
            self._bytes -= self._weigh(gone)
