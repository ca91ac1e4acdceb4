"""What is to change in a company's systems, what did change, and what an independent look found afterwards.

A plan names exactly these records of one dataset; whoever carries it out, ours or the system's owner, may touch no
other. Counts and digests of these values may be logged; keys and contents stay in the vault.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import pyarrow as pa

from dsr.inventory import Dataset

Verdict = Literal["verified", "residual", "indeterminate"]
Level = Literal["L0", "L1", "L2", "L3"]
Measure = Literal["erased", "deidentified", "unlinked", "use_stopped", "provision_stopped"]
"""What was done to a record (documents.md §4)."""
LINE = "_line"
"""Column beside the keys of a log's records: ``line_marks`` of them. A line's number is only a place, and another line
may stand there by now."""


@dataclass(frozen=True)
class Plan:
    """Of one case: these records of one dataset go, or these fields of them get other values.

    ``keys`` holds the dataset's key columns as ``locate`` returned them, each record once; of a log ``LINE`` too,
    without which no line is removed. ``values``: None where the records go whole; else the columns to set, row by row
    beside ``keys`` (NULL empties a field): masking and correcting are the same act to a store. ``old``: where it is
    known, what stands in these columns until then. ``digest`` is the approved plan's, part of every effect's
    idempotency key.
    """

    case_no: str
    dataset: Dataset
    keys: pa.Table = field(repr=False)
    digest: str
    values: pa.Table | None = field(default=None, repr=False)
    old: pa.Table | None = field(default=None, repr=False)

    @property
    def records(self) -> int:
        return int(self.keys.num_rows)


def line_marks(dataset: Dataset, rows: pa.Table | pa.RecordBatch) -> pa.Array:
    """Of each row as ``fetch`` brought it the SHA-256, in hex, of all its fields but the key."""
    names = sorted(set(dataset.fields) - set(dataset.key))
    return pa.array([line_mark([row[name] for name in names]) for row in rows.select(names).to_pylist()], pa.string())


def line_mark(values: Sequence[str | None]) -> str:
    """Of the fields in the order of their names."""
    return hashlib.sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class Receipt:
    """Counted by the store after the effect, per plan. ``absent``: records that were gone before we came.

    What is planned and neither changed nor absent is still there: that is told, never rounded up (traps.md T04).
    """

    case_no: str
    dataset: str
    planned: int
    changed: int
    absent: int = 0


class Effects(Protocol):
    """How a connector has the engine journal each effect *before* it happens (architecture.md, limits.md §10).

    ``place`` names the effect within the step (a file, ``table``); ``said`` holds counts, versions and digests only.
    Both calls return once the event is on the disk, in the log and, for an intent, in the replay journal too.
    """

    def begun(self, place: str) -> Mapping[str, Any] | None:
        """What was said at the intent of an effect that has no result yet; None where there is none."""

    def ended(self, place: str) -> Mapping[str, Any] | None:
        """What was said at its result: it is not done a second time."""

    def intend(self, place: str, said: Mapping[str, Any]) -> None:
        """Raises NotAllowed once the system, or everything, was stopped: nothing new starts then (EN-48)."""

    def done(self, place: str, said: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True)
class Sought:
    """What a survey looks for in one system, for one case: frozen before anything was changed.

    ``gone``: keys of records that must not be found, by dataset id; ``emptied``: keys, then the old values of the
    columns that must no longer hold them (NULL: nothing is sought in that cell), by dataset id; ``kept``: keys of the
    person's records that lawfully stay. ``gone_before`` and ``emptied_before``: what an overtaken plan of the case did
    by then, which no look need find before and none may find again. ``forms``: every written form of every identifier,
    by kind (names.md §8). ``lasting``: the kinds that are never another's (a customer number), so that a hit outside
    ``kept`` is a residue.
    """

    case_no: str
    gone: Mapping[str, pa.Table] = field(repr=False)
    emptied: Mapping[str, pa.Table] = field(repr=False)
    kept: Mapping[str, pa.Table] = field(repr=False)
    forms: Mapping[str, Sequence[str]] = field(repr=False)
    lasting: frozenset[str] = frozenset()
    gone_before: Mapping[str, pa.Table] = field(default_factory=dict, repr=False)
    emptied_before: Mapping[str, pa.Table] = field(default_factory=dict, repr=False)
    still: Mapping[str, pa.Table] = field(default_factory=dict, repr=False)
    """Keys of vouchers that must stand as they stood, to the letter (EBOOK), by dataset id."""
    notes: Mapping[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict, repr=False)
    """By a voucher's dataset id: the dataset of its notes or new vouchers, and there record no. → voucher it names."""

    @property
    def groups(self) -> tuple[Mapping[str, pa.Table], ...]:
        """All records of which something is looked for."""
        return self.gone, self.emptied, self.gone_before, self.emptied_before, self.still

    @property
    def datasets(self) -> list[str]:
        """In which something is sought."""
        return list(dict.fromkeys(name for group in self.groups for name in group))


OTHERS = frozenset({"counts", "digest", "grown"})
"""Reasons that speak of other people's rows only: who runs the store may know what happened to them."""


@dataclass(frozen=True)
class Finding:
    """Of one dataset (or, ``dataset`` = ``<system>.<place>``, of a place that nobody declared), after the effect.

    ``verdict``: verified only when the planted values were found, nothing sought was, and every other row is as it was
    (limits.md §6: A1 = A0 − B0, B1 = 0, C1 = C0). ``said``: numbered steps with counts, no values.
    """

    dataset: str
    verdict: Verdict
    level: Level | None
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def others_only(self) -> bool:
        """Nothing of the person is left; of other rows it cannot be said that each is as it was."""
        why = self.said.get("why", ())
        return self.verdict == "indeterminate" and bool(why) and set(why) <= OTHERS


class Surveyor(Protocol):
    """The independent look at one system: own code, own read-only credential, targets from the store's own schema."""

    def before(self, sought: Sequence[Sought]) -> Mapping[str, Any]:
        """What every later look is held against: counts, keyed digests of the rows that no case touches, hits by place.

        Small enough to seal in each case's vault; JSON. ``unplanned``: place → hits that no plan explains; stop there.
        Raises CheckFailed where it cannot find what it knows is there.
        """

    def after(
        self, sought: Sequence[Sought], before: Mapping[str, Any],
        ours: Callable[[], Sequence[Mapping[str, str]]] = tuple,
    ) -> list[Finding]:
        """``ours``: what the looks before of our other cases called ``planned``, for that is no harm of this one's;
        asked after the look, for they go on meanwhile.

        One finding per dataset with something sought. Never raises for what it finds; ConnectorUnavailable if away.

        Looks for the planted values first: a look that cannot find them is ``indeterminate``.
        """

    def rewritten(self, owed: Mapping[str, Any]) -> Sequence[str]:
        """Of a finding's ``owes`` (a table, its file then): what was not rewritten since; places, no values."""
