"""Who remembers what they read hears of changes: of their own, of other processes, and of those that were killed."""

import time

import pytest

from ferryman.core.errors import FerryError
from ferryman.db import Database, sqlite_url
from ferryman.db.changes import LOST_S, FileChanges
from ferryman.testing.postgres import postgres


def until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def postgresql():
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "ferry.db")
    return request.getfixturevalue("postgresql").new_database()


async def change(database, fn=lambda _: None):
    await database.write(fn, changes=database.changes("things"))


def broken(_):
    raise FerryError("broken", "It broke.")


async def test_each_process_hears_of_changes_of_all(url):
    one, two = Database(url), Database(url)
    things = [one.changes("things"), two.changes("things")]
    assert one.changes("things") is things[0]
    until(lambda: None not in [each.now() for each in things])
    seen = [each.now() for each in things]
    await change(one)
    assert things[0].now() not in {None, seen[0]}
    until(lambda: things[1].now() not in {None, seen[1]})
    seen = [each.now() for each in things]
    with pytest.raises(FerryError):
        await change(two, broken)
    assert things[1].now() not in {None, seen[1]}
    await one.close()
    await two.close()


async def test_other_writes_are_no_changes(url):
    database = Database(url)
    things = database.changes("things")
    until(lambda: things.now() is not None)
    seen = things.now()
    await database.write(lambda _: None)
    await database.write(lambda _: None, changes=database.changes("others"))
    assert things.now() == seen
    await database.close()


async def test_nothing_is_believed_before_a_change_is_over(url):
    database = Database(url)
    things = database.changes("things")
    until(lambda: things.now() is not None)
    during = []
    await change(database, lambda _: during.append(things.now()))
    assert set(during) == {None}
    assert things.now() is not None
    await database.close()


async def test_a_killed_process_is_forgotten_in_the_end(tmp_path):
    now = [0.0]
    changes = FileChanges(tmp_path / "things", lambda: now[0])
    seen = changes.now()
    changes.begin()  # and here it was killed
    assert changes.now() is None
    now[0] = LOST_S
    assert changes.now() is None
    now[0] += 1
    assert changes.now() is None
    assert changes.now() not in {None, seen}
    changes.close()
    changes.close()


async def test_where_others_cannot_be_heard_nothing_is_believed(postgresql):
    database = Database(postgresql.new_database())
    things = database.changes("things")
    until(lambda: things.now() is not None)
    seen = things.now()
    ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%' OR query = 'SELECT 1'"
    await database.write(lambda connection: connection.exec_driver_sql(ending))
    until(lambda: things.now() != seen)
    until(lambda: things.now() not in {None, seen})
    await database.close()
