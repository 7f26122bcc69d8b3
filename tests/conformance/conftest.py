"""Databases that every store is tried on: SQLite, and a real PostgreSQL that is started once."""

import pytest

from ferryman.db import Database, sqlite_url
from ferryman.testing.postgres import postgres


@pytest.fixture(scope="session")
def postgres_server():
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """The address of an empty database."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "ferry.db")
    return request.getfixturevalue("postgres_server").new_database()


@pytest.fixture
async def db(database_url):
    """A migrated database."""
    database = Database(database_url)
    database.migrate()
    yield database
    await database.close()
