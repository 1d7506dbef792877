"""Run by Alembic: apply the migrations on the connection that `origin.database` hands over."""

from alembic import context

from origin.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
)
context.run_migrations()
