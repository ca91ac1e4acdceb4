"""The SELECTs of a draft, made of keys and references: how a table's rows are found for a person, and fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.draft.kinds import AUDIT, READABLE, snake
from connectors.draft.owners import Held
from connectors.draft.schema import Column, Edge, Schema, Table
from connectors.stores.statements import FORMS
from dsr.inventory import PERSON

EVIDENCE: Mapping[str, tuple[str, tuple[str, ...], str]] = {  # word → kind · its parts · what stands between them
    "name": ("user.name", ("user.name.family", "user.name.given"), " || ' ' || "),
    "kana": ("user.name.kana", ("user.name.kana.family", "user.name.kana.given"), " || ' ' || "),
    "born_on": ("user.born_on", (), ""),
    "died_on": ("user.died_on", (), ""),
    "phone": ("user.phone", (), ""),
    "mail": ("user.mail", (), ""),
    "address": ("user.address", ("user.address.prefecture", "user.address.city", "user.address",
                                 "user.address.building"), " || "),
}  # fmt: skip
SEARCHED = (("name", "kana", "phone", "mail"), ("born_on",), ("address",))
"""The first group of which the table has something: a birth date alone brings everybody born that day."""
VAGUE = ("id", "no", "code", "key", "from", "to", "keys", PERSON, *FORMS)
"""Names of keys that cannot be the name of an identifier by themselves."""


@dataclass(frozen=True)
class Locate:
    """``reveals``: identifier kind → the name it comes out by; so does ``evidence``."""

    by: str
    sql: str
    evidence: Mapping[str, str]
    reveals: Mapping[str, str]


@dataclass(frozen=True)
class Statements:
    schema: Schema
    held: Mapping[str, Held]

    def kind(self, edge: Edge) -> str:
        """The identifier that leads over ``edge``: the key it refers to, with its table's name if others share it."""
        base = "_".join(map(snake, edge.referred))
        followed = {(by.parent, by.referred) for found in self.held.values() for by in found.by}
        unsure = base in VAGUE or len([key for key in followed if "_".join(map(snake, key[1])) == base]) > 1
        return f"{self.schema.tables[edge.parent].name}_{base}" if unsure else base

    def revealed(self, table: Table) -> dict[str, tuple[str, ...]]:
        """Identifier kind → the columns of ``table`` that reveal it."""
        every = [(found.role == "child", by) for found in self.held.values() for by in found.by]
        return {
            self.kind(by): by.referred if below else by.columns
            for below, by in every if table.id == (by.parent if below else by.child)
        }  # fmt: skip

    def one(self, columns: Iterable[str], alias: str = "") -> str:
        """Columns as one value; of several all but the last with their length, or ``a|b, c`` would be ``a, b|c``."""
        spelled = [alias + self.schema.quoted(column) for column in columns]
        if len(spelled) == 1:
            return spelled[0]
        *firsts, last = (f"CAST({column} AS TEXT)" for column in spelled)
        return "".join(f"LENGTH({first}) || '|' || {first} || '|' || " for first in firsts) + last

    def _source(self, table: Table) -> tuple[list[tuple[str, Table]], str]:
        """Alias and table, and the FROM: an address row tells of the person, and the city's row of the address."""
        tables, joins = [("t.", table)], ""
        for alias, at in tables:
            for edge in at.edges:
                parent, found = self.schema.tables[edge.parent], self.held.get(edge.parent)
                led = edge in found.by if found else at is not table
                led = led and all(parent.id != known.id for _, known in tables)
                if led and parent.of_kind("user.address", "user.phone", "user.mail"):
                    new = f"j{len(tables)}."
                    pairs = zip(edge.referred, edge.columns, strict=True)
                    on = " AND ".join(f"{self.one([a], new)} = {self.one([b], alias)}" for a, b in pairs)
                    joins += f" LEFT JOIN {parent.sql} {new[:-1]} ON {on}"
                    tables.append((new, parent))
        return (tables, f"{table.sql} t{joins}") if joins else ([("", table)], table.sql)

    def _evidence(self, tables: Sequence[tuple[str, Table]]) -> dict[str, tuple[str, str, Column]]:
        """Word → the name it comes out by, its expression, a column of it."""
        columns = [(alias, column) for alias, table in tables for column in table.columns.values()]
        first = {column.guess.kind: (alias, column) for alias, column in reversed(columns)}
        found = {}
        for word, (kind, kinds, between) in EVIDENCE.items():
            whole, parts = first.get(kind), [first[part] for part in kinds if part in first]
            if word == "address" and whole and "in full" in whole[1].guess.looks:  # or 福岡県 would stand there twice
                parts = [part for part in parts if part[1].guess.kind not in kinds[:2]]
            if parts and (not whole if kind not in kinds else whole and len(parts) > 1):
                pieces = (f"COALESCE({self.one([column.name], alias)}, '')" for alias, column in parts)
                found[word] = (f"dsr_{word}", between.join(pieces), parts[0][1])
            elif whole:
                alias, column = whole
                own = alias in ("", "t.")
                found[word] = (column.name if own else f"dsr_{word}", self.one([column.name], alias), column)
        return found

    def _in_forms(self, word: str, expression: str, column: Column) -> str:
        if self.schema.dialect == "postgres" and column.family != "text":
            # 昭和59年5月17日 is no value of a DATE column, and PostgreSQL says so instead of finding nothing.
            expression = f"CAST({expression} AS TEXT)"
        elif word == "mail" or " || " in expression:
            expression = f"{'LOWER' if word == 'mail' else ''}({expression})"
        return f"{expression} IN :{word}_forms"

    def _where(self, table: Table, found: Held, evidence: Mapping[str, tuple[str, str, Column]]) -> tuple[str, str]:
        """By what, and the condition."""
        if found.role == "person":
            words = next(there for group in SEARCHED if (there := [word for word in group if word in evidence]))
            return PERSON, " OR ".join(self._in_forms(word, *evidence[word][1:]) for word in words)
        edge = found.by[0]
        columns, by = edge.columns if found.role == "child" else edge.referred, self.kind(edge)
        if len(columns) == 1 and table.columns[columns[0]].family == "untyped":
            # The value is text, and only a column's type makes SQLite compare '0' with 0.
            return by, f"CAST({self.one(columns)} AS TEXT) = :{by}"
        return by, f"{self.one(columns)} = :{by}"

    def locate(self, table: Table, found: Held) -> Locate:
        person = found.role == "person"
        tables, source = self._source(table) if person else ([("", table)], table.sql)
        evidence, alias = self._evidence(tables) if person else {}, tables[0][0]
        by, where = self._where(table, found, evidence)
        at = self.at(table, found)
        out = {name: self.one([name], alias) for name in (*table.key, *([at.name] if at else ()))}
        reveals = {}
        for kind, columns in self.revealed(table).items():
            reveals[kind] = columns[0] if len(columns) == 1 else f"dsr_{kind}"
            out[reveals[kind]] = self.one(columns, alias)
        out |= {name: expression for name, expression, _ in evidence.values()}
        plain = {self.one([name], alias): name for name in table.columns}
        wanted = ", ".join(sql if plain.get(sql) == name else f"{sql} AS {name}" for name, sql in out.items())
        sql = f"SELECT {wanted} FROM {source} WHERE {where}"  # noqa: S608 - names of the schema itself, quoted
        return Locate(by, sql, {word: name for word, (name, *_) in evidence.items()}, reveals)

    def fetch(self, table: Table) -> str:
        key, wanted = (", ".join(map(self.schema.quoted, names)) for names in (table.key, printed(table)))
        keyed = key if len(table.key) == 1 else f"({key})"
        return f"SELECT {wanted} FROM {table.sql} WHERE {keyed} IN :keys ORDER BY {key}"  # noqa: S608

    def at(self, table: Table, found: Held) -> Column | None:
        """The one column that says when, every sampled value readable; of several the one that is never empty."""
        plain = [
            column for name, column in table.columns.items()
            if found.role == "child" and column.guess.kind == "day" and not AUDIT.search(snake(name))
            and (not column.guess.count or READABLE & column.guess.looks)
        ]  # fmt: skip
        sure = plain if len(plain) == 1 else [column for column in plain if not column.nullable]
        return sure[0] if len(sure) == 1 else None


def printed(table: Table) -> list[str]:
    return [column.name for column in table.columns.values() if column.family != "binary"]
