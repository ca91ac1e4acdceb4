"""What a carried out plan says on paper: letter and certificate, made from findings, through the gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from importlib.metadata import version
from typing import Any, Literal

from dsr import law
from dsr.days import day_of
from dsr.documents.certificate import Certificate, Covered, Limit, Stays, draw_certificate
from dsr.documents.content import Fact, Frame, Head, Letter, Text, Told, Words, after, listed
from dsr.documents.correction import Change, Copy, Investigated, Voucher, correction_notice, correction_refusal
from dsr.documents.letter import draw_letter
from dsr.documents.parts import lines
from dsr.documents.stop_notice import Fired, Stop, scheduled_erasure_done, stop_notice
from dsr.documents.style import said_day
from dsr.documents.wordings import by_law, say
from dsr.engine import carried, ordering, papers, plans, releasing, remembering
from dsr.engine.assembling import FOLDER, listing
from dsr.engine.office import Hold
from dsr.inventory import Dataset
from dsr.package import Digested, manifest
from dsr.plan import Finding
from dsr.rules import erasures, filing, planning
from dsr.rules.lifecycle import State
from dsr.rules.redaction import record_nos

DAY = timedelta(days=1)
DBA_DAYS = 30
"""Days in which the DBA rewrites a PostgreSQL table whose rows were deleted (limits.md §5)."""


def finish(hold: Hold, run: str) -> State:
    """Letter, certificate where anything is gone, manifest, gate: to dispatching, with what is true now."""
    edition = papers.edition(hold, run)
    cited = dict(hold.once(f"issue:{edition}", lambda: (_cited(hold), None)))
    letter = hold.once(f"letter:{edition}", lambda: (_drawn(hold, _letter(hold, run, cited)), None))
    made = [dict(letter)]
    if _gone_of(hold):
        made.append(dict(hold.once(f"certificate:{edition}", lambda: (_certified(hold, run, cited), None))))
    files = sorted([listing(one) for one in made], key=lambda file: str(file["path"]))
    told = _outcomes(hold)
    hold.once(f"manifest:{edition}", lambda: (_listed(hold, files, cited, told), None))
    documents = [d for d in hold.case.facts.get("documents", []) if not d["path"].startswith(FOLDER)]
    facts = {"documents": [*documents, *made], "files": files, "issued_on": cited["issued_on"], "gone": _gone(hold),
             "outcomes": _total(told),
             "outcome": next(iter(_total(told)), hold.case.facts["decision_outcome"])}  # fmt: skip
    digests = {**{file["path"]: file["sha256"] for file in files}, "manifest.json": None}
    return releasing.release(hold, edition, FOLDER, digests, facts)


def _cited(hold: Hold) -> dict[str, Any]:
    return {"issued_on": hold.office.today.isoformat(), "head": hold.office.store.head().text,
            "events": hold.office.store.head().size}  # fmt: skip


def _gone(hold: Hold) -> dict[str, list[int]]:
    """Parts that were kept and whose day has come by now."""
    gone = {name: list(parts) for name, parts in hold.case.facts.get("gone", {}).items()}
    for name, parts in (plans.due_parts(hold) or {}).items():
        gone[name] = sorted({*gone.get(name, []), *parts})
    return gone


def _drawn(hold: Hold, letter: Letter) -> dict[str, Any]:
    return papers.draw(hold, letter.kind, f"{FOLDER}decision.pdf", lambda out: draw_letter(letter, out))


def _outcomes(hold: Hold) -> dict[str, dict[str, int]]:
    """Of every dataset how many records had which outcome by now, overtaken plans' effects among them."""
    gone, told = _gone(hold), {}
    for name, item in hold.case.facts["items"].items():
        told[name] = Counter(erasures.outcomes(item, gone.get(name, ())))
        if item["outcome"] == "not_held":
            told[name].update({"kept_until": sum(p["records"] for _, p in remembering.kept_before(hold, name))})
    for one in carried.before(hold):
        told[one.dataset][one.measure] += one.records
        if one.measure != "erased":  # the standing plan found it so already
            told[one.dataset]["alternative_measure"] -= one.records
    return {name: erasures.worst_first(counts) for name, counts in told.items()}


def _total(told: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return erasures.worst_first(sum((Counter(counts) for counts in told.values()), Counter()))


def _listed(hold: Hold, files: Sequence[Mapping[str, Any]], cited: Mapping[str, Any],
            told: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:  # fmt: skip
    """``outcome`` is the worst of ``outcomes``; what must not be known is not held (documents.md §3)."""
    datasets = []
    for name, item in hold.case.facts["items"].items():
        worst = next(iter(told[name]), item["outcome"])
        datasets.append({"dataset": name, "outcome": law.outcome(worst).outward or worst, "outcomes": dict(told[name]),
                         "records": sum(told[name].values())})  # fmt: skip
    content = manifest(hold.case_no, hold.case.law_version, f"dsr {version('dsr')}", files, datasets, {}, cited["head"])
    with hold.vault.writer(f"{FOLDER}manifest.json") as out:
        sink = Digested(out)
        sink.write(content)
    return {"path": f"{FOLDER}manifest.json", "sha256": sink.sha256, "size": sink.size}


# -- the letter ----------------------------------------------------------------------------------------------------


def _frame(hold: Hold, cited: Mapping[str, Any]) -> Frame:
    arrived, right = day_of(hold.case.received_at), law.right(hold.case.right)
    basis = Words(right.basis, law.in_english(right.basis))
    told = say("based", right=Words(right.label, right.label_en), basis=basis)
    facts = (Fact(say("request_received"), said_day(arrived)), Fact(say("right"), told),
             Fact(say("scope"), papers.scope_text(hold)))  # fmt: skip
    return Frame(hold.case_no, hold.case.right, date.fromisoformat(cited["issued_on"]), papers.party(hold),
                 papers.recipient(hold), hold.request.subject.name, law.version_on(arrived).label, facts,
                 Head(cited["head"]), hold.request.answer.language, papers.number(hold))  # fmt: skip


def _label(hold: Hold, dataset: Dataset) -> Words:
    return papers.label_of(hold.office.inventory, dataset)


def _letter(hold: Hold, run: str, cited: Mapping[str, Any]) -> Letter:
    frame, until = _frame(hold, cited), filing.file_until(hold.office.today)
    if hold.case.right in plans.CORRECTING:
        return _on_correction(hold, frame, until)
    number = certificate_no(hold, run)
    due = plans.due_parts(hold)
    if due and all(_part(hold, name, at)["until"] for name, parts in due.items() for at in parts):
        first = hold.case.facts["decided_on"]
        return scheduled_erasure_done(frame, list(_fired(hold, cited)), promised_on=date.fromisoformat(first),
                                      promised_in=papers.number(hold) or hold.case_no, certificate_no=number,
                                      file_until=until)  # fmt: skip
    earlier = [] if due else carried.before(hold)
    before = [_stop_before(hold, one) for one in earlier]
    stops = [*before, *_stops(hold, date.fromisoformat(cited["issued_on"]), earlier)]
    lives = hold.case.right in plans.ERASING and any(stop.ground == "APPI-35-5-NEEDED" for stop in stops)
    gone, unsought = _gone_of(hold), carried.unsought(hold) if earlier else ()
    return stop_notice(frame, stops, list(_told(hold)), certificate_no=number if gone else "",
                       verified=any(found["run"] == run for found in hold.case.facts.get("findings", [])),
                       terminate_at=hold.office.inventory.company.desk if lives else "", file_until=until,
                       backups_by=_last_backup(hold, gone) if gone else None,
                       unverified=[_stop_before(hold, one) for one in unsought],
                       reported=[_label(hold, one.dataset) for one in plans.frozen(hold)
                                 if one.of(frozenset({"provision_order"})).num_rows])  # fmt: skip


def certificate_no(hold: Hold, run: str) -> str:
    return f"消-{hold.case_no.removeprefix('DSR-')}-{run}"


def _part(hold: Hold, name: str, at: int) -> Mapping[str, Any]:
    part: Mapping[str, Any] = hold.case.facts["items"][name]["parts"][at]
    return part


def _stop_before(hold: Hold, one: carried.Carried) -> Stop:
    """Of a plan that a later one overtook; its effects stand all the same."""
    return Stop(_label(hold, hold.office.inventory.dataset(one.dataset)), one.measure, one.records, one.on)


def _stops(hold: Hold, on: date, earlier: Sequence[carried.Carried] = ()) -> Iterator[Stop]:
    """Of a decision as a whole; once something of it was let go, only of that."""
    inventory = hold.office.inventory
    if due := plans.due_parts(hold):
        for name, parts in due.items():
            records = sum(_part(hold, name, at)["records"] for at in parts)
            yield Stop(_label(hold, inventory.dataset(name)), "erased", records, on)
        return
    words = papers.officers_words(hold)
    for name, item in inventory.ordered(hold.case.facts["items"]).items():
        dataset = inventory.dataset(name)
        label, desk = _label(hold, dataset), inventory.system_of(dataset).desk
        if not item["parts"] and name not in {one.dataset for one in earlier}:
            said: Text = papers.unasked(item) if item["outcome"] in ("not_asked", "out_of_scope") else ""
            if item["outcome"] == "not_held":
                if before := remembering.kept_before(hold, name):
                    yield from (_kept_before(hold, label, name, part) for _, part in before)
                    continue
                said = papers.remembered(hold, dataset)
            yield Stop(label, item["outcome"], ground=item["ground"] or "", words=said, desk=desk,
                       why=item["reason"])  # fmt: skip
        for part in carried.beside(item["parts"], name, earlier):
            told = lines(words.get(name, ""), papers.erased_in_part(hold, name))
            yield _stop(inventory, dataset, label, part, on, told, hold.case.right in plans.GIVING_NO_MORE)
        if dataset.printed and item["outcome"] == "provision_stopped":
            what = papers.own(inventory, dataset.printed)
            yield Stop(label, "alternative_measure", on=on, words=by_law("printed_stays", what=what))


def _kept_before(hold: Hold, label: Words, name: str, part: Mapping[str, Any]) -> Stop:
    """What an earlier request left to wait: no search finds it any more, and it is there."""
    until, partly = date.fromisoformat(part["until"]), papers.erased_in_part(hold, name)
    return Stop(label, "kept_until", part["records"], words=partly, rule=part["rule"], last_day=until,
                erase_on=until + DAY)  # fmt: skip


def _worded(key: str) -> Words:
    return papers.both(lambda lang: law.wording(key, lang))


def _stop(inventory: Any, dataset: Dataset, label: Words, part: Mapping[str, Any], on: date, words: Text,
          given: bool) -> Stop:  # fmt: skip
    until = date.fromisoformat(part["until"]) if part["until"] else None
    if part["rule"] == planning.HOLD:
        return Stop(label, "alternative_measure", part["records"], on, words=_worded("held_back"))
    if carried.already(part):
        key = "given_already_no_more" if given else "already_so"
        return Stop(label, "alternative_measure", part["records"], on, words=_worded(key))
    refused = "stop_declined" if part["measure"] == "keep" else erasures.OUTCOME[part["measure"]]
    outcome = "kept_until" if until else refused
    purposes = tuple(after(f"{number} ", papers.own(inventory, inventory.purposes.get(number, "")))
                     for number in part["purposes"])  # fmt: skip
    # Of a record of which some fields stay, ``fields`` names those that go; the letter names those that stay.
    stays = part["measure"] == "keep" and part["fields"]
    left = [n for n in dataset.fields if n not in part["fields"]] if part["measure"] == "deidentify" else part["fields"]
    partly = until and (stays or part["measure"] == "deidentify")
    fields = tuple(papers.label(dataset.fields[name]) for name in left) if partly else ()
    return Stop(label, outcome, part["records"], on, part["ground"] or "", purposes, words, part["rule"] or "", until,
                until + DAY if until else None, fields)  # fmt: skip


def _fired(hold: Hold, cited: Mapping[str, Any]) -> Iterator[Fired]:
    inventory, on = hold.office.inventory, date.fromisoformat(cited["issued_on"])
    for name, parts in (plans.due_parts(hold) or {}).items():
        label = _label(hold, inventory.dataset(name))
        for at in sorted(parts):
            part = _part(hold, name, at)
            yield Fired(label, part["rule"], date.fromisoformat(part["until"]) + DAY, on, part["records"])


def _told(hold: Hold) -> Iterator[Told]:
    """Each partner once, also where two plans had something for it: done once nothing of it is awaited."""
    partners, told = hold.office.inventory.partner, ordering.still_told(hold).values()
    for key, kind in {order["to"]: order["kind"] for order in told}.items():
        mine = [order for order in told if order["to"] == key]
        days = [date.fromisoformat(order["done_on"]) for order in mine if order["answered_on"]]
        yield Told(partners[key].label, kind, max(days) if len(days) == len(mine) else None)


# -- a correction --------------------------------------------------------------------------------------------------


def _on_correction(hold: Hold, frame: Frame, until: date) -> Letter:
    correction, inventory = hold.request.correction, hold.office.inventory
    assert correction is not None
    ones = list(plans.frozen(hold))
    acting = [one for one in ones if any(part["measure"] in plans.ACTS for part in one.parts)]
    if not acting:
        told = hold.read_json(f"decision/{hold.case.facts['decision']}.investigated.json")
        label = listed([_label(hold, one.dataset) for one in ones]) or Words("ご指摘の記載", "what you pointed out")
        ground = next((item["ground"] for item in hold.case.facts["items"].values() if item["parts"]), "APPI-34-1-TRUE")
        pointed = {(one.dataset.id, name): papers.label(one.dataset.fields[name])
                   for one in ones for part in one.parts for name in part["fields"]}  # fmt: skip
        what = listed(list(dict.fromkeys(pointed.values()))) or label
        looked = [Investigated(what, told["how"], law.ground(ground).reason("ja"))]
        return correction_refusal(frame, label, ground, looked, statement_to=inventory.company.desk, file_until=until)
    changes, copies, vouchers = [], [], []
    for one in acting:
        named, new = _label(hold, one.dataset), plans.true_value(hold)
        fields = listed([papers.label(one.dataset.fields[name]) for name in one.parts[0]["fields"]])
        changes.append(Change(named, fields, correction.wrong, new))
        if one.dataset.voucher:
            numbers = record_nos(one.keys, one.dataset.key).to_pylist()
            issued, way = hold.read_json(f"issued/{one.dataset.id}.json"), _way(hold, one.dataset)
            vouchers += [Voucher(named, no, way, issued.get(no, ""), frame.issued_on) for no in numbers]
        else:
            copies.append(Copy(named, frame.issued_on))
    return correction_notice(frame, changes, copies, list(_told(hold)), vouchers, until)


def _way(hold: Hold, dataset: Dataset) -> Literal["annotated", "reissued", "reported"]:
    """What the survey saw itself: a note, a voucher issued anew, or neither."""
    mine, found = (plans.run(hold), dataset.id), hold.case.facts.get("findings", [])
    steps = [step for one in found if (one["run"], one["dataset"]) == mine for step in one["said"].get("steps", ())]
    if not any(step["step"] == 6 and step["not_noted"] == 0 for step in steps):
        return "reported"
    return "reissued" if dataset.notes == dataset.name else "annotated"


# -- the certificate -----------------------------------------------------------------------------------------------


def _certified(hold: Hold, run: str, cited: Mapping[str, Any]) -> dict[str, Any]:
    certificate = _certificate(hold, run, cited)
    return papers.draw(hold, "erasure_certificate", f"{FOLDER}certificate.pdf",
                       lambda out: draw_certificate(certificate, out))  # fmt: skip


def _certificate(hold: Hold, run: str, cited: Mapping[str, Any]) -> Certificate:
    """Raises CheckFailed for anything that is not wholly verified."""
    facts, office, on = hold.case.facts, hold.office, date.fromisoformat(cited["issued_on"])
    covered = tuple(_covered(hold, run))
    declared = {one.dataset for one in covered}
    mine = [finding for finding in facts["findings"] if finding["run"] == run]
    elsewhere = tuple(_finding(found) for found in mine if found["dataset"] not in declared)
    pending = tuple(office.inventory.partner[order["to"]].label for _, order in ordering.open_orders(hold)
                    if order["kind"] != "owner")  # fmt: skip
    return Certificate(
        certificate_no(hold, run), hold.case_no, on, papers.party(hold),
        law.version_on(day_of(hold.case.received_at)).label, f"dsr {version('dsr')}", facts["decided_plan"],
        facts["decided_plan"], frozenset(_worked_on(hold)), covered, date.fromisoformat(facts["suppressed_on"]),
        int(cited["events"]), Head(cited["head"]), facts["decided_by"], facts["approved_by"],
        tuple(_runners(hold)), elsewhere=elsewhere, kept=tuple(_stays(hold)), pending=pending,
        limits=tuple(_limits(covered)), remarks=tuple(_remarks(hold)), language=hold.request.answer.language,
    )  # fmt: skip


def _limits(covered: Sequence[Covered]) -> Iterator[Limit]:
    if any(one.by_hand for one in covered):
        yield "paper"
    if any(one.store == "postgresql" and one.goes for one in covered):
        yield "wal"
    if any(one.finding and one.finding.said.get("explained") for one in covered):
        yield "others"


def _remarks(hold: Hold) -> Iterator[Text]:
    """What an earlier plan did, and whether the survey looked for it (no more may be claimed than was looked at)."""
    unsought = carried.unsought(hold)
    for one in carried.before(hold):
        label = _label(hold, hold.office.inventory.dataset(one.dataset))
        measure, key = say(f"measure.{one.measure}"), "limit_before" if one in unsought else "limit_before_verified"
        yield by_law(key, label=label, measure=measure, n=one.records, date=one.on)


def _worked_on(hold: Hold) -> Iterator[str]:
    return (one.dataset.id for one in plans.frozen(hold) if plans.work_of(hold, one))


def _runners(hold: Hold) -> Iterator[Text]:
    """Who carried it out: the officer who said that it is no dry run, and the owners of the systems that others
    write to, by their names in the inventory."""
    said = hold.result(f"live:{hold.case.facts['decision']}")
    yield said["by"] if said else hold.office.actor.name
    for name in sorted({order["to"] for order in ordering.orders(hold).values() if order["kind"] == "owner"}):
        yield say("owner_of", system=papers.label(hold.office.inventory.system[name]))


def _covered(hold: Hold, run: str) -> Iterator[Covered]:
    office = hold.office
    found = {f["dataset"]: f for f in hold.case.facts["findings"] if f["run"] == run}
    for one in plans.frozen(hold):
        work = plans.work_of(hold, one)
        if not work:
            continue
        name, system = one.dataset.id, office.inventory.system_of(one.dataset)
        said = hold.result(f"erase:{run}:{name}") or {"planned": 0, "changed": 0, "absent": 0}
        finding, measures = found.get(name), plans.measures_of(hold, one)
        goes, looked = bool(set(measures) & GONE), date.fromisoformat(finding["on"]) if finding else office.today
        store, days = office.dialect(system), system.backup_days
        numbers = sorted(number for plan in work for number in record_nos(plan.keys, one.dataset.key).to_pylist())
        yield Covered(
            name, _label(hold, one.dataset), tuple(measures), sum(measures.values()), said["changed"],
            _finding(finding) if finding else None, looked, hold.vault.commit("locators", "\n".join(numbers)),
            said["absent"], hold.case_no if said["absent"] else "", hold.case.facts["datasets"][name]["status"],
            looked + timedelta(days=days) if days is not None and goes else None, store,
            looked + timedelta(days=DBA_DAYS) if store == "postgresql" and goes else None,
            _came_back(hold, name, sum(measures.values())),
        )  # fmt: skip


def _came_back(hold: Hold, name: str, planned: int) -> int:
    """More was erased in all tries together than there is: so many stood there again."""
    first, done = plans.first_run(hold), 0
    runs = [first, *(f"{first}r{n}" for n in range(2, int(hold.case.facts.get("tries", 1)) + 1))]
    for number, run in enumerate(runs, start=1):
        left = (hold.result(f"retry:{runs[number - 2]}:{number}") or {}).get("left", ()) if number > 1 else (name,)
        said = hold.result(f"erase:{run}:{name}") if name in left else None  # else only the first one's, told again
        done += int(said["changed"]) if said else 0
    return max(0, done - planned)


def _finding(said: Mapping[str, Any]) -> Finding:
    return Finding(said["dataset"], said["verdict"], said["level"], said["said"])


def _stays(hold: Hold) -> Iterator[Stays]:
    gone, earlier = _gone(hold), carried.before(hold)
    for name, item in hold.case.facts["items"].items():
        label = _label(hold, hold.office.inventory.dataset(name))
        for at, part in enumerate(item["parts"]):
            if at in gone.get(name, []):
                continue
            if part["until"] and part["rule"] in law.RETENTIONS:
                yield Stays(label, part["rule"], date.fromisoformat(part["until"]))
            elif part["rule"] == planning.HOLD:
                yield Stays(label, state="held_back")
            elif part["ground"]:
                yield Stays(label, state="by_decision")
            elif carried.already(part) and any(carried.beside([part], name, earlier)):
                yield Stays(label, state="stopped_before")


GONE = frozenset({"erased", "deidentified"})
"""Measures after which something is no longer there; a stop of use leaves all of it."""


def _gone_of(hold: Hold) -> list[str]:
    """Systems of which something is gone: what is certified. A correction erases nothing (documents.md §2)."""
    if hold.case.right not in plans.ERASING:
        return []
    return [one.dataset.system for one in plans.frozen(hold) if set(plans.measures_of(hold, one)) & GONE]


def _last_backup(hold: Hold, systems: Sequence[str]) -> date | None:
    days = [hold.office.inventory.system[name].backup_days for name in systems]
    return None if None in days or not days else hold.office.today + timedelta(days=max(d or 0 for d in days))
