"""The tables of the ledger as SQLAlchemy describes them.

`db/migrations` makes the tables. Columns and their order here are those of the migration.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    TableClause,
    Text,
    column,
    table,
)

from ferryman.jobs.model import State

METADATA: Final = MetaData()
_SERIAL = BigInteger().with_variant(Integer, "sqlite")

JOBS: Final = Table(
    "jobs",
    METADATA,
    Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("kind", String(40), nullable=False),
    Column("title", Text, nullable=False),
    Column("spec", JSON(none_as_null=True), nullable=False),
    Column("state", String(12), nullable=False),
    Column("desired", String(8), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("position", Float(53), nullable=False),
    Column("owner", String(36)),
    Column("node", String(80)),
    Column("parent", String(36)),
    Column("idempotency_key", String(300)),
    Column("attempt", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("lease_holder", String(200)),
    Column("lease_until", Float(53)),
    Column("not_before", Float(53)),
    Column("phase", String(80)),
    Column("progress", JSON(none_as_null=True)),
    Column("checkpoint", JSON(none_as_null=True)),
    Column("result", JSON(none_as_null=True)),
    Column("reason", String(16)),
    Column("error", Text),
    Column("error_code", String(80)),
    Column("advice", Text),
    Column("created_at", Float(53), nullable=False),
    Column("started_at", Float(53)),
    Column("finished_at", Float(53)),
    Column("updated_at", Float(53), nullable=False),
    Column("category", String(80)),
    Column("host", String(255)),
    Column("size", BigInteger),
    Column("urgent", Boolean, nullable=False),
    Column("window", String(20), quote=True),
)

EVENTS: Final = Table(
    "job_events",
    METADATA,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("job_id", String(36), nullable=False),
    Column("at", Float(53), nullable=False),
    Column("type", String(24), nullable=False),
    Column("data", JSON, nullable=False),
)

COUNTS: Final = Table(
    "job_counts",
    METADATA,
    Column("owner", String(36), primary_key=True),
    Column("kind", String(40), primary_key=True),
    Column("state", String(12), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""How many jobs there are, kept with every change; the owner of jobs without one is the empty string."""

TRASH: Final = Table(
    "job_trash",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("owner", String(36)),
    Column("deleted_at", Float(53), nullable=False),
    Column("files", Boolean, nullable=False),
    Column("doomed", Boolean, nullable=False),
    Column("row", JSON, nullable=False),
)
"""Jobs that were deleted, as their rows were; a doomed one is being removed for good and cannot come back."""

BLOCKS: Final = Table(
    "job_blocks",
    METADATA,
    Column("block", Integer, primary_key=True, autoincrement=False),
    Column("first", Float(53), nullable=False),
    Column("last", Float(53), nullable=False),
)
"""SQLite only: when the jobs of a block of `BLOCK` neighbouring rows were accepted, the earliest and the latest."""

SUMS: Final = Table(
    "job_sums",
    METADATA,
    Column("owner", String(36), primary_key=True),
    Column("kind", String(40), primary_key=True),
    Column("state", String(12), primary_key=True),
    Column("size", BigInteger, nullable=False),
)
"""SQLite only: the sizes of all jobs, kept by triggers; rows are those of `COUNTS`."""

WORDS: Final = table("jobs_words", column("rowid", BigInteger), column("jobs_words"))
"""SQLite only: the full-text index of title and error; rows are those of `JOBS` by `seq`."""

_FACTS: Final = (
    "seq", "kind", "state", "owner", "category", "host",
    "reason", "created_at", "finished_at", "updated_at", "size",
)  # fmt: skip


def _view(name: str, columns: Sequence[str]) -> TableClause:
    return table(name, *[column(each, JOBS.c[each].type) for each in columns])


FACTS: Final = _view("job_facts", _FACTS)
"""SQLite only: what filters and most orders look at, by row, from an index that has nothing else."""

CELLS: Final = _view("job_cells", _FACTS)
"""SQLite only: the same, by kind and state."""

LATE: Final = {
    "finished_at": _view("job_late_ends", (*_FACTS, "title", "error")),
    "updated_at": _view("job_late_changes", (*_FACTS, "title", "error")),
}
"""SQLite only: jobs that ended, or were changed, almost `LATE_BY` or more after they were accepted, by that time."""

LATE_BY: Final = 86_400.0
"""Seconds."""

HELD: Final = Table("held", METADATA, Column("seq", Integer, primary_key=True), prefixes=["TEMPORARY"])
"""SQLite only: what matches the words of a search, while it runs; each connection has its own."""

BLOCK: Final = 1024
Cell = tuple[str, str, str]
"""Owner, kind and state of a row of `COUNTS`."""


def cell(owner: str | None, kind: str, state: State | str) -> Cell:
    """Where a job is counted."""
    return owner or "", kind, str(state)


def chunks(items: Sequence[Any], size: int = 500) -> list[Sequence[Any]]:
    """Parts short enough for the parameters of one statement."""
    return [items[start : start + size] for start in range(0, len(items), size)]
