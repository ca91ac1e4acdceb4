"""What the engine proposes per dataset, and what a decision may say instead (documents.md §3, law.md §6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsr import law
from dsr.errors import BadInput, as_id
from dsr.request import Decision, Item

OUTCOME_OF = {
    "none_found": ("not_held", None),
    "not_ours": ("not_our_authority", "APPI-16-4-AUTH"),
    "not_asked": ("not_asked", None),
    "unreachable": ("unreachable", None),
    "withheld": ("refused", None),
}
"""Search status → item outcome and ground, where nothing was found to judge."""

DISCLOSURE = frozenset(
    {
        "full",
        "partial",
        "refused",
        "not_held",
        "not_our_authority",
        "redirected",
        "existence_neutral",
        "out_of_scope",
        "not_asked",
    }
)
"""Outcomes that an item of a disclosure may have."""

OUT_OF_SCOPE = {"out_of_scope": "out_of_scope"}


def propose(
    datasets: Mapping[str, Mapping[str, Any]], drafts: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """``datasets``: status, records, reason by id; ``drafts``: what redaction counted. Returns items by dataset id."""
    items: dict[str, dict[str, Any]] = {}
    for name, ended in datasets.items():
        if ended["status"] == "found":
            items[name] = _of_found(drafts.get(name, {}))
        else:
            outcome, ground = OUTCOME_OF[ended["status"]]
            items[name] = {
                "outcome": OUT_OF_SCOPE.get(ended["reason"] or "", outcome),
                "ground": ground,
                "reason": ended["reason"] or "",
            }
    return items


def _of_found(draft: Mapping[str, Any]) -> dict[str, Any]:
    """Of what must not be known nothing depends but whether it is all there is (Order 11; DC-5)."""
    unknowable = unknowable_of(draft)
    withheld = {ground: n for ground, n in draft.get("withheld", {}).items() if ground not in unknowable}
    if unknowable and not withheld and not draft["rows"]:
        return {"outcome": "existence_neutral", "ground": min(unknowable), "reason": ""}
    return {"outcome": "partial" if draft.get("reasons") or withheld else "full", "ground": None, "reason": ""}


def unknowable_of(draft: Mapping[str, Any]) -> dict[str, int]:
    """Ground that is never printed → rows that no paper counts."""
    return {ground: n for ground, n in draft.get("withheld", {}).items() if not law.ground(ground).printed}


def decided(right: str, proposal: Mapping[str, Mapping[str, Any]], decision: Decision) -> dict[str, dict[str, Any]]:
    """The proposal with the officer's changes. Raises BadInput for a change without reason or off the closed lists."""
    items = {name: dict(item) for name, item in proposal.items()}
    if decision.records:
        raise BadInput(
            "records",
            "single records cannot be decided apart in a disclosure yet",
            "decide the dataset, or strike the note in review",
        )
    for name, item in decision.datasets.items():
        if name not in items:
            raise BadInput(f"datasets.{as_id(name)}", "is not part of this case", "see dsr show CASE")
        if (item.outcome, item.ground) != (items[name]["outcome"], items[name]["ground"]):
            _check_change(right, name, item, items[name])
            items[name] = {"outcome": item.outcome, "ground": item.ground, "reason": item.reason}
    return items


def _check_change(right: str, name: str, item: Item, proposed: Mapping[str, Any]) -> None:
    field = f"datasets.{name}"
    if item.outcome not in DISCLOSURE:
        raise BadInput(
            f"{field}.outcome",
            f"{item.outcome} is no outcome of a disclosure",
            f"one of {', '.join(sorted(DISCLOSURE))}",
        )
    shows = ("full", "partial")
    if item.outcome in shows and proposed["outcome"] not in shows:
        raise BadInput(
            f"{field}.outcome", "nothing was found that could be shown", f"the proposal is {proposed['outcome']}"
        )
    if item.outcome == "full" and proposed["outcome"] == "partial":
        raise BadInput(
            f"{field}.outcome", "some cells are masked, so it is partial", "keep partial, or change the review"
        )
    if item.outcome == "not_held" and proposed["outcome"] in shows:
        raise BadInput(
            f"{field}.outcome", "records were found, so it cannot be not_held", "refuse with a ground instead"
        )
    if item.outcome == "refused":
        if not item.ground:
            raise BadInput(f"{field}.ground", "a refusal needs a ground", GROUNDS)
        check_ground(right, item.ground, f"{field}.ground")
    if not item.reason:
        raise BadInput(f"{field}.reason", "a change of the proposal needs a reason", "say why, without anybody's data")


GROUNDS = "one of the closed list for this right, dsr/law/grounds.toml"


def check_ground(right: str, ground: str, field: str) -> None:
    """Only from the closed list, and only against a right that the ground allows (law.md §5). Raises BadInput."""
    if not law.ground(ground).printed:
        raise BadInput(field, f"{ground} is never printed", "what must not be known is decided existence_neutral")
    if not law.ground(ground).allows(right):
        raise BadInput(field, f"{ground} cannot be used against {right}", GROUNDS)


def outcome_of_case(items: Mapping[str, Mapping[str, Any]], whole: str = "") -> str:
    """Derived, never typed: what the items together amount to. ``whole``: of a right that is answered without any."""
    if whole:
        return whole
    outcomes = {item["outcome"] for item in items.values()}
    shown = outcomes & {"full", "partial"}
    if not shown:
        return "refused" if "refused" in outcomes else "not_held"
    return "partial" if outcomes & {"partial", "refused"} else "full"
