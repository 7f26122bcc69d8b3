"""What was done on each day, and how fast.

Revision ID: 0005_statistics
Revises: 0004_queue
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_statistics"
down_revision = "0004_queue"
branch_labels = None
depends_on = None

_ENDED = "('succeeded', 'failed', 'cancelled')"
_FACETS = ("kind", "category", "host", "reason")


def upgrade() -> None:
    """Create the tables and sum what the history has."""
    op.create_table(
        "job_days",
        sa.Column("owner", sa.String(36), primary_key=True),
        sa.Column("facet", sa.String(10), primary_key=True),
        sa.Column("span", sa.String(5), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("state", sa.String(12), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("resumed", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "traffic",
        sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    for facet in _FACETS:
        op.execute(_filling(facet))
    columns = "owner, facet, span, day, name, state, number, bytes, resumed, seconds"
    sums = "sum(number), sum(bytes), sum(resumed), sum(seconds)"
    op.execute(
        f"INSERT INTO job_days ({columns}) "  # noqa: S608 - only words of this file
        f"SELECT '*', facet, span, day, name, state, {sums} FROM job_days GROUP BY facet, span, day, name, state"
    )
    op.execute(
        f"INSERT INTO job_days ({columns}) "  # noqa: S608 - only words of this file
        f"SELECT owner, facet, 'month', {_month()}, name, state, {sums} FROM job_days "
        "WHERE facet <> 'kind' GROUP BY owner, facet, 4, name, state"
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("traffic")
    op.drop_table("job_days")


def _month() -> str:
    """The first day of the month of a day, both counted from 1970-01-01."""
    if op.get_bind().dialect.name == "sqlite":
        return "CAST(strftime('%s', day * 86400, 'unixepoch', 'start of month') / 86400 AS INTEGER)"
    return "(date_trunc('month', date '1970-01-01' + day)::date - date '1970-01-01')"


def _filling(facet: str) -> str:
    """Sum the jobs that ended; an earlier program kept what resuming spared in the result of downloads only."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    network = "json_extract(progress, '$.network')" if sqlite else "(progress ->> 'network')::numeric"
    resumed = "json_extract(result, '$.resumed')" if sqlite else "(result ->> 'resumed')::numeric"
    day = "CAST(finished_at / 86400 AS INTEGER)" if sqlite else "floor(finished_at / 86400)::integer"
    where = f" AND {facet} IS NOT NULL" + (" AND state <> 'succeeded'" if facet == "reason" else "")
    return (
        "INSERT INTO job_days (owner, facet, span, day, name, state, number, bytes, resumed, seconds) "  # noqa: S608 - only words of this file
        f"SELECT coalesce(owner, ''), '{facet}', 'day', {day}, {facet}, state, count(*), coalesce(sum({network}), 0), "
        f"coalesce(sum(CASE WHEN state = 'succeeded' AND kind = 'download' THEN {resumed} END), 0), "
        "coalesce(sum(CASE WHEN started_at <= finished_at THEN finished_at - started_at ELSE 0 END), 0) "
        f"FROM jobs WHERE state IN {_ENDED} AND finished_at IS NOT NULL{where} "
        "GROUP BY 1, 4, 5, 6"
    )
