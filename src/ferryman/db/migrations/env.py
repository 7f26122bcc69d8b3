"""What Alembic runs: the migrations, on the connection that `ferryman.db.migrate` opened."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transactional_ddl=False)
context.run_migrations()
