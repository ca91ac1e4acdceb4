"""The revisions of the store's tables, and how a database is brought to the newest of them.

Each revision is a file in ``versions``; once released it is never changed. What it needs of a table it writes down
itself, for the models of ``dsr.store`` go on. Alembic is driven from here and imported only for the work itself.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

REVISIONS = ("0001", "0002", "0003")
"""Oldest first; the last is the one this program reads and writes."""
FIRST, NEWEST = REVISIONS[0], REVISIONS[-1]
FIRST_TABLES = frozenset({"case", "event", "work", "officer"})
VERSION_TABLE = "dsr_revision"
"""Of our own: Prefect keeps Alembic's usual ``alembic_version`` in its database, which may be the same one."""


def revision_of(connection: Connection) -> str | None:
    """``None`` where there is no store. The first release, before Alembic, wrote no revision down."""
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE in tables:
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 - our name
        return str(found) if found else None
    return FIRST if tables >= FIRST_TABLES else None


def upgrade(connection: Connection) -> None:
    """To the newest revision, from any or from nothing, in the transaction of ``connection``.

    The caller holds off other writers: of two that upgrade at once the second finds it done.
    """
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    if revision_of(connection) == FIRST:
        command.stamp(config, FIRST)
    command.upgrade(config, NEWEST)
