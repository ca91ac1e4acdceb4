"""Carries out plans through an HTTP API: one record a request, looked at before it is repeated, counted honestly.

DELETE of the record's own path, or PATCH with the columns to set. A request carries an idempotency key, and whatever it
answers, or does not answer, the record is then looked at: what we saw is what we say (traps.md T05).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from dsr.errors import ConnectorRefused, ConnectorUnavailable
from dsr.inventory import Dataset
from dsr.plan import Effects, Plan, Receipt
from dsr.rules.redaction import record_nos

PLACE = "records"
TRIES = 3
Look = Callable[[str], Mapping[str, Any] | None]
"""The record at a path as it is now; None where there is none."""


def write(
    client: httpx.Client, plans: Sequence[Plan], effects: Effects, look: Look, path_of: Callable[[Dataset, Any], str],
    wait: Callable[[Dataset, httpx.Response, float], float],
) -> list[Receipt]:  # fmt: skip
    """A receipt per plan. ``wait``: how long the server has made us wait so far, after it asked for more."""
    return [_one(client, plan, effects, look, path_of, wait) for plan in plans]


def _one(
    client: httpx.Client, plan: Plan, effects: Effects, look: Look, path_of: Callable[[Dataset, Any], str],
    wait: Callable[[Dataset, httpx.Response, float], float],
) -> Receipt:  # fmt: skip
    place = f"{PLACE}:{plan.case_no}"
    if (said := effects.ended(place)) is not None:
        return Receipt(plan.case_no, plan.dataset.id, plan.records, said["changed"], said["absent"])
    resumed = effects.begun(place) is not None
    effects.intend(place, {"planned": plan.records})
    changed = absent = 0
    sets = plan.values.to_pylist() if plan.values is not None else [None] * plan.records
    for key, number, values in zip(plan.keys.to_pylist(), record_nos(plan.keys, plan.dataset.key).to_pylist(), sets,
                                   strict=True):  # fmt: skip
        path = path_of(plan.dataset, key)
        before = look(path)
        if before is None:
            changed, absent = changed + resumed, absent + (not resumed)
        elif values is not None and _has(before, values):
            changed += 1
        else:
            changed += _asked(client, plan, path, number, values, look, wait)
    effects.done(place, {"changed": changed, "absent": absent})
    return Receipt(plan.case_no, plan.dataset.id, plan.records, changed, absent)


def _has(record: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    return all(name in record and record[name] == value for name, value in values.items())


def _asked(
    client: httpx.Client, plan: Plan, path: str, number: str, values: Mapping[str, Any] | None, look: Look,
    wait: Callable[[Dataset, httpx.Response, float], float],
) -> bool:  # fmt: skip
    """Whether the record is gone, or has its new values, after at most ``TRIES`` requests."""
    dataset, waited = plan.dataset, 0.0
    headers = {"Idempotency-Key": idempotency_key(plan, number)}
    for _ in range(TRIES):
        answer = _send(client, path, headers, values)
        while answer is not None and answer.status_code in (429, 503):
            waited = wait(dataset, answer, waited)
            answer = _send(client, path, headers, values)
        if answer is not None and answer.status_code in (401, 403, 405, 409):
            raise ConnectorRefused(dataset.system, dataset.name, f"status {answer.status_code} to a change")
        now = look(path)
        if now is None or (values is not None and _has(now, values)):
            return now is not None or values is None
        if answer is not None and answer.is_success:
            return False  # it said yes and did nothing: asking again would hear the same
    raise ConnectorUnavailable(dataset.system, dataset.name, "does not carry out a change")


def _send(
    client: httpx.Client, path: str, headers: Mapping[str, str], values: Mapping[str, Any] | None
) -> httpx.Response | None:
    """None where no answer came: it may have been done all the same, so it is looked at."""
    here = path.removeprefix("/")
    try:
        if values is None:
            return client.delete(here, headers=dict(headers))
        body = json.dumps(values, ensure_ascii=False).encode()
        return client.patch(here, headers={**headers, "Content-Type": "application/json"}, content=body)
    except (httpx.TimeoutException, httpx.RemoteProtocolError, httpx.ReadError):
        return None


def idempotency_key(plan: Plan, number: str) -> str:
    """H(case, system, dataset, record, plan, what): the same effect has the same key, in every run (limits.md §10)."""
    acting = "erase" if plan.values is None else "set"
    told = "\0".join((plan.case_no, plan.dataset.id, number, plan.digest, acting))
    return hashlib.sha256(told.encode()).hexdigest()
