"""How far a copy is: bytes per item and in sum, never going back; and the brake for a speed limit. Thread-safe."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ferryman.core.clock import Clock, SystemClock
from ferryman.transfer.meter import Meter as Speed
from ferryman.transfer.rate import Bucket


class Stopped(Exception):
    """The copy was asked to stop; what arrived is kept."""


class ItemState(StrEnum):
    """Where one item is."""

    WAITING = "waiting"
    MOVING = "moving"
    DONE = "done"
    MOUNTED = "mounted"
    THERE = "there"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ItemView:
    """One blob or manifest on its way: `moved` of `size` bytes."""

    name: str
    place: str
    size: int
    moved: int
    state: ItemState
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """The whole. `network` is what went over a network, in both directions; `disk` what of `total` is where it belongs."""

    total: int = 0
    network: int = 0
    disk: int = 0
    verified: int = 0
    rate: float = 0.0
    eta: float | None = None
    items_done: int = 0
    items_total: int = 0
    resumed: int = 0
    slow: str | None = None


class Item:
    """One blob or manifest. Several threads may tell about it. `legs` is how often its bytes move: twice through the depot."""

    __slots__ = ("_at", "_high", "_leg", "_meter", "legs", "media_type", "name", "place", "size", "state")

    def __init__(self, meter: "Meter", name: str, place: str, size: int, legs: int, media_type: str) -> None:
        """Made by `Meter.item` only."""
        self._meter = meter
        self.name, self.place, self.size, self.legs = name, place, size, legs
        self.media_type = media_type
        self.state = ItemState.WAITING
        self._leg = self._at = self._high = 0

    def begin(self, offset: int = 0, leg: int = 0) -> None:
        """Start an attempt, or another one, at `offset` of one of its legs. What was there already is not counted as moved."""
        with self._meter.lock:
            self.state = ItemState.MOVING
            self._leg, self._at = leg, offset
            before = self._high
            self._high = max(before, leg * self.size + offset)
            self._meter.resumed_by(self._high - before if offset else 0)

    def tell(self, count: int) -> None:
        """Count bytes that moved; waits while the speed limit says so. Raises `Stopped`."""
        with self._meter.lock:
            self._at += count
            self._high = max(self._high, self._leg * self.size + min(self._at, self.size))
            self._meter.network += count
        self._meter.brake(count)

    def show(self, offset: int, network: int, leg: int = 0) -> None:
        """Take over how far somebody else brought it: `offset` bytes are there, `network` more were received for it."""
        with self._meter.lock:
            self.state = ItemState.MOVING
            self._high = max(self._high, leg * self.size + min(offset, self.size))
            self._meter.received(network)

    def resumed(self, count: int) -> None:
        """Say how many of its bytes an earlier run had brought."""
        with self._meter.lock:
            self._meter.resumed_by(count)

    def end(self, state: ItemState) -> None:
        """Say how it ended. Verified bytes are counted when it is there."""
        with self._meter.lock:
            self.state = state
            if state is not ItemState.FAILED:
                self._high = self.legs * self.size
            if state is ItemState.DONE:
                self._meter.verified += self.size

    @property
    def moved(self) -> int:
        """Bytes that are where they belong, of `size`."""
        return self._high // self.legs

    def view(self) -> ItemView:
        """Return what can be shown."""
        return ItemView(self.name, self.place, self.size, self.moved, self.state, self.media_type)


class Meter:
    """All items of a copy. `stop` ends everything that moves soon, at its next piece."""

    def __init__(
        self, clock: Clock | None = None, *, rate_limit: int = 0, wait: Callable[[float], bool] | None = None
    ) -> None:
        """Begin with nothing; `rate_limit` is bytes per second of all together, 0 for none."""
        self._clock = clock or SystemClock()
        self.lock = threading.RLock()
        self._stop = threading.Event()
        self._wait = wait or self._stop.wait
        self.network = self.verified = self._resumed = 0
        self._items: list[Item] = []
        now = self._clock.monotonic()
        self._speed = Speed(now)
        self._bucket = Bucket(rate_limit, now)
        self._high = 0

    def item(self, name: str, place: str, size: int, legs: int = 1, media_type: str = "") -> Item:
        """Add an item."""
        item = Item(self, name, place, size, legs, media_type)
        with self.lock:
            self._items.append(item)
        return item

    def resumed_by(self, count: int) -> None:
        """Count bytes that were there from an earlier run. Under the lock."""
        self._resumed += count

    def received(self, count: int) -> None:
        """Count bytes of somebody who brakes himself; what others may take is less by them. Under the lock."""
        self.network += count
        self._bucket.spend(count)

    def brake(self, count: int) -> None:
        """Wait as long as the limit asks for `count` bytes. Raises `Stopped`."""
        if self._stop.is_set():
            raise Stopped
        if not self._bucket.rate:
            return
        with self.lock:
            self._bucket.spend(count)
        while True:
            with self.lock:
                now = self._clock.monotonic()
                if self._bucket.allowance(now, 1) or not self._bucket.rate:
                    return
            if self._wait(0.02) and self._stop.is_set():
                raise Stopped

    def share(self, many: int) -> int:
        """Return what each of `many` may take of the limit where it brakes itself, bytes per second, 0 for no limit."""
        return max(1, self._bucket.rate // many) if self._bucket.rate else 0

    def pause(self, seconds: float) -> None:
        """Wait before another attempt. Raises `Stopped`."""
        if self._stop.wait(seconds):
            raise Stopped

    def stop(self) -> None:
        """Let everything end."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def items(self) -> list[ItemView]:
        """Return all items as they are now."""
        with self.lock:
            return [item.view() for item in self._items]

    def view(self) -> View:
        """Return the sums as they are now."""
        with self.lock:
            total = sum(item.size for item in self._items)
            self._high = max(self._high, sum(item.moved for item in self._items))
            self._speed.update(self._clock.monotonic(), self.network)
            legs = sum(item.size * item.legs for item in self._items)
            left = max(0, legs - sum(item._high for item in self._items))
            ended = sum(
                item.state in {ItemState.DONE, ItemState.MOUNTED, ItemState.THERE} for item in self._items
            )
            return View(
                total=total,
                network=self.network,
                disk=self._high,
                verified=self.verified,
                rate=self._speed.rate,
                eta=self._speed.eta(left),
                items_done=ended,
                items_total=len(self._items),
                resumed=self._resumed,
                slow="our own rate limit" if self._bucket.rate and left else None,
            )
