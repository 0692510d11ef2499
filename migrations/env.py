"""Alembic's entry: works on the connection and in the transaction that `services.store.database.schema` hands over."""

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
