"""Accounts on each database. Tables are made once and emptied for every test, because making them is slow."""

import shutil

import pytest
from argon2 import PasswordHasher

from ferryman.accounts.audit import Audit
from ferryman.accounts.passwords import Passwords
from ferryman.accounts.service import Accounts, SessionPolicy
from ferryman.db import Database, sqlite_url


class HandClock:
    """A clock that tests set."""

    time = 1_764_000_000.0

    def now(self):
        return self.time

    def monotonic(self):
        return self.time


@pytest.fixture(scope="session")
def made_sqlite(tmp_path_factory):
    file = tmp_path_factory.mktemp("made") / "ferry.db"
    migrated(sqlite_url(file))
    return file


@pytest.fixture(scope="session")
def made_postgresql(postgres_server):
    return migrated(postgres_server.new_database())


def migrated(url):
    database = Database(url)
    database.migrate()
    database.close_now()
    return url


def emptied(conn):
    conn.exec_driver_sql("truncate users, tokens, sessions, audit, audit_head")
    conn.exec_driver_sql("insert into audit_head values (1, 0, repeat('0', 64))")


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request, tmp_path):
    made = request.getfixturevalue(f"made_{request.param}")
    if request.param == "sqlite":
        database = Database(sqlite_url(shutil.copy(made, tmp_path / "ferry.db")))
    else:
        database = Database(made)
        await database.write(emptied)
    yield database
    await database.close()


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def new_audit(db, clock):
    """Make one more audit log on the same database, as another process has."""
    return lambda: Audit(db, clock)


@pytest.fixture
def audit(new_audit):
    return new_audit()


@pytest.fixture
def weaker():
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def new_accounts(db, clock):
    """Make one more service on the same database, as another process has; its hashes take little work."""

    def make(hasher=None):
        quick = hasher or PasswordHasher(time_cost=1, memory_cost=16, parallelism=1)
        policy = SessionPolicy(lifetime=4 * 3600, idle=3600, keep=3)
        return Accounts(db, clock, passwords=Passwords(quick), sessions=lambda: policy)

    return make


@pytest.fixture
def accounts(new_accounts):
    return new_accounts()
