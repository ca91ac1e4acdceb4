"""Rows that no case touches, remembered so that the next look tells what was lost from what only came since.

A company goes on working between two looks: rows that came are no harm, a row that stood there and stands no more may
be. Of a place with up to ``MOST`` such rows each leaves 40 bits of its keyed mark; of a larger one each file its sum.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.survey.marks import Blocks, total

MOST = 1_000_000
_BYTES = 5
"""Of a mark: that a row which came hides one that was lost has a chance of one in 10^12 for each pair."""
_KEPT = np.uint64((1 << 8 * _BYTES) - 1)
Rows = npt.NDArray[np.uint64]


@dataclass
class Others:
    """Of one place. ``files``: rows and sum of marks of each file ("" for a table)."""

    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    count: int = 0
    _marks: list[Rows] = field(default_factory=list, repr=False)
    _ours: list[Rows] = field(default_factory=list, repr=False)

    def take(self, file: str, marked: Blocks) -> None:
        known, summed = self.files.get(file, (0, 0))
        self.files[file] = (known + len(marked), (summed + total(marked)) % (1 << 128))
        self.count += len(marked)
        self._marks = [*self._marks, marked[:, 0] & _KEPT] if self.count <= MOST else []

    def plan(self, marked: Blocks) -> None:
        """Rows that this plan changes: to every other case's look they are lost."""
        self._ours.append(marked[:, 0] & _KEPT)

    def planned(self) -> str:
        return _packed(np.concatenate([*self._ours, np.array([], np.uint64)]))

    @property
    def digest(self) -> int:
        return sum(digest for _, digest in self.files.values()) % (1 << 128)

    def row_marks(self) -> Rows | None:
        if self.count > MOST:
            return None
        return np.sort(np.concatenate([*self._marks, np.array([], np.uint64)]))

    def told(self) -> dict[str, Any]:
        """JSON; keyed marks only."""
        marks = self.row_marks()
        return {"rows": "" if marks is None else _packed(marks), "known": marks is not None,
                "files": {name: [rows, f"{digest:032x}"] for name, (rows, digest) in self.files.items()}}  # fmt: skip


def lost(before: Mapping[str, Any], now: Others, ours: Sequence[str]) -> tuple[int, int] | None:
    """Of the rows that stood there how many do not, or not as they stood, and of how many of them nobody of us knows.

    ``ours``: what other cases planned here. None where nothing of this can be told.
    """
    marks = now.row_marks()
    if before["known"] and marks is not None:
        missing = _missing(_unpacked(before["rows"]), marks)
        known = np.concatenate([*map(_unpacked, ours), np.array([], np.uint64)])
        return len(missing), int((~np.isin(missing, known)).sum())
    then = {name: (rows, int(digest, 16)) for name, (rows, digest) in before["files"].items()}
    return (0, 0) if all(now.files.get(name, (0, 0)) == told for name, told in then.items()) else None


def _packed(marks: Rows) -> str:
    return base64.b64encode(marks.view(np.uint8).reshape(-1, 8)[:, :_BYTES].tobytes()).decode()


def _unpacked(packed: str) -> Rows:
    raw = np.frombuffer(base64.b64decode(packed), np.uint8).reshape(-1, _BYTES)
    padded = np.zeros((len(raw), 8), np.uint8)
    padded[:, :_BYTES] = raw
    marks: Rows = padded.reshape(-1).view(np.uint64)
    return marks


def _missing(before: Rows, now: Rows) -> Rows:
    """Each mark as many times as it is fewer now."""
    then, counts = np.unique(before, return_counts=True)
    held, left = np.unique(now, return_counts=True)
    remaining = np.zeros(len(then), np.int64)
    if len(held):
        at = np.minimum(np.searchsorted(held, then), len(held) - 1)
        remaining = np.where(held[at] == then, left[at], 0)
    missing: Rows = np.repeat(then, np.maximum(counts - remaining, 0))
    return missing
