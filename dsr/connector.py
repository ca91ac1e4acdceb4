"""The one contract between the engine and a company's system.

A connector answers about one system. It returns keys with evidence, never a judgement: whose row it is,
``dsr.rules.matching`` decides. Errors are those of ``dsr.errors.ConnectorError``; unreachable is never empty.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa

from dsr.days import ALWAYS, Interval, instants, within
from dsr.errors import ConnectorMisread
from dsr.identity import Identifier
from dsr.inventory import Dataset
from dsr.plan import Effects, Plan, Receipt

Scratch = Callable[[], AbstractContextManager[Path | None]]
"""Lends a folder inside the vault in which a store may spill what does not fit in memory; None: nothing is spilt."""


@dataclass(frozen=True)
class Drift:
    """``dataset`` is None for something the declaration does not know at all (an undeclared table: ``place``)."""

    system: str
    dataset: str | None
    place: str
    problem: str  # "undeclared" | "missing" | "cannot be read" | what is wrong with a declared statement


@dataclass(frozen=True)
class Ask:
    """One question to one dataset by one of its declared ways.

    ``identifier`` for a way by an identifier kind; ``forms`` (``{"kana_forms": (...), …}``, every written form of
    the person) for the way ``by = "person"``. ``interval`` bounds the rows wanted; the engine checks again.
    """

    way: int
    identifier: Identifier | None = None
    forms: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    interval: Interval = ALWAYS


@dataclass(frozen=True)
class Located:
    """Rows of the declared locate, as stored: key columns, the evidence, ``at`` and reveals columns."""

    ask: Ask
    rows: pa.Table = field(repr=False)


def happened(dataset: Dataset, rows: pa.Table | pa.RecordBatch) -> pa.Array:
    """When each row happened, ``timestamp[us, UTC]``; NULLs without ``at``. Raises ConnectorMisread."""
    if dataset.at is None:
        return pa.nulls(rows.num_rows, pa.timestamp("us", "UTC"))
    try:
        return instants(rows.column(dataset.at.column), dataset.at.form, dataset.at.tz)
    except (ValueError, pa.ArrowException):  # its words may quote the value
        problem = f"column {dataset.at.column}: not of the form {dataset.at.form}"
    raise ConnectorMisread(dataset.system, dataset.name, problem)


def in_tenure(dataset: Dataset, ask: Ask, rows: pa.Table) -> pa.Table:
    """The rows inside the ask's interval; a store's own comparison may bring more (law.md T-8)."""
    if dataset.at is None or ask.interval == ALWAYS:
        return rows
    return rows.filter(within(happened(dataset, rows), ask.interval))


class Connector(Protocol):
    def check(self) -> list[Drift]:
        """Live schema against the declaration; empty when they agree. Raises ConnectorUnavailable."""

    def locate(self, dataset: Dataset, asks: Sequence[Ask]) -> Iterator[Located]:
        """Keys with evidence, in bounded tables; several ``Located`` may answer one ask, an ask may have none."""

    def fetch(self, dataset: Dataset, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        """The declared fields of exactly these rows, in declared order, in bounded batches (65,536 rows at most).

        ``keys`` holds the dataset's key columns as ``locate`` returned them. A vanished row is simply absent.
        """


@runtime_checkable
class Shared(Connector, Protocol):
    """A connector that may be asked for many cases at once, where one pass over its store serves them all."""

    def shares(self, dataset: Dataset) -> bool:
        """Whether each row follows from its own ask or key alone, whatever else is asked in the same call. Every
        ``Located.ask`` is then the very object that was given: asks of two cases may be equal."""


@runtime_checkable
class Placed(Connector, Protocol):
    """A connector whose record numbers are places: another record may stand there by now (a line of a log)."""

    def marked(self, dataset: Dataset, marks: Collection[str]) -> Iterator[tuple[str, str]]:
        """Record no. and mark (``dsr.plan.line_mark``) of each record with one of these marks, wherever it stands."""


@runtime_checkable
class Writes(Connector, Protocol):
    """A connector that can carry out plans itself; used only where the owner opted in (``writes = "direct"``)."""

    def write(self, plans: Sequence[Plan], effects: Effects) -> list[Receipt]:
        """Carry out plans of one dataset, of one case or several, with one pass over the store; a receipt per plan.

        Safe to call again after a kill at any instant: same end state, each effect journalled once. Rows of others stay
        as they are to the byte, or nothing is changed at all. Raises ConnectorError; CheckFailed where the store's own
        count contradicts the plan (nothing is then changed); NotAllowed when stopped.
        """
