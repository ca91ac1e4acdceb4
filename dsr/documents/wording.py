"""A fixed wording as it is printed: in Japanese, with the English beneath it where that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from dsr import law
from dsr.documents.content import Heading, Language, Section, Told
from dsr.documents.style import era_day

Both = tuple[str, str]
"""The same thing in Japanese and in English."""
DASH = "―"


def say(key: str, language: Language, **fields: str | int | date | Both) -> str:
    """``law.wording``; a day is 令和8年11月22日 in the Japanese text and 2026-11-22 in the English. Raises BadInput."""
    japanese = law.wording(key, "ja", **{name: _in(value, 0) for name, value in fields.items()})
    if language == "ja":
        return japanese
    return f"{japanese}\n{law.wording(key, 'en', **{name: _in(value, 1) for name, value in fields.items()})}"


def _in(value: str | int | date | Both, which: int) -> str | int:
    if isinstance(value, tuple):
        return value[which]
    if isinstance(value, date):
        return value.isoformat() if which else era_day(value)
    return value


def both(pair: Both, language: Language, between: str = "\n") -> str:
    return between.join(pair) if language == "en" else pair[0]


def day(when: date | None) -> str:
    return era_day(when) if when else DASH


def cases(number: int | None) -> str:
    return DASH if number is None else f"{number:,}件"


def statute(rule: str) -> Both:
    """The rule's name for the middle of a sentence: without the remark that its label carries in brackets."""
    row = law.retention(rule)
    return row.label.partition("（")[0], row.label_en.partition(" (")[0]


KINDS: dict[str, Both] = {
    "processor": ("委託先", "processor"),
    "joint": ("共同利用者", "joint user"),
    "recipient": ("提供先", "recipient"),
}
WAITING: Both = ("回答待ち", "answer awaited")
ANSWERED: Both = ("確認済み", "done")


def told_section(told: Sequence[Told], language: Language) -> Section:
    """Who was told, and whose answer is awaited: silence is never printed as success (law.md P-1..P-3)."""
    rows = tuple(
        (one.label, both(KINDS[one.kind], language), both(ANSWERED if one.done_on else WAITING, language),
         day(one.done_on))
        for one in told
    )  # fmt: skip
    waiting = any(one.done_on is None for one in told)
    columns = (
        Heading("名称", "Name"),
        Heading("区分", "Kind", 0.16),
        Heading("状況", "State", 0.18),
        Heading("確認日", "Checked on", 0.21),
    )
    note = say("told_pending" if waiting else "told", language)
    return Section("told", "お伝えした先", "Who was told", columns, rows, note)
