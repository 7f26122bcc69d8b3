"""Settings that were changed while running; limits of concurrency become settings.

Revision ID: 0006_settings
Revises: 0005_statistics
"""

import json
import time

import sqlalchemy as sa
from alembic import op

revision = "0006_settings"
down_revision = "0005_statistics"
branch_labels = None
depends_on = None

_LIMITS = {"download": ("download_concurrency", 32), "*": ("worker_concurrency", 256)}


def upgrade() -> None:
    """Create the table of settings and move the limits of concurrency there."""
    settings = op.create_table(
        "settings",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("changed_at", sa.Float(53), nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
    )
    moved = [
        {
            "name": _LIMITS[kind][0],
            "value": json.dumps(max(1, min(number, _LIMITS[kind][1]))),
            "changed_at": time.time(),
            "changed_by": "",
        }
        for kind, number in op.get_bind().execute(sa.text("SELECT kind, number FROM job_limits"))
        if kind in _LIMITS
    ]
    if moved:
        op.bulk_insert(settings, moved)
    op.drop_table("job_limits")


def downgrade() -> None:
    """Drop the table of settings; limits are those of the file again."""
    op.drop_table("settings")
    op.create_table(
        "job_limits",
        sa.Column("kind", sa.String(40), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
    )
