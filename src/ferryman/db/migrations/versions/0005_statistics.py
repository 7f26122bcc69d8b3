"""What was done on each day, and how fast.

Revision ID: 0005_statistics
Revises: 0004_queue
"""

revision = "0005_statistics"
down_revision = "0004_queue"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
