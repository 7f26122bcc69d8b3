"""What the depot keeps: blobs, manifests, tags and their history, links, pins and holds.

Revision ID: 0010_depot
Revises: 0009_late
"""

import sqlalchemy as sa
from alembic import op

revision = "0010_depot"
down_revision = "0009_late"
branch_labels = None
depends_on = None

_TABLES = (
    "depot_state",
    "depot_held",
    "depot_holds",
    "depot_pins",
    "depot_links",
    "depot_history",
    "depot_tags",
    "depot_edges",
    "depot_manifests",
    "depot_lost",
    "depot_blobs",
)


def _text(length: int) -> sa.types.TypeEngine[str]:
    """Text in the order of its bytes: on PostgreSQL the order is otherwise that of a language."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables."""
    _content()
    _references()
    _keeping()


def downgrade() -> None:
    """Drop the tables."""
    for name in _TABLES:
        op.drop_table(name)


def _origin() -> list[sa.Column[object]]:
    return [
        sa.Column("origin_source", sa.Text, nullable=False),
        sa.Column("origin_at", sa.Float(53), nullable=False),
        sa.Column("origin_job", sa.String(36)),
    ]


def _content() -> None:
    op.create_table(
        "depot_blobs",
        sa.Column("digest", _text(135), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        *_origin(),
        sa.Column("checked_at", sa.Float(53)),
    )
    op.create_index("depot_blobs_by_size", "depot_blobs", ["size", "digest"])
    op.create_index("depot_blobs_by_age", "depot_blobs", ["created_at", "digest"])
    op.create_table(
        "depot_lost",
        sa.Column("digest", _text(135), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        *_origin(),
        sa.Column("since", sa.Float(53), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("set_aside", sa.Text),
    )


def _references() -> None:
    op.create_table(
        "depot_manifests",
        sa.Column("repository", _text(255), primary_key=True),
        sa.Column("digest", _text(135), primary_key=True),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("artifact_type", sa.Text),
        sa.Column("subject", _text(135)),
        sa.Column("annotations", sa.Text),
        sa.Column("created_at", sa.Float(53), nullable=False),
    )
    op.create_index("depot_manifests_by_digest", "depot_manifests", ["digest"])
    op.create_index("depot_manifests_by_subject", "depot_manifests", ["repository", "subject"])
    op.create_table(
        "depot_edges",
        sa.Column("parent", _text(135), primary_key=True),
        sa.Column("child", _text(135), primary_key=True),
        sa.Column("is_manifest", sa.Boolean, nullable=False),
    )
    op.create_index("depot_edges_by_child", "depot_edges", ["child"])
    op.create_table(
        "depot_tags",
        sa.Column("repository", _text(255), primary_key=True),
        sa.Column("tag", _text(128), primary_key=True),
        sa.Column("digest", _text(135), nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Float(53), nullable=False),
    )
    op.create_index("depot_tags_by_digest", "depot_tags", ["repository", "digest"])
    op.create_table(
        "depot_history",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("repository", _text(255), nullable=False),
        sa.Column("tag", _text(128), nullable=False),
        sa.Column("digest", _text(135)),
        sa.Column("at", sa.Float(53), nullable=False),
        *_origin(),
    )
    op.create_index("depot_history_by_tag", "depot_history", ["repository", "tag", "id"])
    op.create_table(
        "depot_links",
        sa.Column("repository", _text(255), primary_key=True),
        sa.Column("digest", _text(135), primary_key=True),
        sa.Column("created_at", sa.Float(53), nullable=False),
    )
    op.create_index("depot_links_by_digest", "depot_links", ["digest"])


def _keeping() -> None:
    op.create_table(
        "depot_pins",
        sa.Column("target", _text(400), primary_key=True),
        sa.Column("repository", _text(255)),
        sa.Column("tag", _text(128)),
        sa.Column("digest", _text(135)),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("by", sa.String(100), nullable=False),
    )
    op.create_table(
        "depot_holds",
        sa.Column("holder", _text(200), primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
    )
    op.create_table(
        "depot_held",
        sa.Column("holder", _text(200), primary_key=True),
        sa.Column("digest", _text(135), primary_key=True),
    )
    op.create_index("depot_held_by_digest", "depot_held", ["digest"])
    state = op.create_table(
        "depot_state",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(state, [{"name": "used", "value": 0}, {"name": "generation", "value": 0}])
