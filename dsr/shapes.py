"""How a JSON or TOML document becomes a frozen value, or a BadInput that names the field and the fix."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from dsr.errors import BadInput

MAX_TEXT = 500
BIDI = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True)


S = TypeVar("S", bound=Shape)


def _plain(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise ValueError(f"longer than {MAX_TEXT} characters; shorten it or put it in the case file")
    for at, character in enumerate(text):
        if character in BIDI or unicodedata.category(character) in ("Cc", "Cs", "Co") or character in "\ufeff\u200b":
            raise ValueError(f"character {at + 1} is an invisible control (U+{ord(character):04X}); remove it")
    return text


Text = Annotated[str, AfterValidator(_plain)]
"""Text that a person typed: of bounded length, without control and bidirectional characters."""

_FIX = {
    "missing": "give this field",
    "extra_forbidden": "no such field; remove it or correct its spelling",
    "date_from_datetime_parsing": "write a day as YYYY-MM-DD",
    "date_parsing": "write a day as YYYY-MM-DD",
    "datetime_from_date_parsing": "write an instant as 2026-11-02T10:15:00+09:00",
    "datetime_parsing": "write an instant as 2026-11-02T10:15:00+09:00",
    "timezone_aware": "add the zone: 2026-11-02T10:15:00+09:00",
    "string_type": "write text in quotes",
}


def shaped(shape: type[S], document: object, name: str) -> S:
    """Validate ``document``; the first error, by field, as BadInput. Never repeats the offending value."""
    try:
        return shape.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=True)[0]
        field = ".".join(str(part) for part in first["loc"]) or name
        expected = first.get("ctx", {}).get("expected")
        fix = f"one of {expected}" if expected else _FIX.get(first["type"], "")
        problem = first["msg"].removeprefix("Value error, ")
    raise BadInput(field, problem, fix)


def read_json(path: Path, name: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_no_constant)
    except FileNotFoundError:
        raise BadInput(name, f"no file {path.name}", "check the path") from None
    except (OSError, IsADirectoryError) as error:
        raise BadInput(
            name, f"cannot read {path.name}: {error.strerror}", "check the path and its permissions"
        ) from None
    except UnicodeDecodeError:
        raise BadInput(name, "is not UTF-8", "save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadInput(
            name, f"is not JSON at line {error.lineno} column {error.colno}", "mend the syntax there"
        ) from None
    except RecursionError:
        raise BadInput(name, "is nested too deeply", "use the published shape: dsr schema") from None


def _no_constant(word: str) -> object:
    raise BadInput("number", f"{word} is not a number", "give a finite number")


def object_of(document: object, name: str) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise BadInput(name, "is not a JSON object", "start with { and end with }")
    return document
