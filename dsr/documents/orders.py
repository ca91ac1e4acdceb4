"""Work orders and instructions on paper (作業指図書, 指示書): one page, no person's data, no reason.

Whose data it is stands in the key file alone; the paper names that file and the signed order by their digests.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Literal

from dsr.documents.content import Fact, FileLine, Head, Heading, Letter, Party, Recipient, Section
from dsr.documents.style import both_days
from dsr.documents.wording import cases, say
from dsr.errors import NotAllowed
from dsr.work_order import Measure, Order

Kind = Literal["work_order", "processor_instruction", "joint_user_instruction"]
PAPERS: dict[Kind, tuple[str, str]] = {
    "work_order": ("個人データの取扱いに関する作業指図書", "order"),
    "processor_instruction": ("個人データの取扱いに関する指示書（委託先）", "instruction_processor"),
    "joint_user_instruction": ("個人データの取扱いに関する指示書（共同利用者）", "instruction_joint"),
}
"""Kind → title, and the wording it opens with."""
MEASURES: dict[Measure, str] = {
    "erase": "記録の消去",
    "deidentify": "指定した項目の書換え（識別できない形への加工）",
    "use_stop": "利用の停止",
    "correct": "指定した項目の訂正",
    "provision_stop": "第三者への提供の停止",
}
ANSWER = (
    ("done_on, done_by", "措置を終えた日（2026-11-22 の形）、実施した担当者"),
    ("datasets.<ID>.found, done", "見つかった件数、措置を終えた件数"),
    ("datasets.<ID>.kept", "残した記録の根拠、期限、件数 [{rule, until, records}]"),
    ("datasets.<ID>.note", "特記事項（個人データを書かないでください）"),
    ("sub_processors", "同じ措置を行わせた再委託先の名称"),
)  # fmt: skip
"""The fields of ``dsr.request.OrderAnswer``."""


def order_letter(order: Order, kind: Kind, sender: Party, to: Recipient, system_label: str,
                 dataset_labels: Sequence[str], files: Sequence[FileLine], *, secret: Collection[str] = (),
                 head: Head | None = None) -> Letter:
    """The paper of ``order``; ``files`` are its key file, order document and signature. In Japanese only.

    ``secret``: ids of datasets under secrecy of communications; raises NotAllowed where one would reach a joint user
    (law.md T-13).
    """
    if kind == "joint_user_instruction" and set(secret) & set(order.datasets):
        raise NotAllowed(f"{order.order_no}: data under secrecy of communications never enters joint use; leave it out")
    title, opening = PAPERS[kind]
    facts = (
        Fact("指図番号", order.order_no),
        Fact("対象", f"{system_label}：{'、'.join(dataset_labels)}（{'、'.join(order.datasets)}）"),
        Fact("措置", f"{MEASURES[order.measure]}　鍵ファイルの件数　{cases(order.records)}"),
        Fact("期限", both_days(order.due)),
        Fact("問い合わせ先", sender.desk),
    )
    columns = (Heading("項目", "", 0.32), Heading("記入する内容", ""))
    answer = Section("answer", "回答の様式（JSON）", "", columns, ANSWER, small=True)
    closing = (say("order_keys", "ja"), say("order_checked", "ja"))
    return Letter(kind, title, order.case_no, order.issued_on, replace(sender, desk="", complaint_desk="",
                  accredited_body=""), to, "", "", files=tuple(files), paragraphs=(say(opening, "ja", due=order.due),),
                  closing=closing, head=head, facts=facts, number=order.order_no, sections=(answer,))  # fmt: skip
