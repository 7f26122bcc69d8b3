"""Filters people saved.

Revision ID: 0008_saved_filters
Revises: 0007_rules
"""

import sqlalchemy as sa
from alembic import op

revision = "0008_saved_filters"
down_revision = "0007_rules"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; a name is unique among the filters of one owner."""
    op.create_table(
        "saved_filters",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("query", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.UniqueConstraint("owner", "name", name="saved_filters_by_name"),
    )


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("saved_filters")
