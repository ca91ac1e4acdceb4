"""Alembic's door: runs the revisions on the connection, and in the transaction, of ``dsr.migrations.upgrade``."""

from __future__ import annotations

from alembic import context

from dsr.migrations import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
