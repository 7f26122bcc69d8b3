"""Trash: jobs that were deleted and can still be brought back.

Revision ID: 0004_queue
Revises: 0003_facets
"""

revision = "0004_queue"
down_revision = "0003_facets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
