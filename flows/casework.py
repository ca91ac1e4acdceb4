"""Commands of casework beside a case's main road: clocks, fees, letters and their templates, the law of a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, get_args

from dsr.documents import templates
from dsr.engine import (
    agreeing,
    charging,
    corresponding,
    counting,
    desk,
    dispatching,
    ending,
    fulfilling,
    incidents,
    inviting,
    protecting,
    timing,
    withdrawing,
)
from dsr.engine.office import Office
from dsr.errors import BadInput
from dsr.law.shown import PARTS, shown
from dsr.rules import protection
from dsr.rules.clocks import PauseReason
from dsr.shapes import read_json
from flows.terminal import Arguments, follow, in_japanese, office_of, show

Command = Callable[..., Any]


def register(command: Command, group: Callable[[str, str], Any]) -> None:
    """Adds the commands to the parser; ``command`` and ``group`` are those of ``flows.cli``."""
    sending = command("letters", _letters, "write out the letters made so far, such as the acknowledgement", "case")
    sending.add_argument("--out", required=True)
    pausing = command("pause", _pause, "our own clock waits for the person, with a letter", "case")
    pausing.add_argument("--reason", required=True, choices=get_args(PauseReason))
    command("resume", _resume, "what was waited for has come", "case")
    guarding = command("protect", _protect, "before proof: have a purge suspended, or a listing stopped", "case",
                       "system")  # fmt: skip
    guarding.add_argument("--out", required=True, metavar="DIR", help="where the signed order is written")
    what = guarding.add_mutually_exclusive_group(required=True)
    what.add_argument("--measure", choices=get_args(protection.Act))
    what.add_argument("--lift", action="store_true", help="order that it be undone")
    guarding.add_argument("--until", metavar="DAY", help="lifted at the latest")
    guarding.add_argument("--reason", default="", help="for the file: sealed")
    extending = command("extend", _extend, "give more time, once, with a letter", "case")
    extending.add_argument("--days", type=int, required=True, help="business days")
    extending.add_argument("--reason", required=True, help="the person reads it")
    command("interim", _interim, "answer what was reached; the rest follows", "case").add_argument(
        "--by", required=True
    )
    way = command("method", _method, "the way asked for is hard: offer others, or record which was chosen", "case")
    which = way.add_mutually_exclusive_group(required=True)
    which.add_argument("--hard", metavar="REASON", help="the person reads it")
    which.add_argument("--chosen", choices=get_args(agreeing.Method))
    way.add_argument("--ways", nargs="*", default=[], choices=get_args(agreeing.Method))
    fees = command("fee", _fee, "the fee: asked, paid, waived or returned", "case")
    what = fees.add_mutually_exclusive_group(required=True)
    what.add_argument("--ask", action="store_true")
    what.add_argument("--paid", metavar="DAY")
    what.add_argument("--waive", action="store_true")
    what.add_argument("--return", dest="back", choices=get_args(charging.Refund))
    fees.add_argument("--count", type=int, default=1, help="of what the fee is per")
    taken_back = command("withdraw", _withdraw, "the request was taken back; confirmed by letter", "case")
    taken_back.add_argument("--objected", action="store_true", help="it was not the person, who said so in time")
    command("address", _address, "another address was proved", "case").add_argument("--file", required=True)
    astray = command("incident", _incident, "a package went astray, or a report on it was made", "case")
    said = astray.add_mutually_exclusive_group(required=True)
    said.add_argument("--file", help="INCIDENT.json")
    said.add_argument("--reported", metavar="FILE", help="AUTHORITY_REPORT.json")
    dated = command("show", _law_show, "rights, grounds, outcomes and retention of a day, and what waits for counsel",
                    under=group("law", "the law that cases follow"))  # fmt: skip
    dated.add_argument("--on", required=True, metavar="DATE")
    blank = command("forms", _forms, "blank forms to publish: request, mandate, user's consent")
    blank.add_argument("--out", required=True, metavar="DIR", help="a new folder")
    command("invite", _invite, "recordings can be listened to", "case").add_argument("--file", required=True)
    disposing = command("dispose", _dispose, "copies of identity papers went back, or were destroyed", "case")
    disposing.add_argument("--copies", required=True, metavar="DAY")
    disposing.add_argument("--how", default="destroyed", choices=get_args(ending.Disposal))
    yearly = command("statistics", _statistics, "the year's requests in numbers, for the yearly report")
    yearly.add_argument("--year", type=int, required=True)
    yearly.add_argument("--out", metavar="DIR", help="a new folder for the CSV and the chart")
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


def _forms(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        made = corresponding.blank_forms(office, Path(arguments.out), "ja" if in_japanese(arguments) else "en")
        show(arguments, {"files": [str(path) for path in made]}, "\n".join(str(path) for path in made))


def _invite(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        inviting.invite(office, arguments.case, read_json(Path(arguments.file), "invitation"))
        show(arguments, {"case": arguments.case}, f"dsr letters {arguments.case} --out DIR")


def _letters(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        files = fulfilling.letters_out(office, arguments.case, Path(arguments.out))
        show(arguments, {"files": [str(path) for path in files]}, "\n".join(str(path) for path in files))


def _protect(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        case, out = arguments.case, Path(arguments.out)
        if arguments.lift:
            files = protecting.lift(office, case, arguments.system, out)
        else:
            until = a_day("--until", arguments.until or "")
            files = protecting.protect(office, case, arguments.system, arguments.measure, until, arguments.reason, out)
        show(arguments, {"files": [str(path) for path in files]}, "\n".join(str(path) for path in files))


def _pause(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        timing.pause(office, arguments.case, arguments.reason)
        _clock(arguments, office)


def _resume(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        timing.resume(office, arguments.case)
        _clock(arguments, office)


def _extend(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        timing.extend(office, arguments.case, arguments.days, arguments.reason)
        _clock(arguments, office)


def _clock(arguments: Arguments, office: Office) -> None:
    clock = desk.standing(office, office.store.case(arguments.case))["sla"]
    stands = f"paused ({clock['paused']})" if clock["paused"] else f"B {clock['due']}"
    show(arguments, {"case": arguments.case, "sla": clock}, f"{arguments.case}  {stands}")


def _interim(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        follow(arguments, arguments.case, timing.interim(office, arguments.case, a_day("--by", arguments.by)))


def _method(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        if arguments.chosen:
            agreeing.choose(office, arguments.case, arguments.chosen)
        else:
            agreeing.offer(office, arguments.case, arguments.hard, arguments.ways)
        method = office.store.case(arguments.case).facts["method"]
        show(arguments, {"case": arguments.case, "method": method}, f"{arguments.case}  {method}")


def _fee(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        if arguments.ask:
            charging.ask(office, arguments.case, arguments.count)
        elif arguments.waive:
            charging.waive(office, arguments.case)
        elif arguments.paid:
            charging.paid(office, arguments.case, a_day("--paid", arguments.paid))
        else:
            charging.give_back(office, arguments.case, arguments.back)
        fee = office.store.case(arguments.case).facts["fee"]
        show(arguments, {"case": arguments.case, "fee": fee}, "  ".join(f"{name} {told}" for name, told in fee.items()))


def _withdraw(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        (withdrawing.objected if arguments.objected else withdrawing.withdraw)(office, arguments.case)
        follow(arguments, arguments.case, office.store.case(arguments.case).state)


def _address(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        document = read_json(Path(arguments.file), "address")
        follow(arguments, arguments.case, dispatching.move_to(office, arguments.case, document))


def _dispose(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        ending.dispose(office, arguments.case, arguments.how, a_day("--copies", arguments.copies))
        told = {"case": arguments.case, "how": arguments.how, "on": arguments.copies}
        show(arguments, told, "  ".join(told.values()))


def _statistics(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        told = counting.statistics(office, arguments.year)
        lines = [f"{section:<9} {code:<24} {n:g}" for section, found in told.items() for code, n in found.items()]
        if arguments.out:
            lines += [str(path) for path in counting.write(office, arguments.year, told, Path(arguments.out))]
        show(arguments, told, "\n".join(lines))


def _incident(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        if arguments.file:
            kept = incidents.occurred(office, arguments.case, read_json(Path(arguments.file), "incident"))
        else:
            kept = incidents.reported(office, arguments.case, read_json(Path(arguments.reported), "report"))
        lines = [f"{name}  {told['due']}  {told['on'] or '–'}" for name, told in kept["reports"].items()]
        show(arguments, kept, "\n".join(lines) or "–")


def a_day(option: str, written: str) -> date:
    """Raises BadInput."""
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise BadInput(option, "is no day", "write YYYY-MM-DD") from None


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
