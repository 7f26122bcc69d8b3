"""What was taken out of a repository, so that it can be put back, and every place a blob came from.

Revision ID: 0013_depot_undo
Revises: 0010_depot
"""

import sqlalchemy as sa
from alembic import op

revision = "0013_depot_undo"
down_revision = "0010_depot"
branch_labels = None
depends_on = None


def _text(length: int) -> sa.types.TypeEngine[str]:
    """Text in the order of its bytes: on PostgreSQL the order is otherwise that of a language."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables and columns."""
    op.add_column("depot_history", sa.Column("removal", sa.String(36)))
    op.add_column("depot_history", sa.Column("restores", sa.Boolean))
    op.create_table(
        "depot_removed",
        sa.Column("repository", _text(255), primary_key=True),
        sa.Column("digest", _text(135), primary_key=True),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("artifact_type", sa.Text),
        sa.Column("subject", _text(135)),
        sa.Column("annotations", sa.Text),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("removal", sa.String(36), nullable=False),
        sa.Column("removed_at", sa.Float(53), nullable=False),
        sa.Column("lacked", sa.Integer, nullable=False),
    )
    op.create_index("depot_removed_by_digest", "depot_removed", ["digest"])
    op.create_index("depot_removed_by_age", "depot_removed", ["removed_at"])
    op.create_table(
        "depot_origins",
        sa.Column("digest", _text(135), primary_key=True),
        sa.Column("source", _text(1000), primary_key=True),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("job", sa.String(36)),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("depot_origins")
    op.drop_table("depot_removed")
    op.drop_column("depot_history", "restores")
    op.drop_column("depot_history", "removal")
