"""Jobs, their events, counts and limits, and the index of their words.

Revision ID: 0001_jobs
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001_jobs"
down_revision = None
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")

_BEGINNINGS = " ".join(str(length) for length in range(2, 13))
"""Beginnings of words that are indexed by themselves: without, a search for one reads all that it finds, however many."""

_ORDERS = {
    "jobs_by_seq": ["seq"],
    "jobs_by_run": ["priority", "position", "seq"],
    "jobs_by_update": ["updated_at", "seq"],
    "jobs_by_title": ["title", "seq"],
}
"""Each order of lists has its index for each kind and state: a list is merged from the few it needs."""


def upgrade() -> None:
    """Create the tables of the ledger."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    _jobs()
    _events()
    if sqlite:
        _blocks()
        _sqlite_words()
    else:
        _postgres_words()


def downgrade() -> None:
    """Drop the tables of the ledger."""
    if op.get_bind().dialect.name == "sqlite":
        for name in ("job_blocks", "jobs_words"):
            op.execute(f"DROP TABLE {name}")
    for name in ("job_limits", "job_counts", "job_events", "jobs"):
        op.drop_table(name)


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("seq", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("desired", sa.String(8), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("position", sa.Float(53), nullable=False),
        sa.Column("owner", sa.String(36)),
        sa.Column("node", sa.String(80)),
        sa.Column("parent", sa.String(36)),
        sa.Column("idempotency_key", sa.String(300)),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("losses", sa.Integer, nullable=False),
        sa.Column("lease_holder", sa.String(200)),
        sa.Column("lease_until", sa.Float(53)),
        sa.Column("not_before", sa.Float(53)),
        sa.Column("phase", sa.String(80)),
        sa.Column("progress", sa.JSON),
        sa.Column("checkpoint", sa.JSON),
        sa.Column("result", sa.JSON),
        sa.Column("reason", sa.String(16)),
        sa.Column("error", sa.Text),
        sa.Column("error_code", sa.String(80)),
        sa.Column("advice", sa.Text),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("started_at", sa.Float(53)),
        sa.Column("finished_at", sa.Float(53)),
        sa.Column("updated_at", sa.Float(53), nullable=False),
        sqlite_autoincrement=True,
    )
    for name, columns in _ORDERS.items():
        op.create_index(name, "jobs", ["kind", "state", *columns])
    _index_where("jobs_by_finish", ["kind", "state", "finished_at", "seq"], "finished_at IS NOT NULL")
    _index_where("jobs_by_owner", ["owner", "kind", "state", "seq"], "owner IS NOT NULL")
    _index_where("jobs_by_parent", ["parent", "seq"], "parent IS NOT NULL")
    _index_where("jobs_by_reason", ["reason", "seq"], "reason IS NOT NULL")
    _index_where("jobs_by_holder", ["lease_holder"], "lease_holder IS NOT NULL")
    _index_where("jobs_by_due", ["not_before"], "state = 'waiting'")
    _index_where("jobs_by_key", ["idempotency_key"], "idempotency_key IS NOT NULL", unique=True)


def _index_where(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, "jobs", columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _events() -> None:
    op.create_table(
        "job_events",
        sa.Column("id", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("job_id", sa.String(36), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("type", sa.String(24), nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("job_events_by_job", "job_events", ["job_id", "id"])
    op.create_table(
        "job_counts",
        sa.Column("owner", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(40), primary_key=True),
        sa.Column("state", sa.String(12), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "job_limits",
        sa.Column("kind", sa.String(40), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
    )


def _blocks() -> None:
    op.create_table(
        "job_blocks",
        sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first", sa.Float(53), nullable=False),
        sa.Column("last", sa.Float(53), nullable=False),
    )


def _postgres_words() -> None:
    # Punctuation separates words, as it does on SQLite; by itself PostgreSQL takes host names and paths for one word.
    op.execute(
        "CREATE INDEX jobs_words ON jobs USING gin (to_tsvector('simple', "
        "regexp_replace(title || ' ' || coalesce(error, ''), '[^[:alnum:]]+', ' ', 'g')))"
    )
    op.execute("CREATE INDEX jobs_by_time ON jobs (created_at)")


def _sqlite_words() -> None:
    op.execute(
        "CREATE VIRTUAL TABLE jobs_words USING fts5("
        f"title, error, content='jobs', content_rowid='seq', tokenize='unicode61', prefix='{_BEGINNINGS}', detail='none')"
    )
    op.execute(
        "CREATE TRIGGER jobs_words_add AFTER INSERT ON jobs BEGIN "
        "INSERT INTO jobs_words(rowid, title, error) VALUES (new.seq, new.title, new.error); END"
    )
    op.execute(
        "CREATE TRIGGER jobs_words_remove AFTER DELETE ON jobs BEGIN "
        "INSERT INTO jobs_words(jobs_words, rowid, title, error) "
        "VALUES ('delete', old.seq, old.title, old.error); END"
    )
    op.execute(
        "CREATE TRIGGER jobs_words_change AFTER UPDATE OF title, error ON jobs "
        "WHEN old.title IS NOT new.title OR old.error IS NOT new.error BEGIN "
        "INSERT INTO jobs_words(jobs_words, rowid, title, error) "
        "VALUES ('delete', old.seq, old.title, old.error); "
        "INSERT INTO jobs_words(rowid, title, error) VALUES (new.seq, new.title, new.error); END"
    )
