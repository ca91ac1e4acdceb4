"""Before and beside proof: what is refused on procedure, what is protected unseen, what is decided apart or not known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flows import home as homes
from tests.story import NOW, Office
from tests.test_rights import Desk, text_of
from tests.test_timing import at

PAPER = {"type": "drivers_licence", "seen_on": "2026-11-22", "name": "match", "birth": "match", "address": "match"}
WEAK = {"method": "online", "documents": [{**PAPER, "type": "registered_login", "birth": "absent", "address": "absent"}]}




@pytest.fixture(scope="module")
def shared(sample_of: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("proving")
    with pytest.MonkeyPatch.context() as patch:
        yield Desk(Office.set_up(folder / "home", sample_of(1), patch), folder)


@pytest.fixture
def desk(shared: Desk) -> Desk:
    shared.office.now = NOW
    return shared


@pytest.fixture
def nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connector is even made."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a system was to be asked")

    monkeypatch.setattr(homes, "connect", refuse)


# -- a cure that fails ---------------------------------------------------------------------------------------------


def refused(ground: str, **more: Any) -> dict[str, Any]:
    return {"datasets": {}, "procedure": {"ground": ground, "reason": "期限までに書類が届きませんでした。"}, **more}


def unproved(desk: Desk, person: str, right: str, proof: dict[str, Any], **changes: Any) -> str:
    case = desk.opened(person, right, **changes)
    assert desk.office.run("prove", case, "--file", desk.paper(f"{case}.proof", proof))[0] == 1
    assert desk.office.state(case) == "awaiting_cure"
    return case


def told_off(desk: Desk, case: str, document: dict[str, Any]) -> tuple[int, str]:
    status, _, errors = desk.office.run("decide", case, "--file", desk.paper(f"{case}.decision", document))
    return status, errors


def sent_out(desk: Desk, case: str) -> tuple[str, dict[str, Any]]:
    """Made, taken out and sent: the letter and the manifest."""
    office, out = desk.office, desk.folder / case
    office.ok("fulfil", case)
    office.ok("package", case, "--out", str(out))
    assert sorted(path.name for path in out.iterdir()) == ["decision.pdf", "manifest.json"]
    sent = {"channel": "registered_post", "sent_on": office.now[:10]}
    office.ok("dispatch", case, "--file", desk.paper(f"{case}.sent", sent))
    return text_of(out / "decision.pdf"), json.loads((out / "manifest.json").read_text())


@pytest.mark.usefixtures("nobody_asked")
def test_a_cure_that_fails_is_refused_by_a_letter_that_says_nothing_of_any_data(desk: Desk) -> None:
    """An erasure, so that nothing of the road of plans is taken; and nothing was looked at on any road."""
    office = desk.office
    case = unproved(desk, "hanako", "erasure", WEAK, ground="G-3")
    told = refused("APPI-37-1-ID")
    assert ((said := told_off(desk, case, told))[0], "until 2026-12-06" in said[1]) == (1, True)
    at(office, "2026-12-07")
    for ground, field in (("APPI-37-1-AGENT", "what the person was told"), ("APPI-33-2-2", "no ground of procedure"),
                          ("APPI-37-1-FEE", "cannot be used against erasure"), ("APPI-37-2-UNSPEC", "given.help_given")):
        status, errors = told_off(desk, case, refused(ground))
        assert status == 2 and field in errors, errors
    assert told_off(desk, case, {**told, "datasets": {"billing.invoices": {"outcome": "erased"}}})[0] == 2
    assert office.ok("decide", case, "--file", desk.paper("no", told))["state"] == "fulfilling"
    for command in (["collect", case], ["collect", case, "--again"]):
        assert office.run(*command)[0] == 1, "nobody was proved"
    assert office.state(case) == "fulfilling"
    letter, manifest = sent_out(desk, case)
    shown = office.ok("show", case)
    assert (shown["state"], shown["outcome"], shown["datasets"]) == ("closed", "procedure_refused", [])
    assert manifest["datasets"] == [] and [work["what"] for work in shown["work"] if "post:" not in work["what"]] == []
    for words in ("お受けできない旨の通知書", "第37条第1項", "本人であることの確認ができなかった", "期限までに書類が届きませんでした。",
                  "令和8年11月22日", "いつでもお受けします", "保有しているかどうかについてお知らせするものではありません"):  # fmt: skip
        assert words in letter, words
    names = [name for name in (office.home / "vault" / case).rglob("*") if "fetched" in str(name)]
    assert not names


@pytest.mark.usefixtures("nobody_asked")
def test_takumi_without_authority_is_asked_once_and_then_refused(desk: Desk) -> None:
    """EC-06: authority is read on the day of asking; the letter goes to nobody before that day is over."""
    agent = {"kind": "statutory", "name": "佐藤 匠", "relation": "父"}
    subject = {"name": "佐藤 葵", "born_on": "2017-02-02", "addresses": ["福岡県みなと市1-2"], "identifiers": []}
    register = {"method": "post", "documents": [],
                "agent": {"documents": [PAPER, {**PAPER, "type": "family_register"}], "authority": "family_register",
                          "shows_authority": False}}  # fmt: skip
    case = unproved(desk, "hanako", "disclosure", register, agent=agent, subject=subject)
    assert desk.office.ok("show", case)["defects"] == ["agent_without_authority"]
    assert told_off(desk, case, {"datasets": {}})[0] == 1, "there is no proposal to decide on"
    at(desk.office, "2026-12-07")
    assert told_off(desk, case, refused("APPI-37-1-ID"))[0] == 2, "who he is was proved"
    desk.office.ok("decide", case, "--file", desk.paper("agent", refused("APPI-37-1-AGENT")))
    letter, _ = sent_out(desk, case)
    assert "代理権の確認ができなかった" in letter and desk.office.ok("show", case)["outcome"] == "procedure_refused"


@pytest.mark.usefixtures("nobody_asked")
def test_what_one_letter_asked_to_be_cured_each_part_may_be_refused_for(desk: Desk) -> None:
    first, second = desk.office.ok("open", desk.request("saki", "disclosure", parts=[{"right": "purpose_notice"}]))["letter"]
    assert desk.office.run("prove", first, "--file", desk.paper("weak", WEAK))[0] == 1
    assert [desk.office.state(no) for no in (first, second)] == ["awaiting_cure", "awaiting_cure"]
    at(desk.office, "2026-12-07")
    unspecified = refused("APPI-37-2-UNSPEC", given={"help_given": "契約番号の調べ方を電話でご案内"})
    assert desk.office.ok("decide", second, "--file", desk.paper("unspec", unspecified))["state"] == "fulfilling"
    letter, _ = sent_out(desk, second)
    assert "第37条第2項" in letter and "契約番号の調べ方" not in letter, "what was done is for the file"
    desk.office.ok("prove", first, "--file", str(desk.office.sample / "requests/saki.proof.json"))
    assert desk.office.state(first) == "proved", "the other is cured all the same, late as it is"
