"""Bringing a database to the version this program needs."""

from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from ferryman.core.errors import Conflict, Unavailable

_LOCK = 0x66657272
_MIGRATIONS = Path(__file__).with_name("migrations")


def migrate(engine: Engine) -> None:
    """Run the migrations that are missing, in one transaction.

    Raises `Conflict` (`database_newer`) when a newer program has been here, `Unavailable` when nobody answers.
    """
    if _is_present(engine):
        return
    # A third of what a command needs to start, and nearly always there is nothing to do.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - see above
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            current = MigrationContext.configure(connection).get_current_revision()
            if current == scripts.get_current_head():
                return
            if current is not None and current not in {
                script.revision for script in scripts.walk_revisions()
            }:
                raise Conflict(
                    "database_newer",
                    f"The database was used by a newer version (its revision is {current}).",
                    advice="Install that version again, or start with an empty home folder.",
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except OperationalError as error:
        raise Unavailable(
            "database_unavailable",
            f"The database did not answer: {error.orig}.",
            advice="Check FERRY_DATABASE_URL and that the server runs; see `ferry doctor`.",
        ) from error


def _is_present(engine: Engine) -> bool:
    """Tell whether the database is certainly at the newest revision, which has the name of its file; only reads."""
    newest = max(path.stem for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))
    try:
        with engine.connect() as connection:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [
                newest
            ]
    except DBAPIError:  # no such table yet, or nobody answers: what follows says it
        return False
