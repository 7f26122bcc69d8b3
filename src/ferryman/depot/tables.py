"""The tables of the depot as SQLAlchemy describes them; `db/migrations` makes them."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from ferryman.core.digests import Digest
from ferryman.depot.model import Blob, Origin

_META: Final = MetaData()
_LOCK: Final = 0x6465706F
"""Advisory lock of PostgreSQL: references are made with it shared, the sweep deletes with it alone."""
CHUNK: Final = 400


def _origin() -> list[Column[Any]]:
    return [
        Column("origin_source", Text, nullable=False),
        Column("origin_at", Float(53), nullable=False),
        Column("origin_job", String(36)),
    ]


BLOBS: Final = Table(
    "depot_blobs",
    _META,
    Column("digest", String(135), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("created_at", Float(53), nullable=False),
    *_origin(),
    Column("checked_at", Float(53)),
)
LOST: Final = Table(
    "depot_lost",
    _META,
    Column("digest", String(135), primary_key=True),
    Column("size", BigInteger, nullable=False),
    *_origin(),
    Column("since", Float(53), nullable=False),
    Column("detail", Text, nullable=False),
    Column("set_aside", Text),
)
"""Blobs whose content is gone or damaged; a row leaves when the content comes again."""
MANIFESTS: Final = Table(
    "depot_manifests",
    _META,
    Column("repository", String(255), primary_key=True),
    Column("digest", String(135), primary_key=True),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("artifact_type", Text),
    Column("subject", String(135)),
    Column("annotations", Text),
    Column("created_at", Float(53), nullable=False),
)
EDGES: Final = Table(
    "depot_edges",
    _META,
    Column("parent", String(135), primary_key=True),
    Column("child", String(135), primary_key=True),
    Column("is_manifest", Boolean, nullable=False),
)
"""What a manifest names, whichever repositories have it; a subject is not among it."""
TAGS: Final = Table(
    "depot_tags",
    _META,
    Column("repository", String(255), primary_key=True),
    Column("tag", String(128), primary_key=True),
    Column("digest", String(135), nullable=False),
    Column("media_type", Text, nullable=False),
    Column("updated_at", Float(53), nullable=False),
)
HISTORY: Final = Table(
    "depot_history",
    _META,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("repository", String(255), nullable=False),
    Column("tag", String(128), nullable=False),
    Column("digest", String(135)),
    Column("at", Float(53), nullable=False),
    *_origin(),
    Column("removal", String(36)),
    Column("restores", Boolean),
)
"""Changes of tags. `removal` names what went together with the tag; `restores` tells that the change undid another."""
REMOVED: Final = Table(
    "depot_removed",
    _META,
    Column("repository", String(255), primary_key=True),
    Column("digest", String(135), primary_key=True),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("artifact_type", Text),
    Column("subject", String(135)),
    Column("annotations", Text),
    Column("created_at", Float(53), nullable=False),
    Column("removal", String(36), nullable=False),
    Column("removed_at", Float(53), nullable=False),
    Column("lacked", Integer, nullable=False),
)
"""Manifests as they were when they left their repository; `lacked` is how many of their blobs were missing then."""
ORIGINS: Final = Table(
    "depot_origins",
    _META,
    Column("digest", String(135), primary_key=True),
    Column("source", String(1000), primary_key=True),
    Column("at", Float(53), nullable=False),
    Column("job", String(36)),
)
"""Every place that content came from or would have come from, had it not been there already."""
LINKS: Final = Table(
    "depot_links",
    _META,
    Column("repository", String(255), primary_key=True),
    Column("digest", String(135), primary_key=True),
    Column("created_at", Float(53), nullable=False),
)
PINS: Final = Table(
    "depot_pins",
    _META,
    Column("target", String(400), primary_key=True),
    Column("repository", String(255)),
    Column("tag", String(128)),
    Column("digest", String(135)),
    Column("at", Float(53), nullable=False),
    Column("by", String(100), nullable=False),
)
"""A pin has a repository and a tag, or a digest."""
HOLDS: Final = Table(
    "depot_holds",
    _META,
    Column("holder", String(200), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("expires_at", Float(53), nullable=False),
)
HELD: Final = Table(
    "depot_held",
    _META,
    Column("holder", String(200), primary_key=True),
    Column("digest", String(135), primary_key=True),
)
STATE: Final = Table(
    "depot_state",
    _META,
    Column("name", String(40), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""`used`: bytes of all blobs. `generation`: how often references changed."""


def upsert(connection: Connection, target: Table) -> "sqlite.Insert | postgresql.Insert":
    """Return an insert that may say what happens to a row that is already there."""
    return sqlite.insert(target) if connection.dialect.name == "sqlite" else postgresql.insert(target)


def put(connection: Connection, target: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that are not there yet; others stay as they are. The order is that of the key: nobody waits in a circle."""
    if rows:
        keys = [column.name for column in target.primary_key]
        ordered = sorted(rows, key=lambda row: [str(row[key]) for key in keys])
        connection.execute(upsert(connection, target).on_conflict_do_nothing(), ordered)


def add(connection: Connection, name: str, amount: int) -> None:
    """Add to a number of `STATE`. The last statement of a transaction: everybody waits for its row."""
    connection.execute(update(STATE).where(STATE.c.name == name).values(value=STATE.c.value + amount))


def share(connection: Connection) -> None:
    """Let no sweep delete until this transaction ends. SQLite has one writer anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": _LOCK})


def alone(connection: Connection) -> None:
    """Wait until no transaction that makes references is open, and let none begin until this one ends."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def chunks(items: Sequence[Any], size: int = CHUNK) -> Iterator[Sequence[Any]]:
    """Yield parts short enough for the parameters of one statement."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def origin_of(row: Any) -> Origin:
    """Return the origin a row holds."""
    return Origin(row.origin_source, row.origin_at, row.origin_job)


def origin_values(origin: Origin) -> dict[str, Any]:
    """Return the columns of an origin."""
    return {
        "origin_source": origin.source[:2000],
        "origin_at": origin.at,
        "origin_job": origin.job[:36] if origin.job else None,
    }


def blob_of(row: Any) -> Blob:
    """Return the blob a row holds."""
    return Blob(Digest.parse(row.digest), row.size, row.created_at, origin_of(row))
