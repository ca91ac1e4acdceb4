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
    Letter,
    Masked,
    Party,
    Recipient,
    Redaction,
    Searched,
    Slip,
    Table,
)
from dsr.documents.letter import draw_slip
from dsr.documents.style import era_day, era_month, short_era
from dsr.engine.office import Hold
from dsr.inventory import Dataset, Inventory
from dsr.package import Digested, read_batches
from dsr.rules import clocks
from dsr.rules.redaction import MASKING, shown_as
from dsr.vault import CaseVault

CHAPTERS: tuple[tuple[str, str, frozenset[int]], ...] = (
    ("02", "ご契約", frozenset({1, 2, 3, 4, 32})),
    ("03", "ご請求・お支払い", frozenset({6, 7, 8})),
    ("04", "ご利用履歴", frozenset({9, 10, 11, 33})),
    ("05", "故障・設備", frozenset({5})),
    ("06", "ご相談", frozenset({16, 17})),
    ("07", "電話帳・電報", frozenset({12, 13})),
    ("08", "本人確認の記録", frozenset({14, 15})),
    ("09", "会員サイト", frozenset({24, 25, 26, 30})),
    ("10", "クッキー・広告", frozenset({27, 29, 31})),
    ("11", "同意・ご案内・その他", frozenset({34})),
)
"""Part, title, rows of the record of processing (estate.md); what fits none stands in the last."""

BOOK_ROWS = 9_000
"""About 300 pages; beyond it the longest tables become a monthly summary that names their CSV (documents.md §5)."""

METHOD = {"electronic": "電磁的記録の提供", "paper": "書面の交付", "other": "その他の方法"}
CHANNEL = {
    "post": "郵送",
    "counter": "窓口",
    "phone": "電話",
    "web": "ウェブ",
    "email": "電子メール",
    "fax": "ファクシミリ",
    "other": "その他",
}


def party(hold: Hold) -> Party:
    company = hold.office.inventory.company
    return Party(
        company.name,
        company.address,
        company.representative,
        company.desk,
        company.complaint_desk,
        company.accredited_body,
    )


def recipient(hold: Hold) -> Recipient:
    """The person at the proved address; the agent only with authority to receive (AG-6)."""
    request = hold.request
    agent = request.agent
    home = request.subject.addresses[0] if request.subject.addresses else ""
    if agent and agent.receives_answer:
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
        CHANNEL[request.received.channel],
        law.right(request.right).label,
        scope_text(hold),
        METHOD[request.answer.method],
        due.get("dispatch"),
        office.inventory.company.desk,
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


def scope_text(hold: Hold) -> str:
    scope, inventory = hold.request.scope, hold.office.inventory
    systems = (
        "保有個人データの全部"
        if scope.systems is None
        else "、".join(
            inventory.system[name].label if name in inventory.system else "（ご指定の記録）" for name in scope.systems
        )
    )
    if scope.first or scope.last:
        systems += f"（{japanese_day(scope.first) or 'はじめ'}から{japanese_day(scope.last) or '現在'}まで）"
    return systems


def japanese_day(day: date | None) -> str:
    return era_day(day) if day else ""


# -- the letter ------------------------------------------------------------------------------------------------

TITLES = {
    "full": ("disclosure_decision", "保有個人データ開示決定通知書（全部開示）"),
    "partial": ("disclosure_decision", "保有個人データ開示決定通知書（一部開示）"),
    "refused": ("nondisclosure_notice", "保有個人データ不開示通知書"),
    "not_held": ("absence_notice", "保有個人データ不存在通知書"),
}


def letter(hold: Hold, issued: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> Letter:
    case, request = hold.case, hold.request
    outcome = case.facts["decision_outcome"]
    kind, title = TITLES[outcome]
    lang = request.answer.language
    version = law.version_on(day_of(case.received_at))
    opening = {
        "not_held": [law.wording("absence", lang)],
        "refused": ["ご請求の保有個人データについては、次のとおり開示しないことと決定しましたので、通知します。"],
    }.get(outcome, ["ご請求のありました保有個人データの開示について、次のとおり決定しましたので、通知します。"])
    facts = (
        Fact("ご請求の受付日", japanese_day(day_of(case.received_at))),
        Fact("ご請求の種類", f"{law.right(case.right).label}（{law.right(case.right).basis}）"),
        Fact("ご請求の範囲", scope_text(hold)),
        Fact("開示の方法", METHOD[request.answer.method]),
        Fact("手数料", "0円"),
    )
    closing = (
        f"記録の内容が事実でないときの訂正等、利用の停止・消去等のご請求その他ご不明の点は、{_where(hold)}へお申し出ください。",
        *_open_notes(hold, issued),
    )
    lines = tuple(FileLine(f["path"], f["sha256"], f["size"]) for f in files)
    issued_on = date.fromisoformat(issued["issued_on"])
    return Letter(
        kind,
        title,
        case.case_no,
        issued_on,
        party(hold),
        recipient(hold),
        request.subject.name,
        version.label,
        _items(hold, lang),
        lines,
        tuple(opening),
        closing,
        Head(issued["head"]),
        lang,
        facts,
        number(hold),
    )


def number(hold: Hold) -> str:
    """文書番号: the company's sign with the case's own number."""
    sign = hold.office.inventory.company.document_sign
    return f"{sign}第{hold.case_no.removeprefix('DSR-')}号" if sign else ""


def _where(hold: Hold) -> str:
    return "下記の窓口" if hold.office.inventory.company.desk else "当社"


def _open_notes(hold: Hold, issued: Mapping[str, Any]) -> Iterator[str]:
    again = japanese_day(date.fromisoformat(issued["issued_on"]) + timedelta(days=14))
    for name, draft in hold.case.facts.get("drafts", {}).items():
        if draft.get("unread"):
            label = hold.office.inventory.dataset(name).label
            yield law.wording(
                "under_review", hold.request.answer.language, dataset_label=label, n=draft["unread"], date=again
            )


def _items(hold: Hold, lang: law.Lang) -> tuple[Item, ...]:
    inventory, case, items = hold.office.inventory, hold.case, []
    for name, item in inventory.ordered(case.facts["items"]).items():
        dataset = inventory.dataset(name)
        draft = case.facts.get("drafts", {}).get(name, {})
        grounds = _grounds(item, draft) if item["outcome"] in ("partial", "refused", "not_our_authority") else []
        shown = item["outcome"] in ("full", "partial")
        items.append(
            Item(
                label_of(inventory, dataset),
                law.outcome(item["outcome"]).label,
                f"{draft.get('rows', 0)}件" if shown else "",
                "、".join(law.ground(g).citation for g in grounds),
                _reason(hold, dataset, item, grounds, lang),
            )
        )
    return tuple(items)


def label_of(inventory: Inventory, dataset: Dataset) -> str:
    system = inventory.system_of(dataset).label
    return dataset.label if system == dataset.label else f"{system}／{dataset.label}"


def _grounds(item: Mapping[str, Any], draft: Mapping[str, Any]) -> list[str]:
    """Grounds that stand behind an item, once each, in a fixed order."""
    own = [item["ground"]] if item["ground"] else []
    masked = {key.split(":", 1)[1] for key in draft.get("reasons", {})} | set(draft.get("withheld", {}))
    return own or sorted(ground for ground in masked if ground)


def _reason(hold: Hold, dataset: Dataset, item: Mapping[str, Any], grounds: Sequence[str], lang: law.Lang) -> str:
    if item["outcome"] in ("not_our_authority", "redirected"):
        desk = hold.office.inventory.system_of(dataset).desk
        return law.wording("not_ours", lang, desk=desk) if desk else law.wording("not_ours_unnamed", lang)
    if item["outcome"] in ("not_held", "existence_neutral"):
        return law.wording("absence", lang)
    if item["outcome"] in ("not_asked", "out_of_scope"):
        return law.status_label("not_asked", item["reason"], lang) if item["reason"] else ""
    reasons = [law.ground(g).reason(lang) for g in grounds]
    if item["outcome"] == "partial" and not grounds:  # masks that rest on no refusal: only the tail of an account
        marks = sorted({key.split(":")[0] for key in hold.case.facts["drafts"][dataset.id].get("reasons", {})})
        reasons = [law.mark(mark).line("", lang) for mark in marks]
    words = officers_words(hold).get(dataset.id) if item["outcome"] == "refused" else None
    return " ".join([*([words] if words else []), *reasons])


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
        _legend(hold, lang),
        head=Head(issued["head"]),
        language=lang,
        holdings=holdings(hold, shown),
    )


def shown_datasets(hold: Hold) -> list[Dataset]:
    items = hold.case.facts["items"]
    return [d for d in hold.office.inventory.datasets() if items.get(d.id, {}).get("outcome") in ("full", "partial")]


def _chapters(hold: Hold, shown: Sequence[Dataset]) -> Iterator[Chapter]:
    """Every part, in order; an empty one says which outward result applies (documents.md §5)."""
    long, ended = _too_long(hold, shown), outward(hold)
    for number, title, _rows in CHAPTERS:
        mine = [d for d in shown if _chapter_of(d) == number]
        tables: list[Table] = []
        for dataset in mine:
            if dataset.id in long:
                tables.append(_summary(hold, dataset, in_csv=True))
                continue
            if number == USAGE and int(hold.case.facts["drafts"][dataset.id]["rows"]) > MONTHLY:
                tables.append(_summary(hold, dataset))
            tables.append(_table(hold, dataset))
        yield Chapter(number, title, "", tuple(tables), tuple(_results(hold, number, mine, ended)))


USAGE, MONTHLY = "04", 12
"""The part whose tables begin with monthly sums, where they have more rows than this."""


def _results(
    hold: Hold, part: str, mine: Sequence[Dataset], ended: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    inventory, lang = hold.office.inventory, hold.request.answer.language
    others = [d for d in inventory.datasets() if _chapter_of(d) == part and d not in mine and d.id in ended]
    if not mine and not others:
        yield "この部に当たる記録を扱うシステムはありません。"
    for dataset in others:
        found = ended[dataset.id]
        yield f"{label_of(inventory, dataset)}：{law.status_label(found['status'], found['reason'], lang)}"


def _chapter_of(dataset: Dataset) -> str:
    if dataset.chapter:
        return dataset.chapter
    return next((number for number, _, rows in CHAPTERS if dataset.row in rows), CHAPTERS[-1][0])


def in_volumes(hold: Hold) -> list[Dataset]:
    """Tables too long for the book of somebody who chose paper: every row is printed, apart (M-2)."""
    if hold.request.answer.method != "paper":
        return []
    long = _too_long(hold, shown_datasets(hold))
    return [d for d in shown_datasets(hold) if d.id in long]


def _too_long(hold: Hold, shown: Sequence[Dataset]) -> frozenset[str]:
    """The longest tables, until the rest fits."""
    rows = {d.id: int(hold.case.facts["drafts"][d.id]["rows"]) for d in shown}
    out: set[str] = set()
    for name in sorted(rows, key=lambda name: -rows[name]):
        if sum(count for other, count in rows.items() if other not in out) > BOOK_ROWS:
            out.add(name)
    return frozenset(out)


RUNNING = ("text", "url", "address")
"""Kinds that may run over several lines; numbers, days and names of people never do."""


def _numeric(kind: str) -> bool:
    return kind.split(".")[0] in ("amount", "number", "count", "duration")


def _table(hold: Hold, dataset: Dataset) -> Table:
    return table_of(dataset, lambda: cells_of(hold.vault, dataset), int(hold.case.facts["drafts"][dataset.id]["rows"]))


def table_of(dataset: Dataset, rows: Callable[[], Iterator[Sequence[Cell]]], count: int) -> Table:
    columns = tuple(
        Column(
            name,
            rule.label,
            "right" if _numeric(rule.kind) else "left",
            rule.kind.split(".")[0] in RUNNING,
        )
        for name, rule in dataset.fields.items()
    )
    return Table(dataset.label, dataset.id, columns, rows, count)


def cells_of(vault: CaseVault, dataset: Dataset) -> Iterator[Sequence[Cell]]:
    """Every row of a draft as the book shows it."""
    with vault.reader(f"draft/{dataset.id}.arrow") as source:
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
    if kind.split(".")[0] != "amount" or not text.lstrip("-").isdigit():
        return text
    return ("△" if text.startswith("-") else "") + f"{abs(int(text)):,}"


DATED = ("day", "instant")
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
    with hold.vault.reader(f"draft/{dataset.id}.arrow") as source:
        for batch in read_batches(source):
            for month, row in _by_month(dataset, batch, sums):
                before = months.setdefault(month, [0] * len(row))
                months[month] = [a + b for a, b in zip(before, row, strict=True)]
    columns = (Column("month", "月"), Column("count", "件数", "right"),
               *(Column(name, f"{dataset.fields[name].label} 合計", "right") for name in sums))  # fmt: skip
    rows = [(_era_month(month), *(f"{n:,}" for n in row)) for month, row in sorted(months.items())]
    where = f"分冊と data/{dataset.id}.csv" if hold.request.answer.method == "paper" else f"data/{dataset.id}.csv"
    note = f"行数が多いため月ごとに示します。全ての行は {where} にあります。" if in_csv else ""
    title = dataset.label if in_csv else f"{dataset.label}（月別）"
    return Table(title, dataset.id, columns, lambda: rows, len(rows), note)


SUMMED = ("amount", "duration", "count")


def _by_month(dataset: Dataset, batch: pa.RecordBatch, sums: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """Month (2026-11, or nothing where the dataset has no time) → rows, and the sum of each column's whole numbers."""
    count = batch.num_rows
    month = pc.utf8_slice_codeunits(batch.column(dataset.at.column), 0, 7) if dataset.at else pa.array([""] * count)
    told = {"month": month, "rows": pa.array([1] * count, pa.int64())}
    for name in sums:
        text = batch.column(name)
        told[name] = pc.if_else(pc.match_substring_regex(text, r"^-?[0-9]+$"), text, "0").cast(pa.int64())
    summed = pa.table(told).group_by("month").aggregate([(name, "sum") for name in ("rows", *sums)]).to_pylist()
    for row in summed:
        yield row["month"] or "", [row["rows_sum"], *(row[f"{name}_sum"] for name in sums)]


def _era_month(month: str) -> str:
    found = re.fullmatch(r"(\d{4})-(\d\d)", month)
    return era_month(date(int(found[1]), int(found[2]), 1)) if found else month or "―"


def _about(hold: Hold, shown: Sequence[Dataset]) -> Iterator[Chapter]:
    """12 sources, 13 purposes, 14 recipients, 15 retention, per item shown."""
    inventory, lang = hold.office.inventory, hold.request.answer.language
    none = ("該当する記録はありません。",)
    came = [f"{d.label}：{'、'.join(d.sources)}" for d in shown if d.sources]
    yield Chapter("12", "取得元", "開示する記録を、どこから取得したかを示します。", (), tuple(came) or none)
    used = sorted({number for d in shown for number in d.purposes})
    lines = [
        f"{number}　{inventory.purposes.get(number, '')}（{'、'.join(d.label for d in shown if number in d.purposes)}）"
        for number in used
    ]
    yield Chapter("13", "利用目的", "開示する記録ごとの、公表している利用目的です。", (), tuple(lines) or none)
    names = inventory.recipients
    given = [f"{d.label}：{'、'.join(names.get(r, r) for r in d.recipients)}" for d in shown if d.recipients]
    how = "第三者提供記録の開示は、別のご請求として承ります。"
    yield Chapter("14", "提供先", "取扱いを委託している先などです。", (), (*(given or none), how))
    rules = sorted({rule for d in shown for rule in d.retention})
    kept = [f"{_retention(rule, lang)}（{'、'.join(d.label for d in shown if rule in d.retention)}）" for rule in rules]
    yield Chapter("15", "保存期間", "次の定めにより保存し、期間が過ぎたものは消去します。", (), tuple(kept) or none)


def _retention(rule: str, lang: law.Lang) -> str:
    return law.retention(rule).line(lang) if rule in law.RETENTIONS else rule


def holdings(hold: Hold, shown: Sequence[Dataset]) -> tuple[tuple[str, int], ...]:
    """Rows shown, by part."""
    rows = {number: 0 for number, _, _ in CHAPTERS}
    for dataset in shown:
        rows[_chapter_of(dataset)] += int(hold.case.facts["drafts"][dataset.id]["rows"])
    return tuple((f"{number}　{title}", rows[number]) for number, title, _ in CHAPTERS if rows[number])


def searched(hold: Hold) -> Iterator[Searched]:
    """Every dataset's outward result."""
    inventory, lang = hold.office.inventory, hold.request.answer.language
    for name, ended in outward(hold).items():
        dataset = inventory.dataset(name)
        reason = ended["reason"]
        desk = inventory.system_of(dataset).desk
        detail = law.wording("not_ours", lang, desk=desk) if ended["status"] == "not_ours" and desk else ""
        yield Searched(
            inventory.system_of(dataset).label,
            dataset.label,
            ended["status"],
            law.status_label(ended["status"], reason, lang),
            ended["records"] if ended["status"] == "found" else None,
            detail,
        )


def outward(hold: Hold) -> dict[str, dict[str, Any]]:
    """What papers carry: existence-neutral items look like none found; refused ones are withheld (documents.md §3)."""
    shown: dict[str, dict[str, Any]] = {}
    for name, ended in hold.office.inventory.ordered(hold.case.facts["datasets"]).items():
        outcome = hold.case.facts["items"].get(name, {}).get("outcome")
        if outcome == "existence_neutral":
            shown[name] = {"status": "none_found", "records": 0, "reason": None}
        elif outcome == "refused":
            shown[name] = {"status": "withheld", "records": 0, "reason": None}
        else:
            shown[name] = dict(ended)
    return shown


def redaction_counts(hold: Hold) -> dict[str, int]:
    """``mark:ground`` → cells, over the datasets that are shown; whole rows as ``row:ground``."""
    total: dict[str, int] = {}
    for name, draft in hold.case.facts.get("drafts", {}).items():
        if hold.case.facts["items"][name]["outcome"] in ("full", "partial"):
            for key, count in [*draft["reasons"].items(), *((f"row:{g}", n) for g, n in draft["withheld"].items())]:
                total[key] = total.get(key, 0) + count
    return dict(sorted(total.items()))


def _redactions(hold: Hold) -> Iterator[Redaction]:
    for key, count in redaction_counts(hold).items():
        mark, ground = key.split(":", 1)
        label = "行の全部" if mark == "row" else law.mark(mark).label
        yield Redaction(label, law.ground(ground).citation if ground else "", count)


def _legend(hold: Hold, lang: law.Lang) -> tuple[tuple[str, str], ...]:
    cited: dict[tuple[str, str], list[str]] = {}
    for key in redaction_counts(hold):
        mark, ground = key.split(":", 1)
        if mark != "row":
            at = cited.setdefault((mark, shown_as(mark, ground)), [])
            at += [law.ground(ground).citation] if ground else []
    return tuple((shown, law.mark(mark).line("、".join(found), lang)) for (mark, shown), found in cited.items())


__all__ = ["TOKYO", "book", "draw", "letter", "outward", "receipt_slip", "redaction_counts", "searched"]
