"""An effect is told to the log before it happens and after it, once, whoever is killed and whatever is stopped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dsr.days import TOKYO
from dsr.engine.effects import CaseEffects, LogEffects
from dsr.engine.intake import open_case
from dsr.engine.office import ENGINE, Hold, Office
from dsr.errors import NotAllowed
from dsr.inventory import read_inventory
from dsr.store import OFFICE, Store
from dsr.vault import Keys, Vault

NOW = datetime(2026, 11, 22, 9, tzinfo=TOKYO)
REQUEST: dict[str, Any] = {
    "right": "erasure", "subject": {"name": "山田 一"}, "ground": "G-3",
    "received": {"at": "2026-11-02T10:15:00+09:00", "channel": "post"},
}
INVENTORY = '[company]\nname = "c"\n[system.billing]\nlabel = "b"\nstore = "sql"\nurl = "sqlite:///x.db"\n'


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    (tmp_path / "inventory.toml").write_text(INVENTORY)
    keys = Keys.create(tmp_path / "keys")
    with closing(Store.connect(f"sqlite:///{tmp_path / 'dsr.db'}")) as store:
        store.create()
        inventory = read_inventory(tmp_path / "inventory.toml")
        yield Office(tmp_path, store, Vault(tmp_path / "vault", keys), keys, inventory, lambda _a: {}, ENGINE, lambda: NOW)


@contextmanager
def two(office: Office) -> Iterator[tuple[Hold, Hold]]:
    one = open_case(office, REQUEST).case_no
    other = open_case(office, {**REQUEST, "subject": {"name": "山田 二"}}).case_no
    with office.hold(one) as first, office.hold(other) as second:
        yield first, second


def said_of(hold: Hold) -> list[tuple[str, str]]:
    return [step for step in hold.ledger() if step[0].startswith("erase:")]


def test_intent_then_result_in_every_case_of_one_rewrite_and_each_once(office: Office) -> None:
    with two(office) as holds:
        effects = CaseEffects([(hold, "erase:1:lake") for hold in holds], "billing")
        assert (effects.begun("a.parquet"), effects.ended("a.parquet")) == (None, None)
        for _ in range(2):
            effects.intend("a.parquet", {"rows": 3})
        assert effects.begun("a.parquet") == {"rows": 3}
        for _ in range(2):
            effects.done("a.parquet", {"rows": 3})
        assert effects.begun("a.parquet") is None
        assert effects.ended("a.parquet") == {"rows": 3}
        for hold in holds:
            assert said_of(hold) == [("erase:1:lake@a.parquet", "intent"), ("erase:1:lake@a.parquet", "result")]


def test_a_kill_between_two_cases_events_is_made_up_for(office: Office) -> None:
    with two(office) as (first, second):
        CaseEffects([(first, "erase:1:lake")], "billing").intend("a", {"n": 1})
        both = CaseEffects([(first, "erase:1:lake"), (second, "erase:1:lake")], "billing")
        assert both.begun("a") == {"n": 1}
        both.intend("a", {"n": 1})
        CaseEffects([(first, "erase:1:lake")], "billing").done("a", {"n": 1})
        assert both.ended("a") == {"n": 1}
        assert said_of(first) == said_of(second) == [("erase:1:lake@a", "intent"), ("erase:1:lake@a", "result")]


def test_each_case_counts_its_own_and_alone_goes_on_from_where_both_were_killed(office: Office) -> None:
    """Killed between the swap's intent and the swap: the first goes on alone, and rewrites what the other waited for."""
    with two(office) as holds:
        acts = [(hold, f"erase:{n}:lake") for n, hold in enumerate(holds, 1)]
        records = {hold.case_no: n for n, hold in enumerate(holds, 1)}
        both, (first, second) = CaseEffects(acts, "billing"), [CaseEffects([act], "billing") for act in acts]
        both.intend("a", {"sha256": "old", "records": records})
        both.intend("a:swap", {"sha256": "new", "records": records})
        assert both.begun("a") == {"sha256": "old", "records": records}
        for (hold, _), alone in zip(acts, (first, second), strict=True):
            assert alone.begun("a:swap") == {"sha256": "new", "records": {hold.case_no: records[hold.case_no]}}
        first.intend("a", {"sha256": "old", "records": {holds[0].case_no: 1}, "plans": "of one"})
        assert (second.begun("a:swap"), second.begun("a")) == (None, {"sha256": "old", "records": {holds[1].case_no: 2}})
        second.done("a", {"discarded": True, "records": {}})
        first.intend("b", {"sha256": "old"})
        both.intend("b:swap", {"sha256": "new"})
        assert second.begun("b:swap"), "what began before says nothing of it"


def test_another_version_of_the_file_is_another_effect_and_nothing_said_is_rewritten(office: Office) -> None:
    with two(office) as (first, _):
        effects = CaseEffects([(first, "erase:1:lake")], "billing")
        effects.intend("a", {"sha256": "old"})
        effects.intend("a", {"sha256": "new"})
        assert effects.begun("a") == {"sha256": "new"}
        effects.done("a", {"sha256": "new"})
        assert effects.begun("a") is None
        assert [step for step, _ in said_of(first)] == ["erase:1:lake@a", "erase:1:lake@a#2", "erase:1:lake@a#2"]
        assert first.ledger()["erase:1:lake@a", "intent"]["said"] == '{"sha256": "old"}'


@pytest.mark.parametrize("stopped", ["billing", "*"])
def test_once_stopped_nothing_new_starts_and_what_runs_ends(office: Office, stopped: str) -> None:
    from dsr.case import Act

    with two(office) as (first, _):
        effects, other = (CaseEffects([(first, "erase:1:x")], name) for name in ("billing", "lake"))
        effects.intend("a", {})
        office.store.set_stop(stopped, True, Act(f"stop:{stopped}"), NOW, "gijutsu-1")
        with pytest.raises(NotAllowed, match="stopped"):
            effects.intend("b", {})
        if stopped == "*":
            with pytest.raises(NotAllowed):
                other.intend("b", {})
        else:
            other.intend("b", {})
        effects.done("a", {})  # the running one ends cleanly
        office.store.set_stop(stopped, False, Act(f"lift:{stopped}"), NOW, "gijutsu-1")
        effects.intend("b", {})


def test_a_replays_effects_stand_in_the_offices_own_log(office: Office) -> None:
    effects = LogEffects(office, "replay:1:0", "billing")
    assert effects.begun("table") is None
    effects.intend("table", {"n": 2})
    assert effects.begun("table") == {"n": 2}
    effects.done("table", {"n": 2})
    assert (effects.begun("table"), effects.ended("table")) == (None, {"n": 2})
    assert list(office.store.ledger(OFFICE)) == [("replay:1:0@table", "intent"), ("replay:1:0@table", "result")]
    from dsr.case import Act

    office.store.set_stop("billing", True, Act("stop:billing"), NOW, "gijutsu-1")
    with pytest.raises(NotAllowed):
        effects.intend("again", {})
    shutil.rmtree(office.home / "vault", ignore_errors=True)
