"""The person's own words in a record that is not theirs alone: struck, while everybody else's stay (EN-04, EN-10).

Found are the name in any spelling, the reading, phones and mails: the forms that stores are searched for, and the
family name before an honorific where the whole name stands in the same text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from dsr.inventory import Dataset
from dsr.names.letters import SAME_KEY
from dsr.names.numbers import read_phone
from dsr.names.person import Person, same_person_value, written_forms
from dsr.rules.redaction import PERSONAL, flat, written

STRUCK = "■■■（消去済）"
_BETWEEN = "[\\s・,\ufe00-\ufe0f\U000e0100-\U000e01ef]*"
_PHONE = re.compile(r"[+(]?\d[\d()\s‐-―−ー-]{7,18}\d")


@dataclass(frozen=True)
class Words:
    """How one person may be written: compiled once for all texts."""

    person: Person = field(repr=False)
    patterns: tuple[re.Pattern[str], ...] = field(repr=False)
    families: tuple[re.Pattern[str], ...] = field(repr=False)

    @classmethod
    def of(cls, person: Person) -> Words:
        forms = written_forms(person)
        names = [name.split() for name in person.names]
        words = [_spelled("".join(parts)) for parts in names if len("".join(parts)) > 1]
        searched = [form.removesuffix("様").strip() for kind in ("name_forms", "kana_forms") for form in forms[kind]]
        words += [re.escape(form) for form in searched if len(form) > 3]
        words += [rf"(?<![\w.+-]){re.escape(mail)}(?![\w-])" for mail in forms["mail_forms"]]
        return cls(
            person,
            tuple(re.compile(word, re.IGNORECASE) for word in dict.fromkeys(words)),
            tuple(re.compile(_spelled(parts[0]) + "(?=様|さま|さん|氏|殿)") for parts in names),
        )

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the person stands in ``text``, in code points, in order; empty where they do not."""
        found = [match.span() for pattern in self.patterns for match in pattern.finditer(text)]
        found += [match.span() for match in _PHONE.finditer(text) if self._is_phone(match[0])]
        if found:
            found += [match.span() for family in self.families for match in family.finditer(text)]
        return sorted(found)

    def _is_phone(self, text: str) -> bool:
        read = read_phone(text)
        return read is not None and read.e164 in self.person.stated_phones


def _spelled(name: str) -> str:
    """Any letter of the same key, and what may stand between two letters."""
    return _BETWEEN.join(f"[{re.escape(letter + ''.join(SAME_KEY.get(letter, ())))}]" for letter in name)


def without(words: Words, text: str) -> str:
    """``text`` with every mention of the person replaced, touching ones as one."""
    kept, end = [], 0
    for start, stop in words.spans(text):
        if start >= end:
            kept += [text[end:start], STRUCK]
        end = max(end, stop)
    return "".join([*kept, text[end:]])


def struck(words: Words, dataset: Dataset, rows: pa.Table) -> Mapping[str, pa.Array]:
    """The columns that change and what they then hold: notes with the person's words struck, fields of theirs empty."""
    changed: dict[str, pa.Array] = {}
    for name, rule in dataset.fields.items():
        kind = next((word for word in reversed(rule.kind.split(".")) if word in PERSONAL), None)
        if name in dataset.key or not (rule.free_text or kind):
            continue
        column = flat(rows.column(name))
        old = written(column, rule).to_pylist()
        if rule.free_text:
            new = [text and without(words, text) for text in old]
            hers = [before != after for before, after in zip(old, new, strict=True)]
            emptied = pa.array(new, pa.string())
        else:
            hers = [bool(text) and same_person_value(words.person, kind or "", text) for text in old]
            emptied = pa.nulls(len(old), column.type)
        if any(hers):
            changed[name] = pc.if_else(pa.array(hers), emptied, column)
    return changed
