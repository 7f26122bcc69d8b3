"""The small port between transfers and the carriers that speak protocols. All calls happen on the loop."""

from dataclasses import dataclass
from typing import Protocol

from ferryman.core.errors import FerryError
from ferryman.transfer.disk import PartFile
from ferryman.transfer.http import Head
from ferryman.transfer.model import AddressRule, Options


@dataclass(frozen=True, slots=True)
class Ask:
    """One exchange: bytes `[start, end)` of `url` (`ranged`; `end` None is open) or all of it.

    `headers` are complete, without Host and Range. `trusted` says that `url` is at the origin, where credentials of
    `options` may go; `login` is the origin's user and password for FTP and for authentication beyond basic. `allow` sees every address before it is connected to.
    """

    url: str
    start: int
    end: int | None
    ranged: bool
    headers: tuple[tuple[str, str], ...]
    options: Options
    allow: AddressRule | None
    trusted: bool
    login: tuple[str, str] | None = None


class Sink(Protocol):
    """Who gets the bytes of an exchange. After `ended` or `Exchange.cancel` nothing is called any more."""

    @property
    def part(self) -> PartFile:
        """The file bytes go to."""
        ...

    @property
    def limited(self) -> bool:
        """Whether a rate limit is on: then little more than a head should be read before `room` is asked."""
        ...

    def answered(self, head: Head) -> bool:
        """The head is there; True when the body is wanted, False when the exchange is over."""
        ...

    def room(self, limit: int) -> int:
        """How many bytes, at most `limit`, may be read now; 0 is wait until `Exchange.resume`, -1 is enough."""
        ...

    def offset(self) -> int:
        """Where the next byte belongs in `part`."""
        ...

    def lent(self, count: int) -> None:
        """`count` more bytes were read and are being written at `offset`, which moves on; `took` will count them."""
        ...

    def took(self, count: int) -> None:
        """`count` bytes were put into `part`: at `offset`, or where those that were lent first belong."""
        ...

    def put(self, data: memoryview) -> int:
        """Take bytes (not kept after the call) and say how many were wanted. May raise `OSError`."""
        ...

    def ended(self, error: FerryError | OSError | None) -> None:
        """The exchange is over: clean end of the body (None), a failure, or an error of the local disk (`OSError`)."""
        ...


class Exchange(Protocol):
    """A running exchange."""

    connected: bool

    def resume(self) -> None:
        """Go on reading after `Sink.room` said 0."""
        ...

    def cancel(self) -> None:
        """End at once without calling the sink; closes its connection unless the body was read to its end."""
        ...

    def tick(self, now: float) -> None:
        """Look after connect time-outs."""
        ...


class Carrier(Protocol):
    """Speaks a protocol."""

    def fetch(self, ask: Ask, sink: Sink) -> Exchange:
        """Start an exchange; the sink is never called before this returns."""
        ...

    def tick(self, now: float) -> None:
        """Close what was idle for long."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
