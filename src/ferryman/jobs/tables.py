"""The tables of the ledger, as SQLAlchemy describes them; `db/migrations` makes them."""

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text

METADATA = MetaData()
_SERIAL = BigInteger().with_variant(Integer, "sqlite")

JOBS = Table(
    "jobs",
    METADATA,
    Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("kind", String(40), nullable=False),
    Column("title", Text, nullable=False),
    Column("spec", JSON, nullable=False),
    Column("state", String(12), nullable=False),
    Column("desired", String(8), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("position", Float, nullable=False),
    Column("owner", String(36)),
    Column("node", String(80)),
    Column("parent", String(36)),
    Column("idempotency_key", String(200), unique=True),
    Column("attempt", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("lease_holder", String(200)),
    Column("lease_until", Float),
    Column("not_before", Float),
    Column("phase", String(80)),
    Column("progress", JSON),
    Column("checkpoint", JSON),
    Column("result", JSON),
    Column("reason", String(16)),
    Column("error", Text),
    Column("error_code", String(80)),
    Column("advice", Text),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("updated_at", Float, nullable=False),
    Index("jobs_run_order", "state", "priority", "position", "seq"),
    Index("jobs_by_state", "state", "seq"),
    Index("jobs_by_kind", "kind", "seq"),
    Index("jobs_by_owner", "owner", "seq"),
    Index("jobs_by_parent", "parent", "seq"),
    Index("jobs_by_reason", "reason", "seq"),
    Index("jobs_by_finish", "finished_at", "seq"),
    Index("jobs_by_start", "created_at", "seq"),
)

EVENTS = Table(
    "job_events",
    METADATA,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("job_id", String(36), nullable=False),
    Column("at", Float, nullable=False),
    Column("type", String(24), nullable=False),
    Column("data", JSON, nullable=False),
    Index("job_events_by_job", "job_id", "id"),
)

COUNTS = Table(
    "job_counts",
    METADATA,
    Column("kind", String(40), primary_key=True),
    Column("state", String(12), primary_key=True),
    Column("number", _SERIAL, nullable=False),
)

LIMITS = Table(
    "job_limits",
    METADATA,
    Column("kind", String(40), primary_key=True),
    Column("number", Integer, nullable=False),
)
