"""What each cell may show by the rules of the inventory, worked out a second time, from the stored rows.

``dsr.rules.redaction`` is the first; of it only the written form of a value is shared. Where the two disagree, the gate
stops the case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dsr import law
from dsr.inventory import Condition, Dataset, FieldRule
from dsr.release.forbidden import Column
from dsr.release.search import Seen
from dsr.request import NoteReview
from dsr.rules.redaction import MARKS, Whose, mark_of, record_nos, written

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]

COMMON = ("day", "instant", "amount", "code", "count", "number", "duration")
"""Kinds whose values many share: a masked day is not looked for in the text, only its own cell is."""
_NUMBER = re.compile(r"[0-9０-９][0-9０-９()（）+‐－ー–-]{6,}")
SENTENCE = 8
"""Characters of a part of an unread note that is looked for by itself."""
_KEPT: Mapping[str, tuple[str, int]] = {"account_tail": ("end", 3), "card_tail": ("end", 4), "last4": ("start", 4)}
"""Mark → which end of the value may stay; at most so many characters of the end, or all but so many digits."""


@dataclass(frozen=True)
class Judged:
    """One field of a batch. ``verdict``: 0 where the cell is open, else 1 + the index of its mark in ``marks``."""

    name: str
    rule: FieldRule
    stored: pa.Array = field(repr=False)
    verdict: Codes = field(repr=False)
    marks: tuple[tuple[str, str], ...] = ()
    spans: Mapping[int, Sequence[tuple[int, int, str]]] = field(default_factory=dict, repr=False)
    """Row → spans struck from its note."""


@dataclass(frozen=True)
class Batch:
    """``first``: the number of its first row; ``out``: rows withheld whole."""

    dataset: Dataset
    first: int
    numbers: pa.Array = field(repr=False)
    out: Bools = field(repr=False)
    fields: tuple[Judged, ...] = field(repr=False)


def judge(
    dataset: Dataset,
    rows: pa.RecordBatch,
    first: int,
    whose: Whose,
    notes: Mapping[str, NoteReview],
    only: Collection[str] | None = None,
    apart: Collection[str] = (),
) -> Batch:
    """``only``: the fields that are asked for; all where ``None``. ``apart``: records that an officer withheld."""
    numbers = record_nos(rows, dataset.key)
    out = np.zeros(rows.num_rows, np.bool_)
    for rule in dataset.withhold_when:
        out |= _holds(rule.when, rows)
    if apart:
        out |= np.asarray(pc.is_in(numbers, value_set=pa.array(list(apart), pa.string())), np.bool_)
    fields = tuple(
        _note(name, rule, rows, numbers, notes) if rule.free_text else _field(name, dataset, rows, whose)
        for name, rule in dataset.fields.items()
        if only is None or name in only
    )
    return Batch(dataset, first, numbers, out, fields)


def _field(name: str, dataset: Dataset, rows: pa.RecordBatch, whose: Whose) -> Judged:
    rule, party = dataset.fields[name], dataset.party
    stored = written(rows.column(name), rule)
    filled = np.asarray(pc.fill_null(pc.not_equal(stored, ""), False))
    verdict, marks = np.zeros(rows.num_rows, np.int8), []
    for mask in rule.mask:
        hit = filled & (verdict == 0) & (_holds(mask.when, rows) if mask.when else True)
        marks.append((MARKS[mask.shown][0], mask.ground or MARKS[mask.shown][1]))
        verdict[hit] = len(marks)
    if rule.third_party:
        hit = filled & (verdict == 0)
        if rule.third_party == "unless_subject":
            if party is None:
                hit &= _each(stored, lambda value: not whose.own(rule, value))
            else:  # a joint contract: whose row it is says its party, by its number
                kind, numbers = dataset.fields[party].kind, rows.column(party).to_pylist()
                own = [(kind, str(number)) in whose.identifiers for number in numbers]
                hit &= ~np.array(own, np.bool_)
        marks.append(MARKS["person_other"][:2])
        verdict[hit] = len(marks)
    return Judged(name, rule, stored, verdict, tuple(marks))


def _holds(condition: Condition, rows: pa.RecordBatch) -> Bools:
    """The condition row by row; a combination of values is asked once."""
    code = np.zeros(rows.num_rows, np.int64)
    columns = sorted(condition.columns)
    for name in columns:
        coded = rows.column(name).dictionary_encode(null_encoding="encode")
        code = code * (len(coded.dictionary) + 1) + coded.indices.to_numpy()
    distinct, first, back = np.unique(code, return_index=True, return_inverse=True)
    sample = rows.select(columns).take(pa.array(first)).to_pylist()
    return np.array([condition.holds(row) for row in sample], np.bool_)[back] if len(distinct) else code.astype(bool)


def _each(stored: pa.Array, holds: Callable[[str], bool]) -> Bools:
    coded = stored.dictionary_encode()
    answers = pa.array([value is not None and holds(value) for value in coded.dictionary.to_pylist()], pa.bool_())
    return np.asarray(pc.fill_null(answers.take(coded.indices), False), np.bool_)


def _note(
    name: str, rule: FieldRule, rows: pa.RecordBatch, numbers: pa.Array, notes: Mapping[str, NoteReview]
) -> Judged:
    """Unread: nothing of it; read: all but what was struck."""
    stored = written(rows.column(name), rule)
    verdict, spans = np.zeros(rows.num_rows, np.int8), {}
    for at, (text, number) in enumerate(zip(stored.to_pylist(), numbers.to_pylist(), strict=True)):
        review = notes.get(number)
        if text and (review is None or not review.release):
            verdict[at] = 1
        elif text and review:
            spans[at] = [(start, end, ground) for field_name, start, end, ground in review.strike if field_name == name]
    return Judged(name, rule, stored, verdict, (("under_review", ""),), spans)


# -- what may not be seen --------------------------------------------------------------------------------------------


def may_hide(dataset: Dataset, shown: bool) -> list[str]:
    """Fields of which a value may be masked, or withheld with its row, and is looked for."""
    whole = bool(dataset.withhold_when) or not shown
    return [
        name for name, rule in dataset.fields.items()
        if rule.kind.split(".")[0] not in COMMON and (whole or rule.mask or rule.third_party or rule.free_text)
    ]  # fmt: skip


def hidden(batch: Batch, shown: bool) -> Iterator[Column]:
    """The values that this batch masks; of rows withheld whole and of datasets that are not ``shown``, all."""
    whole = batch.out if shown else np.ones(len(batch.out), np.bool_)
    for one in batch.fields:
        if one.rule.free_text:
            yield from _parts(batch, one, whole)
        elif one.rule.kind.split(".")[0] not in COMMON:
            out = (one.verdict > 0) | (whole if one.rule.kind != "value" else False)
            if out.any():
                yield Column(batch.dataset.id, one.name, batch.first, _only(one.stored, out))


def _only(values: pa.Array, mask: Bools) -> pa.Array:
    return pc.if_else(pa.array(mask), values, pa.scalar(None, pa.string()))


def _parts(batch: Batch, note: Judged, whole: Bools) -> Iterator[Column]:
    """Struck spans; of an unread note the whole, its sentences and its numbers. One part of each row at a time."""
    struck: list[list[str]] = []
    unread: list[list[str]] = []
    for at, text in enumerate(note.stored.to_pylist()):
        is_read = text and not (whole[at] or note.verdict[at])
        struck.append([text[start:end] for start, end, _ in note.spans.get(at, ())] if text else [])
        unread.append([] if is_read or not text else _split(text))
    for parts, is_unread in ((struck, False), (unread, True)):
        for layer in zip_longest(*parts) if any(parts) else ():
            yield Column(batch.dataset.id, note.name, batch.first, pa.array(layer, pa.string()), is_unread)


def _split(text: str) -> list[str]:
    sentences = [part.strip() for part in re.split("[。、\n]", text)]
    return [text, *(part for part in sentences if len(part) >= SENTENCE), *_NUMBER.findall(text)]


# -- what may be seen ------------------------------------------------------------------------------------------------


def lawful(batch: Batch) -> Iterator[Seen]:
    """The values that a shown dataset shows by its rules: open cells, and notes as the officer left them."""
    for one in batch.fields:
        if one.rule.free_text:
            read = _only(one.stored, (one.verdict == 0) & ~batch.out).drop_null().to_pylist()
            yield Seen(pa.array([part for text in read for part in _split(text)], pa.string()), released=True)
        else:
            yield Seen(_only(one.stored, (one.verdict == 0) & ~batch.out))
            yield Seen(pa.array(sorted(one.rule.codes.values()), pa.string()))


def wrong(one: Judged, cells: pa.Array, keep: Bools) -> Bools:
    """Which cells of a file hold anything but what they may. ``keep``: the rows that are in the file."""
    stored = one.stored.filter(pa.array(keep))
    verdict = one.verdict[keep]
    if one.rule.free_text:
        spans = [one.spans.get(int(at), ()) for at in np.flatnonzero(keep)]
        return np.array([
            not _note_agrees(cell, text or "", bool(unread), struck)
            for cell, text, unread, struck in zip(cells.to_pylist(), stored.to_pylist(), verdict, spans, strict=True)
        ], np.bool_)  # fmt: skip
    open_text = pc.fill_null(stored, "")
    if one.rule.codes:
        coded = open_text.dictionary_encode()
        words = [one.rule.codes.get(code, code) for code in coded.dictionary.to_pylist()]
        open_text = pa.array(words, pa.string()).take(coded.indices)
    bad: Bools = np.asarray(pc.not_equal(cells, open_text)) & (verdict == 0)
    for number, (mark, ground) in enumerate(one.marks, start=1):
        masked = verdict == number
        if masked.any():
            bad[masked] = ~_only_mark(cells.filter(pa.array(masked)), stored.filter(pa.array(masked)), mark, ground)
    return bad


def _only_mark(cells: pa.Array, stored: pa.Array, mark: str, ground: str) -> Bools:
    """Whether each cell holds the mark's own text, and of the value no more than the mark lets stay."""
    row = law.mark(mark)
    before, dots, after = (row.shown_for(law.ground(ground)) if ground else row.shown).partition("…")
    if not dots:
        return np.asarray(pc.equal(cells, before), np.bool_)
    pairs = pc.binary_join_element_wise(cells, stored, "\0").dictionary_encode()
    good = [_stays(pair.split("\0", 1), before, after, *_KEPT[mark]) for pair in pairs.dictionary.to_pylist()]
    answers: Bools = np.array(good, np.bool_)[pairs.indices.to_numpy()]
    return answers


def _stays(pair: Sequence[str], before: str, after: str, where: str, count: int) -> bool:
    cell, stored = pair
    rest = cell[len(before) : len(cell) - len(after)]
    if cell != f"{before}{rest}{after}":
        return False
    if where == "end":
        return len(rest) <= count and len(rest) < len(stored) and stored.endswith(rest)
    return stored.startswith(rest) and (not rest or sum(map(str.isdigit, stored[len(rest) :])) >= count)


def _note_agrees(cell: str, text: str, unread: bool, spans: Sequence[tuple[int, int, str]]) -> bool:
    if unread:
        return cell == law.mark("under_review").shown
    struck = {at for start, end, _ in spans for at in range(start, end)}
    kept = "".join(letter if at not in struck else "" if at - 1 in struck else "■" for at, letter in enumerate(text))
    marks = {law.mark(mark_of(ground)).shown_for(law.ground(ground)) for _, _, ground in spans}
    for shown in sorted(marks, key=len, reverse=True):
        cell = cell.replace(shown, "■")
    return cell == kept


__all__ = ["Batch", "Judged", "hidden", "judge", "lawful", "may_hide", "wrong"]
