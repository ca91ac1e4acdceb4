"""How a JSON or TOML document becomes a frozen value, or a BadInput that names the field and the fix."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from datetime import date
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, ValidationError

from dsr.errors import BadInput, as_id, os_words

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


def _some(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank; write it, or leave the whole entry out")
    return text


def _written(value: object) -> object:
    """A bare number would be taken for seconds since 1970: a silently wrong day."""
    if not isinstance(value, date) and not (isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)):
        raise ValueError("is no day or instant; write 2026-11-02 or 2026-11-02T10:15:00+09:00")
    return value


Text = Annotated[str, AfterValidator(_plain)]
"""Text that a person typed: of bounded length, without control and bidirectional characters."""
Words = Annotated[Text, AfterValidator(_some)]
"""Text that says something."""
Day = Annotated[date, BeforeValidator(_written)]
Instant = Annotated[AwareDatetime, BeforeValidator(_written)]

_FIX = {
    "dict_type": "start with { and end with }",
    "tuple_type": "write a list: [ … ]",
    "too_long": "give fewer",
    "too_short": "give at least one",
    "int_type": "write a whole number without quotes",
    "greater_than_equal": "write 0 or more",
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
    """Validate ``document``; one error, by field, as BadInput. Never repeats the offending value."""
    try:
        return shape.model_validate(document)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=True)
        # A misspelled field is missing, too: the spelling is told first.
        first = min(wrong, key=lambda one: one["type"] != "extra_forbidden")
        field = ".".join(map(_part, first["loc"])) or name
        expected = first.get("ctx", {}).get("expected")
        fix = f"one of {expected}" if expected else _fix(first, shape)
        problem = "is none of the known words" if expected else first["msg"].removeprefix("Value error, ")
        problem, _, said = problem.partition("; ")
    raise BadInput(field, problem, said or fix)


def _fix(error: Any, shape: type[Shape]) -> str:
    if error["type"] == "model_type":  # pydantic tells the name of the model alone
        wanted = next((each for each in Shape.__subclasses__() if each.__name__ == error["ctx"]["class_name"]), shape)
        fields = (f'"{field.alias or name}": …' for name, field in wanted.model_fields.items())
        return f"write {{{', '.join(fields)}}}"
    return _FIX.get(error["type"], f"see dsr schema {shape.__name__.upper()}")


def _part(part: str | int) -> str:
    """A step of the path to a field. A key that somebody made up may be a name or a number of the subject."""
    return str(part) if isinstance(part, int) else as_id(part)


def read_json(path: Path, name: str) -> Any:
    """The document of a file that somebody wrote. Raises BadInput naming the file's role, never a value in it."""
    try:
        document = json.loads(
            path.read_text(encoding="utf-8-sig"),
            parse_constant=_no_constant,
            parse_float=_finite,
            object_pairs_hook=_once,
        )
        json.dumps(document, ensure_ascii=False).encode()
    except FileNotFoundError:
        raise BadInput(name, f"no file {as_id(path.name)}", "check the path") from None
    except OSError as error:
        raise BadInput(
            name, f"cannot read {as_id(path.name)}: {os_words(error)}", "check the path and its permissions"
        ) from None
    except UnicodeDecodeError:
        raise BadInput(name, "is not UTF-8", "save the file as UTF-8") from None
    except UnicodeEncodeError:
        raise BadInput(name, "holds half a character (a lone surrogate)", "write the character whole") from None
    except json.JSONDecodeError as error:
        raise BadInput(
            name, f"is not JSON at line {error.lineno} column {error.colno}", "mend the syntax there"
        ) from None
    except RecursionError:
        raise BadInput(name, "is nested too deeply", "use the published shape: dsr schema") from None
    except ValueError:  # what is left: more digits than Python reads
        raise BadInput(name, "holds a number of too many digits", "write it as text") from None
    return document


def read_rows(path: Path) -> list[Any]:
    """A JSON list, or one JSON document a line, of a file that a program wrote. Raises BadInput."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        listed = text.lstrip().startswith("[")
        document = json.loads(text) if listed else [json.loads(line) for line in text.splitlines() if line]
    except OSError as error:
        raise BadInput("rows", f"cannot read {as_id(path.name)}: {os_words(error)}", "check the path") from None
    except ValueError:
        raise BadInput("rows", "is neither a JSON list nor JSON lines", "write one row a line") from None
    return list(document)


def _no_constant(word: str) -> float:
    raise BadInput("number", f"{word} is not a number", "give a finite number")


def _finite(written: str) -> float:
    number = float(written)
    return number if math.isfinite(number) else _no_constant("Infinity")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a field stand twice, and readers differ on which one counts."""
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        raise BadInput(_part(next(n for n in names if names.count(n) > 1)), "stands twice", "keep one of them")
    return document
