"""What of a record is shown: masks, third parties, unread notes and struck spans, column by column (documents.md §6).

The value is replaced here, before anything is laid out; nothing after this module ever sees what is masked.
A field without a rule stops the package (EN-42). Columns in, columns of shown text out: a million calls are a few
vector operations, and a distinct value is looked at once.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dsr import law
from dsr.days import TOKYO, read_instant
from dsr.errors import CheckFailed
from dsr.inventory import Condition, Dataset, FieldRule, is_value
from dsr.names.person import Person, is_named, same_person_value
from dsr.request import NoteReview
from dsr.rules.discovery import Discovery

RECORD_NO = "_record_no"
MASKING = "_masking"


def shown_as(mark: str, ground: str = "", rest: str = "…") -> str:
    """The text that stands in place of the value; ``rest`` is what of it stays, where the mark lets something stay."""
    row = law.mark(mark)
    return (row.shown_for(law.ground(ground)) if ground else row.shown).replace("…", rest)


def _without_last4(text: str) -> str:
    """092-000-1001 → 092-000-: the last four digits go, wherever the hyphens are, and all that follows (内線567).

    What is no number of a line, or two of them, shows nothing.
    """
    plain = unicodedata.normalize("NFKC", text)
    number = _AFTER_NUMBER.split(plain, maxsplit=1)[0]
    digits = [at for at, character in enumerate(number) if character.isdigit()]
    whole = len(plain) == len(text) and 4 < len(digits) <= 15
    return text[: digits[-4]] if whole else ""  # as it is stored, in full width or not


_AFTER_NUMBER = re.compile(r"内線|代表|[^0-9()+ ‐－ー–.-]")


MARKS: Mapping[str, tuple[str, str, Callable[[str], str]]] = {
    "last3": ("account_tail", "", lambda text: text.strip()[-3:] if len(text.strip()) > 3 else ""),
    "card_last4": ("card_tail", "", lambda text: text.strip()[-4:] if len(text.strip()) > 4 else ""),
    "last4": ("last4", "", _without_last4),
    "withheld_number": ("withheld_number", "APPI-33-2-3+TBA-4-1", lambda _: ""),
    "person_other": ("person_other", "APPI-33-1-OTHER", lambda _: ""),
    "all": ("struck", "", lambda _: ""),
}
"""``as`` of a mask rule → mark, usual ground, and what of the value stays."""


@dataclass(frozen=True)
class Whose:
    """The subject as redaction knows them: the person, and the identifiers that matched records revealed."""

    person: Person
    identifiers: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)

    @classmethod
    def of(cls, person: Person, known: Discovery) -> Whose:
        """Phones and mails are those of matched records: one that was merely stated may be anybody's."""
        trusted = frozenset((i.kind, i.value) for i in known.identifiers if i.trusted)
        phones = [v for word, v in (*known.contacts, *trusted) if word in ("phone", "line_no")]
        mails = [v for word, v in (*known.contacts, *trusted) if word == "mail"]
        return cls(person.reached_at(phones, mails), trusted)

    def own(self, rule: FieldRule, value: str) -> bool:
        """Whether a stored value is the subject's own; in doubt it is not (``third_party = "unless_subject"``)."""
        word = next((word for word in reversed(rule.kind.split(".")) if word in PERSONAL), None)
        return same_person_value(self.person, word, value) if word else (rule.kind, value) in self.identifiers


PERSONAL = ("name", "kana", "phone", "mail", "address", "born_on")
"""Kinds of field, by segment, that are compared as a person writes them."""


@dataclass(frozen=True)
class Redacted:
    """``rows``: text columns, ``_record_no`` first and ``_masking`` last; ``reasons``: (mark, ground) → cells."""

    rows: pa.Table = field(repr=False)
    reasons: Mapping[tuple[str, str], int]
    withheld: Mapping[str, int]
    unread: int


def record_nos(rows: pa.Table | pa.RecordBatch, key: Sequence[str]) -> pa.Array:
    """Key columns joined by ``|`` (public_face.md); different keys have different numbers.

    NULL is ``\\N`` and a ``|`` of the key itself ``\\|``.
    """
    parts = [_key_part(rows.column(name), alone=len(key) == 1) for name in key]
    joined = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "|")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _key_part(column: Any, alone: bool) -> pa.Array:
    text = _text(column, exact=True)
    if not alone and pc.any(pc.match_substring_regex(text, r"[\\|]")).as_py():
        text = pc.replace_substring_regex(text, r"([\\|])", r"\\\1")
    return pc.fill_null(text, "\\N")


def flat(column: Any) -> pa.Array:
    """A column in one piece."""
    if isinstance(column, pa.ChunkedArray):
        return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return column


def _text(column: Any, exact: bool = False) -> pa.Array:
    """A stored column as it is written for people: ISO days and instants, plain numbers, text untouched.

    ``exact`` keeps fractions of a second, which only a key needs. Bytes are hexadecimal, nested values JSON.
    """
    column = flat(column)
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_timestamp(kind):
        stamps = column if kind.tz is None else pc.local_timestamp(column.cast(pa.timestamp(kind.unit, "Asia/Tokyo")))
        return pc.strftime(_in_seconds(stamps, exact), format="%Y-%m-%d %H:%M:%S")
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_date(kind):
        return column.cast(pa.string())
    return pa.array([_word(value) for value in column.to_pylist()], pa.string())


def _in_seconds(stamps: pa.Array, exact: bool) -> pa.Array:
    whole = stamps.cast(pa.timestamp("s"), safe=False)
    fractions = exact and not pc.all(pc.fill_null(pc.equal(whole.cast(stamps.type), stamps), True)).as_py()
    return stamps if fractions else whole


def _word(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_word)
    return str(value)


def written(column: Any, rule: FieldRule) -> pa.Array:
    """A stored column as text, days and instants of a declared form as ISO; null where nothing is stored."""
    stored = _text(column)
    return _by_value(stored, lambda text: _iso(text, rule)) if rule.form else stored


def _by_value(column: pa.Array, change: Callable[[str], str]) -> pa.Array:
    coded = column.dictionary_encode()
    changed = pa.array([None if v is None else change(v) for v in coded.dictionary.to_pylist()], pa.string())
    return changed.take(coded.indices)


def holds(condition: Condition, rows: pa.RecordBatch) -> pa.Array:
    """``Condition.holds`` over whole columns; a distinct value is compared once."""
    result = pa.array([True] * rows.num_rows, pa.bool_())
    for column, operator, words in condition.terms:
        stored = flat(rows.column(column))
        coded = stored.dictionary_encode() if _hashable(stored.type) else _text(stored, exact=True).dictionary_encode()
        answers = [any(is_value(value, word) for word in words) for value in coded.dictionary.to_pylist()]
        null = any(word is None for word in words)
        hit = pc.fill_null(pa.array(answers, pa.bool_()).take(coded.indices), null)
        result = pc.and_(result, hit if operator == "=" else pc.invert(hit))
    return result


def _hashable(kind: pa.DataType) -> bool:
    return not (pa.types.is_nested(kind) or pa.types.is_null(kind))


def withheld_rows(dataset: Dataset, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[str, int]]:
    """Rows that may not be shown at all, counted under their ground."""
    counts: dict[str, int] = {}
    for rule in dataset.withhold_when:
        hit = holds(rule.when, rows)
        counts[rule.ground] = counts.get(rule.ground, 0) + int(pc.sum(hit).as_py() or 0)
        rows = rows.filter(pc.invert(hit))
    return rows, {ground: count for ground, count in counts.items() if count}


def without(
    rows: pa.RecordBatch, key: Sequence[str], apart: Mapping[str, str]
) -> tuple[pa.RecordBatch, dict[str, int]]:
    """Rows that no officer decided apart; of those, how many under each ground."""
    if not apart:
        return rows, {}
    numbers = record_nos(rows, key)
    out = pc.is_in(numbers, value_set=pa.array(list(apart), pa.string()))
    counts: dict[str, int] = {}
    for number in numbers.filter(out).to_pylist():
        counts[apart[number]] = counts.get(apart[number], 0) + 1
    return rows.filter(pc.invert(out)), counts


def redact(dataset: Dataset, batch: pa.RecordBatch, whose: Whose, notes: Mapping[str, NoteReview]) -> Redacted:
    """Shown text of every declared field. Raises CheckFailed for a column that no rule covers."""
    undeclared = [name for name in batch.schema.names if name not in dataset.fields]
    if undeclared:
        raise CheckFailed(f"{dataset.id}.{undeclared[0]}: a field without a rule; declare it in the inventory first")
    rows, withheld = withheld_rows(dataset, batch)
    numbers = record_nos(rows, dataset.key)
    columns: dict[str, pa.Array] = {RECORD_NO: numbers}
    entries: list[pa.Array] = []
    reasons: dict[tuple[str, str], int] = {}
    unread = 0
    anothers = _anothers(dataset, rows, whose)
    for name, rule in dataset.fields.items():
        shown, marks = _field(name, rule, rows, whose, numbers, notes, anothers)
        columns[name] = shown
        for (mark, ground), hit in marks:
            count = int(pc.sum(hit).as_py() or 0)
            if count:
                reasons[mark, ground] = reasons.get((mark, ground), 0) + count
                unread += count if mark == "under_review" else 0
                entry = pa.scalar(f"{name}:{mark}:{ground}")
                entries.append(pc.if_else(hit.cast(pa.bool_()), entry, pa.scalar(None, pa.string())))
    columns[MASKING] = _joined(entries, rows.num_rows)
    return Redacted(pa.table(columns), reasons, withheld, unread)


def _joined(entries: list[pa.Array], count: int) -> pa.Array:
    """Entries of a row joined by ``;``, blanks left out: Arrow's own "skip" drops a row in which all are null."""
    if not entries:
        return pa.array([""] * count, pa.string())
    joined = pc.binary_join_element_wise(*(pc.fill_null(entry, "") for entry in entries), ";")
    return pc.utf8_trim(pc.replace_substring_regex(joined, ";{2,}", ";"), ";")


Marked = list[tuple[tuple[str, str], pa.Array]]


def _field(
    name: str,
    rule: FieldRule,
    rows: pa.RecordBatch,
    whose: Whose,
    numbers: pa.Array,
    notes: Mapping[str, NoteReview],
    anothers: pa.Array | None,
) -> tuple[pa.Array, Marked]:
    stored = written(rows.column(name), rule)
    if rule.free_text:
        return _notes(name, stored, numbers, notes)
    shown = _by_value(stored, lambda text: rule.codes.get(text, text)) if rule.codes else stored
    marked: Marked = []
    open_cells = pc.and_(pc.is_valid(stored), pc.not_equal(pc.fill_null(stored, ""), ""))
    for mask in rule.mask:
        hit = pc.and_(holds(mask.when, rows), open_cells) if mask.when else open_cells
        shown, open_cells = _apply(mask.shown, mask.ground, shown, stored, hit, open_cells, marked)
    if rule.third_party:
        if rule.third_party == "always":
            hit = open_cells
        else:
            hit = pc.and_(open_cells, _somebody_else(rule, stored, whose) if anothers is None else anothers)
        shown, open_cells = _apply("person_other", None, shown, stored, hit, open_cells, marked)
    return pc.fill_null(shown, ""), marked


def _iso(text: str, rule: FieldRule) -> str:
    """2026-04-27 09:00:00 for 1777248000; what is no day of the declared form (99999999) stays as it is stored."""
    try:
        instant = read_instant(text, rule.form or "text", rule.tz)
    except ValueError:
        return text
    if instant is None:
        return text
    if rule.form in ("date", "yyyymmdd"):
        return f"{instant:%Y-%m-%d}"
    return f"{instant.astimezone(TOKYO):%Y-%m-%d %H:%M:%S}"


def _apply(
    word: str,
    ground: str | None,
    shown: pa.Array,
    stored: pa.Array,
    hit: pa.Array,
    open_cells: pa.Array,
    marked: Marked,
) -> tuple[pa.Array, pa.Array]:
    mark, usual, stays = MARKS[word]
    reason = ground or usual
    marked.append(((mark, reason), hit))
    says = shown_as(mark, reason)  # the law is asked once, not once for each of a million numbers
    masked = _by_value(stored, lambda text: says.replace("…", stays(text))) if "…" in says else says
    return pc.if_else(hit, masked, shown), pc.and_(open_cells, pc.invert(hit))


def _anothers(dataset: Dataset, rows: pa.RecordBatch, whose: Whose) -> pa.Array | None:
    """Rows of a co-contractor; of whom nobody knows whose it is, too. None where each cell speaks for itself."""
    if dataset.party is None:
        return None
    rule = dataset.fields[dataset.party]
    stored = written(rows.column(dataset.party), rule)
    return pc.or_(pc.is_null(stored), _somebody_else(rule, stored, whose))


def _somebody_else(rule: FieldRule, stored: pa.Array, whose: Whose) -> pa.Array:
    coded = stored.dictionary_encode()
    theirs = [value is not None and not whose.own(rule, value) for value in coded.dictionary.to_pylist()]
    return pc.fill_null(pa.array(theirs, pa.bool_()).take(coded.indices), False)


# -- free text -------------------------------------------------------------------------------------------------


def _notes(name: str, stored: pa.Array, numbers: pa.Array, notes: Mapping[str, NoteReview]) -> tuple[pa.Array, Marked]:
    """A note nobody has read shows only that it is being read; a read one shows itself, its spans struck."""
    shown: list[str] = []
    cells: dict[tuple[str, str], list[int]] = {}  # places struck, by row
    texts, names = stored.to_pylist(), numbers.to_pylist()
    for at, (text, number) in enumerate(zip(texts, names, strict=True)):
        review = notes.get(number)
        if not text:
            shown.append("")
        elif review is None or not review.release:
            shown.append(shown_as("under_review"))
            cells.setdefault(("under_review", ""), [0] * len(texts))[at] = 1
        else:
            spans = _merged((start, end, ground) for at_field, start, end, ground in review.strike if at_field == name)
            shown.append(strike(text, spans))
            for _, _, ground in spans:
                cells.setdefault((mark_of(ground), ground), [0] * len(texts))[at] += 1
    return pa.array(shown, pa.string()), [(reason, pa.array(hits, pa.int32())) for reason, hits in cells.items()]


def mark_of(ground: str) -> str:
    return "person_other" if ground.endswith(("-THIRD", "-OTHER")) else "struck"


def _merged(spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """In order; touching ones are one."""
    merged: list[tuple[int, int, str]] = []
    for start, end, ground in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), merged[-1][2])
        else:
            merged.append((start, end, ground))
    return merged


def strike(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """Replace spans (code points, end exclusive; touching ones become one) so that neither text nor length remains."""
    for start, end, ground in reversed(_merged(spans)):
        text = text[:start] + shown_as(mark_of(ground), ground) + text[end:]
    return text


_HAN = "\u3005\u30f6\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f\U000e0100-\U000e01ef"
_DIGIT = "0-9０-９"
_NOBODY = "客|皆|同|仕|模|多|異|各位"  # お客様, 同様: no name stands before the honorific
_PROPOSALS = (
    # phones, accounts
    re.compile(rf"[+＋]?(?:[(（][{_DIGIT}]{{2,5}}[)）])?[{_DIGIT}][{_DIGIT}()（）‐－ー–-]{{6,}}[{_DIGIT}]"),
    re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),  # mails
    re.compile(  # people with an honorific
        rf"(?!(?<![{_HAN}])(?:{_NOBODY})(?:様|さま|さん))"
        rf"[{_HAN}]{{1,6}}(?:[ 　]?[{_HAN}]{{1,4}})?(?=様|さま|さん|氏|殿)"
    ),
    re.compile(rf"[{_HAN}]{{2,3}}[都道府県][^\s、。]{{2,30}}?[{_DIGIT}][{_DIGIT}丁目番地号－ー-]*"),  # addresses
)


def propose_spans(text: str, names: Sequence[str], person: Person) -> list[tuple[int, int]]:
    """Spans an officer should look at: numbers, mails, addresses, people with an honorific, names known in the record.

    The subject's own name is none. A proposal is a place to look; what is struck is what the officer marks.
    """
    spans = {found.span() for pattern in _PROPOSALS for found in pattern.finditer(text)}
    for name in names:
        if len(name) >= 2:
            spans |= {found.span() for found in re.finditer(re.escape(name), text)}
    spans = {(start, end) for start, end in spans if not is_named(person, text[start:end])}
    kept: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept
