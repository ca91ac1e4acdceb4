"""The one reviewed SELECT of a way or a fetch: read, checked to be nothing else, and rendered with its binds.

Binds: ``:<kind>`` of the way, ``:from`` and ``:to``, ``IN :kana_forms``, ``column CONTAINS :name_forms`` and
``column IN :keys`` or ``(column, column) IN :keys``. A person's value is only ever bound, never written into text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, NoReturn
from zoneinfo import ZoneInfo

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dsr.connector import Ask
from dsr.days import Interval, bound
from dsr.errors import BadInput
from dsr.inventory import PERSON, At, Dataset

FORMS = ("name_forms", "kana_forms", "born_on_forms", "address_forms", "phone_forms", "mail_forms")
_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d]\w*)'
_COLUMN = rf"{_NAME}(?:\.{_NAME})*"
_TOKEN = re.compile(
    rf"""(?P<text>'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|::)
    | (?<![\w"])(?P<contains>{_COLUMN})\s+CONTAINS\s+:(?P<held>\w+)\b
    | (?<![\w"])(?P<columns>\(\s*{_COLUMN}(?:\s*,\s*{_COLUMN})*\s*\)|{_COLUMN})\s+IN\s+:keys\b
    | \bIN\s+:(?P<several>\w+_forms)\b
    | (?<![\w"])(?P<edge>{_COLUMN}\s*(?:>=|<=|<|>)\s*):(?P<side>from|to)\b(?!\s*(?:[-+*/|%]|::))
    | (?<!:):(?P<bind>[^\W\d]\w*)
    | (?P<quoted>"(?:[^"]|"")*")""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_TERM = re.compile(r"\b(?:WHERE|AND|OR|ON)\b[\s(]*$", re.IGNORECASE)
"""Before a comparison that is a term of its own, and so may be left out; after NOT, or as part of a sum, it is none."""
_CHANGING = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock)


@dataclass(frozen=True)
class Part:
    kind: Literal["text", "bind", "several", "contains", "keys", "edge"]
    word: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statement:
    """``place`` is its field in the inventory; ``tables`` and ``columns`` are the lower-case names it speaks of.

    ``plain``: one table, filtered row by row, nothing counted or cut; each row of its answer follows from that row
    alone. ``equal``: of a plain one, the column that must equal a bind, as it is written there. ``renamed``: lower-case
    names in its answer that are not the columns of these names.
    """

    place: str
    parts: tuple[Part, ...]
    tables: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    plain: bool = False
    equal: Mapping[str, str] = field(default_factory=dict, compare=False)
    renamed: frozenset[str] = frozenset()

    @property
    def binds(self) -> frozenset[str]:
        return frozenset("keys" if part.kind == "keys" else part.word for part in self.parts if part.kind != "text")

    def render(
        self, mark: str, values: Mapping[str, Any], nulls: tuple[bool, ...] = (), keys: str = ""
    ) -> tuple[str, dict[str, Any]]:
        """Text with ``mark``-ed parameters (``:`` of SQLAlchemy, ``$`` of DuckDB), and the parameters.

        ``keys`` is what stands inside ``IN (…)``, for the key parts that ``nulls`` does not call NULL. Without them the
        statement matches nothing: it is asked for its columns only.
        """
        given: dict[str, Any] = {}

        def bind(word: str, value: Any) -> str:
            name = f"{word}_{len(given)}"
            given[name] = value
            return f"{mark}{name}"

        text = []
        for part in self.parts:
            if part.kind == "text":
                # SQLAlchemy takes a colon in a literal for a bind unless it is escaped.
                text.append(part.word.replace(":", "\\:") if mark == ":" else part.word)
            elif part.kind == "edge" and part.word in values.get("open", ()):
                text.append("1 = 1")  # a row that does not say when it happened is theirs who always held the number
            elif part.kind in ("bind", "edge"):
                text += [*part.columns, bind(part.word, values.get(part.word))]
            elif part.kind == "several":
                text.append(f"IN ({', '.join(bind(part.word, v) for v in values.get(part.word) or ()) or 'NULL'})")
            elif part.kind == "contains":
                likes = [
                    f"{part.columns[0]} LIKE {bind(part.word, _within(form))} ESCAPE '!'"
                    for form in values.get(part.word) or () if form.strip()
                ]
                text.append(f"({' OR '.join(likes) or '1 = 0'})")
            else:
                text.append(_matching(part.columns, nulls, keys) if nulls else "1 = 0")
        return "".join(text), given

    def beside(self, asks: str) -> str | None:
        """Text whose binds are columns of the table ``asks``, with ``open_from`` and ``open_to`` for open edges; None
        with a list of forms or keys, which is no column."""
        if any(part.kind not in ("text", "bind", "edge") for part in self.parts):
            return None
        shown = {"text": "{word}", "bind": '{asks}."{word}"', "edge": '({asks}."open_{word}" OR {edge}{asks}."{word}")'}
        return "".join(
            shown[part.kind].format(word=part.word, asks=asks, edge="".join(part.columns)) for part in self.parts
        )

    def speaks_of(self, column: str) -> bool:
        """Whether it may read the column: never a wrong no."""
        text = "".join(" ".join((part.word, *part.columns)) for part in self.parts if part.kind != "bind").lower()
        return "*" in text or "columns" in text or column.lower() in text


def _within(form: str) -> str:
    return "%" + re.sub("([!%_])", r"!\1", form) + "%"


def _matching(columns: tuple[str, ...], nulls: tuple[bool, ...], keys: str) -> str:
    present = [column for column, null in zip(columns, nulls, strict=True) if not null]
    terms = [f"{column} IS NULL" for column, null in zip(columns, nulls, strict=True) if null]
    if present:
        terms.append(f"{present[0] if len(present) == 1 else '(' + ', '.join(present) + ')'} IN ({keys})")
    return f"({' AND '.join(terms)})"


def _parts(text: str) -> Iterator[Part]:
    done = 0
    for found in _TOKEN.finditer(text):
        if found["text"] or found["quoted"]:
            continue
        yield Part("text", text[done : found.start()])
        done = found.end()
        if found["contains"]:
            yield Part("contains", found["held"], (found["contains"],))
        elif found["columns"]:
            yield Part("keys", "keys", tuple(re.findall(_COLUMN, found["columns"])))
        elif found["several"]:
            yield Part("several", found["several"])
        elif found["edge"] and not _TERM.search(text[: found.start()]):
            yield Part("text", found["edge"])
            yield Part("bind", found["side"])
        elif found["edge"]:
            yield Part("edge", found["side"], (found["edge"],))
        else:
            yield Part("bind", found["bind"])
    yield Part("text", text[done:])


@lru_cache(maxsize=4096)  # of a declaration, so the same few: parsed anew they were a tenth of a small case
def read_statement(text: str, place: str, dialect: str) -> Statement:
    """Raises BadInput unless ``text`` is one SELECT (or SELECTs joined by UNION) in the store's ``dialect``."""
    text = text.strip().removesuffix(";").rstrip()
    statement = Statement(place, tuple(_parts(text)))
    trees: list[Any] = []
    with suppress(SqlglotError):
        trees = sqlglot.parse(statement.render(":", {})[0].replace("\\:", ":"), dialect=dialect)
    if len(trees) != 1 or not isinstance(trees[0], exp.Query) or any(trees[0].find_all(*_CHANGING)):
        raise BadInput(place, f"is not one SELECT in {dialect} SQL", "write one SELECT that reads and changes nothing")
    tree = trees[0]
    made = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    named = {alias.alias.lower() for alias in tree.find_all(exp.Alias)}
    tables = {_table(table) for table in tree.find_all(exp.Table)} - made
    if "" in tables:
        raise BadInput(place, "reads from a function", "name a declared table")
    columns = {column.name.lower() for column in tree.find_all(exp.Column)} - named - {"", "*"}
    plain = _plain(tree)
    equal = {word: column for word, column in _equal(tree) if column.lower() in columns} if plain else {}
    renamed = {
        alias.alias.lower() for alias in tree.find_all(exp.Alias)
        if not (isinstance(alias.this, exp.Column) and alias.this.name.lower() == alias.alias.lower())
    }
    return Statement(place, statement.parts, frozenset(tables), frozenset(columns), plain, equal, frozenset(renamed))


_CLAUSES = frozenset({"expressions", "from", "from_", "where", "order"})
_MANY = (exp.AggFunc, exp.Window, exp.UDTF, exp.Subquery, exp.TableSample, exp.Anonymous)


def _plain(tree: Any) -> bool:
    """Whatever looks at more than one row makes it not plain, and so does what nobody listed here as harmless."""
    if not isinstance(tree, exp.Select) or {clause for clause, said in tree.args.items() if said} - _CLAUSES:
        return False
    return len(list(tree.find_all(exp.Query, exp.Table))) == 2 and not any(tree.find_all(*_MANY))


def _equal(tree: Any) -> Iterator[tuple[str, str]]:
    """``(bind, column)`` of every ``column = :bind`` without which no row is taken."""
    where = tree.args.get("where")
    for term in (where.this.flatten() if isinstance(where.this, exp.And) else [where.this]) if where else ():
        sides = (term.left, term.right) if isinstance(term, exp.EQ) else ()
        for column, bind in (sides, sides[::-1]) if sides else ():
            if isinstance(column, exp.Column) and isinstance(bind, exp.Placeholder):
                yield str(bind.this).rpartition("_")[0], column.name


def _table(table: exp.Table) -> str:
    return ".".join(part.lower() for part in (table.db, table.name) if part) if table.name else ""


def locating(dataset: Dataset, way: int, dialect: str) -> Statement:
    """The statement of a way. Without its bind it would bring everybody, so that is BadInput."""
    declared = dataset.ways[way]
    statement = read_statement(declared.locate, f"{dataset.id}.ways.{way}.locate", dialect)
    wanted = frozenset(FORMS) if declared.by == PERSON else {declared.by}
    unknown = statement.binds - wanted - {"from", "to"}
    if unknown:
        _wrong(statement, f"has the unknown bind :{min(unknown)}", f"use {', '.join(':' + w for w in sorted(wanted))}")
    if not statement.binds & wanted:
        _wrong(statement, "asks for nobody in particular", f"use {' or '.join(':' + word for word in sorted(wanted))}")
    for part in statement.parts:
        if (part.word in FORMS) == (part.kind in ("bind", "edge")) and part.kind != "text":
            _wrong(statement, f":{part.word} is bound the wrong way", "write column IN :x_forms or CONTAINS :x_forms")
    if statement.binds & {"from", "to"} and dataset.at is None:
        _wrong(statement, "has :from or :to but the dataset has no at", "declare at = {column = …}")
    return statement


def fetching(dataset: Dataset, dialect: str) -> Statement:
    statement = read_statement(dataset.fetch, f"{dataset.id}.fetch", dialect)
    keyed = [part for part in statement.parts if part.kind == "keys"]
    if not keyed or statement.binds != {"keys"}:
        _wrong(statement, "must have IN :keys and no other bind", "write WHERE key IN :keys")
    for part in keyed:
        names = [column.split(".")[-1].strip('"').lower() for column in part.columns]
        if names != [name.lower() for name in dataset.key]:
            fix = f"write ({', '.join(dataset.key)}) IN :keys"
            _wrong(statement, "matches :keys with other columns than the key", fix)
    return statement


def _wrong(statement: Statement, problem: str, fix: str) -> NoReturn:
    raise BadInput(statement.place, problem, fix)


def values_of(dataset: Dataset, ask: Ask, live: pa.DataType | None) -> dict[str, Any]:
    """What an ask binds. ``live`` is the type of the ``at`` column where the store has types, else None."""
    values: dict[str, Any] = dict(ask.forms)
    if ask.identifier is not None:
        values[dataset.ways[ask.way].by] = ask.identifier.value
    if dataset.at is not None:
        values["from"], values["to"] = edges(ask.interval, dataset.at, live)
        sides = (("from", ask.interval.start), ("to", ask.interval.end))
        values["open"] = frozenset(side for side, edge in sides if edge is None)
    return values


def edges(interval: Interval, at: At, live: pa.DataType | None) -> tuple[Any, Any]:
    """``:from`` and ``:to`` in the stored form, as the types that the column compares with."""
    if live is not None and (pa.types.is_date(live) or pa.types.is_timestamp(live)):
        return _typed(interval, at.tz, live)
    low, high = bound(interval, at.form, at.tz)
    # Text against a number is never true; a number against a text column is compared as text in SQLite, and as the
    # column's own type elsewhere.
    if at.form in ("yyyymmdd", "yyyymmddhhmmss") and (live is None or pa.types.is_integer(live)):
        return int(low), int(high)
    if at.form in ("text", "date", "timestamp", "iso") and (live is None or pa.types.is_string(live)):
        return _years(low, high)
    return low, high


def _years(low: str, high: str) -> tuple[str, str]:
    """Whole years, a day to spare: 2026/05/01 and an instant of another offset are compared as text, and must come.

    What comes too much the store lets fall by ``in_tenure``.
    """
    first, last = (date.fromisoformat(edge[:10]) for edge in (low, high))
    spare = timedelta(days=1)
    start = (first - spare if first.year > 1 else first).year
    end = min((last + spare if last.year < 9999 else last).year + 1, 9999)
    return f"{start:04d}-01-01", "9999-12-30" if end == 9999 else f"{end:04d}-01-01"


def _typed(interval: Interval, zone: ZoneInfo, live: pa.DataType) -> tuple[Any, Any]:
    if pa.types.is_date(live):
        low, high = bound(interval, "date", zone)
        return date.fromisoformat(low), date.fromisoformat(high)
    stamps = [datetime.fromisoformat(edge) for edge in bound(interval, "iso", zone)]
    low, high = stamps if getattr(live, "tz", None) else [stamp.replace(tzinfo=None) for stamp in stamps]
    return low, high
