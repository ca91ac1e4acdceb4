"""What a decision may say of a proposed erasure, and what the items together amount to (law.md §4–6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from dsr.errors import BadInput, as_id
from dsr.request import Decision, Item
from dsr.rules.proposing import check_ground

Said = Mapping[str, Any]
WORST = ("kept_until", "stop_declined", "correction_declined", "alternative_measure", "deidentified", "use_stopped",
         "provision_stopped", "erased", "corrected")  # fmt: skip
"""Outcome of a dataset whose parts end differently: the first of these."""
DECLINED = {"true": "APPI-34-1-TRUE", "opinion": "APPI-34-1-OPINION", "purpose": "APPI-34-2-PURPOSE",
            "other_law": "APPI-34-2-OTHERLAW"}  # fmt: skip
"""Result of an investigation → ground on which a correction is declined (law.md §5)."""
OUTCOME = {"correct": "corrected", "annotate": "alternative_measure", "erase": "erased", "deidentify": "deidentified",
           "use_stop": "use_stopped", "provision_stop": "provision_stopped", "provision_order": "provision_stopped",
           "refuse": "stop_declined"}  # fmt: skip

STAYS = frozenset({"deidentify", "use_stop", "provision_stop", "provision_order"})
"""Measures after which the record stands there: no officer makes an erasure of them."""


def decided(right: str, proposal: Mapping[str, Said], decision: Decision) -> dict[str, dict[str, Any]]:
    """The proposal with the officer's changes, each with a reason. A rule of law that keeps a record is nobody's to
    waive; what is only still needed may be let go all the same (GE-4). Raises BadInput."""
    items = {name: dict(item) for name, item in proposal.items()}
    if decision.records:
        raise BadInput("records", "single records are kept by a hold", "dsr hold add CASE --record DATASET/NO")
    for name, item in decision.datasets.items():
        if name not in items:
            raise BadInput(f"datasets.{as_id(name)}", "is not part of this case", "see dsr show CASE")
        if _is_change(item, items[name]):
            items[name] = _changed(right, name, item, items[name])
    return items


def _is_change(item: Item, proposed: Said) -> bool:
    return item.measure is not None or item.outcome != proposed["outcome"]


def _changed(right: str, name: str, item: Item, proposed: Said) -> dict[str, Any]:
    field = f"datasets.{name}"
    if not item.reason:
        raise BadInput(f"{field}.reason", "a change of the proposal needs a reason", "say why, without anybody's data")
    if not proposed["parts"]:
        raise BadInput(f"{field}.outcome", "nothing was found that could be decided", f"it is {proposed['outcome']}")
    if item.measure == "keep" or item.outcome == "stop_declined":
        if not item.ground:
            raise BadInput(f"{field}.ground", "a refusal needs a ground", "one of law.md §5: APPI-35-5-NEEDED …")
        check_ground(right, item.ground, f"{field}.ground")
        parts = [_refused(part, item.ground) for part in proposed["parts"]]
    elif item.measure == "erase" or item.outcome == "erased":
        parts = [_erased(field, part) for part in proposed["parts"]]
    else:
        raise BadInput(f"{field}.measure", "cannot be chosen here", "erase, or keep with a ground")
    grounds = sorted({part["ground"] for part in parts if part["ground"]})
    ground = grounds[0] if grounds else None
    return {"outcome": outcome_of(parts), "ground": ground, "reason": item.reason, "parts": parts}


def _refused(part: Said, ground: str) -> dict[str, Any]:
    """Its records stay; the measure it was planned with stays known, for the frozen values stand by it."""
    stays = {**part, "planned": part.get("planned", part["measure"])}
    return stays if part["until"] else {**stays, "measure": "refuse", "ground": ground}


def _erased(field: str, part: Said) -> dict[str, Any]:
    planned = part.get("planned", part["measure"])
    if part["until"] or part["rule"]:
        raise BadInput(f"{field}.measure", f"{part['rule']} keeps records of it until {part['until']}",
                       "leave the dataset as proposed: the rest is erased, those on their day")  # fmt: skip
    if planned in STAYS:
        return {**part, "planned": planned}
    return {**part, "planned": planned, "measure": "erase", "ground": None}


def corrected(items: Mapping[str, Said], decision: Decision) -> dict[str, dict[str, Any]]:
    """By what was investigated: nothing is corrected or declined without it (APPI 34(2)). Raises BadInput."""
    looked = decision.investigated
    if looked is None:
        fix = '{"investigated": {"how": "…", "result": "untrue|true|opinion|purpose|other_law", "value": "…"}}'
        raise BadInput("investigated", "is missing; what is true is looked into first", f"decide with --file: {fix}")
    if looked.result == "untrue":
        return {name: dict(item) for name, item in items.items()}
    ground = DECLINED[looked.result]
    return {
        name: {**item, "outcome": "correction_declined", "ground": ground,
               "parts": [_refused(part, ground) for part in item["parts"]]} if item["parts"] else dict(item)
        for name, item in items.items()
    }  # fmt: skip


def outcomes(item: Said, gone: Collection[int] = ()) -> dict[str, int]:
    """Outcome of law.md §6 → records, the worst first: of a dataset whose records fare differently no single one is
    true. ``gone``: parts that were kept until a day, and went on it."""
    told = Counter[str]()
    for at, part in enumerate(item["parts"]):
        told["erased" if at in gone else _outcome_of_part(item["outcome"], part)] += part["records"]
    return worst_first(told)


def worst_first(told: Mapping[str, int]) -> dict[str, int]:
    return {word: told[word] for word in WORST if told.get(word)}


def _outcome_of_part(whole: str, part: Said) -> str:
    if whole == "correction_declined":
        return whole
    if part["until"]:
        return "kept_until"
    if part["measure"] == "keep":  # without a ground: on hold, or so already
        return "stop_declined" if part["ground"] else "alternative_measure"
    return OUTCOME[part["measure"]]


def outcome_of(parts: list[dict[str, Any]]) -> str:
    told = {"kept_until" if part["until"] else OUTCOME.get(part["measure"], "stop_declined") for part in parts}
    return next(word for word in WORST if word in told)


def outcome_of_case(items: Mapping[str, Said]) -> str:
    """Derived, never typed."""
    told = {item["outcome"] for item in items.values() if item["parts"]}
    return next((word for word in WORST if word in told), "not_held")
