"""A depot on each database."""

import pytest

from ferryman.db import Database
from ferryman.depot.service import Depot
from tests.conformance.depot.making import HandClock


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def open_depot(database_url, tmp_path, clock):
    """Opens the same depot again, as another process would."""
    opened = []

    def make(**options):
        database = Database(database_url)
        database.migrate()
        depot = Depot(tmp_path / "depot", database, clock, **options)
        opened.append((depot, database))
        return depot

    yield make
    for depot, database in opened:
        depot.close()
        database.close_now()


@pytest.fixture
def depot(open_depot):
    return open_depot()
