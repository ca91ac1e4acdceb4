"""Commands of casework beside a case's main road: letters and their templates, the law of a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from dsr.documents import templates
from dsr.engine import corresponding, fulfilling
from dsr.errors import BadInput
from dsr.law.shown import PARTS, shown
from flows.terminal import Arguments, in_japanese, office_of, show

Command = Callable[..., Any]


def register(command: Command, group: Callable[[str, str], Any]) -> None:
    """Adds the commands to the parser; ``command`` and ``group`` are those of ``flows.cli``."""
    sending = command("letters", _letters, "write out the letters made so far, such as the acknowledgement", "case")
    sending.add_argument("--out", required=True)
    dated = command("show", _law_show, "rights, grounds, outcomes and retention of a day, and what waits for counsel",
                    under=group("law", "the law that cases follow"))  # fmt: skip
    dated.add_argument("--on", required=True, metavar="DATE")
    edited = group("templates", "letters that the office words itself")
    told = command("show", _templates_show, "a letter as we propose it, to be copied and edited", under=edited)
    told.add_argument("kind", nargs="?")
    checked = command("check", _templates_check, "what the office's own copies (HOME/templates) lack", under=edited)
    checked.add_argument("--out", metavar="DIR", help="draw every letter with something in every field")


def _law_show(arguments: Arguments) -> None:
    """Needs no home: the law is the program's."""
    try:
        day = date.fromisoformat(arguments.on)
    except ValueError:
        raise BadInput("--on", "is no day", "write 2026-11-22") from None
    told = shown(day)
    version = told["version"]
    lines = [f"{version['id']}  {version['label'] if in_japanese(arguments) else version['label_en']}"]
    lines += [f"  {part}: {len(told[part])}" for part in PARTS]
    lines += [f"  [verify] {name}" for name in told["verify"]]
    lines += [f"  {one['id']}  {one['status']}  {change}" for one in told["not_in_force"] for change in one["changes"]]
    show(arguments, told, "\n".join(lines))


def _letters(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        files = fulfilling.letters_out(office, arguments.case, Path(arguments.out))
        show(arguments, {"files": [str(path) for path in files]}, "\n".join(str(path) for path in files))


def _templates_show(arguments: Arguments) -> None:
    if arguments.kind is None:
        told = {name: kind.title.ja for name, kind in templates.kinds().items()}
        show(arguments, told, "\n".join(f"{name:<28} {title}" for name, title in told.items()))
        return
    kind, text = templates.kind(arguments.kind), templates.written(f"{arguments.kind}.toml")
    fields = {name: {"label": field.label.ja, "due": field.due, "columns": [column.ja for column in field.columns]}
              for name, field in {**templates.COMMON, **kind.fields}.items()}  # fmt: skip
    show(arguments, {"template": text, "fields": fields}, text)


def _templates_check(arguments: Arguments) -> int:
    """Exit 1 where a copy cannot be printed; then the letter it is for cannot be made either."""
    with office_of(arguments) as office:
        found: dict[str, str] = {}
        for path in sorted((office.home / "templates").glob("*")):
            try:
                corresponding.checked(office, path)
            except BadInput as error:
                found[path.name] = str(error)
        lines = [f"{name}: {problem}" for name, problem in found.items()]
        show(
            arguments,
            {"problems": found},
            "\n".join(lines) or ("問題はありません。" if in_japanese(arguments) else "OK"),
        )
        if arguments.out and not found:
            corresponding.specimens(office, Path(arguments.out))
    return 1 if found else 0
