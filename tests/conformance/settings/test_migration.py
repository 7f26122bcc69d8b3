"""Limits of concurrency that an earlier version kept in the ledger become settings."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

import ferryman.db
from ferryman.db import Database


def to(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(ferryman.db.__file__).with_name("migrations")))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        move = command.downgrade if revision.startswith("-") else command.upgrade
        move(config, revision.removeprefix("-"))


def test_limits_move_within_their_bounds(database_url):
    database = Database(database_url)
    to(database, "0005_statistics")
    with database.engine.begin() as connection:
        for kind, number in {"download": 500, "*": 20, "other": 3}.items():
            connection.execute(
                text("INSERT INTO job_limits (kind, number) VALUES (:kind, :number)"),
                {"kind": kind, "number": number},
            )
    to(database, "0006_settings")
    with database.engine.begin() as connection:
        rows = connection.execute(text("SELECT name, value FROM settings ORDER BY name")).all()
    assert [tuple(row) for row in rows] == [("download_concurrency", "32"), ("worker_concurrency", "20")]
    to(database, "-0005_statistics")
    to(database, "head")
    database.close_now()
