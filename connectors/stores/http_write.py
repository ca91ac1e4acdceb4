"""Carries out plans in an HTTP system: each record is looked at, told to go or to change, and looked at again.

An answer is not believed: what counts is what a GET shows afterwards (traps.md T05). Each request carries an
``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header); a system that knows none is looked at before it is
asked again, so that a request that was carried out and never answered is not made twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import httpx

from connectors.stores.rows import written
from dsr.errors import ConnectorMisread, ConnectorUnavailable
from dsr.plan import Effects, Plan, Receipt

PLACE = "records"
TURNS = 3
"""How often one record is asked for, at most."""
Key = Mapping[str, Any]
_NO_PATH = frozenset({None, "", ".", ".."})
"""Parts of a key that would make the path of one record the path of something else."""


class Records(Protocol):
    """The records of one dataset at their addresses. Raises ConnectorError or what httpx raises."""

    def look(self, key: Key) -> Mapping[str, Any] | None: ...

    def ask(self, method: str, key: Key, headers: Mapping[str, str], body: Mapping[str, Any] | None) -> int:
        """The status: of success, of a record that is not there, or of a server that failed; no other."""


def write(plans: Sequence[Plan], effects: Effects, records: Records) -> list[Receipt]:
    """A receipt per plan; see ``dsr.connector.Writes.write``. Each plan is an effect of its own."""
    for plan in plans:
        _require_paths(plan)
    return [_carry_out(plan, effects, records) for plan in plans]


def _require_paths(plan: Plan) -> None:
    parts = {part for name in plan.dataset.key for part in plan.keys.column(name).to_pylist()}
    if parts & _NO_PATH:
        words = "a key is no name in a path; nothing was changed"
        raise ConnectorMisread(plan.dataset.system, plan.dataset.name, words)


def _carry_out(plan: Plan, effects: Effects, records: Records) -> Receipt:
    place = f"{PLACE}:{plan.case_no}:{'erase' if plan.values is None else 'set'}"
    said = effects.ended(place)
    if said is None:
        values = plan.values.to_pylist() if plan.values is not None else [None] * plan.records
        wishes = list(zip(plan.keys.select(list(plan.dataset.key)).to_pylist(), values, strict=True))
        there = [(key, wish) for key, wish in wishes if records.look(key) is not None]
        # Killed between effect and record: what was there at the intent and is gone now, went by our own hand.
        known = max(len(there), (effects.begun(place) or {"there": 0})["there"])
        effects.intend(place, {"planned": plan.records, "there": known})
        left = sum(not _done(plan, key, wish, records) for key, wish in there)
        said = {"planned": plan.records, "there": known, "left": left}
        effects.done(place, said)
    changed, absent = said["there"] - said["left"], plan.records - said["there"]
    return Receipt(plan.case_no, plan.dataset.id, plan.records, changed, absent)


def _done(plan: Plan, key: Key, wish: Mapping[str, Any] | None, records: Records) -> bool:
    """Whether a look shows what was asked for. Twice told "done" and still as it was, it is left for the survey."""
    believed = 0
    for turn in range(1, TURNS + 1):
        body = None if wish is None else _differing(records.look(key), wish)
        if body == {}:
            return True
        headers = {"Idempotency-Key": _idempotency_key(plan, key, believed)}
        status = 0
        try:
            status = records.ask("DELETE" if wish is None else "PATCH", key, headers, body)
        except httpx.TransportError:  # sent perhaps, and perhaps carried out: only a look can tell
            if turn == TURNS:
                raise
        if not _differs(records.look(key), wish):
            return True
        believed += status < 500 and status != 0
        if believed == 2:
            return False
    raise ConnectorUnavailable(plan.dataset.system, plan.dataset.name, f"status {status}, {TURNS} times")


def _differs(record: Mapping[str, Any] | None, wish: Mapping[str, Any] | None) -> bool:
    """Whether the record is not yet as planned; one that is gone holds nothing."""
    return record is not None and (wish is None or bool(_differing(record, wish)))


def _differing(record: Mapping[str, Any] | None, wish: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be sent: only what changes, so that a nested field that stays is not written back as text."""
    return {name: value for name, value in wish.items() if record and written(record[name]) != written(value)}


def _idempotency_key(plan: Plan, key: Key, believed: int) -> str:
    """Another one once "done" was answered and was not so: the server would only repeat what it said."""
    parts = [written(key[name]) for name in plan.dataset.key]
    told = [plan.case_no, plan.dataset.system, plan.dataset.id, parts, plan.digest, *([believed] if believed else [])]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()
