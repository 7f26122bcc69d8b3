"""Transactions on real databases: what is committed together, what is rolled back alone, what a reader sees."""

import asyncio
import threading

import pytest
from sqlalchemy import text

from ferryman.core.errors import Conflict, Unavailable
from ferryman.db import Database, sqlite_url


@pytest.fixture
async def db(tmp_path):
    database = Database(sqlite_url(tmp_path / "ferry.db"))
    database.migrate()
    await database.write(lambda c: c.execute(text("CREATE TABLE t (n INTEGER UNIQUE)")))
    yield database
    await database.close()


def put(number):
    return lambda c: c.execute(text("INSERT INTO t VALUES (:n)"), {"n": number}).rowcount


async def numbers(database):
    return await database.read(lambda c: sorted(c.execute(text("SELECT n FROM t")).scalars()))


async def test_of_many_writes_at_once_only_the_failing_are_undone(db):
    gate = threading.Event()
    first = asyncio.ensure_future(
        db.write(lambda c: gate.wait(20))
    )  # so that the others are committed together
    await asyncio.sleep(0)

    def broken(connection):
        put(100)(connection)
        raise Conflict("no", "It is not to be.")

    waiting = [asyncio.ensure_future(db.write(put(n))) for n in range(5)]
    failing = [asyncio.ensure_future(db.write(broken)), asyncio.ensure_future(db.write(put(3)))]
    await asyncio.sleep(0.05)
    gate.set()
    await first
    assert await asyncio.gather(*waiting) == [1] * 5
    results = await asyncio.gather(*failing, return_exceptions=True)
    assert isinstance(results[0], Conflict)
    assert isinstance(results[1], Exception)
    assert await numbers(db) == [0, 1, 2, 3, 4]


async def test_a_reader_sees_one_state_while_others_write(db):
    entered, go = threading.Event(), threading.Event()

    def look(connection):
        before = connection.execute(text("SELECT count(*) FROM t")).scalar()
        entered.set()
        go.wait(20)
        return before, connection.execute(text("SELECT count(*) FROM t")).scalar()

    looking = asyncio.ensure_future(db.read(look))
    await asyncio.to_thread(entered.wait, 20)
    await db.write(put(1))
    go.set()
    assert await looking == (0, 0)
    assert await numbers(db) == [1]


async def test_what_waits_and_is_cancelled_never_happens(db):
    gate = threading.Event()
    first = asyncio.ensure_future(db.write(lambda c: gate.wait(20)))
    await asyncio.sleep(0.05)
    waiting = asyncio.ensure_future(db.write(put(1)))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.wait({waiting})
    gate.set()
    await first
    assert await numbers(db) == []


async def test_a_closed_database_says_so_at_once(tmp_path):
    database = Database(sqlite_url(tmp_path / "ferry.db"))
    database.migrate()
    await database.close()
    await database.close()
    for call in (database.read, database.write):
        with pytest.raises(Unavailable) as error:
            await call(put(1))
        assert error.value.code == "database_closed"


async def test_what_is_queued_when_it_closes_is_still_written(tmp_path):
    database = Database(sqlite_url(tmp_path / "ferry.db"))
    database.migrate()
    await database.write(lambda c: c.execute(text("CREATE TABLE t (n INTEGER UNIQUE)")))
    writes = [asyncio.ensure_future(database.write(put(n))) for n in range(50)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*writes) == [1] * 50


async def test_nobody_there_is_unavailable_with_advice():
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable) as error:
        await database.read(lambda c: c.execute(text("SELECT 1")))
    assert error.value.code == "database_unavailable"
    with pytest.raises(Unavailable):
        database.migrate()
    await database.close()


def test_a_database_of_a_newer_version_is_left_alone(tmp_path):
    database = Database(sqlite_url(tmp_path / "ferry.db"))
    database.migrate()
    database.write_now(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999_future'")))
    with pytest.raises(Conflict) as error:
        database.migrate()
    assert error.value.code == "database_newer"
    database.close_now()


def test_several_may_migrate_at_once(tmp_path):
    databases = [Database(sqlite_url(tmp_path / "ferry.db")) for _ in range(4)]
    threads = [threading.Thread(target=database.migrate) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in databases:
        assert (
            database.write_now(lambda c: c.execute(text("SELECT count(*) FROM alembic_version")).scalar())
            == 1
        )
        database.close_now()
