"""What has overtaken a plan since it was made, by dataset and reason; it is made anew before it is decided upon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dsr.engine import plans
from dsr.engine.office import Hold
from dsr.errors import Conflict
from dsr.rules.redaction import record_nos

REASONS: Mapping[str, tuple[str, str]] = {
    "vanished": ("計画にある記録がなくなっています", "records of the plan are gone"),
    "changed": ("記録が変わり、今の規則では別の扱いになります", "changed since, and would be treated otherwise now"),
    "held": ("保全された記録があります", "a record was put on hold"),
    "copy": ("計画にない写しがあります", "holds a copy that no plan names"),
}
"""Why a case went back to the decision → the words of it."""


def reasons(stale: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """(dataset or place, key of REASONS); nothing where the plan still holds."""
    told = stale or {}
    for reason in ("held", "vanished", "changed"):
        yield from ((name, reason) for name in told.get(reason, ()))
    yield from ((f"{told['system']}.{place}", "copy") for place in told.get("places", ()))


def words(stale: Mapping[str, Any] | None, language: int = 1) -> str:
    return "; ".join(f"{name}: {REASONS[reason][language]}" for name, reason in reasons(stale))


def held(hold: Hold) -> list[str]:
    """Datasets of which the plan would change a record that somebody put on hold since (EN-14, EN-15)."""
    named = plans.held(hold)
    return [one.dataset.id for one in plans.frozen(hold) if named and named & _acted_on(one)]


def _acted_on(one: plans.Frozen) -> set[str]:
    return {f"{one.dataset.id}/{number}" for number in record_nos(one.of(plans.ACTS), one.dataset.key).to_pylist()}


def stale(hold: Hold) -> Mapping[str, Any]:
    """As it was recorded when the case went back, or as the holds make it now; empty where the plan still holds."""
    before: Mapping[str, Any] | None = hold.case.facts.get("stale")
    now = held(hold)
    return before or ({"held": now} if now else {})


def must_not_be(hold: Hold) -> None:
    """Raises Conflict for a plan that was overtaken: the same decision on it would come back the same way."""
    if plans.changes(hold) and (why := stale(hold)):
        raise Conflict(f"{hold.case_no}: the plan was overtaken ({words(why)}); {anew(hold.case_no, why)}")


def anew(case_no: str, why: Mapping[str, Any]) -> str:
    """What to do."""
    first = "declare the copy or have it removed, then " if why.get("places") else ""
    return f"{first}make it anew: dsr collect {case_no} --again, and decide on that"
