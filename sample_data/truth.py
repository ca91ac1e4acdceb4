"""What the builder knows and the engine must find out: who owns which record, and what of it is masked or struck."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sample_data.fates import ERASED, Fate
from sample_data.people import DEAD

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
    fates: dict[str, dict[str, dict[str, Fate]]] = field(default_factory=dict)
    wrong: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Records that hold the value which their person says is wrong."""
    provided: dict[str, dict[str, str]] = field(default_factory=dict)
    """Statutory records of provision, by record no. with their kind; what is none or must not be known is not here."""

    def own(
        self,
        key: str | None,
        dataset: str,
        record_no: object,
        masks: Mapping[str, Mark] | None = None,
        note: Sequence[Span] | None = None,
        fate: Fate = ERASED,
    ) -> None:
        """``note`` is not None: the record holds free text, of which these spans are struck (none: an empty list).

        ``fate``: what becomes of it when its person asks for erasure.
        """
        if key is None or key in DEAD:
            return
        number = str(record_no)
        self.owns.setdefault(key, {}).setdefault(dataset, []).append(number)
        if masks:
            self.masked.setdefault(key, {}).setdefault(dataset, {})[number] = dict(masks)
        if note is not None:
            self.spans.setdefault(key, {}).setdefault(dataset, {})[number] = list(note)
        if fate is not ERASED:
            self.fates.setdefault(key, {}).setdefault(dataset, {})[number] = fate

    def person(
        self, key: str, datasets: Mapping[str, tuple[str, str | None]], erasing: Sequence[str] | None
    ) -> dict[str, Any]:
        """One entry of truth.json; ``datasets``: each declared one with its status and reason where it is empty;
        ``erasing``: systems of which the ready request asks erasure, None for all."""
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
            **self._after_erasure(key, [name for name in datasets if erasing is None or name.split(".")[0] in erasing]),
            "wrong": self.wrong.get(key, {}),
            "provided": self.provided.get(key, {}),
            "status": {name: "found" if name in owns else empty for name, (empty, _) in datasets.items()},
            "reasons": {name: reason for name, (_, reason) in datasets.items() if reason},
        }

    def _after_erasure(self, key: str, datasets: Sequence[str]) -> dict[str, Any]:
        """What stays and why, what is emptied or switched off and stays, and what goes whole."""
        fates = {
            name: {number: self.fates.get(key, {}).get(name, {}).get(number, ERASED) for number in numbers}
            for name, numbers in self.owns.get(key, {}).items()
            if name in datasets
        }

        def told(of: Callable[[Fate], Any]) -> dict[str, dict[str, Any]]:
            some = {name: {n: of(fate) for n, fate in found.items() if of(fate)} for name, found in fates.items()}
            return {name: found for name, found in some.items() if found}

        return {
            "kept_on_erasure": told(lambda fate: fate.rule),
            "kept_until": told(lambda fate: fate.until and fate.until.isoformat()),
            "refused": told(lambda fate: fate.refused),
            "deidentified": told(lambda fate: list(fate.emptied)),
            "use_stopped": {name: list(found) for name, found in told(lambda fate: fate.stopped).items()},
            "erased": {name: list(found) for name, found in told(lambda fate: fate == ERASED).items()},
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
