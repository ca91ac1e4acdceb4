"""Who is asking: what proves it, what must be cured, and what is never recorded."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsr import law
from dsr.errors import BadInput
from dsr.request import Proof, Request
from dsr.rules.proofing import CONTRACT, HISTORY, Assessment, assess
from dsr.shapes import shaped

TODAY = date(2026, 11, 5)


def asked(right: str = "disclosure", born_on: str | None = "1984-05-17", agent: dict[str, Any] | None = None,
          on: str = "2026-11-02T10:15:00+09:00") -> Request:
    subject = {"name": "髙橋 花子", "born_on": born_on, "addresses": ["福岡県福岡市中央区天神一丁目1番1号"]}
    return shaped(Request, {"right": right, "subject": subject, "agent": agent,
                            "received": {"at": on, "channel": "post"}}, "request")


def paper(kind: str = "drivers_licence", name: str = "match", birth: str = "match", address: str = "match",
          seen_on: str = "2026-11-04") -> dict[str, Any]:
    return {"type": kind, "last_digits": "12", "seen_on": seen_on, "name": name, "birth": birth, "address": address}


def shown(*documents: dict[str, Any], method: str = "post", agent: dict[str, Any] | None = None) -> Proof:
    return shaped(Proof, {"method": method, "documents": documents, "agent": agent}, "proof")


def codes(assessment: Assessment) -> list[str]:
    return [defect.code for defect in assessment.defects]


def test_a_licence_that_matches_proves_hanako():
    assert assess(asked(), shown(paper()), TODAY) == Assessment(True, (), CONTRACT)


@pytest.mark.parametrize(("changed", "defects"), [
    ({"name": "differs"}, ["name_differs"]), ({"name": "absent"}, ["name_absent"]),
    ({"birth": "differs"}, ["birth_differs"]), ({"birth": "absent"}, ["birth_absent"]),
    ({"address": "differs"}, ["address_differs"]), ({"address": "absent"}, ["address_absent"]),
])
def test_each_part_that_does_not_match_is_asked_for_again(changed: dict[str, str], defects: list[str]):
    told = assess(asked(), shown(paper(**changed)), TODAY)
    assert (told.proved, codes(told)) == (False, defects)
    assert told.defects[0].field == f"documents.0.{next(iter(changed))}"
    assert told.defects[0].words_ja and told.defects[0].words_en


def test_a_birth_date_nobody_stated_is_not_asked_for():
    assert assess(asked(born_on=None), shown(paper(birth="absent")), TODAY).proved


def test_nothing_shown_is_a_defect_not_a_refusal():
    assert codes(assess(asked(), shown(), TODAY)) == ["no_document"]
    assert codes(assess(asked(), shown(paper("mandate")), TODAY)) == ["no_document"], "a mandate identifies nobody"


def test_aya_has_moved_and_her_residence_record_proves_the_new_address():
    """EC-10, ID-8: an old licence does not stand against a paper that proves the present address."""
    licence = paper(address="differs")
    assert codes(assess(asked(), shown(licence), TODAY)) == ["address_differs"]
    assert assess(asked(), shown(licence, paper("residence_record", birth="absent")), TODAY).proved
    assert not assess(asked(), shown(licence, paper("seal_certificate")), TODAY).proved
    nameless = paper("residence_record", name="absent")
    assert codes(assess(asked(), shown(licence, nameless), TODAY)) == ["address_differs"]


def test_a_passport_without_an_address_needs_a_second_document():
    passport = paper("passport", address="absent")
    assert codes(assess(asked(), shown(passport), TODAY)) == ["address_absent"]
    assert assess(asked(), shown(passport, paper("residence_record")), TODAY).proved
    assert assess(asked(), shown(paper("passport")), TODAY).proved, "an older passport with the address filled in"


@pytest.mark.parametrize(("kind", "seen_on", "accepted"), [
    ("health_insurance_card", "2025-12-01", True), ("health_insurance_card", "2025-12-02", False),
    ("shikaku_kakuninsho", "2024-12-01", False), ("shikaku_kakuninsho", "2024-12-02", True),
])
def test_the_list_of_documents_is_dated(kind: str, seen_on: str, accepted: bool):
    proof = shown(paper(kind, seen_on=seen_on), paper("pension_book", address="absent", seen_on=seen_on))
    told = assess(asked(), proof, TODAY)
    assert ("not_accepted" not in codes(told)) is accepted
    assert told.proved is accepted and told.strength == (CONTRACT if accepted else 1)


@pytest.mark.parametrize(("printed", "accepted"), [
    ("2026-11-04", True), ("2026-11-03", False),
    ("平成35年3月12日", False), ("平成38年11月4日まで有効", True), ("2027年（平成39年）1月9日まで有効", True), ("R8.11.3", False),
])
def test_an_expired_paper_does_not_count_and_heisei_35_reads_2023(printed: str, accepted: bool):
    """ID-6: the day as it is printed; what had expired on the day it was shown proves nothing."""
    told = assess(asked(), shown({**paper(), "expires_on": printed}), TODAY)
    assert (told.proved, codes(told)) == (accepted, [] if accepted else ["expired"])
    assert told.strength == (CONTRACT if accepted else 0)
    assert assess(asked(), shown({**paper(), "expires_on": printed}, paper("passport")), TODAY).proved, "another does"


@pytest.mark.parametrize("printed", ["soon", "平成35年", 20350312])
def test_an_expiry_that_is_no_day_is_the_offices_error(printed: object):
    with pytest.raises(BadInput, match=r"documents\.0\.expires_on.*平成35年"):
        shown({**paper(), "expires_on": printed})


@pytest.mark.parametrize(("issued_on", "accepted"), [("2026-08-04", True), ("2026-08-03", False)])
def test_a_certificate_counts_for_three_months(issued_on: str, accepted: bool):
    certificate = {**paper("residence_record", birth="absent"), "issued_on": issued_on}
    told = assess(asked(), shown(paper(address="differs"), certificate), TODAY)
    assert (told.proved, codes(told)) == (accepted, [] if accepted else ["expired", "address_differs"])
    register = {"documents": [paper(), {**paper("family_register"), "issued_on": issued_on}], "authority": "family_register"}
    child = asked(born_on="2017-02-02", agent=PARENT)
    assert codes(assess(child, shown(agent=register), TODAY)) == ([] if accepted else ["agent_authority_stale"])


ANY = st.builds(
    lambda kind, seen_on, expired, **parts: {**paper(kind, seen_on=seen_on, **parts),
                                             "expires_on": "平成35年3月12日" if expired else None},
    st.sampled_from([kind for kind in law.PROOF_DOCUMENTS if not law.proof_document(kind).refused]),
    st.sampled_from(["2024-06-01", "2026-11-04"]), st.booleans(), name=st.sampled_from(["match", "absent"]),
    birth=st.sampled_from(["match", "absent"]), address=st.sampled_from(["match", "absent"]))  # fmt: skip


@given(st.lists(ANY, max_size=4), ANY, st.sampled_from(law.RIGHTS), st.sampled_from(["post", "counter", "online"]))
def test_no_more_is_asked_than_the_right_needs(papers: list[dict[str, Any]], more: dict[str, Any], right: str, method: str):
    """ID-2, ID-4, 37(4): what suffices is not spoilt by one more paper, and a weaker right asks for no more."""
    request = asked().model_copy(update={"right": right})
    told = assess(request, shown(*papers, method=method), TODAY)
    with_more = assess(request, shown(*papers, more, method=method), TODAY)
    assert told.proved == (not told.defects)
    assert with_more.proved or not told.proved, "one more paper that contradicts nothing is never a defect"
    if told.strength >= CONTRACT:
        assert "second_document" not in codes(told) and "no_document" not in codes(told)
    for weaker in ("marketing_stop", "complaint"):
        least = assess(request.model_copy(update={"right": weaker}), shown(*papers, method=method), TODAY)
        assert least.proved or not told.proved or right in ("complaint", "published_matters", *NO_REQUEST)
        assert not {"address_absent", "address_differs"} & set(codes(least))


NO_REQUEST = ("sender_identification", "other")


def test_one_weak_paper_is_not_enough_and_two_are():
    weak = paper("shikaku_kakuninsho")
    assert codes(assess(asked(), shown(weak), TODAY)) == ["second_document"]
    assert codes(assess(asked(), shown(weak, weak), TODAY)) == ["second_document"], "the same paper twice is one paper"
    assert codes(assess(asked(), shown(weak, paper("pension_book", name="absent")), TODAY)) == ["second_document"]
    assert assess(asked(), shown(weak, paper("pension_book", address="absent")), TODAY).proved


@pytest.mark.parametrize(("documents", "method", "strength"), [
    ([paper()], "post", CONTRACT), ([paper()], "counter", HISTORY),
    ([paper(), paper("residence_record")], "post", HISTORY),
    ([paper("jpki")], "jpki", HISTORY), ([paper("seal_certificate")], "counter", CONTRACT),
])
def test_strength_says_what_the_proof_reaches(documents: list[dict[str, Any]], method: str, strength: int):
    assert assess(asked(), shown(*documents, method=method), TODAY).strength == strength


def test_a_login_serves_the_members_own_page_and_not_the_contract():
    login = shown(paper("registered_login", birth="absent", address="absent"), method="online")
    assert assess(asked("self_service", born_on=None), login, TODAY).proved
    assert codes(assess(asked(born_on=None), login, TODAY)) == ["second_document"]
    both = shown(paper("registered_facts", address="absent"), paper("call_back", address="absent"), method="phone")
    told = assess(asked(), both, TODAY)
    assert told.proved and not told.address, "the registered address is the one we answer to, and nobody compared it"
    compared = shown(paper("registered_facts"), paper("call_back", address="absent"), method="phone")
    assert assess(asked(), compared, TODAY).address


@pytest.mark.parametrize(("agent", "own", "theirs", "reached"), [
    ("LAWYER", "match", "absent", True), ("LAWYER", "absent", "match", False), ("PARENT", "absent", "match", True),
    ("PARENT", "absent", "absent", False),
])
def test_the_answer_goes_only_to_an_address_that_was_proved(agent: str, own: str, theirs: str, reached: bool):
    """ID-8, AG-6: an agent cannot have it sent where nobody proved that the person lives."""
    who = {"LAWYER": LAWYER, "PARENT": PARENT}[agent]
    shows = mandate(paper(address=theirs)) if agent == "LAWYER" else {
        "documents": [paper(address=theirs)], "authority": "residence_record"}  # fmt: skip
    told = assess(asked(born_on="2017-02-02", agent=who), shown(paper(address=own), agent=shows), TODAY)
    assert told.proved and told.address is reached


def test_a_complaint_needs_no_paper():
    assert assess(asked("complaint"), shown(), TODAY).proved


def test_sakuras_back_side_is_never_recorded():
    """EC-36, ID-5: the error names the field and says what to do; it does not come back as a value to be stored."""
    with pytest.raises(BadInput, match="never recorded") as told:
        assess(asked(), shown(paper(), paper("my_number_card_back")), TODAY)
    assert told.value.field == "documents.1.type" and "front" in told.value.fix
    agent = {"documents": [paper("my_number_card_back")], "authority": "mandate", "names_this_request": True}
    with pytest.raises(BadInput, match="never recorded"):
        assess(asked(agent={"kind": "mandated", "name": "代理 人"}), shown(paper(), agent=agent), TODAY)


def test_an_unknown_document_type_is_refused_with_the_list():
    with pytest.raises(BadInput, match="library_card") as told:
        assess(asked(), shown(paper("library_card")), TODAY)
    assert "drivers_licence" in told.value.fix and "my_number_card_back" not in told.value.fix


def test_no_document_was_seen_tomorrow():
    assert assess(asked(), shown(paper(seen_on="2026-11-05")), TODAY).proved
    with pytest.raises(BadInput, match=r"documents\.0\.seen_on"):
        assess(asked(), shown(paper(seen_on="2026-11-06")), TODAY)
    proof = shown(paper()).model_copy(update={"copies_destroyed_on": date(2026, 11, 6)})
    with pytest.raises(BadInput, match="copies_destroyed_on"):
        assess(asked(), proof, TODAY)


LAWYER = {"kind": "mandated", "name": "弁護 士郎", "relation": "弁護士"}


def mandate(*documents: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {"documents": documents or [paper("drivers_licence", birth="absent", address="absent")],
            "authority": "mandate", "names_this_request": True, **changed}


def test_reis_lawyer_with_a_mandate_for_this_request_is_accepted():
    assert assess(asked(agent=LAWYER), shown(paper("seal_certificate"), agent=mandate()), TODAY).proved


@pytest.mark.parametrize(("proof", "defects"), [
    (shown(paper()), ["agent_proof_missing"]),
    (shown(paper(), agent=mandate(names_this_request=False)), ["mandate_general"]),
    (shown(paper(), agent=mandate(authority="family_register")), ["agent_authority"]),
    (shown(agent=mandate()), ["mandate_unconfirmed"]),
    (shown(paper(), agent=mandate(paper(name="differs"))), ["name_differs"]),
    (shown(paper(name="differs"), paper("jpki"), agent=mandate()), ["name_differs"]),
])
def test_an_agent_shows_identity_and_authority(proof: Proof, defects: list[str]):
    assert codes(assess(asked(agent=LAWYER), proof, TODAY)) == defects


@pytest.mark.parametrize("sign", ["jpki", "call_back", "seal_certificate"])
def test_akira_without_a_seal_certificate_may_confirm_another_way(sign: str):
    """EC-09: no particular paper is demanded (ID-2); the defect offers all three."""
    assert assess(asked(agent=LAWYER), shown(paper(sign, address="absent"), agent=mandate()), TODAY).proved
    (told,) = assess(asked(agent=LAWYER), shown(agent=mandate()), TODAY).defects
    assert all(word in told.words_ja for word in ("印鑑登録証明書", "公的個人認証", "折返し"))


def test_an_agent_who_receives_the_answer_proves_an_address():
    receiving = {**LAWYER, "receives_answer": True}
    assert codes(assess(asked(agent=receiving), shown(paper(), agent=mandate()), TODAY)) == ["address_absent"]
    assert assess(asked(agent=receiving), shown(paper(), agent=mandate(paper())), TODAY).proved


PARENT = {"kind": "statutory", "name": "森 直樹", "relation": "父"}


@pytest.mark.parametrize(("asked_on", "defects"), [("2026-06-30", []), ("2026-07-01", ["agent_adult"])])
def test_riku_is_represented_until_the_day_before_he_is_eighteen(asked_on: str, defects: list[str]):
    """AG-1, Civ 4: age on the day of asking."""
    request = asked(born_on="2008-07-01", agent=PARENT, on=f"{asked_on}T09:00:00+09:00")
    register = {"documents": [paper(birth="absent")], "authority": "family_register"}
    assert codes(assess(request, shown(agent=register), TODAY)) == defects


def test_a_parent_of_a_person_of_unknown_age_is_asked_for_the_birth_date():
    register = {"documents": [paper()], "authority": "residence_record"}
    assert codes(assess(asked(born_on=None, agent=PARENT), shown(agent=register), TODAY)) == ["agent_birth_unknown"]


def test_takumis_old_register_copy_does_not_show_the_authority_of_today():
    """EC-06, AG-4: authority is read on the day of asking."""
    documents = [paper(), paper("family_register", seen_on="2026-11-01")]
    request = asked(born_on="2017-02-02", agent=PARENT)
    told = assess(request, shown(agent={"documents": documents, "authority": "family_register"}), TODAY)
    assert codes(told) == ["agent_authority_stale"] and told.defects[0].field == "agent.documents.1.seen_on"


def test_a_parent_whom_the_register_shows_without_authority_is_no_agent():
    """EC-06: the register of the day is there, and says that the other parent has it."""
    register = {"documents": [paper(), paper("family_register")], "authority": "family_register"}
    takumi = asked(born_on="2017-02-02", agent=PARENT)
    assert assess(takumi, shown(agent=register), TODAY).proved
    told = assess(takumi, shown(agent={**register, "shows_authority": False}), TODAY)
    assert codes(told) == ["agent_without_authority"] and told.defects[0].field == "agent.shows_authority"


def test_an_agent_who_has_an_advertisement_stopped_shows_no_more_than_the_person_would():
    weak = paper("shikaku_kakuninsho", birth="absent", address="absent")
    assert assess(asked("marketing_stop", agent=LAWYER), shown(paper(), agent=mandate(weak)), TODAY).proved
    assert codes(assess(asked(agent=LAWYER), shown(paper(), agent=mandate(weak)), TODAY)) == ["second_document"]


@pytest.mark.parametrize(("relation", "authority", "listed", "defects"), [
    ("成年後見人", "guardianship_register", False, []),
    ("保佐人", "guardianship_register", False, ["agent_power_not_listed"]),
    ("保佐人", "guardianship_register", True, []), ("補助人", "mandate", True, []),
    ("補助人", "mandate", False, ["agent_power_not_listed"]),
    ("curator", "family_register", True, ["agent_power_not_listed"]),
])
def test_hatsus_guardian_is_accepted_and_tadashis_curator_shows_a_power(
        relation: str, authority: str, listed: bool, defects: list[str]):
    """EC-07, AG-3."""
    agent = {"kind": "statutory", "name": "後見 人", "relation": relation}
    proof = shown(paper(), agent={"documents": [paper()], "authority": authority, "names_this_request": listed})
    assert codes(assess(asked(agent=agent), proof, TODAY)) == defects


def test_an_agents_proof_without_an_agent_is_the_offices_error():
    with pytest.raises(BadInput, match="names no agent"):
        assess(asked(), shown(paper(), agent=mandate()), TODAY)


def test_no_defect_repeats_what_stands_in_the_request():
    bad = shown(paper(name="differs", birth="differs", address="differs"), agent=mandate(paper(name="differs")))
    words = "".join(d.words_ja + d.words_en for d in assess(asked(agent=LAWYER), bad, TODAY).defects)
    assert words and not [value for value in ("髙橋", "花子", "1984", "天神", "弁護 士郎") if value in words]


def test_every_defect_has_words_and_the_list_has_labels():
    for code in law.DEFECTS:
        ja, en = law.defect_words(code, "運転免許証", "driver's licence")
        assert ja.endswith("。") and en and "{" not in ja + en
    assert all(law.proof_document(kind).label for kind in law.PROOF_DOCUMENTS)


def test_the_arrival_day_is_tokyos():
    """A request of 2026-06-30 15:00 UTC arrived on 2026-07-01."""
    request = asked(born_on="2008-07-01", agent=PARENT, on="2026-06-30T15:00:00+00:00")
    register = {"documents": [paper()], "authority": "family_register"}
    assert codes(assess(request, shown(agent=register), TODAY)) == ["agent_adult"]
