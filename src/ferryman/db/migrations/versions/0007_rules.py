"""Rules of downloads.

Revision ID: 0007_rules
Revises: 0006_settings
"""

revision = "0007_rules"
down_revision = "0006_settings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
