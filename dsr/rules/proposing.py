"""What the engine proposes per dataset, and what a decision may say instead (documents.md §3, law.md §6)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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

SECRECY = "APPI-33-2-3+TBA-4-1"
OUT_OF_SCOPE = {"out_of_scope": "out_of_scope"}


def propose(
    datasets: Mapping[str, Mapping[str, Any]],
    drafts: Mapping[str, Mapping[str, Any]],
    own_secrecy: Collection[str] = (),
) -> dict[str, dict[str, Any]]:
    """``datasets``: status, records, reason by id; ``drafts``: what redaction counted. Returns items by dataset id.

    ``own_secrecy``: datasets whose communications are secret even from who asks for the person (T-6).
    """
    items: dict[str, dict[str, Any]] = {}
    for name, ended in datasets.items():
        if ended["status"] == "found" and name in own_secrecy:
            items[name] = {"outcome": "refused", "ground": SECRECY, "reason": ""}
        elif ended["status"] == "found":
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
    agreed = proposed["ground"] == SECRECY  # a minor who consents, or mandates, is told to the parent after all
    if item.outcome in shows and proposed["outcome"] not in shows and not agreed:
        raise BadInput(
            f"{field}.outcome", "nothing was found that could be shown", f"the proposal is {proposed['outcome']}"
        )
    if item.outcome == "full" and proposed["outcome"] == "partial":
        raise BadInput(
            f"{field}.outcome", "some cells are masked, so it is partial", "keep partial, or change the review"
        )
    if item.outcome in ("not_held", "not_asked") and proposed["outcome"] in shows:
        problem = f"records were found, so it cannot be {item.outcome}"
        raise BadInput(f"{field}.outcome", problem, "refuse with a ground instead")
    _check_grounded(right, field, item)


def _check_grounded(right: str, field: str, item: Item) -> None:
    """A ground of the closed list that fits the outcome, and a reason."""
    if item.outcome in WITHHOLDING:
        if not item.ground:
            raise BadInput(f"{field}.ground", "a refusal needs a ground", GROUNDS)
        check_ground(right, item.ground, f"{field}.ground", neutral=item.outcome == "existence_neutral")
        fits = next((told for told, begins in OF_OUTCOME.items() if item.ground.startswith(begins)), ("refused",))
        if item.outcome not in fits:
            raise BadInput(f"{field}.ground", f"{item.ground} is no ground of {item.outcome}", GROUNDS)
    if not item.reason:
        raise BadInput(f"{field}.reason", "a change of the proposal needs a reason", "say why, without anybody's data")


GROUNDS = "one of the closed list for this right, dsr/law/grounds.toml"


OF_OUTCOME: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("existence_neutral",): ("APPI-16-4-R5-", "APPI-33-5-R11-"),
    ("not_our_authority", "redirected"): ("APPI-16-4-AUTH",),
    ("out_of_scope",): ("APPI-2-", "APPI-16-NOTDB", "APPI-41-9", "APPI-45"),
    (): ("APPI-37-", "DUPLICATE", "WITHDRAWN"),  # of a case, never of a dataset
}
"""Outcomes → beginnings of the grounds that only they may rest on; ``refused`` rests on all others (law.md §2, §5)."""
WITHHOLDING = ("refused", *(outcome for outcomes in OF_OUTCOME for outcome in outcomes))


def check_ground(right: str, ground: str, field: str, *, neutral: bool = False) -> None:
    """Only from the closed list, and only against a right that the ground allows (law.md §5). Raises BadInput.

    One that is never printed stands only behind an answer that is ``neutral``.
    """
    row = law.ground(ground)
    if not row.allows(right):
        raise BadInput(field, f"{ground} cannot be used against {right}", GROUNDS)
    if row.printed is neutral:
        fix = "existence_neutral rests on APPI-16-4-R5-*" if neutral else "decide existence_neutral"
        raise BadInput(field, f"{ground} {'would be' if neutral else 'is never'} printed", fix)


APART = ("refused", "out_of_scope", "existence_neutral")
"""Outcomes that a single record may have beside those of its dataset."""


def apart(right: str, items: Mapping[str, Mapping[str, Any]], decision: Decision) -> dict[str, dict[str, str]]:
    """Dataset → record no. → ground; empty for what must not be known. Raises BadInput."""
    found: dict[str, dict[str, str]] = {}
    for record, item in decision.records.items():
        name, _, number = record.partition("/")
        field = f"records.{as_id(record)}"
        if items.get(name, {}).get("outcome") not in ("full", "partial"):
            fix = "name it <system>.<dataset>/<record no>"
            raise BadInput(field, "is of no dataset of this case that is shown", fix)
        if item.outcome in ("full", "partial"):  # as its dataset
            continue
        if item.outcome not in APART:
            problem = f"{item.outcome} is no outcome of one record"
            raise BadInput(f"{field}.outcome", problem, f"one of {', '.join(APART)}")
        _check_grounded(right, field, item)
        found.setdefault(name, {})[number] = "" if item.outcome == "existence_neutral" else str(item.ground)
    return found


ENGINES = frozenset({"second_person", "law_row", "linked_case", "confirmed_at_registered_address"})
"""Needs that the engine sees to itself: the second officer, the row that is joined, what the log says."""


NEEDS = frozenset(need for ground in law.GROUNDS for need in law.needs(ground)) - ENGINES


def must_be_given(ground: str, decision: Decision, field: str, known: Collection[str] = ()) -> None:
    """What the ground needs before use (law.md §5) is ``known`` or in DECISION.json. Raises BadInput naming it."""
    for word in decision.given:
        if word not in NEEDS:
            raise BadInput(f"given.{as_id(word)}", "is needed by no ground", f"one of {', '.join(sorted(NEEDS))}")
    for need in law.ground(ground).needs:
        if need not in ENGINES and need not in known and need not in decision.given:
            raise BadInput(f"given.{need}", f"is missing, and {ground} ({field}) needs it before use",
                           f'"given": {{"{need}": "…"}}, or true where it was done')  # fmt: skip


def outcome_of_case(items: Mapping[str, Mapping[str, Any]], whole: str = "") -> str:
    """Derived, never typed: what the items together amount to. ``whole``: of a right that is answered without any."""
    if whole:
        return whole
    outcomes = {item["outcome"] for item in items.values()}
    shown = outcomes & {"full", "partial"}
    if not shown:
        return "refused" if "refused" in outcomes else "not_held"
    return "partial" if outcomes & {"partial", "refused"} else "full"
