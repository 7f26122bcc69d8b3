"""What the transfers of an engine share, and the loop's side of it. Loop only, except where said."""

import os
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from ferryman.core.clock import Clock
from ferryman.core.errors import Unavailable
from ferryman.transfer.carrier import Ask, Carrier
from ferryman.transfer.disk import Flusher
from ferryman.transfer.finish import Finisher
from ferryman.transfer.hosts import Hosts
from ferryman.transfer.journal import boot_id
from ferryman.transfer.model import Limits
from ferryman.transfer.proxy import proxy_for
from ferryman.transfer.pump import Pump
from ferryman.transfer.rate import Bucket
from ferryman.transfer.task import Task
from ferryman.transfer.wire import Wire

_SATURATED: Final = 0.7
"""Share of the time; the rest is what a loop waits even when data is always there."""


class Core:
    """Pump, carriers, places at hosts, the global rate, and which transfers are at work or wait."""

    def __init__(self, limits: Limits, rate_limit: int, clock: Clock) -> None:
        """Build the parts; the pump is started by the engine."""
        self.limits, self.clock = limits, clock
        self.pump = Pump(self._tick, self._interval, self._broken)
        self.hosts = Hosts(limits.per_host)
        self.bucket = Bucket(rate_limit, self.now())
        self.flusher, self.finisher = Flusher(), Finisher()
        self.boot = boot_id()
        self.rate_at: Callable[[float], int] | None = None
        self.tasks: list[Task] = []
        self._at_network: set[Task] = set()
        self._waiting: deque[Task] = deque()
        self._wire = Wire(self.pump)
        self._curl: Carrier | None = None
        self._next_rate = 0.0
        self._turn = 0

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def carrier(self, ask: Ask) -> Carrier:
        """Who speaks the protocol of `ask`: our own carrier where it can, else libcurl (imported then)."""
        plain = ask.url.startswith(("http://", "https://"))
        if plain and not ask.login and not self._proxied(ask):
            return self._wire
        if self._curl is None:
            from ferryman.transfer.curl import Curl  # noqa: PLC0415 - most commands never need libcurl

            self._curl = Curl(self.pump)
        return self._curl

    @staticmethod
    def _proxied(ask: Ask) -> bool:
        return proxy_for(ask.url, ask.options, os.environ) is not None

    def add(self, task: Task) -> None:
        """Start a transfer as soon as there is a place for it."""
        self.tasks.append(task)
        self._waiting.append(task)
        self._admit()

    def ended(self, task: Task) -> None:
        """A transfer is over."""
        self.tasks.remove(task)
        if task in self._waiting:
            self._waiting.remove(task)
        self.left_network(task)

    def left_network(self, task: Task) -> None:
        """A transfer needs no connection any more: its place is free."""
        self._at_network.discard(task)
        self.pump.soon(self._admit)

    def feed(self) -> None:
        """A connection's place is free: those without any come first."""
        for task in list(self._at_network):
            if task.starving:
                task.step()

    def others_starve(self, task: Task) -> bool:
        """Whether some other transfer waits for its first connection."""
        return any(other.starving for other in self._at_network if other is not task)

    def saturated(self, now: float) -> bool:
        """Whether what already arrives keeps the loop or the disk as busy as they can be."""
        return self.pump.busy >= _SATURATED or self._wire.writer.behind(now)

    def close(self) -> None:
        """Close connections. Called on the loop, last."""
        self._wire.close()
        if self._curl:
            self._curl.close()

    def _admit(self) -> None:
        while self._waiting and len(self._at_network) < self.limits.active:
            task = self._waiting.popleft()
            self._at_network.add(task)
            task.begin()

    def _broken(self, error: Exception) -> None:
        """A fault of ours: nothing that is at work can be relied on, so all of it ends with an error."""
        import traceback  # noqa: PLC0415 - for faults only

        detail = "".join(traceback.format_exception(error))
        for task in list(self.tasks):
            task.log("warning", detail)
            task.fail(
                Unavailable(
                    "engine_fault", f"The transfer engine failed ({error!r}).", advice="Report this, please."
                )
            )

    def _interval(self) -> float | None:
        if not self.tasks:
            return None
        return 0.02 if any(lane.paused for task in self._at_network for lane in task.lanes) else 0.1

    def _tick(self, now: float) -> None:
        if self.rate_at and now >= self._next_rate:
            self._next_rate = now + 1.0
            self.bucket.set_rate(self.rate_at(self.clock.now()), now)
        # Whoever comes first gets what a shared limit allows: everybody is first in turn.
        tasks = list(self._at_network)
        self._turn = (self._turn + 1) % max(1, len(tasks))
        for task in tasks[self._turn :] + tasks[: self._turn]:
            task.tick(now)
        for task in self.tasks:
            if task not in self._at_network and not task.over and task not in self._waiting:
                task.observe(now)
        self._wire.tick(now)
        if self._curl:
            self._curl.tick(now)
