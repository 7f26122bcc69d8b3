"""Manifests and sizes of blobs in memory, ready to be sent, each forgotten as soon as what it was read from changes."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Seen:
    """A state of the depot: what was read in it is true while `watch()` still returns `moment`."""

    watch: Callable[[], int]
    moment: int
    epoch: int


class Cache(Generic[V]):
    """Values by key, each with what tells whether it is still true. For the event loop only.

    That is asked for every read: it costs a microsecond, and nobody ever sees what is no longer true. A change of one
    reference leaves all others where they are.
    """

    def __init__(
        self,
        weigh: Callable[[V], int] = lambda _: 0,
        *,
        most_bytes: int = MOST_BYTES,
        most_entries: int = MOST_ENTRIES,
    ) -> None:
        """Hold at most `most_bytes` (by `weigh`) in at most `most_entries`; the oldest leave first."""
        self._weigh = weigh
        self._most_bytes, self._most_entries = most_bytes, most_entries
        self._values: OrderedDict[str, tuple[V, Callable[[], int], int]] = OrderedDict()
        self._bytes = 0
        self._epoch = 0

    def seen(self, watch: Callable[[], int]) -> Seen:
        """Return the state now: to be asked before what is given to `put` is read. `watch` changes with what is read."""
        return Seen(watch, watch(), self._epoch)

    def get(self, key: str) -> V | None:
        """Return what is known and still true."""
        found = self._values.get(key)
        if found is None:
            return None
        if found[1]() != found[2]:
            self._drop(key)
            return None
        return found[0]

    def put(self, key: str, value: V, seen: Seen) -> None:
        """Keep what was read in the state `seen`. What changed since is not kept for long: `get` asks."""
        weight = self._weigh(value)
        if seen.epoch != self._epoch or weight > self._most_bytes // 8:
            return
        self._drop(key)
        self._values[key] = (value, seen.watch, seen.moment)
        self._bytes += weight
        while self._bytes > self._most_bytes or len(self._values) > self._most_entries:
            self._drop(next(iter(self._values)))

    def forget(self) -> None:
        """Forget everything, also what is being read now."""
        self._epoch += 1
        self._values.clear()
        self._bytes = 0

    def _drop(self, key: str) -> None:
        gone = self._values.pop(key, None)
        if gone is not None:
            self._bytes -= self._weigh(gone[0])
