"""What Alembic runs for every command; `search.state.migrations.config` puts the connection in."""

from alembic import context

from search.state.database import VERSION_TABLE
from search.state.migrations import ours
from search.state.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,  # Optuna stamps Alembic's default table with its own revisions
    include_name=ours,
    render_as_batch=True,
    transactional_ddl=True,  # Alembic's default for SQLite is False: a killed upgrade would stay half done
)
with context.begin_transaction():
    context.run_migrations()
