"""What a job is filed under, where its bytes come from, how large it is, and whether it runs beyond the limits.

On SQLite the indexes of the orders carry what filters look at, so that walking along them reads nothing else, and
`job_facts` has it by row. Triggers keep what the search and the sums need to know of many jobs at once.

Revision ID: 0003_facets
Revises: 0002_accounts
"""

import sqlalchemy as sa
from alembic import op

revision = "0003_facets"
down_revision = "0002_accounts"
branch_labels = None
depends_on = None

_FILTERS = "owner, category, host, reason, created_at"
_ORDERS = {
    "jobs_by_update": ("updated_at, seq", "size, finished_at", ""),
    "jobs_by_title": ("title, seq", "size, finished_at", ""),
    "jobs_by_finish": ("finished_at, seq", "size", "WHERE finished_at IS NOT NULL"),
}


def upgrade() -> None:
    """Add the columns; jobs that are there are not urgent and have no facets."""
    op.add_column("jobs", sa.Column("category", sa.String(80)))
    op.add_column("jobs", sa.Column("host", sa.String(255)))
    op.add_column("jobs", sa.Column("size", sa.BigInteger))
    op.add_column("jobs", sa.Column("urgent", sa.Boolean, nullable=False, server_default=sa.false()))
    sqlite = op.get_bind().dialect.name == "sqlite"
    more = f", {_FILTERS}, finished_at, size" if sqlite else ""
    op.execute(f"CREATE INDEX jobs_by_size ON jobs (kind, state, coalesce(size, -1), seq{more})")
    op.execute("CREATE INDEX jobs_by_host ON jobs (host, seq, owner) WHERE host IS NOT NULL")
    op.execute("CREATE INDEX jobs_by_category ON jobs (category, seq, owner) WHERE category IS NOT NULL")
    if sqlite:
        for name, (order, rest, where) in _ORDERS.items():
            op.execute(f"DROP INDEX {name}")
            op.execute(f"CREATE INDEX {name} ON jobs (kind, state, {order}, {_FILTERS}, {rest}) {where}")
        _facts()
        _latest()
        _sums()


def downgrade() -> None:
    """Take the columns away."""
    if op.get_bind().dialect.name == "sqlite":
        for name in ("latest_add", "latest_change", "sums_add", "sums_remove", "sums_change"):
            op.execute(f"DROP TRIGGER jobs_{name}")
        op.execute("DROP VIEW job_facts")
        op.drop_table("job_latest")
        op.drop_table("job_sums")
        op.drop_index("jobs_facts")
        for name, (order, _, where) in _ORDERS.items():
            op.execute(f"DROP INDEX {name}")
            op.execute(f"CREATE INDEX {name} ON jobs (kind, state, {order}) {where}")
    for name in ("jobs_by_category", "jobs_by_host", "jobs_by_size"):
        op.drop_index(name)
    for name in ("urgent", "size", "host", "category"):
        op.drop_column("jobs", name)


def _facts() -> None:
    columns = f"seq, kind, state, {_FILTERS}, finished_at, updated_at, size"
    op.execute(f"CREATE INDEX jobs_facts ON jobs ({columns})")
    op.execute("CREATE VIEW job_facts AS SELECT " + columns + " FROM jobs INDEXED BY jobs_facts")  # noqa: S608 - constants


def _latest() -> None:
    # One that is changed again and again moves the time of its block only now and then.
    op.create_table(
        "job_latest",
        sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("latest", sa.Float(53), nullable=False),
    )
    op.execute("INSERT INTO job_latest SELECT seq / 1024, max(updated_at) FROM jobs GROUP BY seq / 1024")
    op.execute(
        "CREATE TRIGGER jobs_latest_add AFTER INSERT ON jobs BEGIN "
        "INSERT INTO job_latest (block, latest) VALUES (new.seq / 1024, new.updated_at) "
        "ON CONFLICT (block) DO UPDATE SET latest = max(latest, excluded.latest); END"
    )
    op.execute(
        "CREATE TRIGGER jobs_latest_change AFTER UPDATE OF updated_at ON jobs "
        "WHEN new.updated_at > (SELECT latest FROM job_latest WHERE block = new.seq / 1024) BEGIN "
        "UPDATE job_latest SET latest = new.updated_at + 60 WHERE block = new.seq / 1024; END"
    )


def _sums() -> None:
    op.create_table(
        "job_sums",
        sa.Column("owner", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(40), primary_key=True),
        sa.Column("state", sa.String(12), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
    )
    op.execute(
        "INSERT INTO job_sums SELECT coalesce(owner, ''), kind, state, sum(size) FROM jobs "
        "WHERE size IS NOT NULL GROUP BY coalesce(owner, ''), kind, state"
    )
    add = (
        "INSERT INTO job_sums (owner, kind, state, size) VALUES "
        "(coalesce(new.owner, ''), new.kind, new.state, new.size) "
        "ON CONFLICT (owner, kind, state) DO UPDATE SET size = size + excluded.size;"
    )
    remove = (
        "UPDATE job_sums SET size = size - old.size "
        "WHERE owner = coalesce(old.owner, '') AND kind = old.kind AND state = old.state;"
    )
    op.execute(f"CREATE TRIGGER jobs_sums_add AFTER INSERT ON jobs WHEN new.size IS NOT NULL BEGIN {add} END")
    op.execute(
        f"CREATE TRIGGER jobs_sums_remove AFTER DELETE ON jobs WHEN old.size IS NOT NULL BEGIN {remove} END"
    )
    changed = "(old.size IS NOT new.size OR old.state IS NOT new.state OR old.owner IS NOT new.owner)"
    op.execute(
        "CREATE TRIGGER jobs_sums_change AFTER UPDATE OF size, state, owner ON jobs "
        f"WHEN {changed} AND (old.size IS NOT NULL OR new.size IS NOT NULL) BEGIN "
        f"{remove.replace('old.size ', 'coalesce(old.size, 0) ')} "
        f"{add.replace('new.size)', 'coalesce(new.size, 0))')} END"
    )
