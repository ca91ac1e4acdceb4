"""What the builder knows and the engine must find out: who owns which record, and what of it is masked or struck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

OTHER = ("person_other", "APPI-33-1-OTHER")
THIRD = "APPI-33-2-1-THIRD"
WITHHELD = ("withheld_number", "APPI-33-2-3+TBA-4-1")
LAST4 = ("last4", None)
ACCOUNT = ("account_tail", None)
CARD = ("card_tail", None)

Mark = tuple[str, str | None]
Span = tuple[str, int, int, str]


def spans_of(field_name: str, text: str, words: Sequence[str], ground: str = THIRD) -> list[Span]:
    """Where each of ``words`` stands in ``text``, in code points."""
    return [(field_name, text.index(word), text.index(word) + len(word), ground) for word in words]


@dataclass
class Truth:
    """Grows while the stores are written; a key is a story's, or the customer no. of somebody without one."""

    owns: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    masked: dict[str, dict[str, dict[str, dict[str, Mark]]]] = field(default_factory=dict)
    spans: dict[str, dict[str, dict[str, list[Span]]]] = field(default_factory=dict)
    identity: dict[str, dict[str, str]] = field(default_factory=dict)
    columns: dict[str, tuple[pa.Array[Any], pa.Array[Any]]] = field(default_factory=dict)

    def own(
        self,
        key: str | None,
        dataset: str,
        record_no: object,
        masks: Mapping[str, Mark] | None = None,
        note: Sequence[Span] | None = None,
    ) -> None:
        """``note`` is not None: the record holds free text, of which these spans are struck (none: an empty list)."""
        if key is None:
            return
        number = str(record_no)
        self.owns.setdefault(key, {}).setdefault(dataset, []).append(number)
        if masks:
            self.masked.setdefault(key, {}).setdefault(dataset, {})[number] = dict(masks)
        if note is not None:
            self.spans.setdefault(key, {}).setdefault(dataset, {})[number] = list(note)

    def person(self, key: str, datasets: Mapping[str, tuple[str, str | None]]) -> dict[str, Any]:
        """One entry of truth.json; ``datasets``: each declared one with its status and reason where it is empty."""
        owns = self.owns.get(key, {})
        return {
            "request": f"requests/{key}.json",
            "owns": {name: owns[name] for name in datasets if name in owns},
            "masked": self.masked.get(key, {}),
            "spans": {
                name: {number: {"strike": strike, "release": True} for number, strike in notes.items()}
                for name, notes in self.spans.get(key, {}).items()
            },
            "identity": self.identity.get(key, {}),
            "kept_on_erasure": {},
            "status": {name: "found" if name in owns else empty for name, (empty, _) in datasets.items()},
            "reasons": {name: reason for name, (_, reason) in datasets.items() if reason},
        }

    def write_crowd(self, folder: Path, story: frozenset[str]) -> None:
        """People without a story: one Parquet file per dataset of (dataset, record_no, customer_no)."""
        for dataset in sorted({name for owned in self.owns.values() for name in owned} | set(self.columns)):
            strangers = [(key, owned.get(dataset, [])) for key, owned in self.owns.items() if key not in story]
            pairs = [(dataset, number, key) for key, numbers in strangers for number in numbers]
            names = ("dataset", "record_no", "customer_no")
            parts = [
                pa.table({name: pa.array([pair[at] for pair in pairs], pa.string()) for at, name in enumerate(names)})
            ]
            if dataset in self.columns:
                numbers, owners = self.columns[dataset]
                parts.append(
                    pa.table([pa.repeat(pa.scalar(dataset), len(numbers)), numbers, owners], names=list(names))
                )
            pq.write_table(pa.concat_tables(parts), folder / f"{dataset}.parquet", compression="zstd")
