"""What a job is filed under, where its bytes come from, how large it is, and whether it runs beyond the limits.

Revision ID: 0003_facets
Revises: 0002_accounts
"""

import sqlalchemy as sa
from alembic import op

revision = "0003_facets"
down_revision = "0002_accounts"
branch_labels = None
depends_on = None


_INDEXES = ("jobs_by_size", "jobs_by_host", "jobs_by_category")


def upgrade() -> None:
    """Add the columns; jobs that are there are not urgent and have no facets."""
    op.add_column("jobs", sa.Column("category", sa.String(80)))
    op.add_column("jobs", sa.Column("host", sa.String(255)))
    op.add_column("jobs", sa.Column("size", sa.BigInteger))
    op.add_column("jobs", sa.Column("urgent", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute("CREATE INDEX jobs_by_size ON jobs (kind, state, coalesce(size, -1), seq)")
    op.execute("CREATE INDEX jobs_by_host ON jobs (host, owner, seq) WHERE host IS NOT NULL")
    op.execute("CREATE INDEX jobs_by_category ON jobs (category, owner, seq) WHERE category IS NOT NULL")


def downgrade() -> None:
    """Take the columns away."""
    for name in _INDEXES:
        op.drop_index(name)
    for name in ("urgent", "size", "host", "category"):
        op.drop_column("jobs", name)
