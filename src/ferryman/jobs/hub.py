"""Live fan-out inside one process: what happens to jobs, to everyone who watches.

A subscriber that is slow gets the latest of each job rather than all that was. When it lags too far behind even so, it
gets one `reset` instead of what it missed, and loads anew.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, Self

from ferryman.jobs.model import Document

MOST: Final = 10_000
"""Messages a subscriber may lag behind."""
_LATEST: Final = frozenset({"job", "progress", "counts"})


@dataclass(frozen=True, slots=True)
class Message:
    """`name` is job, deleted, progress, log, counts or reset; `id` is the id of a stored event, when it has one."""

    name: str
    data: Document
    id: int | None = None


class Subscription:
    """One watcher's messages. Iterate it in one task; leave it as a context."""

    def __init__(self, hub: "Hub", most: int) -> None:
        """Listen to `hub` from now on."""
        self._hub = hub
        self._most = most
        self._waiting: OrderedDict[Any, Message] = OrderedDict()
        self._wake = asyncio.Event()
        self._serial = 0

    def put(self, message: Message) -> None:
        """Take a message; called by the hub."""
        key: Any
        if message.name in _LATEST:
            key = (message.name, message.data.get("id"))
            self._waiting.pop(key, None)
        else:
            self._serial += 1
            key = self._serial
        self._waiting[key] = message
        if len(self._waiting) > self._most:
            self._waiting.clear()
            self._waiting["reset"] = Message("reset", {})
        self._wake.set()

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._hub.leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        while not self._waiting:
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popitem(last=False)[1]


class Hub:
    """Hands messages to all subscriptions. `publish` never blocks; everything belongs to one event loop."""

    def __init__(self, most: int = MOST) -> None:
        """Start with nobody listening; each may lag `most` messages behind."""
        self._most = most
        self._subscriptions: set[Subscription] = set()

    @property
    def watched(self) -> bool:
        """Whether anybody listens: what is expensive to say need not be said otherwise."""
        return bool(self._subscriptions)

    def subscribe(self) -> Subscription:
        """Listen from now on; close it when done."""
        subscription = Subscription(self, self._most)
        self._subscriptions.add(subscription)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        self._subscriptions.discard(subscription)

    def publish(self, name: str, data: Document, id: int | None = None) -> None:  # noqa: A002 - the stream's word
        """Give a message to everyone."""
        message = Message(name, data, id)
        for subscription in self._subscriptions:
            subscription.put(message)
