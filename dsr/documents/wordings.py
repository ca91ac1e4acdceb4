"""What letter, slip, book, volumes and README say of themselves: ``wordings.toml``, Japanese with its English gloss."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from importlib.resources import files

from dsr import law
from dsr.documents.content import Language, Text, Words, words
from dsr.documents.style import said_day

_FIELDS, _SAYS = re.compile(r"\{[^}]*\}"), re.compile("[A-Za-z]")
_FILE = files(__package__) / "wordings.toml"
WORDINGS = {key: Words(**row) for key, row in tomllib.loads(_FILE.read_text("utf-8")).items()}


def part(no: str) -> Words:
    """The title of a part of the book; empty for a number that is none of documents.md §5."""
    return WORDINGS.get(f"part.{no}", Words(""))


def beside(text: Text, language: Language) -> str:
    """On one line that is not read out, such as a running head."""
    told = words(text)
    return f"{told.ja} {told.en}" if language == "en" and told.en else told.ja


def say(key: str, **fields: Text | int) -> Words:
    """A wording with its fields filled in, each in its own language (Japanese where it has no English).

    One that only joins its fields, such as ``{label}: {result}``, has a gloss if one of them has.
    """
    told, given = WORDINGS[key], {name: words(field) for name, field in fields.items() if not isinstance(field, int)}
    ja = {**fields, **{name: field.ja for name, field in given.items()}}
    en = {**fields, **{name: field.of("en") for name, field in given.items()}}
    glossed = _SAYS.search(_FIELDS.sub("", told.en)) or any(field.en for field in given.values())
    return Words(told.ja.format(**ja), told.en.format(**en) if glossed else "")


def by_law(key: str, **fields: Text | int | date) -> Words:
    """A fixed wording of ``dsr.law``, each field in its own language. Raises BadInput."""
    told = {name: said_day(field) if isinstance(field, date) else field for name, field in fields.items()}
    japanese, english = (
        {name: field.of(language) if isinstance(field, Words) else field for name, field in told.items()}
        for language in ("ja", "en")
    )
    return Words(law.wording(key, "ja", **japanese), law.wording(key, "en", **english))
