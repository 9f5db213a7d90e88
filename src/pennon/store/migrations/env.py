"""How Alembic runs the steps: on the connection that `schema.bring_up_to_date` hands in, in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
