"""The tables of the statistics as SQLAlchemy describes them; `db/migrations` makes them."""

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Integer, String, Table

from ferryman.jobs.tables import METADATA

DAYS: Final = Table(
    "job_days",
    METADATA,
    Column("owner", String(36), primary_key=True),
    Column("facet", String(10), primary_key=True),
    Column("span", String(5), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("name", String(255), primary_key=True),
    Column("state", String(12), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("resumed", BigInteger, nullable=False),
    Column("seconds", Float(53), nullable=False),
    sqlite_with_rowid=False,
)
"""One row for each cell of `model.Cell`. A period of one facet is one range of the key, or two."""

TRAFFIC: Final = Table(
    "traffic",
    METADATA,
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("bytes", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Bytes that arrived in the `step` seconds from `at` on; only where something did."""
