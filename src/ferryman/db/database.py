"""One relational database, reached from an event loop: SQLite (WAL) by default, or PostgreSQL.

Functions that take a SQLAlchemy connection run in threads, in one transaction each. On SQLite one thread writes; what
waits for it is committed together, each function in its own savepoint, so that many small writes share one sync.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from ferryman.core.errors import Exhausted, FerryError, Unavailable
from ferryman.db.changes import Changes, FileChanges, NotifiedChanges, around
from ferryman.db.migrate import migrate
from ferryman.db.values import dump, matches

T = TypeVar("T")
Work = tuple[Callable[[Connection], Any], "Future[Any]"]
GROUP = 64
"""Most functions that one commit covers."""
TRIES = 5
"""How often PostgreSQL may refuse a transaction because of others before its caller hears of it."""
_CLASHES = ("40001", "40P01")
"""PostgreSQL, appendix A: serialization_failure, deadlock_detected."""


def sqlite_url(path: Path) -> str:
    """The address of a SQLite file."""
    return f"sqlite+pysqlite:///{path}"


class Database:
    """Runs functions in transactions.

    `read` and `write` may be called from any event loop, `read_now` and `write_now` from any thread.
    A function may run more than once when other transactions got in its way; so it changes nothing but the database.
    """

    def __init__(self, url: str, *, readers: int = 4) -> None:
        """Open `url`; raises `Unavailable` only at the first use."""
        self.sqlite = url.startswith("sqlite")
        self.engine = _sqlite_engine(url, readers) if self.sqlite else _postgres_engine(url, readers)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="ferryman-read")
        self._writers = ThreadPoolExecutor(readers, thread_name_prefix="ferryman-write")
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._changes: dict[str, Changes] = {}
        self._writer: threading.Thread | None = None
        if self.sqlite:
            self._writer = threading.Thread(target=self._write_forever, name="ferryman-writer", daemon=True)
            self._writer.start()

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a read transaction, which on SQLite sees one state of the database, and return its result."""
        return await asyncio.wrap_future(self._submit(self._readers, fn))

    async def write(self, fn: Callable[[Connection], T], *, changes: Changes | None = None) -> T:
        """Run `fn` in a transaction that is durable when this returns; its error rolls it back and is raised.

        `changes` count it. When the call is cancelled, it may have happened or not.
        """
        if changes is None:
            return await asyncio.wrap_future(self._change(fn))
        told = changes.announced(fn)
        return await asyncio.wrap_future(around(changes, lambda: self._change(told)))

    def changes(self, name: str) -> Changes:
        """Return what counts changes of `name` (letters), here and in all other processes on this database."""
        with self._gate:
            self._refuse_when_closed()
            found = self._changes.get(name)
            if found is None:
                found = self._changes[name] = self._counted(name)
            return found

    def _counted(self, name: str) -> Changes:
        if not self.sqlite:
            return NotifiedChanges(self.engine, f"ferryman_{name}")
        return FileChanges(Path(f"{self.engine.url.database}.{name}"))

    def write_now(self, fn: Callable[[Connection], T]) -> T:
        """`write` for callers without an event loop; blocks."""
        return self._change(fn).result()

    def read_now(self, fn: Callable[[Connection], T]) -> T:
        """`read` for callers without an event loop; blocks, and runs `fn` in the calling thread."""
        with self._gate:
            self._refuse_when_closed()
        return self._transact(fn)

    async def answers(self) -> bool:
        """Tell whether the database answers. Raises `Unavailable` when it cannot be reached."""
        return await self.read(lambda connection: connection.execute(text("SELECT 1")).scalar() == 1)

    def migrate(self) -> None:
        """Bring the tables to the present version, or make them. Blocks; safe to call from several processes."""
        migrate(self.engine)

    async def close(self) -> None:
        """Finish what is queued and close all connections. Idempotent."""
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """`close` for callers without an event loop."""
        with self._gate:
            first, self._closed = not self._closed, True
        if first and self._writer is not None:
            self._queue.put(None)
            self._writer.join()
        self._readers.shutdown()
        self._writers.shutdown()
        for changes in self._changes.values():
            changes.close()
        self.engine.dispose()

    def _change(self, fn: Callable[[Connection], T]) -> "Future[T]":
        if not self.sqlite:
            return self._submit(self._writers, fn)
        future: Future[T] = Future()
        with self._gate:
            self._refuse_when_closed()
            self._queue.put((fn, future))
        return future

    def _submit(self, pool: ThreadPoolExecutor, fn: Callable[[Connection], T]) -> "Future[T]":
        with self._gate:
            self._refuse_when_closed()
            return pool.submit(self._transact, fn)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise Unavailable("database_closed", "The database is closed.", advice="Ferryman is stopping.")

    def _transact(self, fn: Callable[[Connection], T]) -> T:
        for left in reversed(range(TRIES)):
            try:
                with self.engine.begin() as connection:
                    if self.sqlite:
                        connection.exec_driver_sql("BEGIN")
                    return fn(connection)
            except DBAPIError as error:
                if left and _clashed(error):
                    continue
                raise _translate(error) from error
        raise AssertionError("the last try returns or raises")

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
            for _, future in group:
                future.set_exception(_translate(error))
            return
        for future, result, failure in outcomes:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(_translate(failure))


def _one(
    connection: Connection, fn: Callable[[Connection], T], future: "Future[T]", *, alone: bool
) -> "tuple[Future[T], T | None, Exception | None]":
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
        json_serializer=dump,
        # The driver must not begin transactions by itself: every function begins its own.
        connect_args={"check_same_thread": False, "timeout": 30, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-16384",
            "mmap_size=2147418112",
            "temp_store=MEMORY",
            "wal_autocheckpoint=4000",
        ):
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("matches", 2, matches, deterministic=True)

    return engine


def _postgres_engine(url: str, readers: int) -> Engine:
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            url = "postgresql+psycopg://" + url.removeprefix(prefix)
    return create_engine(url, pool_size=readers * 2, max_overflow=4, pool_pre_ping=True, json_serializer=dump)


def _clashed(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when it is tried again at once."""
    return isinstance(error, IntegrityError) or getattr(error.orig, "sqlstate", None) in _CLASHES


def _translate(error: BaseException) -> BaseException:
    """What the caller hears of: what is not the database's answer stays as it is."""
    if isinstance(error, FerryError) or not isinstance(error, OperationalError | InterfaceError):
        return error
    words = str(error.orig)
    if (
        "disk is full" in words
        or "No space left" in words
        or getattr(error.orig, "sqlstate", None) == "53100"
    ):
        problem: FerryError = Exhausted(
            "disk_full", "The database has no room left.", advice="Make room on its disk."
        )
    else:
        problem = Unavailable(
            "database_unavailable", f"The database did not answer: {words}.", advice="See `ferry doctor`."
        )
    problem.__cause__ = error
    return problem
