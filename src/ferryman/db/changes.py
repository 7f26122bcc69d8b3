"""How often something changed, by whatever process on the same database: for those who remember what they read.

On SQLite the processes share a machine, and numbers in a file that all map. On PostgreSQL others are heard by NOTIFY: moments
after they committed. Where it is not certain that others are heard, nothing that is remembered may be believed.
"""

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from ferryman.core.counters import Counters

T = TypeVar("T")
LOST_S: Final = 60.0
"""A change that takes longer than this was begun by a process that was killed; no transaction waits for so long."""
LOOK_S: Final = 1.0
"""Seconds between two looks whether to end, and whether the connection lives."""
ALIVE_S: Final = 10.0
"""How long a connection counts as living after it last answered."""
_log = structlog.get_logger("ferryman.db")


class Changes(Protocol):
    """What knows of changes. Thread-safe."""

    @property
    def now(self) -> Callable[[], int | None]:
        """What returns a number that is another one after every change; None when nothing remembered may be believed.

        Very cheap; never waits for the database.
        """
        ...

    def announced(self, fn: Callable[[Connection], T]) -> Callable[[Connection], T]:
        """Return `fn` as it is to be run: others hear of it when its transaction succeeds."""
        ...

    def begin(self) -> None:
        """Say that a change of this process begins."""
        ...

    def end(self) -> None:
        """Say that it is over."""
        ...

    def close(self) -> None:
        """Let go of everything. Idempotent."""
        ...


def around(changes: Changes, submit: Callable[[], "Future[T]"]) -> "Future[T]":
    """Surround a transaction: the change is over when its future is, also when nobody waits for that any more."""
    changes.begin()
    try:
        future = submit()
    except BaseException:
        changes.end()
        raise
    future.add_done_callback(lambda _: changes.end())
    return future


class FileChanges:
    """Implements `Changes` for processes of one machine."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Count in the file at `path`."""
        self._counters, self._clock = Counters(path), clock
        self._since = 0.0
        self._begun = 0
        self._now = self._counters.watch((0,), self._unsettled)

    @property
    def now(self) -> Callable[[], int | None]:
        """See the port. A change whose process was killed is forgotten after `LOST_S`."""
        return self._now

    def _unsettled(self) -> None:
        begun = self._counters.begun(0)
        if begun != self._begun:
            self._begun, self._since = begun, self._clock()
        elif self._clock() - self._since > LOST_S:
            self._counters.repair()

    def announced(self, fn: Callable[[Connection], T]) -> Callable[[Connection], T]:
        """See the port: the file says it."""
        return fn

    def begin(self) -> None:
        """See the port."""
        self._counters.begin(0)

    def end(self) -> None:
        """See the port."""
        self._counters.end(0)

    def close(self) -> None:
        """See the port."""
        self._counters.close()


class NotifiedChanges:
    """Implements `Changes` on PostgreSQL. Listens from the first question on, with a connection and a thread of its own."""

    def __init__(self, engine: Engine, channel: str) -> None:
        """Speak and listen on `channel`."""
        self._engine, self._channel = engine, channel
        self._gate = threading.Lock()
        self._open, self._number = 0, itertools.count(1)
        self._now, self._alive_until = 0, 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def now(self) -> Callable[[], int | None]:
        """See the port."""
        return self._known

    def _known(self) -> int | None:
        if self._thread is None:
            self._listen()
        if self._open or time.monotonic() > self._alive_until:
            return None
        return self._now

    def announced(self, fn: Callable[[Connection], T]) -> Callable[[Connection], T]:
        """See the port: PostgreSQL delivers it when the transaction is committed."""

        def told(connection: Connection) -> T:
            result = fn(connection)
            connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": self._channel})
            return result

        return told

    def begin(self) -> None:
        """See the port."""
        with self._gate:
            self._open += 1

    def end(self) -> None:
        """See the port."""
        with self._gate:
            self._open -= 1
            self._now = next(self._number)

    def close(self) -> None:
        """See the port."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _listen(self) -> None:
        with self._gate:
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(
                    target=self._forever, name=f"ferryman-listen-{self._channel}", daemon=True
                )
                self._thread.start()

    def _forever(self) -> None:
        import psycopg  # noqa: PLC0415 - installed only where PostgreSQL is used

        while not self._stopping.is_set():
            try:
                self._connected()
            except (SQLAlchemyError, psycopg.Error) as error:
                self._alive_until = 0.0
                _log.warning("other daemons are not heard of", why=str(error)[:200])
                self._stopping.wait(LOOK_S)

    def _connected(self) -> None:
        """Listen until the connection breaks or it is time to end."""
        pooled = self._engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        try:
            connection.autocommit = True
            connection.execute(f'LISTEN "{self._channel}"')
            while not self._stopping.is_set():
                # What happened while nobody listened is unknown: the first number is a new one, too.
                if self._alive_until == 0.0:
                    self._heard()
                self._alive_until = time.monotonic() + ALIVE_S
                for _ in connection.notifies(timeout=LOOK_S):
                    self._heard()
                    self._alive_until = time.monotonic() + ALIVE_S
                connection.execute("SELECT 1")
        finally:
            self._alive_until = 0.0
            connection.close()

    def _heard(self) -> None:
        with self._gate:
            self._now = next(self._number)
