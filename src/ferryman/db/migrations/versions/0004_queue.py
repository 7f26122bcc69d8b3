"""Trash: jobs that were deleted and can still be brought back. When jobs may run, and what runs at once.

Revision ID: 0004_queue
Revises: 0003_facets
"""

import sqlalchemy as sa
from alembic import op

revision = "0004_queue"
down_revision = "0003_facets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the trash; jobs that are there may run at any time."""
    op.create_table(
        "job_trash",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("owner", sa.String(36)),
        sa.Column("deleted_at", sa.Float(53), nullable=False),
        sa.Column("files", sa.Boolean, nullable=False),
        sa.Column("doomed", sa.Boolean, nullable=False),
        sa.Column("row", sa.JSON, nullable=False),
    )
    op.create_index("job_trash_by_time", "job_trash", ["deleted_at"])
    op.add_column("jobs", sa.Column("window", sa.String(20)))
    _index_where("jobs_by_window", '"window" IS NOT NULL')
    _index_where("jobs_by_urgency", "urgent")


def downgrade() -> None:
    """Drop what is in the trash for good."""
    for name in ("jobs_by_urgency", "jobs_by_window"):
        op.drop_index(name, "jobs")
    op.drop_column("jobs", "window")
    op.drop_table("job_trash")


def _index_where(name: str, where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "jobs", ["state"], sqlite_where=condition, postgresql_where=condition)
