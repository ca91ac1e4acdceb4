"""What an erasure or correction would do, in words and counts, with the short code that its approver types."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from dsr import law
from dsr.documents.style import era_day
from dsr.engine import deciding, ordering, plans
from dsr.engine.office import Hold, Office
from dsr.engine.papers import label_of
from dsr.errors import BadInput
from dsr.rules.lifecycle import State

MEASURE = {
    "erase": "{n}件を消去します", "deidentify": "{n}件を本人が分からないように置き換えます",
    "use_stop": "{n}件の利用を停止します", "keep": "{n}件を保存します", "refuse": "{n}件は変更しません",
    "provision_stop": "{n}件の第三者への提供を停止します",
    "provision_order": "{n}件の第三者への提供の停止を所管部署に指図します",
    "correct": "{n}件を訂正します", "annotate": "{n}件に追記し、又は再発行します（元のまま残します）",
}

BY_OWNER = frozenset({"erase", "deidentify", "provision_stop", "correct", "annotate"})
"""Measures that a work order asks of the owner of a system to which we do not write."""


def preview(office: Office, case_no: str, out: Path) -> list[Path]:
    """``plan.txt`` for people and ``plan.json``: counts, rules, days, grounds; ``records.csv``: the numbers that a hold
    is placed by. No value, but of a
    correction: nobody can approve a value unseen, so what stands, what was asked for and what was decided are told."""
    office.may("preview")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput("--out", "is not an empty folder", "name a new folder")
    with office.hold(case_no) as hold:
        hold.require(State.AWAITING_DECISION, State.AWAITING_APPROVAL, State.FULFILLING)
        told = told_of(hold)
        out.mkdir(parents=True, exist_ok=True)
        (out / "plan.json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        (out / "plan.txt").write_text("\n".join(_lines(hold, told)) + "\n", encoding="utf-8")
        (out / "records.csv").write_text("\n".join(["record,measure", *_records(hold)]) + "\n", encoding="utf-8")
        return [out / "plan.json", out / "plan.txt", out / "records.csv"]


def _records(hold: Hold) -> Iterator[str]:
    """Each record as ``dsr hold add --record`` wants it, and its measure."""
    for one in plans.frozen(hold):
        for number, at in zip(*plans.numbers(one.dataset, one.keys), strict=True):
            yield f'"{one.dataset.id}/{number}",{one.parts[at]["measure"]}'


def told_of(hold: Hold) -> dict[str, Any]:
    case = hold.case
    items = case.facts["items"] or case.facts["proposal"]
    code = deciding.code_of(hold) if case.state is State.AWAITING_APPROVAL else None
    systems = hold.office.inventory.system
    how = {name: systems[name.partition(".")[0]].writes for name, item in items.items() if item["parts"]}
    return {"case": hold.case_no, "right": case.right, "cut_off": case.facts["cut_off"], "code": code,
            "datasets": {name: {**item, "by": how.get(name)} for name, item in items.items()},
            "partners": [partner.key for partner in ordering.instructed(hold)] if case.facts["items"] else [],
            **({"correction": _corrected(hold)} if case.right in plans.CORRECTING else {})}  # fmt: skip


def _corrected(hold: Hold) -> dict[str, Any]:
    """``decided``: None until an officer said what was found true. ``changes``: what stands → what will."""
    asked, facts = hold.request.correction, hold.case.facts
    assert asked is not None
    looked = hold.read_json(f"decision/{facts['decision']}.investigated.json") if facts["items"] else {}
    changes = [change for one in plans.frozen(hold) for change in _changes(hold, one)]
    return {"field": asked.field, "wrong": asked.wrong, "asked": asked.right,
            "decided": plans.true_value(hold) if looked.get("result") == "untrue" else None,
            "how": looked.get("how"), "result": looked.get("result"), "changes": changes}  # fmt: skip


def _changes(hold: Hold, one: plans.Frozen) -> Iterator[dict[str, Any]]:
    """As the order or the write will set them; each pair of values once."""
    counts: Counter[tuple[str, str | None, str | None]] = Counter()
    for plan in plans.to_carry_out(hold, one, None) if hold.case.facts["items"] else ():
        old = plans.with_old(hold, plan).old
        if plan.values is None or old is None:
            continue
        for name in old.column_names:
            pairs = zip(old.column(name).to_pylist(), plan.values.column(name).to_pylist(), strict=True)
            counts.update((name, before, after) for before, after in pairs if before != after)
    for (name, before, after), records in counts.items():
        yield {"dataset": one.dataset.id, "field": name, "old": before, "new": after, "records": records}


def _lines(hold: Hold, told: Mapping[str, Any]) -> Iterator[str]:
    inventory = hold.office.inventory
    yield f"{told['case']}　実行の内容（この計画の基準時点 {told['cut_off']}）"
    for name, item in inventory.ordered(told["datasets"]).items():
        label = label_of(inventory, inventory.dataset(name)).ja
        if not item["parts"]:
            yield f"・{label}：{law.outcome(item['outcome']).label}"
        for part in item["parts"]:
            yield f"・{label}：{MEASURE[part['measure']].format(n=part['records'])}{_why(part)}{_by(item, part)}"
    counts = {word: sum(part["records"] for item in told["datasets"].values() for part in item["parts"]
                        if part["measure"] == word) for word in MEASURE}  # fmt: skip
    total = "、".join(MEASURE[word].format(n=count) for word, count in counts.items() if count)
    yield f"計：{total or '変更するものはありません'}"
    if told["partners"]:
        labels = "、".join(inventory.partner[key].label for key in told["partners"])
        yield f"指図を送る委託先・提携先：{labels}"
    if correction := told.get("correction"):
        yield from _values(hold, correction)
    if told["code"]:
        yield f"承認の符号：{told['code']}　（dsr approve {told['case']} --code {told['code']}）"


def _values(hold: Hold, told: Mapping[str, Any]) -> Iterator[str]:
    yield f"誤りとされた値：{told['wrong']}"
    yield f"請求された値：{told['asked']}"
    yield f"決定した値：{_decided(told)}"
    if told["how"]:
        yield f"調査：{told['how']}（{told['result']}）"
    for change in told["changes"]:
        dataset = hold.office.inventory.dataset(change["dataset"])
        field = label_of(hold.office.inventory, dataset).ja + " " + dataset.fields[change["field"]].label
        yield f"・{field}：{change['old']} → {change['new']}（{change['records']}件）"


def _decided(told: Mapping[str, Any]) -> str:
    if told["decided"] is not None:
        return str(told["decided"])
    return "なし（訂正しません）" if told["result"] else "（未決定）"


def _why(part: Mapping[str, Any]) -> str:
    why = []
    if part["until"]:
        label = law.retention(part["rule"]).label if part["rule"] in law.RETENTIONS else part["rule"]
        why.append(f"{label}により{era_day(date.fromisoformat(part['until']))}まで")
    if part["ground"]:
        why.append(law.ground(part["ground"]).citation)
    why += [f"利用目的 {'・'.join(part['purposes'])}"] if part["purposes"] else []
    return f"（{'、'.join(why)}）" if why else ""


def _by(item: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    ordered = item["by"] == "work_order" and part["measure"] in BY_OWNER
    return "［所管部署への作業指図書による］" if ordered else ""
