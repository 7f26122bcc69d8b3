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


def upgrade() -> None:
    """Create the tables of the ledger."""
    _jobs()
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
        sa.Column("kind", sa.String(40), primary_key=True),
        sa.Column("state", sa.String(12), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "job_limits",
        sa.Column("kind", sa.String(40), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
    )
    _words()


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
        sa.Column("idempotency_key", sa.String(300), unique=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
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
    op.create_index("jobs_run_order", "jobs", ["state", "priority", "position", "seq"])
    op.create_index("jobs_by_state", "jobs", ["state", "seq"])
    op.create_index("jobs_by_owner", "jobs", ["owner", "seq"])
    op.create_index("jobs_by_parent", "jobs", ["parent", "seq"])
    op.create_index("jobs_by_reason", "jobs", ["reason", "seq"])
    op.create_index("jobs_by_kind", "jobs", ["kind", "seq"])
    op.create_index("jobs_by_start", "jobs", ["created_at", "seq"])
    op.create_index("jobs_by_state_finish", "jobs", ["state", "finished_at", "seq"])
    op.create_index("jobs_by_finish", "jobs", ["finished_at", "seq"])
    op.create_index("jobs_by_update", "jobs", ["updated_at", "seq"])
    op.create_index("jobs_by_title", "jobs", ["title", "seq"])


def _words() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute(
            "CREATE INDEX jobs_words ON jobs USING gin (to_tsvector('simple', "
            "regexp_replace(title || ' ' || coalesce(error, ''), '[^[:alnum:]]+', ' ', 'g')))"
        )
        return
    op.execute(
        "CREATE VIRTUAL TABLE jobs_words USING fts5("
        "title, error, content='jobs', content_rowid='seq', tokenize='unicode61', prefix='2 3', detail='none')"
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
