"""The draft as text: ``inventory.toml`` in which every guess says why, and what a person must do is marked.

要確認: a person must look · 記入: a person must fill in. Counts and names only; no value of any row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import Connection, text

from connectors.draft.kinds import MASKS
from connectors.draft.owners import Held, is_personal, questions, rank, whose
from connectors.draft.schema import Column, Edge, Schema, Table
from connectors.draft.statements import Locate, Statements, printed

HEAD = """\
# 下書き / a draft by dsr inventory draft: a person finishes it (docs/connect.md).
#   要確認 = 見て決める / look and decide · 記入 = 書く / fill in · その他の注記は推定の理由 / other comments say why

[company]
name = "記入"  # 記入: 会社名など / the company (dsr schema INVENTORY)

[system.{system}]
label = "{system}"  # 記入
store = "sql"
url = {url}  # 記入: その変数に接続先を / the variable holds the address
"""
DATASET = """
[{path}]
label = {label}  # 記入: 本人に見せる名 / as the person will read it
# 記入 / fill in: row, recipients
purposes = []  # 記入: 公表した利用目的の番号 / numbers of the published purposes
retention = []  # 記入: 保存期間の根拠 / why and how long it is kept
key = [{key}]"""
ELSEWHERE = "要確認: 他のスキーマの表 {0}件は下書きの外 / {0} tables of other schemas left out: check names them"
SEARCH = "氏名・連絡先の列から本人を探す / searched by the columns of name and contact"
WEAK = "要確認: 一致には強い手がかりが二つ要る。これだけでは本人と判定されない / too little to be sure of anybody"
LOST = "要確認: 参照が空 {0}行・孤児（相手のない行）{1}行は誰の請求でも出ない / {0} empty, {1} orphans: nobody's"
SHARED = "複数の人が指す行 {0}件。開示には二人目の承認が要る / {0} are several people's: a second officer approves"
ANOTHERS = "。他人の名・連絡先なら伏せる / struck if another's"
ELSEWHERES = "。別人の住所のことがある / may be another's"
NOTHING = "個人の列は見当たらない / no column looks personal"
NO_WAY = "個人データらしいが、本人からたどる道がない / looks personal, and nothing leads to it"
NOTES = "自由記述に個人がいないか / free text may name people"
BINARY = "要確認: 画像などは印字できない。含むなら手で回答 / cannot be printed: answer by hand"
STRONG = ({"name", "kana"}, {"born_on"}, {"phone"}, {"address"})
"""Evidence of which two pieces make a match (dsr.rules.matching)."""
OTHERS = ("user.name", "user.name.kana", "user.phone", "user.mail")
"""Kinds that in a customer's row may be somebody else's; the first two also beside the person's own."""


def quote(words: str) -> str:
    """A TOML string."""
    if '"' in words and words.isprintable() and "'''" not in words and not words.endswith("'"):
        return f"'''{words}'''"
    return json.dumps(words, ensure_ascii=False).replace("\x7f", "\\u007f")


def bare(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def inline(pairs: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{bare(name)} = {quote(value)}" for name, value in pairs.items()) + "}"


def remark(words: str) -> str:
    """A comment on one line: a name of the schema may hold anything."""
    return "# " + "".join(c if c.isprintable() else " " for c in words)


def write(system: str, url: str, schema: Schema, connection: Connection) -> str:
    """``connection`` counts orphans and shared rows."""
    held = whose(schema.tables)
    lines = [HEAD.format(system=system, url=quote(url))]
    lines += [remark(ELSEWHERE.format(len(schema.elsewhere)))] if schema.elsewhere else []
    if excused := dict(_excused(schema, held)):
        lines += [f"[system.{system}.not_personal]"]
        lines += [f"{bare(name)} = {quote(reason)}" for name, reason in excused.items()]
    statements = Statements(schema, held)
    for name, found in held.items():
        lines += _dataset(system, schema.tables[name], found, statements, connection)
    return "\n".join(lines) + "\n"


def _excused(schema: Schema, held: Mapping[str, Held]) -> Iterator[tuple[str, str]]:
    """Table or table.column → its reason, for a person to confirm."""
    for table in schema.tables.values():
        if table.id in held:
            hidden = sorted(set(table.columns) - set(printed(table)))
            yield from ((f"{table.id}.{column}".lower(), BINARY) for column in hidden)
            continue
        asked = [question.removeprefix("要確認: ") for question in questions(table, held)]
        for kinds, why in ((("user", "payment") if is_personal(table) else (), NO_WAY), (("text",), NOTES)):
            names = [column.name for column in table.of_kind(*kinds)]
            asked += [f"{', '.join(names)}: {why}"] if names else []
        yield table.id, "要確認: " + (" · ".join(asked) or NOTHING)


def _dataset(
    system: str, table: Table, found: Held, statements: Statements, connection: Connection
) -> Iterator[str]:
    path, locate = f"system.{system}.dataset.{bare(table.name)}", statements.locate(table, found)
    head = DATASET.format(path=path, label=quote(table.label), key=", ".join(map(quote, table.key)))
    yield head + (f"  {remark(table.key_why)}" if table.key_why else "")
    yield from map(remark, _reasons(found, locate, statements.schema, connection))
    yield f"by = {quote(locate.by)}"
    yield f"locate = {quote(locate.sql)}"
    yield f"fetch = {quote(statements.fetch(table))}"
    if locate.evidence:
        yield f"evidence = {inline(locate.evidence)}"
    if locate.reveals:
        yield f"reveals = [{', '.join(inline({'kind': k, 'column': c}) for k, c in locate.reveals.items())}]"
    if at := statements.at(table, found):
        form = {"form": str(at.guess.form)} if at.guess.form else {}
        yield f"at = {inline({'column': at.name, **form, 'zone': 'Asia/Tokyo'})}  # 要確認: zone"
    if found.role == "pointed_at":
        yield 'owners = "shared"  # 一人一行なら消す / delete if a row is never two people\'s'
    yield from map(remark, questions(table, statements.held))
    yield f"[{path}.fields]"
    known = {columns[0]: kind for kind, columns in statements.revealed(table).items() if len(columns) == 1}
    if found.role == "child" and len(found.by[0].columns) == 1:
        known[found.by[0].columns[0]] = locate.by
    known |= {table.key[0]: "record_no"} if len(table.key) == 1 and not table.key_why else {}
    own = None if found.role == "child" else {*locate.evidence.values()}
    for name in printed(table):
        yield _field(table.columns[name], known.get(name), own)


def _field(column: Column, identifies: str | None, own: Collection[str] | None) -> str:
    """``identifies``: the kind of a column that leads somewhere. ``own``: the evidence of a person's own row."""
    kind, why = (identifies, "") if identifies else (column.guess.kind, column.guess.why)
    told = {"label": column.label} | ({"kind": kind} if kind != "value" else {})
    told |= {"mask": MASKS[kind]} if kind in MASKS else {}
    told |= {"form": column.guess.form} if column.guess.form and not identifies else {}
    others = kind.startswith(OTHERS) if own is None else kind in OTHERS[:2] and column.name not in own
    if others:
        told, why = told | {"third_party": "unless_subject"}, why + ANOTHERS
    elif own is None and kind.startswith("user.address"):
        why += ELSEWHERES
    value = inline(told) if len(told) > 1 else quote(column.label)
    return f"{bare(column.name)} = {value}" + (f"  {remark(why)}" if why else "")


def _reasons(found: Held, locate: Locate, schema: Schema, connection: Connection) -> Iterator[str]:
    if found.role == "person":
        yield SEARCH
        strong = [word for word in STRONG if word <= set(locate.evidence)]
        if len(strong) < 2:
            yield WEAK
    for edge in found.by:
        start = f"{edge.child}." if found.role == "pointed_at" else ""
        why = "外部キーから / by its foreign key" if edge.declared else "要確認: 列名だけから / by its name alone"
        unsure = "" if rank(edge, schema.tables) == 0 else "。要確認: 持ち主を指す列か / is it the owner's"
        yield f"{start}{edge.words}: {why}{unsure}"
        counted = [_count(connection, sql) for sql in _lost(edge, schema)]
        if any(counted):
            yield LOST.format(*counted)
    if found.role == "pointed_at":
        yield SHARED.format(_count(connection, _several(found.by, schema)))


def _lost(edge: Edge, schema: Schema) -> tuple[str, str]:
    """Rows without an owner, and rows whose owner is not there."""
    child, parent, q = schema.tables[edge.child], schema.tables[edge.parent], schema.quoted
    empty = " OR ".join(f"c.{q(column)} IS NULL" for column in edge.columns)
    compared = "p.{} = c.{}" if edge.declared else "CAST(p.{} AS TEXT) = CAST(c.{} AS TEXT)"  # types may differ
    same = " AND ".join(compared.format(q(a), q(b)) for a, b in zip(edge.referred, edge.columns, strict=True))
    gone = f"NOT ({empty}) AND NOT EXISTS (SELECT 1 FROM {parent.sql} p WHERE {same})"  # noqa: S608
    return f"{child.sql} c WHERE {empty}", f"{child.sql} c WHERE {gone}"


def _several(edges: Sequence[Edge], schema: Schema) -> str:
    """Rows that more than one row points at."""
    every = " UNION ALL ".join(
        f"SELECT {', '.join(f'{schema.quoted(c)} AS k{n}' for n, c in enumerate(edge.columns))}"  # noqa: S608
        f" FROM {schema.tables[edge.child].sql} WHERE {schema.quoted(edge.columns[0])} IS NOT NULL" for edge in edges
    )  # fmt: skip
    keys = ", ".join(f"k{n}" for n in range(len(edges[0].columns)))
    return f"(SELECT {keys} FROM ({every}) AS every_one GROUP BY {keys} HAVING COUNT(*) > 1) AS several"  # noqa: S608


def _count(connection: Connection, source: str) -> int:
    sql = f"SELECT COUNT(*) FROM {source}".replace(":", "\\:")  # noqa: S608
    return int(connection.execute(text(sql)).scalar_one())
