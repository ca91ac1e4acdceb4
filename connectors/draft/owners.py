"""Whose rows a table holds: one way in per table from the person outwards; every other reference is a question.

A reference may lead to a stranger's row (another's card, the staff member who served, a superior), so each table gets
the one reference that most plainly names its owner, and the rest is left to a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from connectors.draft.kinds import AUDIT, HUMAN, snake
from connectors.draft.schema import Edge, Table

ROLES = re.compile(
    r"staff|employee|(?:^|_)emp(?:_|$)|manager|mgr|boss|superior|(?:^|_)reps?(?:_|$)|agent|operator|clerk|assign|approv|handl"
    r"|support|report|(?:^|_)by(?:_|$)|payer|paid|(?:^|_)(?:card|bill|ship)|deliver|recipient|receiver|guarant|(?<!p)refer"
    r"|introduc|parent|担当|承認|作成|更新|上司|紹介|送付|届|請求|支払"
)
"""Words of a reference to somebody who has to do with the row and need not be its owner."""
SEARCHED = ("user.born_on", "user.mail", "user.phone", "user.address")
SELF = "自己参照（上司・紹介者など）は本人の行ではないのでたどらない / a self-reference is never followed"
OTHER_ROLE = "担当・支払・送付先など、持ち主でない役割では？誰の行か / a role other than the owner's? whose row is it"
ANOTHER = "別の持ち主への道。こちらの人の行でもあるか / another way in: is it this one's row too"


@dataclass(frozen=True)
class Held:
    """``by``: nothing (the person alone); the owner's reference; or those of the rows that point at this one."""

    role: Literal["person", "child", "pointed_at"] = "pointed_at"
    by: tuple[Edge, ...] = ()


def handles(edge: Edge) -> bool:
    return bool(ROLES.search("_".join(map(snake, edge.columns))))


def rank(edge: Edge, tables: Mapping[str, Table]) -> int:
    """0 plain name of the owner's key · 1 another name · 2 plain, but of one who handles · 3 never the owner."""
    words, key = ("_".join(map(snake, columns)) for columns in (edge.columns, edge.referred))
    plain = words == key or f"{words}_".startswith(f"{tables[edge.parent].singular}_")
    return 2 * handles(edge) + (not plain)


def is_link(table: Table) -> bool:
    """Nothing but references: a row of it says that two others belong together."""
    bound = {column for edge in table.edges for column in edge.columns}
    return len(table.edges) > 1 and all(name in bound or AUDIT.search(snake(name)) for name in table.columns)


def is_findable(table: Table) -> bool:
    """Has a column that a person can be searched by; a city or a building alone is nobody's."""
    return bool(table.of_kind("user.name")) or any(c.guess.kind in SEARCHED for c in table.columns.values())


def is_personal(table: Table) -> bool:
    return is_findable(table) or bool(table.of_kind(*HUMAN, "payment", "user.my_number"))


def traits(table: Table) -> int:
    """How much of a person a table tells: a customer's has a birth date, a shop's name and telephone."""
    return len({column.guess.kind for column in table.of_kind(*HUMAN)})


def _above(name: str, tables: Mapping[str, Table]) -> set[str]:
    """Tables that plain references lead up to."""
    seen, todo = {name}, [name]
    for at in todo:
        up = [e.parent for e in tables[at].edges if e.parent not in seen and rank(e, tables) == 0]
        seen.update(up)
        todo += dict.fromkeys(up)
    return seen - {name}


def whose(tables: Mapping[str, Table]) -> dict[str, Held]:
    """Tables with a person's rows, each after what leads to it; hubs are people whom no reference makes another's."""
    people = {name: traits(table) for name, table in tables.items() if table.of_kind("user.name")}
    owned = {name for name in people if any(people.get(up, 0) >= people[name] for up in _above(name, tables))}
    held = {name: Held("person") for name in people if name not in owned}
    _descend(tables, held)
    for name in people:  # two tables of people that each belong to the other
        if name not in held:
            held[name] = Held("person")
            _descend(tables, held)
    pointing = [name for name, found in held.items() if found.role == "person" or is_link(tables[name])]
    for edge in sorted((e for name in pointing for e in tables[name].edges), key=lambda e: rank(e, tables)):
        known = held.get(edge.parent, Held())
        again = any(by.child == edge.child or by.referred != edge.referred for by in known.by)
        if known.role == "pointed_at" and not again and rank(edge, tables) < 3 and is_personal(tables[edge.parent]):
            held[edge.parent] = Held("pointed_at", (*known.by, edge))
    return held | {name: Held("person") for name, t in tables.items() if name not in held and is_findable(t)}


def _descend(tables: Mapping[str, Table], held: dict[str, Held]) -> None:
    """Wave by wave, so that a row with its customer's number is found by that and not by its order's.

    Who handles a row comes last: a payslip names its employee, a rental its customer and the employee too.
    """
    for limit in (1, 2):
        wave: dict[str, Held] | None = None
        while wave is None or wave:
            wave = {}
            for name, table in tables.items():
                edges = [e for e in table.edges if e.parent in held and rank(e, tables) <= limit]
                if name not in held and edges:
                    best = min(edges, key=lambda e: (rank(e, tables), -traits(tables[e.parent])))
                    wave[name] = Held("child", (best,))
            held.update(wave)


def questions(table: Table, held: Mapping[str, Held]) -> Iterator[str]:
    """References to tables with a person's rows that are not followed, each with its question."""
    followed = {edge for found in held.values() for edge in found.by}
    for edge in table.edges:
        if edge.parent == table.id:
            yield f"{edge.words}: {SELF}"
        elif edge.parent in held and edge not in followed:
            yield f"要確認: {edge.words}: {OTHER_ROLE if handles(edge) else ANOTHER}"
