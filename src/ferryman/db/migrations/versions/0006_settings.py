"""Settings that were changed while running.

Revision ID: 0006_settings
Revises: 0005_statistics
"""

revision = "0006_settings"
down_revision = "0005_statistics"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
