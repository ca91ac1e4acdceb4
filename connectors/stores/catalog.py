"""What a database really holds: live tables, views and partitions, by the names that statements use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlglot
from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine.reflection import Inspector, ObjectKind
from sqlglot import exp
from sqlglot.errors import SqlglotError

_PARTITIONS = (
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relispartition"
)


@dataclass(frozen=True)
class Catalog:
    """Lower-case names, ``schema.name`` outside the ``home`` schema. ``views`` → the tables they are made of."""

    home: str
    tables: Mapping[str, tuple[str, ...]]
    views: Mapping[str, frozenset[str]]
    partitions: frozenset[str]

    def name(self, spoken: str) -> str:
        return spoken.removeprefix(f"{self.home}.")

    def under(self, spoken: frozenset[str]) -> frozenset[str]:
        """The tables and those under the views among them: a view is declared with what it shows."""
        seen: set[str] = set()
        todo = {self.name(table) for table in spoken}
        while todo:
            table = todo.pop()
            seen.add(table)
            todo |= {self.name(under) for under in self.views.get(table, ())} - seen
        return frozenset(seen)

    def columns(self, spoken: frozenset[str]) -> frozenset[str]:
        return frozenset(column for table in spoken for column in self.tables.get(self.name(table), ()))


def read_catalog(connection: Connection, dialect: str) -> Catalog:
    look = inspect(connection)
    home = (look.default_schema_name or "").lower()
    schemas = [name for name in look.get_schema_names() if name != "information_schema" and not name.startswith("pg_")]
    tables: dict[str, tuple[str, ...]] = {}
    views: dict[str, frozenset[str]] = {}
    for schema in schemas:
        prefix = "" if schema.lower() == home else f"{schema.lower()}."
        for (_, name), columns in look.get_multi_columns(schema=schema, kind=ObjectKind.ANY).items():
            tables[prefix + name.lower()] = tuple(column["name"] for column in columns)
        for name in look.get_view_names(schema=schema):
            views[prefix + name.lower()] = _made_of(look, name, schema, dialect)
    partitions = connection.execute(text(_PARTITIONS)) if dialect == "postgres" else ()
    return Catalog(home, tables, views, frozenset(f"{s}.{n}".lower().removeprefix(f"{home}.") for s, n in partitions))


def _made_of(look: Inspector, view: str, schema: str, dialect: str) -> frozenset[str]:
    try:
        tree = sqlglot.parse_one(look.get_view_definition(view, schema=schema), dialect=dialect)
    except SqlglotError:
        return frozenset()  # its tables then stand as undeclared: loud, not wrong
    return frozenset(f"{table.db}.{table.name}".strip(".").lower() for table in tree.find_all(exp.Table))
