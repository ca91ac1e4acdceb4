"""Identifiers with the interval in which they were this person's, and what revealed them (names.md N-3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from dsr.days import ALWAYS, Interval

STATED = "request"
"""``revealed_by`` of an identifier that only the requester stated: a claim that finds evidence and opens nothing."""


@dataclass(frozen=True, order=True)
class Identifier:
    """``revealed_by`` is ``"request"`` or the record ``<system>.<dataset>/<record no>`` that revealed it."""

    kind: str
    value: str = field(repr=False)
    interval: Interval = ALWAYS
    revealed_by: str = STATED

    @property
    def trusted(self) -> bool:
        """Revealed by a record already matched to the subject."""
        return self.revealed_by != STATED
