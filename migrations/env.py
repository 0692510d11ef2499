"""Alembic's entry point. Uses the connection and transaction of `services.store.database.schema`."""

from alembic import context

from services.store.database.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
