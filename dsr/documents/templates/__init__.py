"""Letters made from templates, which an office edits without code: one TOML file per kind (documents.md §2).

A kind's own file holds its fields and the wording we propose; an office's copy (``HOME/templates/<kind>.toml``)
replaces title, opening, grid, tables and closing. A field that does not exist, one that is due and stands nowhere, and
a typed article number (V-6) are found by ``problems`` and never printed. A paragraph with an empty field is left out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from importlib.resources import files
from string import Formatter

import pydantic

from dsr import shapes
from dsr.documents.content import Fact, Frame, Heading, Letter, Section, Text, Words, words
from dsr.documents.parts import closing
from dsr.documents.style import said_day
from dsr.errors import BadInput, as_id
from dsr.shapes import Shape, shaped

Rows = Sequence[tuple[Text, ...]]
Value = Text | date | Rows
"""A text, a day, or the rows of a table."""
_ARTICLE = re.compile("第[0-9０-９一二三四五六七八九十]+[条項号]")


class Said(Shape):
    ja: shapes.Words
    en: shapes.Text = ""

    @property
    def words(self) -> Words:
        return Words(self.ja, self.en)


class Column(Said):
    """``share`` of the measure; those without one divide what is left."""

    share: float = 0.0


class Field(Shape):
    """``columns``: of a table; without them it is a text or a day. ``due``: no such letter goes out without it."""

    label: Said
    columns: tuple[Column, ...] = ()
    due: bool = True


class Template(Shape):
    """``grid`` and ``tables`` name fields; ``{field}`` stands in ``opening`` (above 記) and ``closing`` (below)."""

    title: Said
    opening: tuple[Said, ...]
    grid: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    closing: tuple[Said, ...] = ()


class Kind(Template):
    """``rights``: request types that this letter may belong to; empty for all (DC-8)."""

    rights: tuple[str, ...] = ()
    fields: dict[str, Field] = pydantic.Field(default_factory=dict)


COMMON: Mapping[str, Field] = {
    name: Field(label=Said(ja=ja, en=en), due=False)
    for name, ja, en in (
        ("received_on", "ご請求の受付日", "Received on"),
        ("right", "ご請求の種類", "Right exercised"),
        ("scope", "ご請求の範囲", "Scope"),
        ("method", "回答の方法", "Way of answer"),
        ("desk", "問い合わせ先", "Contact"),
        ("company", "当社", "Company"),
    )
}
"""Fields that every letter may use."""


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind of letter that is made from a template."""
    found = sorted(file.name for file in files(__package__).iterdir() if file.name.endswith(".toml"))
    return {name.removesuffix(".toml"): shaped(Kind, tomllib.loads(written(name)), name) for name in found}


def written(name: str) -> str:
    """The file of a kind as we propose it, to be copied and edited."""
    return (files(__package__) / name).read_text("utf-8")


def kind(name: str) -> Kind:
    if name not in kinds():
        raise BadInput("kind", f"no letter '{as_id(name)}'", f"one of {', '.join(kinds())}")
    return kinds()[name]


def read(name: str, text: str) -> Template:
    """An office's copy. Raises BadInput naming the letter, the place and the fix."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = str(error).rpartition("(")[2].rstrip(")")
        raise BadInput(f"{name}.toml", f"is not TOML ({where})", "mend the syntax there") from None
    for ours in ("fields", "rights"):  # of a copy of our file: what can be printed, and when, is not the office's
        document.pop(ours, None)
    template = shaped(Template, document, name)
    for problem in problems(name, template):
        raise problem
    return template


def problems(name: str, template: Template) -> Iterator[BadInput]:
    """What is wrong with a template, each by its place; nothing where it can be printed."""
    fields = fields_of(name)
    used: set[str] = set()
    for place, text in _texts(name, template):
        try:
            inline = {field for _, field, _, _ in Formatter().parse(text) if field is not None}
        except ValueError:
            yield BadInput(place, "holds a brace without its partner", "write {field}, or {{ for a brace")
            continue
        used |= inline
        if _ARTICLE.search(text):
            yield BadInput(place, "holds a typed article number", "citations come from the law's rows (V-6)")
        yield from (_unknown(place, field, fields) for field in sorted(inline - set(fields)))
        yield from (BadInput(f"{place}.{field}", "is a table", "name it in tables") for field in sorted(inline)
                    if field in fields and fields[field].columns)  # fmt: skip
    for place, named, table in ((f"{name}.grid", template.grid, False), (f"{name}.tables", template.tables, True)):
        used |= set(named)
        yield from (_unknown(place, field, fields) for field in named if field not in fields)
        yield from (BadInput(f"{place}.{field}", "is a table" if not table else "is no table",
                             "name it in tables" if not table else "name it in grid")
                    for field in named if field in fields and bool(fields[field].columns) != table)  # fmt: skip
    for field in sorted(name for name, one in fields.items() if one.due and name not in used):
        yield BadInput(f"{name}.{field}", "stands nowhere", f"this letter must say it: {fields[field].label.ja}")


def fields_of(name: str) -> dict[str, Field]:
    return {**COMMON, **kind(name).fields}


def _unknown(place: str, field: str, fields: Mapping[str, Field]) -> BadInput:
    return BadInput(place, f"{{{as_id(field)}}} is no field of this letter", f"use {', '.join(fields)}")


def _texts(name: str, template: Template) -> Iterator[tuple[str, str]]:
    """Every text with its place."""
    for part, told in (("title", (template.title,)), ("opening", template.opening), ("closing", template.closing)):
        for number, said in enumerate(told):
            place = f"{name}.{part}" if part == "title" else f"{name}.{part}.{number}"
            yield from ((f"{place}.{lang}", text) for lang, text in (("ja", said.ja), ("en", said.en)))


# -- the letter ------------------------------------------------------------------------------------------------------


def letter(name: str, template: Template, frame: Frame, values: Mapping[str, Value]) -> Letter:
    """Raises BadInput for a value that is due and missing, and for one that this letter has no place for."""
    fields = fields_of(name)
    for field in sorted(set(values) - set(fields)):
        raise BadInput(f"{name}.{field}", "is no field of this letter", f"use {', '.join(fields)}")
    for field in sorted(field for field, one in fields.items() if one.due and not values.get(field)):
        raise BadInput(f"{name}.{field}", "is missing", "the letter cannot be made without it")
    told = {field: _said(value) for field, value in values.items() if not fields[field].columns}
    grid = tuple(Fact(fields[field].label.words, told.get(field, "")) for field in template.grid)
    sections = [_section(field, fields[field], values.get(field, ())) for field in template.tables]
    made = replace(frame, facts=grid).letter(name, template.title.words, "", sections, closing(frame))
    last = tuple(_filled(template.closing, told))
    return replace(made, paragraphs=tuple(_filled(template.opening, told)), closing=(*last, *made.closing))


def _said(value: Value) -> Words:
    return words(said_day(value) if isinstance(value, date) else value)  # type: ignore[arg-type]


def _filled(told: Sequence[Said], values: Mapping[str, Words]) -> Iterator[Words]:
    for said in told:
        named = {field for _, field, _, _ in Formatter().parse(said.ja) if field}
        if all(values.get(field) for field in named):
            yield Words(*(_fill(text, values, place) for place, text in enumerate((said.ja, said.en))))


def _fill(text: str, values: Mapping[str, Words], place: int) -> str:
    return text.format_map({name: told.of("en") if place else told.ja for name, told in values.items()})


def _section(name: str, field: Field, rows: Value) -> Section:
    columns = tuple(Heading(column.words, column.share) for column in field.columns)
    return Section(name, field.label.words, columns, tuple(tuple(row) for row in rows))  # type: ignore[union-attr]


def specimen(name: str) -> dict[str, Value]:
    """Something in every field, to look at a letter before it is used."""
    return {field: _example(one) for field, one in fields_of(name).items()}


def _example(field: Field) -> Value:
    if field.columns:
        return [tuple(Words(f"（{column.ja}）", f"({column.en})") for column in field.columns)]
    return Words(f"（{field.label.ja}）", f"({field.label.en})")
