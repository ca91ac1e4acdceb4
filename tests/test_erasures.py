"""What an officer may change of a proposed erasure: each change with a reason, and no rule of law is waived."""

from __future__ import annotations

from typing import Any

import pytest

from dsr.errors import BadInput
from dsr.request import Decision
from dsr.rules import erasures


def part(measure: str, rule: str | None = None, until: str | None = None, ground: str | None = None) -> dict[str, Any]:
    return {"measure": measure, "records": 3, "rule": rule, "until": until, "ground": ground, "purposes": [], "fields": []}


def item(*parts: dict[str, Any], outcome: str = "") -> dict[str, Any]:
    return {"outcome": outcome or erasures.outcome_of(list(parts)), "ground": None, "reason": "", "parts": list(parts)}


NEEDED = part("keep", ground="APPI-35-5-NEEDED")
KEPT = part("keep", "TAX59-7Y", "2034-05-31")
PROPOSAL = {
    "a.gone": item(part("erase")),
    "a.needed": item(NEEDED),
    "a.mixed": item(part("erase"), KEPT),
    "a.emptied": item(part("deidentify")),
    "a.none": item(outcome="not_held"),
}


def decided(name: str, **said: Any) -> dict[str, Any]:
    decision = Decision.model_validate({"datasets": {name: {"outcome": "erased", **said}}})
    return erasures.decided("erasure", PROPOSAL, decision)


def test_as_proposed_is_as_proposed() -> None:
    assert erasures.decided("erasure", PROPOSAL, Decision(datasets={})) == PROPOSAL
    same = {name: {"outcome": it["outcome"]} for name, it in PROPOSAL.items()}
    assert erasures.decided("erasure", PROPOSAL, Decision.model_validate({"datasets": same})) == PROPOSAL


def test_what_is_only_still_needed_may_be_let_go_and_its_neighbour_stays_as_it_was() -> None:
    items = decided("a.needed", measure="erase", reason="ご本人の強いご希望")
    assert items["a.needed"]["parts"][0]["measure"] == "erase"
    assert items["a.needed"]["parts"][0]["ground"] is None
    assert items["a.needed"]["outcome"] == "erased"
    assert {n: it for n, it in items.items() if n != "a.needed"} == {n: it for n, it in PROPOSAL.items() if n != "a.needed"}


def test_either_word_alone_lets_go_the_measure_or_the_outcome() -> None:
    for said in ({"outcome": "erased"}, {"outcome": "deidentified", "measure": "erase"}):
        decision = Decision.model_validate({"datasets": {"a.needed": {**said, "reason": "ご希望"}}})
        assert erasures.decided("erasure", PROPOSAL, decision)["a.needed"]["outcome"] == "erased", said


@pytest.mark.parametrize("kept", [part("keep", "TAX59-7Y", None), part("keep", None, "2034-05-31")], ids=["no day", "no rule"])
def test_what_a_law_keeps_is_not_let_go_though_nobody_can_say_until_when(kept: dict[str, Any]) -> None:
    decision = Decision.model_validate({"datasets": {"a.kept": {"outcome": "erased", "reason": "x"}}})
    with pytest.raises(BadInput, match="keeps records"):
        erasures.decided("erasure", {"a.kept": {**item(kept), "outcome": "kept_until"}}, decision)


def test_an_emptied_record_stays_emptied_when_erasure_is_meant() -> None:
    assert decided("a.emptied", measure="erase", reason="x")["a.emptied"]["parts"][0]["measure"] == "deidentify"


def test_a_refusal_keeps_what_was_planned_and_a_statutory_part_its_day() -> None:
    items = decided("a.mixed", outcome="stop_declined", ground="APPI-35-5-NEEDED", reason="係争中")
    gone, kept = items["a.mixed"]["parts"]
    assert (gone["measure"], gone["planned"], gone["ground"]) == ("refuse", "erase", "APPI-35-5-NEEDED")
    assert (kept["measure"], kept["until"], kept["planned"]) == ("keep", "2034-05-31", "keep")
    assert items["a.mixed"]["outcome"] == "kept_until"


@pytest.mark.parametrize(
    ("name", "said", "field"),
    [
        ("a.mixed", {"measure": "erase", "reason": "x"}, "measure"),  # the tax rule is nobody's to waive
        ("a.gone", {"measure": "keep", "reason": "x"}, "ground"),
        ("a.gone", {"measure": "keep", "ground": "APPI-33-2-1-THIRD", "reason": "x"}, "ground"),
        ("a.gone", {"measure": "keep", "ground": "APPI-35-5-NEEDED"}, "reason"),
        ("a.gone", {"outcome": "full", "reason": "x"}, "measure"),
        ("a.none", {"measure": "erase", "reason": "x"}, "outcome"),
        ("b.unknown", {"measure": "erase", "reason": "x"}, "b.unknown"),
    ],
)
def test_what_may_not_be_said_names_its_field(name: str, said: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as told:
        decided(name, **said)
    assert told.value.field.endswith(field)


def test_single_records_are_kept_by_a_hold() -> None:
    document = {"datasets": {}, "records": {"a.gone/1": {"outcome": "stop_declined", "reason": "x"}}}
    with pytest.raises(BadInput, match="hold"):
        erasures.decided("erasure", PROPOSAL, Decision.model_validate(document))


def test_the_worst_part_names_the_dataset_and_the_worst_dataset_the_case() -> None:
    assert erasures.outcome_of([part("erase"), part("refuse")]) == "stop_declined"
    assert erasures.outcome_of([part("erase"), KEPT, part("refuse")]) == "kept_until"
    assert erasures.outcome_of([part("erase"), part("deidentify")]) == "deidentified"
    assert erasures.outcome_of_case(PROPOSAL) == "kept_until"
    nothing = {"a.none": PROPOSAL["a.none"], "a.empty": item(outcome="erased")}
    assert erasures.outcome_of_case(nothing) == "not_held"


def test_of_a_dataset_whose_records_fare_differently_every_outcome_is_counted() -> None:
    mixed = item(part("erase"), KEPT, part("refuse", ground="APPI-35-5-NEEDED"), part("erase"), part("keep", "HOLD"))
    told = {"kept_until": 3, "stop_declined": 3, "alternative_measure": 3, "erased": 6}
    assert list(erasures.outcomes(mixed).items()) == list(told.items()), "the worst first"
    assert erasures.outcomes(mixed, gone=[1]) == {"stop_declined": 3, "alternative_measure": 3, "erased": 9}
    assert erasures.outcomes(PROPOSAL["a.none"]) == {}
    declined = item(part("refuse", ground="APPI-34-1-TRUE"), outcome="correction_declined")
    assert erasures.outcomes(declined) == {"correction_declined": 3}


@pytest.mark.parametrize(
    ("result", "ground"),
    [("true", "APPI-34-1-TRUE"), ("opinion", "APPI-34-1-OPINION"), ("purpose", "APPI-34-2-PURPOSE"),
     ("other_law", "APPI-34-2-OTHERLAW")],
)  # fmt: skip
def test_a_correction_is_declined_on_the_ground_that_was_found(result: str, ground: str) -> None:
    proposal = {"a.x": item(part("correct")), "a.none": PROPOSAL["a.none"]}
    decision = Decision.model_validate({"datasets": {}, "investigated": {"how": "住民票", "result": result}})
    items = erasures.corrected(proposal, decision)
    assert (items["a.x"]["outcome"], items["a.x"]["ground"]) == ("correction_declined", ground)
    assert items["a.x"]["parts"][0]["measure"] == "refuse"
    assert items["a.none"] == proposal["a.none"]


def test_nothing_is_corrected_without_a_look_into_what_is_true() -> None:
    proposal = {"a.x": item(part("correct"))}
    with pytest.raises(BadInput, match="investigated"):
        erasures.corrected(proposal, Decision(datasets={}))
    untrue = Decision.model_validate({"datasets": {}, "investigated": {"how": "住民票", "result": "untrue"}})
    assert erasures.corrected(proposal, untrue) == proposal
