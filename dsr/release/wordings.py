"""What the engine prints in every package by itself, whoever asks: its wordings, and the words of a bare sheet.

Somebody may be named like a word of the letter, and a value that is masked may be a word of the file's own grammar:
that it stands there says nothing of them. Read from where it is kept, so that a new wording need not be told here.
"""

from __future__ import annotations

import io
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

import pikepdf

from dsr import package
from dsr.documents.sheet import drawing
from dsr.documents.style import BODY

_KEPT_IN = ("dsr.documents", "dsr.law")
_FIELD = re.compile(r"\{[^}]*\}")
_WORD = re.compile("[A-Za-z]{4,}")


@cache
def printed() -> tuple[str, ...]:
    """Texts without the fields that are filled in, and single words of a PDF and of a manifest that say nothing."""
    tables = [tomllib.loads(file.read_text("utf-8")) for room in _KEPT_IN
              for file in sorted(files(room).iterdir(), key=str) if file.name.endswith(".toml")]  # fmt: skip
    said = {part for text in leaves(tables) for part in _FIELD.split(text)}
    return tuple(sorted((said | set(_WORD.findall(_bare_sheet() + _bare_manifest()))) - {""}))


def leaves(document: Any) -> Iterator[str]:
    """Every text of a document, names of its fields included."""
    if isinstance(document, dict):
        yield from document
    if isinstance(document, dict | list):
        for value in document.values() if isinstance(document, dict) else document:
            yield from leaves(value)
    elif isinstance(document, str):
        yield document


def _bare_sheet() -> str:
    out = io.BytesIO()
    with drawing("", "", date.min, lambda *_: None) as sheet:
        sheet.paragraph(" ", BODY, ("",))
        sheet.save(out)
    with pikepdf.open(out) as pdf:
        texts = [thing.unparse(resolved=True) for thing in pdf.objects if not isinstance(thing, pikepdf.Stream)]
        texts += [pdf.Root.Metadata.read_bytes(), pdf.trailer.unparse()]
    return b"\n".join(texts).decode("latin-1")


def _bare_manifest() -> str:
    return package.manifest("", "", "", [], [], {}, "").decode()


__all__ = ["leaves", "printed"]
