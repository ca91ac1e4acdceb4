"""What a live database says of itself: tables, keys, references, and how a bounded sample of each column looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, inspect, text, types
from sqlalchemy.engine.reflection import Inspector, ObjectKind

from connectors.draft.kinds import HUMAN, Guess, guess, snake
from connectors.stores.catalog import read_catalog
from dsr.errors import BadInput

SAMPLE = 200
"""Rows of each table that are looked at, 80 letters of each value."""
FAMILIES: tuple[tuple[Any, str], ...] = (
    (types.LargeBinary, "binary"), ((types.JSON, types.ARRAY), "nested"), ((types.Date, types.DateTime), "time"),
    ((types.Numeric, types.Integer), "number"), (types.String, "text"), (types.NullType, "untyped"),
)  # fmt: skip
BY_INDEX = "主キーがなく、一意索引から / by a unique index"
NO_KEY = "要確認: 主キーも一意索引もない。一意になる列に直す / no key: name columns that are unique, or a case stops"
IN_CLEAR = "要確認: この列は記録番号としてそのまま出る / stands in the record no. as it is"
MEANT = Guess("user.name", "電話などと並ぶので氏名とみる / taken for a person's, beside contact data")


@dataclass(frozen=True)
class Column:
    """``family``: text, number, time, untyped, other, nested (no equality) or binary (cannot be printed)."""

    name: str
    family: str
    nullable: bool
    label: str
    guess: Guess


@dataclass(frozen=True)
class Edge:
    """A reference from ``columns`` of ``child`` to ``referred`` of ``parent``; tables by their ids."""

    child: str
    columns: tuple[str, ...]
    parent: str
    referred: tuple[str, ...]
    declared: bool = True

    @property
    def words(self) -> str:
        return f"{', '.join(self.columns)} → {self.parent}"


@dataclass(frozen=True)
class Table:
    """``id`` as drift names it (lower case, with its schema outside the home one), ``sql`` as a statement writes it.

    ``name`` is the dataset's; ``singular`` the table's own in snake case, for references named after it.
    """

    id: str
    name: str
    singular: str
    sql: str
    label: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    key_why: str = ""
    edges: tuple[Edge, ...] = ()

    def of_kind(self, *kinds: str) -> list[Column]:
        """Columns of a kind or below it."""
        return [c for c in self.columns.values() if any((c.guess.kind + ".").startswith(kind + ".") for kind in kinds)]


@dataclass(frozen=True)
class Schema:
    """``elsewhere``: tables of other schemas than the one asked for."""

    dialect: str
    quoted: Callable[[str], str] = field(repr=False)
    tables: Mapping[str, Table]
    elsewhere: frozenset[str]


def read_schema(connection: Connection, only: str | None) -> Schema:
    """Every table that must be declared (views and partitions need not be). Raises BadInput where there is none."""
    look, dialect = inspect(connection), "postgres" if connection.dialect.name == "postgresql" else "sqlite"
    catalog = read_catalog(connection, dialect)
    live = set(catalog.tables) - set(catalog.views) - catalog.partitions
    schemas = [name for name in look.get_schema_names() if not name.startswith(("pg_", "information_schema"))]
    if only is not None and only not in schemas:
        raise BadInput("--schema", "the database has no such schema", "leave it out to draft every schema")
    quoted = _quoting(connection, dialect)
    read = (table for schema in ([only] if only else schemas) for table in _read(look, schema, catalog.home, quoted))
    found = sorted((table for table in read if table.id in live), key=lambda table: table.id)
    if not found:
        raise BadInput("URL", "the database has no tables", "check the address, the schema and the account's rights")
    tables = {table.id: _sampled(connection, table, quoted) for table in found}
    names = [table.name for table in tables.values()]
    linked = {}
    for at, table in enumerate(tables.values(), 1):
        # A dataset's name is a file's: 契約者 becomes table_3, and keeps its own name as label.
        plain = table.name.isascii() and names.count(table.name) == 1
        name = table.name if table.name and plain else f"table_{at}"
        linked[table.id] = replace(table, edges=tuple(_edges(table, tables)), name=name)
    return Schema(dialect, quoted, linked, frozenset(live - set(tables)))


def _quoting(connection: Connection, dialect: str) -> Callable[[str], str]:
    quote = connection.dialect.identifier_preparer.quote

    def quoted(name: str) -> str:
        plain = name.lower() if dialect == "sqlite" else name  # SQLite folds case and needs no quotes for it
        return name if quote(plain) == plain else quote(name)

    return quoted


def _read(look: Inspector, schema: str, home: str, quoted: Callable[[str], str]) -> Iterator[Table]:
    def each(reading: Callable[..., Mapping[tuple[str | None, str], Any]]) -> dict[str, Any]:
        return {name: found for (_, name), found in reading(schema=schema, kind=ObjectKind.ANY).items()}

    def id_of(schema: str | None, name: str) -> str:
        return (name if schema is None or schema.lower() == home else f"{schema}.{name}").lower()

    keys, references = each(look.get_multi_pk_constraint), each(look.get_multi_foreign_keys)
    unique, indexes = each(look.get_multi_unique_constraints), each(look.get_multi_indexes)
    labels = each(look.get_multi_table_comment) if look.dialect.supports_comments else {}
    for name, columns in each(look.get_multi_columns).items():
        held = {c["name"]: _column(c) for c in columns}
        sets = [found["column_names"] for found in (*unique.get(name, ()), *indexes.get(name, ()))
                if found.get("unique", True)]  # fmt: skip
        edges = (
            Edge(id_of(schema, name), tuple(found["constrained_columns"]),
                 id_of(found["referred_schema"], found["referred_table"]), tuple(found["referred_columns"]))
            for found in references.get(name, ())
        )  # fmt: skip
        yield Table(
            id_of(schema, name),
            snake(name if schema.lower() == home else f"{schema}.{name}"),
            snake(name).removesuffix("s") or name,
            quoted(name) if schema.lower() == home else f"{quoted(schema)}.{quoted(name)}",
            (labels.get(name) or {}).get("text") or name,
            held,
            tuple(keys[name]["constrained_columns"] or _unique(sets, held)),
            "" if keys[name]["constrained_columns"] else BY_INDEX,
            tuple(edges),
        )


def _column(found: Mapping[str, Any]) -> Column:
    family = next((family for known, family in FAMILIES if isinstance(found["type"], known)), "other")
    return Column(found["name"], family, bool(found["nullable"]), found.get("comment") or found["name"], Guess())


def _unique(sets: Sequence[Any], columns: Mapping[str, Column]) -> Sequence[str]:
    """The shortest unique index that takes no NULL."""
    whole = [names for names in sets if all(name and not columns[name].nullable for name in names)]
    return min(whole, key=len, default=())


def _sampled(connection: Connection, table: Table, quoted: Callable[[str], str]) -> Table:
    """The values are guessed from and dropped here."""
    readable = [column for column in table.columns.values() if column.family not in ("binary", "nested")]
    wanted = ", ".join(f"SUBSTR(CAST({quoted(column.name)} AS TEXT), 1, 80)" for column in readable) or "1"
    sql = f"SELECT {wanted} FROM {table.sql} LIMIT {SAMPLE}"  # noqa: S608 - names of the schema itself, quoted
    rows = connection.execute(text(sql.replace(":", "\\:"))).all()
    guesses = {c.name: guess(c.name, c.family, (row[at] for row in rows)) for at, c in enumerate(readable)}
    human = any(found.kind.startswith(HUMAN) for found in guesses.values())
    plain = MEANT if human else Guess()
    guesses = {name: plain if found.kind == "name" else found for name, found in guesses.items()}
    columns = {n: replace(c, guess=guesses.get(n, Guess())) for n, c in table.columns.items()}
    shown = [n for n, found in guesses.items() if found.kind in ("value", "day")]
    if not table.key:
        return replace(table, columns=columns, key=tuple(shown or guesses), key_why=NO_KEY)
    return replace(table, columns=columns, key_why=table.key_why if set(table.key) <= set(shown) else IN_CLEAR)


def _edges(table: Table, tables: Mapping[str, Table]) -> Iterator[Edge]:
    """By their column: references declared, and columns of another table's key's name, for old systems declare none."""
    for name in table.columns:
        declared = [edge for edge in table.edges if name in edge.columns]
        yield from (edge for edge in declared if edge.parent in tables and edge.columns[0] == name)
        if not declared:
            meant = [t for t in tables.values() if t.id != table.id and _names_key_of(snake(name), t)]
            yield from (Edge(table.id, (name,), t.id, t.key, declared=False) for t in meant[:1])


def _names_key_of(column: str, parent: Table) -> bool:
    """party_id is the key of party (party_id) and of parties (id)."""
    if len(parent.key) != 1 or parent.key_why:
        return False
    key = snake(parent.key[0])
    return column == (f"{parent.singular}_{key}" if key in ("id", "no", "code", "key") else key)
