"""SQLite: indexes of the jobs that ended, or were changed, long after they were accepted.

With them the newest ends among old jobs are found along an index; the newest time of each block of rows is not needed.

Revision ID: 0009_late
Revises: 0008_saved_filters
"""

import sqlalchemy as sa
from alembic import op

revision = "0009_late"
down_revision = "0008_saved_filters"
branch_labels = None
depends_on = None

_FACTS = "kind, state, owner, category, host, reason, created_at"
_LATE = "> created_at + 86000"
_INDEXES = {
    "jobs_late_ends": ("finished_at", "size"),
    "jobs_late_changes": ("updated_at", "size, finished_at"),
}


def upgrade() -> None:
    """Create the indexes, and views that use them and nothing else."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for name in ("add", "change"):
        op.execute(f"DROP TRIGGER jobs_latest_{name}")
    op.drop_table("job_latest")
    every = f"seq, {_FACTS}, finished_at, updated_at, size"
    for name, (time, rest) in _INDEXES.items():
        where = f"WHERE {time} {_LATE}"
        op.execute(f"CREATE INDEX {name} ON jobs ({time}, seq, {_FACTS}, {rest}) {where}")
        _view(name.replace("jobs", "job"), f"{every}, title, error", f"{name} {where}")
    _view("job_cells", every, "jobs_by_update")


def downgrade() -> None:
    """Remove them, and keep the newest time of each block again."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute("DROP VIEW job_cells")
    for name in _INDEXES:
        op.execute(f"DROP VIEW {name.replace('jobs', 'job')}")
        op.drop_index(name)
    op.create_table(
        "job_latest",
        sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("latest", sa.Float(53), nullable=False),
    )
    op.execute("INSERT INTO job_latest SELECT seq / 1024, max(updated_at) FROM jobs GROUP BY seq / 1024")
    op.execute(
        "CREATE TRIGGER jobs_latest_add AFTER INSERT ON jobs BEGIN "
        "INSERT INTO job_latest (block, latest) VALUES (new.seq / 1024, new.updated_at) "
        "ON CONFLICT (block) DO UPDATE SET latest = max(latest, excluded.latest); END"
    )
    op.execute(
        "CREATE TRIGGER jobs_latest_change AFTER UPDATE OF updated_at ON jobs "
        "WHEN new.updated_at > (SELECT latest FROM job_latest WHERE block = new.seq / 1024) BEGIN "
        "UPDATE job_latest SET latest = new.updated_at + 60 WHERE block = new.seq / 1024; END"
    )


def _view(name: str, columns: str, index: str) -> None:
    op.execute(f"CREATE VIEW {name} AS SELECT {columns} FROM jobs INDEXED BY {index}")  # noqa: S608 - constants
