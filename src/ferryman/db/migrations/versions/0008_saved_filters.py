"""Filters people saved.

Revision ID: 0008_saved_filters
Revises: 0007_rules
"""

revision = "0008_saved_filters"
down_revision = "0007_rules"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
