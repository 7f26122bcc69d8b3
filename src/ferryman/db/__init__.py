"""The relational database: engine, transactions, migrations. The only room that knows which database it is."""

from ferryman.db.database import Database, sqlite_url

__all__ = ["Database", "sqlite_url"]
