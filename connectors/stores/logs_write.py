"""Lines of a log that go, or lose what names a person: one rewrite per file for all cases (limits.md §4, EN-20).

A record number is the place of a line, so it holds for one version of a file only. A line is taken for the planned one
where its mark is that of the line as it was fetched; else nothing is changed, and the case is to be collected again.
Every other line keeps its bytes, its line end too, and the last one the lack of one. Of a gz file each member keeps its
header to the byte (name, time, system, the hint at the level) and begins with the line with which it began; the level
itself stands nowhere: best and fastest are told by the hint, and anything else is 6.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import os
import re
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.stores import swap
from connectors.stores.access import identity
from connectors.stores.gz import Extra, Member, lines_of, parts_of
from connectors.stores.logs import LogStore
from dsr.errors import BadInput, CheckFailed, ConnectorRefused, DsrError
from dsr.inventory import Dataset
from dsr.plan import LINE, Effects, Plan, Receipt, line_mark

Fields = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What shall become of one line: it goes (``values`` None), or these fields get these values."""

    plan: int
    mark: str | None
    values: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Changes:
    """Of one file: by line number the line as it is and as it shall be, None for one that goes. ``counts`` by plan."""

    lines: Mapping[int, tuple[bytes, bytes | None]] = field(repr=False)
    counts: Mapping[int, int] = field(default_factory=dict)


class LogWriter(LogStore):
    faults = ((Extra, ConnectorRefused, "its gz header has fields that tell of the old bytes"), *LogStore.faults)

    def write(self, plans: Sequence[Plan], effects: Effects) -> list[Receipt]:
        if not plans:
            return []
        return next(self._guard(plans[0].dataset, lambda: iter([self._write(plans, effects)])))

    def _write(self, plans: Sequence[Plan], effects: Effects) -> list[Receipt]:
        dataset = plans[0].dataset
        pattern, wishes = self._agreeing(dataset), _wishes(plans)
        files = {name: path for name, path in self._files(dataset).items() if name in wishes}
        swap.sweep(path.resolve().parent for path in self.access.files(dataset))
        places = {name: os.path.relpath(path, self.access.inventory.folder) for name, path in files.items()}
        done = {name: swap.settled(path.resolve(), places[name], effects) for name, path in files.items()}
        rewrites = [
            self._rewrite(plans, path, places[name], self._changes(plans, path, pattern, wishes[name]))
            for name, path in files.items() if done[name] is None
        ]  # fmt: skip
        after = swap.carry_out([one for one in rewrites if one], effects, self.access.sleep)
        return swap.receipts(plans, [*(counts for counts in done.values() if counts is not None), *after])

    # -- what is planned ---------------------------------------------------------------------------------------

    def _changes(
        self, plans: Sequence[Plan], path: Path, pattern: re.Pattern[str], wishes: Mapping[int, Wish]
    ) -> tuple[str, Changes]:
        """With the version of the file, read to its end. Raises CheckFailed where a line is not the planned one."""
        looked, dataset = identity(path.stat()), plans[0].dataset
        lines: dict[int, tuple[bytes, bytes | None]] = {}
        counts: Counter[int] = Counter()
        left = dict(wishes)
        for number, line in self._lines(dataset, path):
            if (wish := left.pop(number, None)) is None:
                continue
            try:
                new = self._changed(dataset, path, number, line, pattern, wish)
            except DsrError as error:
                error.cases = frozenset({plans[wish.plan].case_no})
                raise
            if new != line:
                lines[number], counts[wish.plan] = (line, new), counts[wish.plan] + 1
        if left:
            moved = _moved(dataset, path)
            moved.cases = frozenset(plans[wish.plan].case_no for wish in left.values())
            raise moved
        return looked, Changes(lines, counts)

    def _changed(
        self, dataset: Dataset, path: Path, number: int, line: bytes, pattern: re.Pattern[str], wish: Wish
    ) -> bytes | None:
        """The line as it shall be; as it is, where all that is to be set stands there already."""
        found = self._taken(dataset, path, number, line, pattern)
        values = {name: value for name, value in (wish.values or {}).items() if value != (found[name] or "")}
        if wish.values is not None and not values:
            return line
        if wish.mark not in (None, line_mark([found[name] for name in sorted(found)])):
            raise _moved(dataset, path)
        if wish.values is None:
            return None
        new = _put(line, pattern, self._encoding(dataset), values)
        if new is None or b"\n" in new[:-1] or self._again(dataset, new, pattern) != {**found, **values}:
            fix = "declare under deidentify a value that fits the declared form of a line and its encoding"
            raise BadInput(f"{dataset.id}.line", "a line would no longer have the declared form", fix)
        return new

    def _again(self, dataset: Dataset, line: bytes, pattern: re.Pattern[str]) -> Fields | None:
        found = pattern.fullmatch(line.rstrip(b"\r\n").decode(self._encoding(dataset)))
        return found.groupdict() if found else None

    # -- the rewrite -------------------------------------------------------------------------------------------

    def _rewrite(
        self, plans: Sequence[Plan], path: Path, place: str, found: tuple[str, Changes]
    ) -> swap.Rewrite | None:
        """None where nothing is to be changed."""
        looked, changes = found
        if not changes.lines:
            return None
        names, write, proof = swap.labels(plans), _pack if path.name.endswith(".gz") else _copy, Proof(changes)

        def make(old: Path, new: Path) -> Mapping[str, Any]:
            proof.restart()
            return write(old, new, proof)

        def check(old: Path, new: Path) -> None:
            with self._opened(new, packed=write is _pack) as stream:
                proof.judge(place, stream)

        return swap.Rewrite(
            plans[0].dataset, path.resolve(), place, looked,
            {names[number]: count for number, count in changes.counts.items()},
            swap.digest_of(plans), make, check,
        )  # fmt: skip

    @staticmethod
    @contextmanager
    def _opened(path: Path, packed: bool) -> Iterator[Iterable[bytes]]:
        """By Python's own reader, which has no part in the writing."""
        with path.open("rb") as stream, gzip.GzipFile(fileobj=stream) if packed else nullcontext(stream) as lines:
            yield lines


# -- the proof -----------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """Lines, the sum of their keyed hashes modulo 2^128 (whatever their order), and a digest of their order."""

    lines: int = 0
    total: int = 0
    planned: int = 0
    order: Any = field(default_factory=hashlib.blake2b)

    def add(self, mark: bytes, planned: bool) -> None:
        self.lines += 1
        self.total = (self.total + int.from_bytes(mark, "little")) % (1 << 128)
        self.planned += planned
        self.order.update(mark)


class Proof:
    """limits.md §6 of one file: what its lines were, line by line as they are carried over, and what is read back.

    ``planned`` counts lines that are byte for byte one that goes or changes: another's, or nobody planned it.
    """

    def __init__(self, changes: Changes) -> None:
        self.changes = changes
        self._key = secrets.token_bytes(32)
        self._planned = {self._mark(was) for was, _ in changes.lines.values()}
        self.restart()

    def restart(self) -> None:
        self._number, self._shall = 0, Tally()

    def _mark(self, line: bytes) -> bytes:
        return hashlib.blake2b(line, key=self._key, digest_size=16).digest()

    def carried(self, line: bytes) -> bytes:
        """What is to stand there instead of the next line of the old file; nothing for one that goes."""
        self._number += 1
        was, shall = self.changes.lines.get(self._number, (line, line))
        if was != line:
            raise ValueError("not the version that was looked at")  # the swap would see it too
        if shall is not None:
            self._note(self._shall, shall)
        return shall or b""

    def _note(self, tally: Tally, line: bytes) -> None:
        mark = self._mark(line)
        tally.add(mark, mark in self._planned)

    def judge(self, place: str, lines: Iterable[bytes]) -> None:
        are, shall = Tally(), self._shall
        for line in lines:
            self._note(are, line)
        gone = sum(new is None for _, new in self.changes.lines.values())
        for fails, words in (
            (are.lines != self._number - gone, "it has not the lines it had less the planned ones"),  # A1 = A0 − B0
            (are.planned != shall.planned, "planned lines are still in it"),  # B1 = 0
            (are.total != shall.total, "a line is not what it was or should be"),  # C1 = C0
            (are.order.digest() != shall.order.digest(), "its lines stand in another order"),
        ):
            if fails:
                raise CheckFailed(f"{place}: read back, {words}; the new file was thrown away, nothing was changed")


# -- plain and packed ----------------------------------------------------------------------------------------------


def _copy(old: Path, new: Path, proof: Proof) -> Mapping[str, Any]:
    with old.open("rb") as source, new.open("wb") as out:
        out.writelines(map(proof.carried, source))
    return {}


def _pack(old: Path, new: Path, proof: Proof) -> Mapping[str, Any]:
    """Says how many members there are, and of the first header the time and the level taken from its hint."""
    members: list[Member] = []
    with new.open("wb") as out:
        for headers, line in lines_of(parts_of(old)):
            for header in headers:
                if members:
                    members[-1].close()
                members.append(Member(out, header))
            if line:
                members[-1].write(proof.carried(line))
        members[-1].close()
    return {"gz": {"members": len(members), "time": members[0].time, "level": members[0].level}}


# -- what is wished ------------------------------------------------------------------------------------------------


def _wishes(plans: Sequence[Plan]) -> dict[str, dict[int, Wish]]:
    """By the file's name and the line's number."""
    wishes: dict[str, dict[int, Wish]] = defaultdict(dict)
    for at, plan in enumerate(plans):
        dataset, marked = plan.dataset, LINE in plan.keys.column_names
        if plan.values is None and (not marked or plan.keys.column(LINE).null_count):
            detail = "a line is only removed when it is still the line that was fetched: give its mark with its number"
            raise ConnectorRefused(dataset.system, dataset.name, detail)
        marks = plan.keys.column(LINE).to_pylist() if marked else [None] * plan.records
        values = [None] * plan.records if plan.values is None else _set(plan)
        for key, mark, wanted in zip(plan.keys.column(dataset.key[0]).to_pylist(), marks, values, strict=True):
            name, _, number = str(key).rpartition(":")
            if not number.isdecimal() or int(number) in wishes[name]:
                raise CheckFailed(f"{dataset.id}: a record stands in two plans or twice in one, or is no line")
            wishes[name][int(number)] = Wish(at, mark, wanted)
    return wishes


def _set(plan: Plan) -> list[dict[str, str]]:
    assert plan.values is not None
    unknown = sorted(set(plan.values.column_names) - (set(plan.dataset.fields) - set(plan.dataset.key)))
    if unknown:
        fix = "only what the declared form of a line names can be replaced in it"
        raise BadInput(f"{plan.dataset.id}.fields.{unknown[0]}", "is no part of a line", fix)
    texts = plan.values.cast(pa.schema([(name, pa.string()) for name in plan.values.column_names]))
    return [{name: value or "" for name, value in row.items()} for row in texts.to_pylist()]


def _moved(dataset: Dataset, path: Path) -> CheckFailed:
    return CheckFailed(f"{dataset.id}: lines of {path.name} have vanished or shifted since they were fetched; nothing "
                       "of this dataset was changed: collect the case again")  # fmt: skip


def _put(line: bytes, pattern: re.Pattern[str], encoding: str, values: Mapping[str, str]) -> bytes | None:
    """The line with these groups replaced, every other byte as it is; None where a value cannot stand in it."""
    body = line.rstrip(b"\r\n")
    edges = _edges(body, encoding)
    found = pattern.fullmatch(body.decode(encoding))
    assert found is not None
    new = line
    for name in sorted(values, key=found.start, reverse=True):
        first, last = found.span(name)
        try:
            value = values[name].encode(encoding)
        except UnicodeEncodeError:
            return None
        new = new[: edges[first]] + value + new[edges[last] :] if first >= 0 else new
    return new


def _edges(raw: bytes, encoding: str) -> list[int]:
    """Where each character begins, and where the last one ends: no byte is written that was not read or wished for."""
    decoder, edges, begun = codecs.getincrementaldecoder(encoding)(), list[int](), 0
    for at in range(len(raw)):
        made = decoder.decode(raw[at : at + 1])
        edges += [begun] * len(made)
        begun = at + 1 if made else begun
    return [*edges, len(raw)]
