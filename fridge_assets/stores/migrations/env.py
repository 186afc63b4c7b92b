"""Runs the migrations on the connection and in the transaction of :meth:`Operations.migrate`."""

from alembic import context

from fridge_assets.stores.operations_tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
