"""What a case says on paper: the content of slip, letter and book, outward statuses only (documents.md §1, §5)."""

from __future__ import annotations

import hashlib
import hmac
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dsr import law
from dsr.days import TOKYO, day_of
from dsr.documents.content import (
    Book,
    Cell,
    Chapter,
    Column,
    Fact,
    FileLine,
    Head,
    Item,
    Language,
    Letter,
    Masked,
    Party,
    Recipient,
    Redaction,
    Searched,
    Slip,
    Table,
    Text,
    Words,
    after,
    listed,
)
from dsr.documents.letter import draw_slip
from dsr.documents.rows import pages_asked
from dsr.documents.style import said_day, said_month, short_era
from dsr.documents.wordings import part, say
from dsr.engine import guarding, remembering, reviewing, stated
from dsr.engine.fetched import fetched
from dsr.engine.office import Hold
from dsr.inventory import Dataset, FieldRule, Inventory, System, is_value
from dsr.package import Digested, read_batches
from dsr.rules import clocks, courses, proposing, scope
from dsr.rules.redaction import MASKING, shown_as
from dsr.vault import CaseVault

CHAPTERS: tuple[tuple[str, frozenset[int]], ...] = (
    ("02", frozenset({1, 2, 3, 4, 32})),
    ("03", frozenset({6, 7, 8})),
    ("04", frozenset({9, 10, 11, 33})),
    ("05", frozenset({5})),
    ("06", frozenset({16, 17})),
    ("07", frozenset({12, 13})),
    ("08", frozenset({14, 15})),
    ("09", frozenset({24, 25, 26, 30})),
    ("10", frozenset({27, 29, 31})),
    ("11", frozenset({34})),
)
"""Part, rows of the record of processing (estate.md); what fits none stands in the last."""

BOOK_PAGES = 280
"""Of tables, in a book of about 300; beyond it the longest become a monthly summary that names their CSV
(documents.md §5)."""
ROWS_OF_A_PAGE = 45
"""At most: nothing longer than the whole book is laid out to be counted."""


def both(said: Callable[[Language], str]) -> Words:
    """What law says in one language, in both."""
    return Words(said("ja"), said("en"))


def own(inventory: Inventory, text: str) -> Text:
    """A text of the inventory, with its gloss if the inventory has one."""
    return Words(text, inventory.english[text]) if text in inventory.english else text


def party(hold: Hold) -> Party:
    return party_of(hold.office.inventory)


def party_of(inventory: Inventory) -> Party:
    company = inventory.company
    told = (company.name, company.address, company.representative, company.desk, company.complaint_desk,
            company.accredited_body)  # fmt: skip
    return Party(*(own(inventory, text) for text in told))


def edition(hold: Hold, step: str) -> str:
    """A step that makes papers, anew for each address that was proved since (ID-8)."""
    again = hold.case.facts.get("addressed", 0)
    return f"{step}@{again}" if again else step


ADDRESS = "address.json"
"""In the vault: the address that was proved after the request arrived."""


def recipient(hold: Hold) -> Recipient:
    """The person at the proved address; the agent only with authority to receive (AG-6), and hers alone (AG-7)."""
    request = hold.request
    agent = request.agent
    home = request.subject.addresses[0] if request.subject.addresses else ""
    if hold.vault.exists(ADDRESS):
        home = hold.read_json(ADDRESS)["address"]
    if agent and agent.receives_answer and not guarding.for_her_alone(hold):
        return Recipient(agent.name, agent.address or home)
    return Recipient(request.subject.name, home)


def check_word(hold: Hold) -> str:
    """A word both sides can say on the telephone: four kana from the case's own key, in no list anywhere."""
    drawn = hmac.new(bytes.fromhex(hold.vault.commit("word", hold.case_no)), b"word", hashlib.sha256).digest()
    return "".join("アイウエカキクケサシスタチツナニハヒフマミムヤラリル"[byte % 24] for byte in drawn[:4])


def receipt_slip(hold: Hold) -> dict[str, Any]:
    """Draws 受付票 into the vault; returns its document entry."""
    request, case, office = hold.request, hold.case, hold.office
    arrived = day_of(case.received_at)
    due = {target.what: target.due for target in clocks.targets(arrived, None, office.calendar)}
    slip = Slip(
        case.case_no,
        day_of(office.now),
        party(hold),
        recipient(hold),
        arrived,
        say(f"channel.{request.received.channel}"),
        _right(request.right),
        scope_text(hold),
        say(f"method.{hold.method}"),
        due.get("dispatch"),
        own(office.inventory, office.inventory.company.desk),
        (),
        check_word(hold),
        language=request.answer.language,
    )
    return draw(hold, "receipt_slip", "documents/receipt.pdf", lambda out: draw_slip(slip, out))


def draw(hold: Hold, kind: str, name: str, drawing: Callable[[Any], int]) -> dict[str, Any]:
    """Draw a PDF into the sealed folder; returns path, kind, sha256, pages and size."""
    page = io.BytesIO()
    pages = drawing(page)
    with hold.vault.writer(name) as out:
        sink = Digested(out)
        sink.write(page.getvalue())
    return {"path": name, "kind": kind, "sha256": sink.sha256, "pages": pages, "size": sink.size}


def _right(right: str) -> Words:
    return Words(law.right(right).label, law.right(right).label_en)


def scope_text(hold: Hold) -> Words:
    scope, inventory = hold.request.scope, hold.office.inventory
    if scope.systems is None:
        systems = say("everything")
    else:
        systems = listed([label(inventory.system[name]) if name in inventory.system else say("named")
                          for name in scope.systems])  # fmt: skip
    if scope.first or scope.last:
        first = said_day(scope.first) if scope.first else say("from_first")
        last = said_day(scope.last) if scope.last else say("to_now")
        return say("scoped", systems=systems, first=first, last=last)
    return systems


def label(declared: System | Dataset | FieldRule) -> Words:
    return Words(declared.label, declared.label_en)


# -- the letter ------------------------------------------------------------------------------------------------

KINDS = {
    "full": "disclosure_decision",
    "partial": "disclosure_decision",
    "refused": "nondisclosure_notice",
    "not_held": "absence_notice",
}


def letter(hold: Hold, issued: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> Letter:
    case, request = hold.case, hold.request
    outcome, lang = case.facts["decision_outcome"], request.answer.language
    version = law.version_on(day_of(case.received_at))
    right = law.right(case.right, version)
    opening = {
        "not_held": both(lambda lang: law.wording("absence", lang)),
        "refused": say("opening.refused"),
    }.get(outcome, say("opening.decided")) if not open_datasets(hold) else say("opening.interim")
    basis = Words(right.basis, law.in_english(right.basis))
    facts = (
        Fact(say("request_received"), said_day(day_of(case.received_at))),
        Fact(say("right"), say("based", right=_right(case.right), basis=basis)),
        Fact(say("scope"), scope_text(hold)),
        Fact(say("disclosed_by"), say("method_changed" if case.facts.get("method_changed") else "as_asked",
                                      method=say(f"method.{hold.method}"))),
        Fact(say("fee"), _fee(hold)),
    )
    absence = both(lambda lang: law.wording("absence", lang))
    closing = (
        *([listed([say("asked_besides"), absence], " ", " ")] if request.asks_existence else []),
        say("what_next", where=_where(hold)),
        *_open_notes(hold, issued),
        *([say("glossed")] if lang == "en" else []),
    )
    lines = tuple(FileLine(f["path"], f["sha256"], f["size"]) for f in files)
    issued_on = date.fromisoformat(issued["issued_on"])
    whole = not open_datasets(hold)
    return Letter(
        KINDS[outcome] if whole else "interim_answer",
        say(f"title.{outcome}" if whole else "interim_answer"),
        case.case_no,
        issued_on,
        party(hold),
        recipient(hold),
        request.subject.name,
        Words(version.label, version.label_en),
        _items(hold),
        lines,
        (opening,),
        closing,
        Head(issued["head"]),
        lang,
        facts,
        number(hold),
    )


def _fee(hold: Hold) -> Words:
    fee = hold.case.facts.get("fee") or {}
    return Words(f"{fee['yen']:,}円", f"{fee['yen']:,} yen") if fee.get("paid_on") else say("no_fee")


def open_datasets(hold: Hold) -> list[str]:
    """Of which this answer says nothing yet: they follow (一部先行回答)."""
    ended = hold.case.facts.get("datasets", {})
    return [name for name in hold.case.facts["items"] if name in ended and scope.is_open(ended[name])]


def number(hold: Hold) -> str:
    """文書番号: the company's sign with the case's own number."""
    sign = hold.office.inventory.company.document_sign
    return f"{sign}第{hold.case_no.removeprefix('DSR-')}号" if sign else ""


def _where(hold: Hold) -> Words:
    return say("where.desk" if hold.office.inventory.company.desk else "where.company")


def _open_notes(hold: Hold, issued: Mapping[str, Any]) -> Iterator[Words]:
    again = said_day(date.fromisoformat(issued["issued_on"]) + timedelta(days=14))
    for name, n in unread(hold).items():
        yield _under_review(label(hold.office.inventory.dataset(name)), n, again)


def unread(hold: Hold) -> dict[str, int]:
    """Notes that nobody has read, of what is shown: of what is withheld, or must not be known, none is owed (DC-5)."""
    items, drafts = hold.case.facts["items"], hold.case.facts.get("drafts", {})
    told = {name: int(draft.get("unread", 0)) for name, draft in drafts.items()
            if items.get(name, {}).get("outcome") in ("full", "partial")}  # fmt: skip
    return {name: n for name, n in told.items() if n}


def _under_review(dataset: Words, n: int, day: Words) -> Words:
    return both(lambda lang: law.wording("under_review", lang, dataset_label=dataset.of(lang), n=n, date=day.of(lang)))


def _items(hold: Hold) -> tuple[Item, ...]:
    inventory, case, items = hold.office.inventory, hold.case, []
    for name, item in inventory.ordered(case.facts["items"]).items():
        dataset = inventory.dataset(name)
        draft = case.facts.get("drafts", {}).get(name, {})
        grounds = _grounds(item, draft) if item["outcome"] in ("partial", "refused", *OUTSIDE) else []
        shown, outcome = item["outcome"] in ("full", "partial"), _outward(item["outcome"])
        items.append(
            Item(
                label_of(inventory, dataset),
                Words(outcome.label, outcome.label_en),
                f"{draft.get('rows', 0)}件" if shown else "",
                listed([_citation(law.ground(g)) for g in grounds]),
                _reason(hold, dataset, item, grounds),
            )
        )
    return tuple(items)


def _outward(outcome: str) -> law.Outcome:
    """As papers carry it: what must not be known is not held (documents.md §3, DC-5)."""
    return law.outcome(law.outcome(outcome).outward or outcome)


def _citation(ground: law.Ground) -> Words:
    return Words(ground.citation, law.in_english(ground.citation))


def label_of(inventory: Inventory, dataset: Dataset) -> Words:
    system = inventory.system_of(dataset)
    return label(dataset) if system.label == dataset.label else listed([label(system), label(dataset)], "／", " / ")


def _grounds(item: Mapping[str, Any], draft: Mapping[str, Any]) -> list[str]:
    """Grounds that stand behind an item, once each, in a fixed order."""
    own = [item["ground"]] if item["ground"] else []
    masked = {key.split(":", 1)[1] for key in draft.get("reasons", {})} | set(withheld(draft))
    return own or sorted(ground for ground in masked if ground)


def _reason(hold: Hold, dataset: Dataset, item: Mapping[str, Any], grounds: Sequence[str]) -> Words:
    if item["outcome"] in ("not_our_authority", "redirected"):
        return _not_ours(hold, dataset) or both(lambda lang: law.wording("not_ours_unnamed", lang))
    if _outward(item["outcome"]).id == "not_held":
        return remembered(hold, dataset) or both(lambda lang: law.wording("absence", lang))
    if dataset.id in open_datasets(hold):
        return _follows(hold, dataset)
    reasons = [both(law.ground(g).reason) for g in grounds]
    if item["outcome"] in ("not_asked", "out_of_scope"):
        return listed([unasked(item), *reasons], " ", " ")
    before = [erased_in_part(hold, dataset.id)] if item["outcome"] in ("full", "partial") else []
    if item["outcome"] == "partial" and not grounds:  # masks that rest on no refusal: only the tail of an account
        marks = sorted({key.split(":")[0] for key in hold.case.facts["drafts"][dataset.id].get("reasons", {})})
        reasons = [Words(law.mark(mark).legend, law.mark(mark).legend_en) for mark in marks]
    words = [officers_words(hold).get(dataset.id)] if item["outcome"] == "refused" else _of_records(hold, dataset)
    return listed([part for part in (*words, *reasons, *before) if part], " ", " ")


def _of_records(hold: Hold, dataset: Dataset) -> list[str]:
    """What the officer says of records that are withheld apart; never of one that must not be known."""
    told, words = reviewing.apart_of(hold, dataset.id), officers_words(hold)
    return list(dict.fromkeys(words[f"{dataset.id}/{number}"] for number, ground in told.items() if ground))


def _follows(hold: Hold, dataset: Dataset) -> Words:
    """Never that there is nothing: that we do not know yet, and by when we shall."""
    system = label(hold.office.inventory.system_of(dataset))
    by = said_day(date.fromisoformat(hold.case.facts["rest_by"]))
    return both(lambda lang: law.wording("unreachable", lang, system_label=system.of(lang), date=by.of(lang)))


def remembered(hold: Hold, dataset: Dataset) -> Words:
    """Where nothing is found: since when it is not there, by an earlier request, and what that one left; else empty."""
    kept = [_kept_line(hold.office.inventory, one, part) for one, part in remembering.kept_before(hold, dataset.id)]
    if kept:
        return listed([text for text in (erased_in_part(hold, dataset.id), *kept) if text], "", " ")
    day = remembering.erased_on(hold, dataset.id)
    return _dated("erased", day) if day else Words("")


def _dated(key: str, day: date) -> Words:
    said = said_day(day)
    return both(lambda lang: law.wording(key, lang, date=said.of(lang)))


def unasked(item: Mapping[str, Any]) -> Words:
    """Why nothing was searched, where that is final."""
    if item["outcome"] == "out_of_scope":
        return both(lambda lang: law.wording("out_of_scope", lang))
    return _status("not_asked", item["reason"]) if item["reason"] else Words("")


def erased_in_part(hold: Hold, dataset_id: str) -> Words:
    """Beside records that are there: that others are not any more, and since when; else empty (EN-12)."""
    day = remembering.erased_on(hold, dataset_id)
    return _dated("erased_in_part", day) if day else Words("")


def _not_ours(hold: Hold, dataset: Dataset) -> Words:
    """Empty where no desk may be named."""
    desk = own(hold.office.inventory, hold.office.inventory.system_of(dataset).desk) or _desk_given(hold, dataset)
    told = Words(desk) if isinstance(desk, str) else desk
    return both(lambda lang: law.wording("not_ours", lang, desk=told.of(lang))) if told else told


def _desk_given(hold: Hold, dataset: Dataset) -> str:
    """By the officer, of what was found and is not ours; true says that it may not be named."""
    name = f"decision/{hold.case.facts.get('decision')}.given.json"
    found = hold.case.facts["datasets"][dataset.id]["status"] == "found"
    desk = hold.read_json(name).get("desk") if found and hold.vault.exists(name) else ""
    return desk if isinstance(desk, str) else ""


def _status(status: str, reason: str | None) -> Words:
    return both(lambda lang: law.status_label(status, reason, lang))


def officers_words(hold: Hold) -> Mapping[str, str]:
    """Dataset id → why the decision departs from the proposal there."""
    number = hold.case.facts.get("decision")
    return hold.read_json(f"decision/{number}.json") if number else {}


# -- the book --------------------------------------------------------------------------------------------------


def book(hold: Hold, issued: Mapping[str, Any]) -> Book:
    case, lang, shown = hold.case, hold.request.answer.language, shown_datasets(hold)
    chapters = [*_chapters(hold, shown), *_about(hold, shown)]
    issued_on = date.fromisoformat(issued["issued_on"])
    return Book(
        case.case_no,
        issued_on,
        party(hold),
        recipient(hold),
        tuple(chapters),
        tuple(searched(hold)),
        tuple(_redactions(hold)),
        _legend(hold),
        title=say("title.book"),
        head=Head(issued["head"]),
        language=lang,
        holdings=holdings(hold, shown),
    )


def shown_datasets(hold: Hold) -> list[Dataset]:
    items = hold.case.facts["items"]
    shown = (d for d in hold.office.inventory.datasets() if items.get(d.id, {}).get("outcome") in ("full", "partial"))
    return [stated.beside(hold, dataset) for dataset in shown]


def _chapters(hold: Hold, shown: Sequence[Dataset]) -> Iterator[Chapter]:
    """Every part, in order; an empty one says which outward result applies (documents.md §5)."""
    long, ended = _too_long(hold, shown), outward(hold)
    for number, _rows in CHAPTERS:
        mine = [d for d in shown if _chapter_of(d) == number]
        tables: list[Table] = []
        for dataset in mine:
            if dataset.id in long:
                tables.append(_summary(hold, dataset, in_csv=True))
                continue
            if number == USAGE and int(hold.case.facts["drafts"][dataset.id]["rows"]) > MONTHLY:
                tables.append(_summary(hold, dataset))
            tables.append(_table(hold, dataset))
        yield Chapter(number, part(number), "", tuple(tables), tuple(_results(hold, number, mine, ended)))


USAGE, MONTHLY = "04", 12
"""The part whose tables begin with monthly sums, where they have more rows than this."""


def _results(
    hold: Hold, part: str, mine: Sequence[Dataset], ended: Mapping[str, Mapping[str, Any]]
) -> Iterator[Words]:
    inventory = hold.office.inventory
    told = {dataset.id for dataset in mine}
    others = [d for d in inventory.datasets() if _chapter_of(d) == part and d.id in ended.keys() - told]
    if not mine and not others:
        yield say("no_system")
    for dataset in others:
        found = ended[dataset.id]
        result = _status(found["status"], found["reason"])
        yield say("ended", label=label_of(inventory, dataset), result=result)


def _chapter_of(dataset: Dataset) -> str:
    if dataset.chapter:
        return dataset.chapter
    return next((number for number, rows in CHAPTERS if dataset.row in rows), CHAPTERS[-1][0])


def in_volumes(hold: Hold) -> list[Dataset]:
    """Tables too long for the book of somebody who chose paper: every row is printed, apart (M-2)."""
    if hold.method != "paper":
        return []
    long = _too_long(hold, shown_datasets(hold))
    return [d for d in shown_datasets(hold) if d.id in long]


def _too_long(hold: Hold, shown: Sequence[Dataset]) -> frozenset[str]:
    """The tables of the most pages, until the rest fits."""
    pages = {dataset.id: _least_pages(hold, dataset) for dataset in shown}
    out: set[str] = set()
    for name in sorted(pages, key=lambda name: -pages[name]):
        if sum(count for other, count in pages.items() if other not in out) > BOOK_PAGES:
            out.add(name)
    return frozenset(out)


def _least_pages(hold: Hold, dataset: Dataset) -> float:
    least = int(hold.case.facts["drafts"][dataset.id]["rows"]) / ROWS_OF_A_PAGE
    return least if least > BOOK_PAGES else pages_of(hold, dataset)


def pages_of(hold: Hold, dataset: Dataset) -> float:
    return pages_asked(_table(hold, dataset), hold.request.answer.language)


RUNNING = ("text", "url", "address", stated.KIND)
"""Kinds that may run over several lines; numbers, days and names of people never do."""


def _numeric(kind: str) -> bool:
    return kind.split(".")[0] in ("amount", "number", "count", "duration")


def _table(hold: Hold, dataset: Dataset) -> Table:
    file, rows = reviewing.file_of(hold, dataset.id), int(hold.case.facts["drafts"][dataset.id]["rows"])
    return table_of(dataset, lambda: cells_of(hold.vault, dataset, file), rows)


def table_of(dataset: Dataset, rows: Callable[[], Iterator[Sequence[Cell]]], count: int) -> Table:
    columns = tuple(
        Column(
            name,
            label(rule),
            "right" if _numeric(rule.kind) else "left",
            rule.kind.split(".")[0] in RUNNING,
        )
        for name, rule in dataset.fields.items()
    )
    return Table(label(dataset), dataset.id, columns, rows, count)


def cells_of(vault: CaseVault, dataset: Dataset, file: str) -> Iterator[Sequence[Cell]]:
    """Every row of a draft as the book shows it."""
    with vault.reader(file) as source:
        for batch in read_batches(source):
            for row in batch.to_pylist():
                marks = dict(_mark(entry) for entry in reversed(row[MASKING].split(";"))) if row[MASKING] else {}
                yield [
                    Masked(row[name], *marks[name]) if name in marks else _figure(rule.kind, row[name])
                    for name, rule in dataset.fields.items()
                ]


def _figure(kind: str, text: str) -> str:
    """Yen with separators, minus as △; days by the Japanese calendar (pdf.md §5); anything else as stored."""
    if kind.split(".")[0] in DATED or kind == "user.born_on":
        return _era(text)
    if kind.split(".")[0] != "amount" or not re.fullmatch(_WHOLE, text):
        return text
    return ("△" if text.startswith("-") else "") + f"{abs(int(text)):,}"


DATED = ("day", "instant")
_WHOLE = "^-?[0-9]{1,60}$"  # what a sum of 76 digits holds a thousand million million times
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d:\d\d:\d\d)(?:\+09:00)?)?")


def _era(text: str) -> str:
    """R8.11.22 09:00:00 for 2026-11-22 09:00:00 of Japan's time; what is no such day as it is. Data files keep ISO."""
    found = _ISO.fullmatch(text)
    try:
        day = date(*map(int, found.groups()[:3])) if found else None
    except ValueError:
        return text
    if not found or day is None or (short := short_era(day)) is None:
        return text
    return f"{short} {found[4]}" if found[4] else short


def _mark(entry: str) -> tuple[str, tuple[str, str]]:
    name, mark, ground = entry.split(":", 2)
    return name, (mark, ground)


def _summary(hold: Hold, dataset: Dataset, in_csv: bool = False) -> Table:
    """Rows and sums by month. ``in_csv``: in place of the rows, which stand in the CSV that the note names."""
    sums = [name for name, rule in dataset.fields.items() if rule.kind.split(".")[0] in SUMMED]
    months: dict[str, list[int]] = {}
    with hold.vault.reader(reviewing.file_of(hold, dataset.id)) as source:
        for batch in read_batches(source):
            for month, row in _by_month(dataset, batch, sums):
                before = months.setdefault(month, [0] * len(row))
                months[month] = [a + b for a, b in zip(before, row, strict=True)]
    columns = (Column("month", say("month")), Column("count", say("count"), "right"),
               *(Column(name, say("sum", label=label(dataset.fields[name])), "right") for name in sums))  # fmt: skip
    rows = [(_era_month(month), *(f"{n:,}" for n in row)) for month, row in sorted(months.items())]
    paper = hold.method == "paper"
    where = say("in_volumes", dataset=dataset.id) if paper else f"data/{dataset.id}.csv"
    note = say("in_csv", where=where) if in_csv else ""
    title = label(dataset) if in_csv else say("monthly", label=label(dataset))
    return Table(title, dataset.id, columns, lambda: rows, len(rows), note)


SUMMED = ("amount", "duration", "count")


def _by_month(dataset: Dataset, batch: pa.RecordBatch, sums: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """Month (2026-11, or nothing where the dataset has no time) → rows, and the sum of each column's whole numbers."""
    count = batch.num_rows
    month = pc.utf8_slice_codeunits(batch.column(dataset.at.column), 0, 7) if dataset.at else pa.array([""] * count)
    told = {"month": month, "rows": pa.array([1] * count, pa.int64())}
    for name in sums:
        text = batch.column(name)
        told[name] = pc.if_else(pc.match_substring_regex(text, _WHOLE), text, "0").cast(pa.decimal256(76))
    summed = pa.table(told).group_by("month").aggregate([(name, "sum") for name in ("rows", *sums)]).to_pylist()
    for row in summed:
        yield row["month"] or "", [row["rows_sum"], *(int(row[f"{name}_sum"]) for name in sums)]


def _era_month(month: str) -> Text:
    found = re.fullmatch(r"(\d{4})-(\d\d)", month)
    return said_month(date(int(found[1]), int(found[2]), 1)) if found else month or "―"


def _about(hold: Hold, shown: Sequence[Dataset]) -> Iterator[Chapter]:
    """12 sources, 13 purposes, 14 recipients, 15 retention, per item shown."""
    inventory, none = hold.office.inventory, (say("none"),)
    came = [_ended(d, [own(inventory, source) for source in d.sources]) for d in shown if d.sources]
    yield Chapter("12", part("12"), say("intro.12"), (), tuple(came) or none)
    stopped = [d for d in shown if _stopped(hold, d)]
    used = {number: [d for d in shown if number in d.purposes and not (d in stopped and _offers(inventory, number))]
            for number in sorted({number for d in shown for number in d.purposes})}  # fmt: skip
    lines = [
        say("numbered", number=number, what=_of(own(inventory, inventory.purposes.get(number, "")), for_it))
        for number, for_it in used.items() if for_it
    ]
    lines += [say("ended", label=label(d), result=say("use_is_stopped")) for d in stopped]
    yield Chapter("13", part("13"), say("intro.13"), (), tuple(lines) or none)
    names = inventory.recipients
    given = [_ended(d, [own(inventory, names.get(r, r)) for r in d.recipients]) for d in shown if d.recipients]
    yield Chapter("14", part("14"), say("intro.14"), (), (*(given or none), say("provision_records")))
    rules = sorted({rule for d in shown for rule in d.retention})
    kept = [_of(_retention(rule), [d for d in shown if rule in d.retention]) for rule in rules]
    kept += [say("statement_kept", label=label(d)) for d in shown if stated.COLUMN in d.fields]
    kept += [line for one in remembering.earlier(hold) for line in _remembered(inventory, one)]
    yield Chapter("15", part("15"), say("intro.15"), (), tuple(kept) or none)


def _ended(dataset: Dataset, told: Sequence[Text]) -> Words:
    return say("ended", label=label(dataset), result=listed(told))


def _of(what: Text, datasets: Sequence[Dataset]) -> Words:
    """A purpose or rule, and of which datasets it is one."""
    return say("of", what=what, labels=listed([label(d) for d in datasets]))


def _stopped(hold: Hold, dataset: Dataset) -> bool:
    """Every record of it says that its use was stopped."""
    rows = (row for batch in fetched(hold, dataset) for row in batch.select(list(dataset.use_stop)).to_pylist())
    return bool(dataset.use_stop) and all(is_value(row[name], set_to) for row in rows
                                          for name, set_to in dataset.use_stop.items())  # fmt: skip


def _offers(inventory: Inventory, purpose: str) -> bool:
    return inventory.purpose_kinds.get(purpose) == "offer"


def _remembered(inventory: Inventory, one: remembering.Earlier) -> Iterator[Words]:
    """Of an earlier erasure: what is kept why and how long, and what we hold of the request itself."""
    yield from (_kept_line(inventory, one, kept) for kept in one.kept)
    yield both(lambda lang: law.wording("suppressed" if one.erased else "suppressed_stop", lang))
    if one.file_until is None:
        return
    decided, file = said_day(one.decided_on), said_day(one.file_until)
    yield both(lambda lang: law.wording("earlier_file", lang, day=decided.of(lang), date=file.of(lang)))


def _kept_line(inventory: Inventory, one: remembering.Earlier, kept: Mapping[str, Any]) -> Words:
    rule = law.retention(kept["rule"])
    return say("kept_on_erasure", day=said_day(one.decided_on), label=label(inventory.dataset(kept["dataset"])),
               n=kept["records"], rule=Words(rule.label, rule.label_en),
               until=said_day(date.fromisoformat(kept["until"])))  # fmt: skip


def _retention(rule: str) -> Text:
    return both(law.retention(rule).line) if rule in law.RETENTIONS else rule


def holdings(hold: Hold, shown: Sequence[Dataset]) -> tuple[tuple[Text, int], ...]:
    """Rows shown, by part."""
    rows = {number: 0 for number, _ in CHAPTERS}
    for dataset in shown:
        rows[_chapter_of(dataset)] += int(hold.case.facts["drafts"][dataset.id]["rows"])
    return tuple((after(f"{number}　", part(number)), rows[number]) for number, _ in CHAPTERS if rows[number])


def searched(hold: Hold) -> Iterator[Searched]:
    """Every dataset's outward result."""
    inventory = hold.office.inventory
    for name, ended in outward(hold).items():
        dataset = inventory.dataset(name)
        yield Searched(
            label(inventory.system_of(dataset)),
            label(dataset),
            ended["status"],
            _status(ended["status"], ended["reason"]),
            ended["records"] if ended["status"] == "found" else None,
            _not_ours(hold, dataset) if ended["status"] == "not_ours" else "",
        )


def outward(hold: Hold) -> dict[str, dict[str, Any]]:
    """What papers carry: what must not be known looks like none found, and is in no count (documents.md §3)."""
    shown: dict[str, dict[str, Any]] = {}
    if hold.case.facts.get(courses.FAILED):  # refused on procedure: silent about whether any data exists
        return shown
    drafts = hold.case.facts.get("drafts", {})
    for name, ended in hold.office.inventory.ordered(hold.case.facts.get("datasets", {})).items():
        status = OUTWARD.get(hold.case.facts.get("items", {}).get(name, {}).get("outcome"))
        if status and ended["status"] == "found":
            shown[name] = {"status": status, "records": 0, "reason": None}
        else:
            draft = drafts.get(name, {})
            unknown = draft.get("unknown", 0) + sum(proposing.unknowable_of(draft).values())
            shown[name] = {**ended, "records": ended["records"] - unknown}
    return shown


OUTWARD = {"existence_neutral": "none_found", "refused": "withheld", "out_of_scope": "withheld",
           "not_our_authority": "not_ours", "redirected": "not_ours"}  # fmt: skip
"""Outcome → status on paper of a dataset in which rows were found."""
OUTSIDE = ("out_of_scope", "not_our_authority", "redirected")


def withheld(draft: Mapping[str, Any]) -> dict[str, int]:
    """Ground → rows withheld whole, as papers tell it."""
    unknowable = proposing.unknowable_of(draft)
    return {ground: n for ground, n in draft.get("withheld", {}).items() if ground not in unknowable}


def redaction_counts(hold: Hold) -> dict[str, int]:
    """``mark:ground`` → cells, over the datasets that are shown; whole rows as ``row:ground``."""
    total: dict[str, int] = {}
    for name, draft in hold.case.facts.get("drafts", {}).items():
        if hold.case.facts["items"].get(name, {}).get("outcome") in ("full", "partial"):
            for key, count in [*draft["reasons"].items(), *((f"row:{g}", n) for g, n in withheld(draft).items())]:
                total[key] = total.get(key, 0) + count
    return dict(sorted(total.items()))


def _redactions(hold: Hold) -> Iterator[Redaction]:
    for key, count in redaction_counts(hold).items():
        mark, ground = key.split(":", 1)
        said = say("whole_row") if mark == "row" else Words(law.mark(mark).label, law.mark(mark).label_en)
        yield Redaction(said, _citation(law.ground(ground)) if ground else "", count)


def _legend(hold: Hold) -> tuple[tuple[str, Text], ...]:
    cited: dict[tuple[str, str], list[Words]] = {}
    for key in redaction_counts(hold):
        mark, ground = key.split(":", 1)
        if mark != "row":
            at = cited.setdefault((mark, shown_as(mark, ground)), [])
            at += [_citation(law.ground(ground))] if ground else []
    return tuple((shown, _explained(mark, listed(found))) for (mark, shown), found in cited.items())


def _explained(mark: str, citation: Words) -> Words:
    return both(lambda lang: law.mark(mark).line(citation.of(lang), lang))


__all__ = ["TOKYO", "book", "draw", "letter", "outward", "receipt_slip", "redaction_counts", "searched"]
