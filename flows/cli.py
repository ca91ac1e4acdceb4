"""The command line ``dsr``: reads arguments, calls one step, prints what became of it (public_face.md).

Exit status: 0 done (also "nothing held") · 1 what was asked is not so · 2 bad input · 3 a system could not be reached.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import secrets
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from connectors.draft import draft
from dsr import request as shapes
from dsr.engine import (
    answering,
    collecting,
    deciding,
    desk,
    dispatching,
    erasing,
    fulfilling,
    holding,
    intake,
    order_files,
    overtaken,
    plans,
    previewing,
    process,
    replaying,
    reviewing,
    sealing,
    suppressing,
)
from dsr.engine.effects import ALL
from dsr.engine.office import Office
from dsr.errors import BadInput, as_id
from dsr.inventory import Inventory
from dsr.release.content import content_digest, content_digests
from dsr.release.finding import KINDS
from dsr.rules.lifecycle import State
from dsr.shapes import Shape, read_json, read_rows
from flows import casework, index, notifying
from flows import home as homes
from flows.terminal import Arguments, fail, follow, home_of, in_japanese, office_of, show, words_of


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    act: Callable[[Arguments], int | None] = arguments.act
    try:
        status = act(arguments) or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read our output has what they wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return fail(arguments, error)


# -- the commands ------------------------------------------------------------------------------------------------


def _sample_build(arguments: Arguments) -> None:
    from sample_data.build import build

    build(
        Path(arguments.out),
        people=arguments.people,
        calls=arguments.calls,
        seed=arguments.seed,
        database_url=arguments.database,
    )
    show(
        arguments,
        {"out": arguments.out},
        f"見本の会社を作りました: {arguments.out}" if in_japanese(arguments) else f"sample company in {arguments.out}",
    )


def _sample_serve(arguments: Arguments) -> None:
    from sample_data.serve import serve

    with serve(Path(arguments.out), port=arguments.port) as server:
        print(f"{server.url}  (Ctrl-C)", file=sys.stderr)
        server.serve_forever()


def _init(arguments: Arguments) -> None:
    home = home_of(arguments)
    homes.init(
        home,
        Path(arguments.inventory),
        Path(arguments.officers) if arguments.officers else None,
        Path(arguments.keys) if arguments.keys else None,
        arguments.production,
        Path(arguments.journal) if arguments.journal else None,
    )
    show(arguments, {"home": str(home)}, f"{home}  OK")


def _upgrade(arguments: Arguments) -> None:
    before, now = homes.upgrade(home_of(arguments))
    show(arguments, {"from": before, "to": now}, f"{before} → {now}  OK")


def _officer_add(arguments: Arguments) -> None:
    secret = secrets.token_urlsafe(18)
    homes.add_officer(home_of(arguments), arguments.name, arguments.role, secret, arguments.now)
    show(
        arguments,
        {"name": arguments.name, "role": arguments.role, "secret": secret},
        f"{arguments.name} ({arguments.role})\nDSR_SECRET={secret}\n"
        + ("この秘密は一度だけ表示します。" if in_japanese(arguments) else "Shown once."),
    )


def _login(arguments: Arguments) -> None:
    secret = os.environ.get("DSR_SECRET") or getpass.getpass("secret: ")
    officer = homes.log_in(home_of(arguments), arguments.name, secret)
    show(arguments, {"name": officer.name, "role": officer.role}, f"{officer.name} ({officer.role})  OK")


def _inventory_check(arguments: Arguments) -> int:
    with office_of(arguments) as office:
        problems = list(desk.inventory_problems(office))
        lines = [
            f"{p['system']}{'.' + p['dataset'] if p['dataset'] else ''} {p['place']}: {p['problem']}" for p in problems
        ]
        gaps = [f"company.{name}" for name in desk.letter_gaps(office)]
        show(arguments, {"problems": problems, "letters_need": gaps}, "\n".join(lines) or "OK")
        for name in gaps:
            missing = "未記入です。通知書に必要です" if in_japanese(arguments) else "is missing; letters need it"
            print(f"  {name}: {missing}", file=sys.stderr)
        reached = all(problem["reason"] == "drift" for problem in problems)
    return 0 if not problems else (1 if reached else 3)


def _inventory_draft(arguments: Arguments) -> None:
    out = Path(arguments.out) if arguments.out else None
    if out and out.exists():
        raise BadInput("--out", "there is a file already", "a draft never overwrites one: name another")
    made = draft(arguments.url, arguments.schema, out.parent if out else Path(), os.environ)
    if out:
        with out.open("x", encoding="utf-8") as file:
            file.write(made.text)
    told: dict[str, Any] = {"datasets": made.datasets, "not_personal": made.excused}
    told["problems"] = [{"dataset": d.dataset, "place": d.place, "problem": d.problem} for d in made.left]
    document, words = ({"out": str(out)}, str(out)) if out else ({"inventory": made.text}, made.text.rstrip("\n"))
    show(arguments, {**document, **told}, words)
    for problem in made.left:
        print(f"{problem.dataset or ''} {problem.place}: {problem.problem}", file=sys.stderr)
    asks = ("要確認・記入の印を一つずつ見てください", "look at every 要確認 and 記入")[not in_japanese(arguments)]
    print(f"{made.datasets} datasets, {made.excused} not_personal: {asks}", file=sys.stderr)


def _open(arguments: Arguments) -> None:
    document = read_json(Path(arguments.request), "request")
    with office_of(arguments) as office:
        case = intake.open_case(office, document)
        linked = case.facts.get("linked_to")
        if linked:
            show(
                arguments,
                {"case": case.case_no, "state": case.state.value, "linked_to": linked},
                f"{case.case_no}  = {linked}  "
                + (
                    "同じ請求が進行中のため、そちらに連結しました。"
                    if in_japanese(arguments)
                    else "the same request is running; linked"
                ),
            )
        else:
            follow(arguments, case.case_no, case.state, linked_to=None, letter=intake.parts_of(case))
        for other in intake.parts_of(case)[1:]:
            part = office.store.case(other)
            print(f"  + {other}  {part.right}  {part.facts.get('linked_to') or part.state.value}", file=sys.stderr)
        if case.facts.get("undrawn"):
            by_hand = ("受付票は手書きで（印刷できない文字）", "write the acknowledgement by hand")
            print(f"dsr: {by_hand[not in_japanese(arguments)]}: {case.facts['undrawn']}", file=sys.stderr)


def _prove(arguments: Arguments) -> int:
    with office_of(arguments) as office:
        found = intake.prove(office, arguments.case, read_json(Path(arguments.file), "proof"))
        defects = [
            {"code": d.code, "field": d.field, "words": d.words_ja if in_japanese(arguments) else d.words_en}
            for d in found.defects
        ]
        follow(arguments, arguments.case, State.PROVED if found.proved else State.AWAITING_CURE, defects=defects)
        for defect in defects:
            print(f"  {defect['field']}: {defect['words']}", file=sys.stderr)
    return 0 if found.proved else 1


def _answer(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        answering.answer(office, arguments.case, arguments.system, read_json(Path(arguments.file), "answer"))
        follow(arguments, arguments.case, office.store.case(arguments.case).state)


def _order(arguments: Arguments) -> None:
    """The search order as it is shown; a work order as files, to be handed to its owner."""
    with office_of(arguments) as office:
        if arguments.out:
            files = order_files.write_orders(office, arguments.case, arguments.system, Path(arguments.out))
            show(arguments, {"files": [str(path) for path in files]}, "\n".join(str(path) for path in files))
        else:
            show(arguments, intake.search_order(office, arguments.case, arguments.system))


def _hold(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        change = {"add": holding.add, "release": holding.release}[arguments.what]
        count = change(office, arguments.case, arguments.record, arguments.reason)
        words = (f"留保している記録 {count} 件", f"{count} records are held")[not in_japanese(arguments)]
        show(arguments, {"case": arguments.case, "held": count}, f"{arguments.case}  {words}")


def _stop(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        stopped = holding.stop(office, arguments.system, arguments.lift)
        everything, none = (("全システム", "停止中のシステムはありません。"), ("everything", "nothing is stopped"))[
            not in_japanese(arguments)]
        lines = [f"{everything if name == ALL else name}  {since}" for name, since in stopped.items()]
        show(arguments, {"stopped": stopped}, "\n".join(lines) or none)


def _replay(arguments: Arguments) -> int:
    with office_of(arguments) as office:
        found = replaying.replay(office)
        lines = ["  ".join(str(entry[name]) for name in ("case", "dataset", "act", "resurrected", "state", "erased_at"))
                 for entry in found["came_back"]]  # fmt: skip
        show(arguments, found, "\n".join([*lines, f"{found['intents']} intents, {found['resurrected']} resurrected"]))
        unreached = any(entry["state"] not in ("done", "ask_the_owner", "undeclared") for entry in found["came_back"])
    return 3 if unreached else 1 if found["came_back"] or found["swept"] else 0


def _ingest_check(arguments: Arguments) -> int:
    """Rows as JSON lines or a list; exit 1 where one must not be taken in."""
    with office_of(arguments) as office:
        told = suppressing.ingest_check(office, read_rows(Path(arguments.file)))
        stopped = [row for row in told if row["stopped"]]
        lines = ["  ".join(str(row[name]) for name in ("row", "reason", "since", "case")) for row in stopped]
        none = (f"{len(told)}行とも取り込めます。", f"all {len(told)} rows may be taken in")[not in_japanese(arguments)]
        show(arguments, told, "\n".join(lines) or none)
    return 1 if stopped else 0


def _remote(arguments: Arguments, deployment: str, *cases: str) -> int:
    from flows.deployments import hand_over

    runs = [{"case": case, "flow_run": hand_over(home_of(arguments), deployment, case)} for case in cases]
    words = "\n".join(f"{run['case']} → {run['flow_run']}" for run in runs)
    show(arguments, runs[0] if len(runs) == 1 else runs, words)
    return 0


def _collect(arguments: Arguments) -> int:
    """One case as one document; several as a list, each with its state or what stopped it."""
    numbers = list(dict.fromkeys(arguments.case))
    if arguments.remote:
        return _remote(arguments, "collect", *numbers)
    with office_of(arguments) as office:
        for case_no in numbers if arguments.again else ():
            collecting.collect_again(office, case_no)
        if len(numbers) == 1:
            ended: dict[str, State | Exception] = {numbers[0]: process.collect(office, numbers[0])}
        else:
            ended = process.collect_together(office, numbers)
        for case_no, state in ended.items():
            if state is State.BLOCKED:
                _waits(arguments, office, case_no)
    return _reached(arguments, ended)


def _waits(arguments: Arguments, office: Office, case_no: str) -> None:
    """Whom the case waits for: the people who search the systems that only people can search."""
    for work in office.store.work(case_no):
        order, _, system = work.what.partition(":")
        if order == "search_order":
            label, commands = office.inventory.system[system].label, f"dsr order {case_no} {system}"
            words = (f"担当者の検索を待っています（期限 {work.due}）。依頼書", f"a person searches, due {work.due}")
            then = f"dsr answer {case_no} {system} --file ANSWER.json"
            print(f"  {label}: {words[not in_japanese(arguments)]}: {commands} → {then}", file=sys.stderr)


def _reached(
    arguments: Arguments, ended: Mapping[str, State | Exception], waiting: Collection[str] = ()
) -> int:
    """``waiting``: cases whose orders are not answered yet."""
    states = {case_no: state for case_no, state in ended.items() if isinstance(state, State)}
    if arguments.json and len(ended) > 1:
        print(json.dumps([{"case": no, "state": states[no].value if no in states else None} for no in ended], indent=2))
    else:
        for case_no, state in states.items():
            follow(arguments, case_no, state, "ordered" if case_no in waiting and state is State.FULFILLING else "")
    failed = [fail(arguments, error) for error in ended.values() if isinstance(error, Exception)]
    worst = 3 if State.BLOCKED in states.values() else 1 if State.RESIDUAL in states.values() else 0
    return max(failed) if failed else worst


def _index_build(arguments: Arguments) -> None:
    built = index.build(home_of(arguments), arguments.dataset, arguments.now)
    lines = [f"{name}  {one.read} read, {one.known} known, {one.gone} gone" for name, one in built.items()]
    show(arguments, {name: asdict(one) for name, one in built.items()}, "\n".join(lines) or "–")


def _review(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        if arguments.file:
            state = reviewing.take_review(office, arguments.case, read_json(Path(arguments.file), "review"))
            left = reviewing.left_over(office, arguments.case)
            follow(arguments, arguments.case, state, **left)
            _warn_of(arguments, left)
        else:
            show(arguments, reviewing.worksheets(office, arguments.case))


def _warn_of(arguments: Arguments, left: dict[str, Any]) -> None:
    """What a hurried reader overlooks: places, never the text."""
    japanese = in_japanese(arguments)
    if left["unread"]:
        print(f"  {'未読の記載' if japanese else 'notes not read yet'}: {left['unread']}", file=sys.stderr)
    for note in left["unstruck"]:
        words = "提示された箇所が消されていません" if japanese else "proposed and not struck"
        print(f"  {words}: {note['dataset']} {note['record']} {note['field']} {note['spans']}", file=sys.stderr)


def _decide(arguments: Arguments) -> None:
    document = None if arguments.as_proposed else read_json(Path(arguments.file), "decision")
    with office_of(arguments) as office:
        follow(arguments, arguments.case, deciding.decide(office, arguments.case, document))


def _approve(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        if arguments.refuse is not None:
            state = deciding.refuse(office, arguments.case, arguments.refuse)
        else:
            state = deciding.approve(office, arguments.case, arguments.code)
        follow(arguments, arguments.case, state)


def _fulfil(arguments: Arguments) -> int:
    """One case as one document; several as a list, each with its state or what stopped it."""
    numbers, live = list(dict.fromkeys(arguments.case)), arguments.live or []
    for other in sorted(set(live) - set(numbers)):
        words = ("今回実行する案件ではありません", "is none of the cases to be carried out")
        print(f"  --live {as_id(other)}: {words[not in_japanese(arguments)]}", file=sys.stderr)
    if arguments.remote:
        with office_of(arguments) as office:
            for case_no in numbers:
                erasing.release_live(office, case_no, case_no if case_no in live else None)
        return _remote(arguments, "fulfil", *numbers)
    with office_of(arguments) as office:
        if len(numbers) == 1:
            only = numbers[0]
            ended: dict[str, State | Exception] = {
                only: fulfilling.fulfil(office, only, only if only in live else None)
            }
        else:
            ended = process.fulfil_together(office, numbers, live)
        reached = [no for no, state in ended.items() if isinstance(state, State)]
        waiting = [no for no in reached if _waits_for_owners(arguments, office, no)]
    return _reached(arguments, ended, waiting)


def _waits_for_owners(arguments: Arguments, office: Office, case_no: str) -> int:
    """Says what is awaited and from whom; how many."""
    orders = (office.store.case(case_no).facts.get("orders") or {}).items()
    waiting = [(number, order) for number, order in orders if order["answered_on"] is None]
    for number, order in waiting:
        waits = ("回答待ち", "waits for an answer")[not in_japanese(arguments)]
        print(f"  {number} → {order['to']} {order['due']} {waits}: dsr order {case_no} {order['to']} --out DIR; "
              f"dsr answer {case_no} {order['to']} --file ANSWER.json", file=sys.stderr)  # fmt: skip
    return len(waiting)


def _package(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        password, files = "", [Path(arguments.sealed or arguments.out)]
        if arguments.sealed:
            password = sealing.seal_out(office, arguments.case, files[0])
        else:
            files = fulfilling.write_out(office, arguments.case, files[0])
        words = ("パスワード（表示は一度だけ。別の方法で伝えること）", "password (shown once; let it go another way)")
        told = [f"{words[not in_japanese(arguments)]}: {password}"] if password else []
        document = {"files": [str(path) for path in files], **({"password": password} if password else {})}
        show(arguments, document, "\n".join([*document["files"], *told]))


def _content_digest(arguments: Arguments) -> None:
    digests = content_digests(Path(arguments.dir))
    digest = content_digest(digests)
    lines = [f"{each}  {name}" for name, each in digests.items()]
    show(arguments, {"digest": digest, "files": digests}, "\n".join([*lines, f"{digest}  ="]))


def _preview(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        erases = plans.is_changing(office.store.case(arguments.case))
        previewed = previewing.preview if erases else fulfilling.preview
        files = previewed(office, arguments.case, Path(arguments.out))
        show(arguments, {"files": [str(path) for path in files]}, "\n".join(str(path) for path in files))


def _dispatch(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        state = dispatching.dispatch(office, arguments.case, read_json(Path(arguments.file), "dispatch"))
        follow(arguments, arguments.case, state)
        if state is State.REVIEW:
            unread = reviewing.left_over(office, arguments.case)["unread"]
            said = (f"交付を記録しました。未確認の記載 {unread} 件は、確認して再交付するまで残ります",
                    f"the sending is recorded; {unread} unread notes are left for a second delivery")
            print(f"  {said[not in_japanese(arguments)]}", file=sys.stderr)


def _list(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        rows = desk.listed(office, arguments.due)
        lines = []
        for row in rows:
            presuit, sla = row["clocks"]["presuit"], row["clocks"]["sla"]
            lines.append(
                f"{row['case']}  {row['state']:<18} {row['owner']:<8} "
                f"A {presuit['ends'] if presuit else '–'}{_late(arguments, presuit)}  B {sla['due'] or '–'}  "
                + _tail(arguments, row, office)
            )
        show(
            arguments, rows, "\n".join(lines) or ("対象の案件はありません。" if in_japanese(arguments) else "no cases")
        )


def _tail(arguments: Arguments, row: dict[str, Any], office: Office) -> str:
    if row["file_ended_on"]:
        return _ended(arguments, row["file_ended_on"])
    return f"= {row['linked_to']}" if row["linked_to"] and not row["due"] else _first(arguments, row, office)


def _ended(arguments: Arguments, day: str) -> str:
    return (f"記録は{day}に廃棄済み", f"the file ended on {day}")[not in_japanese(arguments)]


def _late(arguments: Arguments, clock: dict[str, Any] | None) -> str:
    over = -clock["left"] if clock and clock["left"] is not None else 0
    return "" if over <= 0 else f"（{over}日超過）" if in_japanese(arguments) else f" ({over} days over)"


def _first(arguments: Arguments, row: dict[str, Any], office: Office) -> str:
    """The most urgent work, and by how much it is late."""
    if not row["due"]:
        return ""
    work = row["due"][0]
    over = (office.today - date.fromisoformat(work["due"])).days
    return f"{work['what']} → {work['who']} {work['due']}{_late(arguments, {'left': -over})}"


def _show(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        shown = desk.shown(office, arguments.case)
        lines = [
            f"{shown['case']}  {shown['right']}  {shown['state']}  {_outcome(shown)}",
            f"  received {shown['received_at']}",
            *([f"  letter {' '.join(shown['letter'])}"] if shown["letter"][1:] else []),
            *([f"  {_ended(arguments, shown['file']['ended_on'])}"] if shown["file"]["ended_on"] else []),
            *([f"  {', '.join(f'{word} {n}' for word, n in shown['outcomes'].items())}"] if shown["outcomes"] else []),
        ]
        lines += [
            f"  {d['dataset']:<40} {d['status']:<12} {d['records'] or '':>6} {d['reason'] or ''} {d['detail'] or ''}"
            for d in shown["datasets"]
        ]
        stopped = (shown["release"] or {}).get("findings", [])
        lines += [f"  ✗ {f['file']}, {f['place']}: {KINDS[f['kind']]} ({f['cell'] or '–'})" for f in stopped]
        if gone_by := overtaken.words(shown["stale"], not in_japanese(arguments)):
            lines.append(f"  ↩ {gone_by} → dsr collect {shown['case']} --again")
        lines += _unverified(shown["findings"])
        lines += [f"  → {w['what']} ({w['who']}) {w['due']}" for w in shown["work"]]
        lines += [f"  ✉ {o['to']} {o['order']} {o['answered_on'] or '…'}" for o in shown["orders"]]
        lines += [f"  {d['kind']:<20} {d['path']} {d['pages']}p sha256 {d['sha256']}" for d in shown["documents"]]
        show(arguments, shown, "\n".join(lines))


def _outcome(shown: Mapping[str, Any]) -> str:
    """Of several each is counted on a line of its own: the worst of them alone would tell of none of the others."""
    return "" if len(shown["outcomes"]) > 1 else shown["outcome"] or ""


def _unverified(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of the last look what it could not verify: dataset, verdict, why, counts."""
    last = [found for found in findings if found["run"] == findings[-1]["run"] and found["verdict"] != "verified"]
    return [f"  ✗ {f['dataset']}: {f['verdict']} ({', '.join(_counts(f['said']))})" for f in last]


def _counts(said: Mapping[str, Any]) -> Iterator[str]:
    why = said.get("why", [])
    yield from [why] if isinstance(why, str) else why
    for counts in said.get("cases", {"": said}).values():
        yield from (f"{name} {counts[name]}" for name in ("left", "not_emptied", "back") if counts.get(name))


def _watch(arguments: Arguments) -> int:
    """A round resumes what is open: asking again is safe, and only what did not answer is asked."""
    with office_of(arguments) as office:
        found = desk.watch(office)
        ended = {**process.collect_together(office, found["resume"]), **process.fire_due(office)}
        told = {case_no: words_of(error) for case_no, error in ended.items() if isinstance(error, Exception)}
        failed = {case_no: words for case_no, (words, _) in told.items()}
        told_to = notifying.notify(office, found)
        lines = [notifying.line(told) for told in (*found["reminders"], *found["escalated"])]
        lines += [f"{one['case']}  ✂ {one['ends']}" for one in found["files"] if one["case"] not in failed]
        lines += [f"{case_no}: {words}" for case_no, words in failed.items()]
        lines += [f"notify {role}: {words}" for role, words in told_to.items()]
        show(arguments, {**found, "failed": failed, "notified": told_to},
             "\n".join([*lines, f"tree head {found['head']}"]))  # fmt: skip
    return 3 if State.BLOCKED in ended.values() else 1 if failed else 0


def _trail_verify(arguments: Arguments) -> int:
    with office_of(arguments) as office:
        found = desk.verify_trail(office, arguments.head or [])
        show(
            arguments,
            found,
            "\n".join(
                [f"{p['level']}: {p['seq']}: {p['words']}" for p in found["problems"]]
                + [f"{'sound' if found['sound'] else 'NOT SOUND'}  {found['events']} events  {found['head']}"]
            ),
        )
    return 0 if found["sound"] else 1


def _trail_export(arguments: Arguments) -> None:
    with office_of(arguments) as office:
        bundle = desk.export_trail(office, arguments.case)
        out = Path(arguments.out)
        part = out.with_name(f".{out.name}.part")
        part.write_text(json.dumps(bundle, ensure_ascii=False, indent=1) + "\n")
        part.replace(out)
        show(arguments, {"out": str(out), "events": len(bundle["events"])}, f"{out}  {len(bundle['events'])} events")


def _serve(arguments: Arguments) -> int:
    from flows.deployments import serve

    return int(serve(home_of(arguments), port=arguments.port))


SCHEMAS: dict[str, type[Shape]] = {
    "REQUEST": shapes.Request,
    "PROOF": shapes.Proof,
    "DECISION": shapes.Decision,
    "REVIEW": shapes.Review,
    "DISPATCH": shapes.Dispatch,
    "ADDRESS": shapes.AddressProof,
    "INCIDENT": shapes.IncidentReport,
    "AUTHORITY_REPORT": shapes.AuthorityReport,
    "ANSWER": shapes.SearchAnswer,
    "ORDER_ANSWER": shapes.OrderAnswer,
    "DONE": shapes.OrderAnswer,
    "REWRITE_ANSWER": shapes.RewriteAnswer,
    "OTHERS_ANSWER": shapes.OthersAnswer,
    "STATEMENT": shapes.Statement,
    "ROWS": shapes.IngestRow,
    "INVENTORY": Inventory,
}


def _schema(arguments: Arguments) -> None:
    known = {name.replace("_", ""): shape for name, shape in SCHEMAS.items()}
    known |= {shape.__name__.upper(): shape for shape in SCHEMAS.values()}  # as an error names it
    asked = arguments.name.upper().removesuffix(".JSON").removesuffix(".JSONL").replace("_", "")
    if (shape := known.get(asked)) is None:
        raise BadInput("NAME", "no such shape", f"one of {', '.join(SCHEMAS)}")
    print(json.dumps(shape.model_json_schema(), ensure_ascii=False, indent=2))


# -- the arguments -------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    for name, words in (
        ("--home", "engine home (or DSR_HOME)"),
        ("--now", "rehearsal clock, 2026-11-22T09:00+09:00"),
        ("--lang", "ja or en"),
    ):
        common.add_argument(name, help=words, default=None)
    common.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser = argparse.ArgumentParser(
        prog="dsr", description="開示等の請求の受付から交付まで / data-subject requests, from letter to package"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, act: Callable[[Arguments], int | None], words: str, *positional: str, under: Any = commands
    ) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = under.add_parser(name, help=words, description=words, parents=[common])
        for argument in positional:
            made.add_argument(argument)
        made.set_defaults(act=act)
        return made

    def group(name: str, words: str) -> Any:
        return commands.add_parser(name, help=words).add_subparsers(required=True, metavar="COMMAND")

    sample = group("sample", "a fictional company to try everything on")
    build = command("build", _sample_build, "build the sample company's stores, requests and truth", under=sample)
    build.add_argument("--out", required=True)
    build.add_argument("--people", type=int, default=200)
    build.add_argument("--calls", type=int, default=20_000)
    build.add_argument("--seed", type=int, default=1)
    build.add_argument("--database", default=None, metavar="URL")
    serving = command("serve", _sample_serve, "run the sample's HTTP systems on loopback until stopped", under=sample)
    serving.add_argument("--out", required=True)
    serving.add_argument("--port", type=int, default=0)

    init = command("init", _init, "make an engine home")
    init.add_argument("--inventory", required=True)
    init.add_argument("--officers")
    init.add_argument("--keys", help="keep the keys in another folder")
    init.add_argument("--journal", help="keep the replay journal of erasures elsewhere, outside what is restored")
    init.add_argument("--production", action="store_true", help="refuse --now in this home for ever")
    command("upgrade", _upgrade, "bring the home's store to this release; safe to run twice")
    officer = command(
        "add", _officer_add, "add an officer; the secret is shown once", "name", under=group("officer", "officers")
    )
    officer.add_argument("--role", required=True)
    command("login", _login, "sign in on this machine", "name")
    declared = group("inventory", "declared systems")
    command("check", _inventory_check, "live schemas and files against the declaration", under=declared)
    drafting = command("draft", _inventory_draft, "propose a declaration of an SQL database", "url", under=declared)
    drafting.add_argument("--out", metavar="FILE", help="a new file; standard output without it")
    drafting.add_argument("--schema", help="only this schema of the database")

    command("open", _open, "open a case for a request", "request")
    for name, act, words in (
        ("prove", _prove, "record how the requester was identified"),
        ("dispatch", _dispatch, "record envelope check, sending or return"),
    ):
        command(name, act, words, "case").add_argument("--file", required=True)
    ordered = command("order", _order, "the search order of a manual system; with --out, work orders", "case", "system")
    ordered.add_argument("--out", help="a new folder for the signed work orders of a system or partner")
    hold = command("hold", _hold, "keep one record from being erased; another officer, an approver, lets it go")
    hold.add_argument("what", choices=("add", "release"))
    hold.add_argument("case")
    hold.add_argument("--record", required=True, metavar="SYSTEM.DATASET/NO")
    hold.add_argument("--reason", required=True, help="a court's order, a dispute; or why it ended; kept sealed")
    stopping = command("stop", _stop, "nothing new starts in a system, or in all")
    stopping.add_argument("system", nargs="?")
    stopping.add_argument("--lift", action="store_true", help="let it go on")
    command("replay", _replay, "after a restore: erase, stop and correct again what came back, with its original date")
    command("ingest-check", _ingest_check, "which rows must not be taken in").add_argument("--file", required=True)
    answer = command("answer", _answer, "enter the answer to a search order or work order", "case", "system")
    answer.add_argument("--file", required=True)
    running = command("collect", _collect, "find and fetch what is the subject's; several cases share a scan")
    running.add_argument("case", nargs="+")
    running.add_argument("--again", action="store_true", help="ask everything anew, before the package is made")
    fulfilling_ = command("fulfil", _fulfil, "make letter, book and data; or carry out erasures, several at once")
    fulfilling_.add_argument("case", nargs="+")
    again = "the case number once more, for each: what destroys is done"
    fulfilling_.add_argument("--live", metavar="CASE", action="append", help=again)
    for each in (running, fulfilling_):
        each.add_argument("--remote", action="store_true", help="hand it to the deployment")
    command("review", _review, "print the worksheets, or take the marks", "case").add_argument("--file")
    decide = command("decide", _decide, "decide on the proposal", "case").add_mutually_exclusive_group(required=True)
    decide.add_argument("--as-proposed", action="store_true")
    decide.add_argument("--file")
    approving = command("approve", _approve, "approve as the second officer", "case")
    answers = approving.add_mutually_exclusive_group()
    answers.add_argument("--code", default="", help="stands beside the counts of dsr preview, where a plan destroys")
    answers.add_argument("--refuse", metavar="REASON", help="back to review; sealed, shown by dsr review")
    packaging = command("package", _package, "write the package out of the vault", "case")
    how = packaging.add_mutually_exclusive_group(required=True)
    how.add_argument("--out", help="a new folder, to print or burn")
    how.add_argument("--sealed", metavar="FILE.zip", help="one ZIP under AES-256, for a download")
    command("content-digest", _content_digest, "what a package says, as a digest to compare between machines", "dir")
    casework.register(command, group)
    previewing = command("preview", _preview, "exactly what would be sent, before it is decided", "case")
    previewing.add_argument("--out", required=True)
    command("list", _list, "the cases with both clocks").add_argument(
        "--due", action="store_true", help="only what is due"
    )
    command("show", _show, "one case", "case")
    command("watch", _watch, "one round of clocks, reminders and resuming")
    indexing = command(
        "build",
        _index_build,
        "bring the side index up to the lake's files",
        under=group("index", "in which row groups of a lake an identifier stands"),
    )
    indexing.add_argument("dataset", nargs="?", metavar="SYSTEM.DATASET")
    trail = group("trail", "the log that proves itself")
    command("verify", _trail_verify, "recompute the whole log", under=trail).add_argument(
        "--head", action="append", help="a tree head printed on a letter"
    )
    command("export", _trail_export, "evidence bundle of one case", "case", under=trail).add_argument(
        "--out", required=True
    )
    command("serve", _serve, "Prefect server and UI, deployments, schedules").add_argument(
        "--port", type=int, default=4200
    )
    command("schema", _schema, "JSON Schema of an input shape", "name")
    return parser


if __name__ == "__main__":
    sys.exit(main())
