"""One relational database, reached from an event loop: SQLite (WAL) by default, or PostgreSQL.

Functions that take a SQLAlchemy connection run in threads, in one transaction each. On SQLite one thread writes; what
waits for it is committed together, each function in its own savepoint, so that many small writes share one sync.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from ferryman.core.errors import Exhausted, Unavailable
from ferryman.db.migrate import migrate

T = TypeVar("T")
Work = tuple[Callable[[Connection], Any], "Future[Any]"]
GROUP = 64
"""Most functions that one commit covers."""


def sqlite_url(path: Path) -> str:
    """The address of a SQLite file."""
    return f"sqlite+pysqlite:///{path}"


class Database:
    """Runs functions in transactions. `read` and `write` may be called from any event loop or, as `*_now`, thread."""

    def __init__(self, url: str, *, readers: int = 4) -> None:
        """Open `url`; raises `Unavailable` only at the first use."""
        self.sqlite = url.startswith("sqlite")
        self.engine = _sqlite_engine(url, readers) if self.sqlite else _postgres_engine(url, readers)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="ferryman-read")
        self._writers = ThreadPoolExecutor(readers, thread_name_prefix="ferryman-write")
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        if self.sqlite:
            self._writer = threading.Thread(target=self._write_forever, name="ferryman-writer", daemon=True)
            self._writer.start()

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a read transaction and return its result."""
        return await asyncio.wrap_future(self._readers.submit(self._transact, fn))

    async def answers(self) -> bool:
        """Tell whether the database answers. Raises `Unavailable` when it cannot be reached."""
        return await self.read(lambda connection: connection.execute(text("SELECT 1")).scalar() == 1)

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a transaction that is durable when this returns; its error rolls it back and is raised."""
        return await asyncio.wrap_future(self._submit(fn))

    def write_now(self, fn: Callable[[Connection], T]) -> T:
        """`write` for callers without an event loop; blocks."""
        return self._submit(fn).result()

    def migrate(self) -> None:
        """Bring the tables to the present version, or make them. Blocks; safe to call from several processes."""
        migrate(self.engine)

    def add_function(self, name: str, arguments: int, fn: Callable[..., Any]) -> None:
        """Let statements on SQLite call `fn`, a pure function, as `name`. Call it before the first use."""
        if self.sqlite:

            @event.listens_for(self.engine, "connect")
            def _add(connection: Any, _record: Any) -> None:
                connection.create_function(name, arguments, fn, deterministic=True)

            self.engine.dispose()

    async def close(self) -> None:
        """Finish what is queued and close all connections. Idempotent."""
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """`close` for callers without an event loop."""
        if self._writer is not None:
            self._queue.put(None)
            self._writer.join()
            self._writer = None
        self._readers.shutdown()
        self._writers.shutdown()
        self.engine.dispose()

    def _submit(self, fn: Callable[[Connection], T]) -> "Future[T]":
        if not self.sqlite:
            return self._writers.submit(self._transact, fn)
        future: Future[T] = Future()
        self._queue.put((fn, future))
        return future

    def _transact(self, fn: Callable[[Connection], T]) -> T:
        try:
            with self.engine.begin() as connection:
                return fn(connection)
        except OperationalError as error:
            raise _translate(error) from error

    def _write_forever(self) -> None:
        last = False
        while not last:
            group: list[Work] = []
            work = self._queue.get()
            while True:
                if work is None:
                    last = True
                    break
                if work[1].set_running_or_notify_cancel():
                    group.append(work)
                if len(group) >= GROUP or self._queue.empty():
                    break
                work = self._queue.get()
            if group:
                self._commit(group)

    def _commit(self, group: list[Work]) -> None:
        outcomes: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            with self.engine.begin() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                for fn, future in group:
                    outcomes.append(_one(connection, fn, future, alone=len(group) == 1))
        except Exception as error:  # noqa: BLE001 - every waiting caller must hear of it
            problem = _translate(error) if isinstance(error, OperationalError) else error
            for _, future in group:
                future.set_exception(problem)
            return
        for future, result, failure in outcomes:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)


def _one(
    connection: Connection, fn: Callable[[Connection], T], future: "Future[T]", *, alone: bool
) -> "tuple[Future[T], T | None, BaseException | None]":
    if alone:
        return future, fn(connection), None
    connection.exec_driver_sql("SAVEPOINT one")
    try:
        result = fn(connection)
    except Exception as error:  # noqa: BLE001 - handed to the caller; the others of the group go on
        connection.exec_driver_sql("ROLLBACK TO one")
        connection.exec_driver_sql("RELEASE one")
        return future, None, error
    connection.exec_driver_sql("RELEASE one")
    return future, result, None


def _sqlite_engine(url: str, readers: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=readers + 1,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": 30, "autocommit": True}
        if hasattr(sqlite3, "LEGACY_TRANSACTION_CONTROL")
        else {"check_same_thread": False, "timeout": 30, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-16384",
            "temp_store=MEMORY",
            "wal_autocheckpoint=4000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _postgres_engine(url: str, readers: int) -> Engine:
    url = url.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1)
    return create_engine(url, pool_size=readers * 2, max_overflow=4, pool_pre_ping=True)


def _translate(error: OperationalError) -> Exception:
    text = str(error.orig)
    if "disk is full" in text or "No space left" in text:
        return Exhausted("disk_full", "The database has no room left.", advice="Make room on its disk.")
    return Unavailable(
        "database_unavailable", f"The database did not answer: {text}.", advice="See `ferry doctor`."
    )
