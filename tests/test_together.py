"""Many cases collected at once: the same events and bytes as alone, one pass over a store that shares, nothing crosses."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.stores.lake import LakeStore
from connectors.stores.logs import LogStore
from dsr.connector import Ask, Located
from dsr.engine import office as offices
from dsr.engine import process, together
from dsr.engine.collecting import matched_keys
from dsr.errors import BadInput, Conflict, ConnectorMisread, ConnectorUnavailable, NotAllowed, Sealed
from dsr.inventory import Dataset
from dsr.log import TreeHead
from dsr.rules.lifecycle import State
from dsr.store import Store
from flows import home as homes
from tests.story import NOW, Office, oracle

PEOPLE = ("hanako", "kaoru", "susumu", "kenta", "ryo", "nana")
CALLS = "call_history.calls"


class Desk:
    """A home in which each of PEOPLE has a proved case."""

    def __init__(self, office: Office, cases: dict[str, str]) -> None:
        self.office, self.cases = office, cases

    @classmethod
    def opened(cls, office: Office, people: Sequence[str] = PEOPLE) -> Desk:
        desk = cls(office, {person: office.open(person) for person in people})
        for person, case in desk.cases.items():
            office.ok("prove", case, "--file", str(office.sample / f"requests/{person}.proof.json"))
            answer = office.sample / f"answers/{person}.archives_backups.json"
            if answer.exists():
                office.ok("answer", case, "archives_backups", "--file", str(answer))
        return desk

    def copied(self, home: Path) -> Desk:
        """The same office, keys, cases and log: what follows differs only in what is done."""
        shutil.copytree(self.office.home, home)
        settings = json.loads((home / "settings.json").read_text())
        (home / "settings.json").write_text(json.dumps({**settings, "keys": str(home / "keys")}))
        return Desk(replace(self.office, home=home), dict(self.cases))

    @property
    def engine(self) -> offices.Office:
        return homes.office(self.office.home, NOW, offices.Officer("uketsuke-1", "handler"))

    def together(self, **given: Any) -> dict[str, State | Exception]:
        engine = replace(self.engine, **given)
        try:
            return process.collect_together(engine, list(self.cases.values()))
        finally:
            engine.store.close()

    def events(self, person: str) -> list[tuple[str, str, dict[str, Any]]]:
        engine = self.engine
        try:
            return [(key, phase, public) for (key, phase), public in engine.store.ledger(self.cases[person]).items()]
        finally:
            engine.store.close()

    def steps(self, person: str) -> dict[tuple[str, str], dict[str, Any]]:
        """The events in any order."""
        return {(key, phase): public for key, phase, public in self.events(person)}

    def packaged(self, person: str, folder: Path) -> Path:
        """What officers do after the collection, to the package written out."""
        office, case, told = self.office, self.cases[person], self.office.truth["people"][person]
        if office.state(case) == "review":
            folder.mkdir(exist_ok=True)
            if told.get("identity"):
                marks = folder / "identity.json"
                marks.write_text(json.dumps({"identity": told["identity"], "notes": {}}))
                if office.ok("review", case, "--file", str(marks))["state"] == "collecting":
                    office.ok("collect", case)
            office.ok("review", case, "--file", str(office.review_of(person, folder)))
        office.ok("decide", case, "--as-proposed")
        if office.state(case) == "awaiting_approval":
            office.ok("approve", case, officer="shonin-1")
        office.ok("fulfil", case)
        office.ok("package", case, "--out", str(folder / person))
        return folder / person


@pytest.fixture(scope="module")
def proved(sample_of: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """To be copied, not used."""
    with pytest.MonkeyPatch.context() as patch:
        yield Desk.opened(Office.set_up(tmp_path_factory.mktemp("proved") / "home", sample_of(1), patch))


@pytest.fixture(scope="module")
def alone(proved: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Each collected by itself."""
    desk = proved.copied(tmp_path_factory.mktemp("alone") / "home")
    for case in desk.cases.values():
        desk.office.ok("collect", case)
    return desk


@pytest.fixture
def desk(proved: Desk, tmp_path: Path) -> Desk:
    return proved.copied(tmp_path / "home")


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str, int]]]:
    """(what, dataset, asks or keys) of every call to a lake or to logs."""
    seen: list[tuple[str, str, int]] = []
    for store in (LakeStore, LogStore):
        locate, fetch = store._locate, store._fetch

        def located(self: Any, dataset: Dataset, asks: Sequence[Ask], real: Any = locate) -> Iterator[Located]:
            seen.append(("locate", dataset.id, len(asks)))
            return real(self, dataset, asks)

        def fetched(self: Any, dataset: Dataset, keys: pa.Table, real: Any = fetch) -> Iterator[pa.RecordBatch]:
            seen.append(("fetch", dataset.id, keys.num_rows))
            return real(self, dataset, keys)

        monkeypatch.setattr(store, "_locate", located)
        monkeypatch.setattr(store, "_fetch", fetched)
    yield seen


@pytest.fixture
def few(desk: Desk) -> Desk:
    """Where three are enough."""
    desk.cases = {person: desk.cases[person] for person in ("kaoru", "susumu", "kenta")}
    return desk


def files_of(package: Path) -> dict[str, bytes]:
    return {str(path.relative_to(package)): path.read_bytes() for path in sorted(package.rglob("*")) if path.is_file()}


def test_each_package_is_byte_for_byte_the_one_it_would_be_alone(
    alone: Desk, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passes: list[tuple[str, str, int]]
) -> None:
    """Kaoru and Susumu share a line, Hanako and Kenta call each other, Ryo and Nana share browsers with others."""
    alone, many = alone.copied(tmp_path / "alone"), desk
    ended = many.office.ok("collect", *many.cases.values())
    assert [one["case"] for one in ended] == list(many.cases.values())
    assert [(what, asked) for what, dataset, asked in passes if dataset == CALLS] == [("locate", len(PEOPLE)), ("fetch", 454)]
    assert len(passes) <= 5  # of the logs: their own wave, then the browsers', then the rows
    for person in PEOPLE:
        assert many.events(person) == alone.events(person), person
    for person in PEOPLE if os.environ.get("DSR_ALL_SEEDS") else ("hanako", "kaoru", "nana"):
        with monkeypatch.context() as patch:
            # Letters cite the head of the whole log, which tells in what order an office did things.
            patch.setattr(Store, "head", lambda self: TreeHead(7, bytes(32)))
            first, second = (files_of(d.packaged(person, tmp_path / f"out-{n}")) for n, d in enumerate((alone, many)))
        assert first == second, [name for name in first if first[name] != second.get(name)]
        assert len(first) > 5
        shown = many.office.ok("show", many.cases[person])
        assert oracle(many.office.truth["people"][person], tmp_path / "out-1" / person, shown) == []
    assert many.office.ok("trail", "verify")["sound"]


def test_what_is_sealed_in_a_case_is_its_own(desk: Desk) -> None:
    """Every key that was matched, against the builder's own knowledge; the shared line's calls go to one of the two."""
    desk.together()
    engine = desk.engine
    numbers: dict[str, set[str]] = {}
    for person, case in desk.cases.items():
        with engine.hold(case) as hold:
            keys = matched_keys(hold, engine.inventory.dataset(CALLS)).column("call_id").to_pylist()
        numbers[person] = set(map(str, keys))
        assert numbers[person] == set(desk.office.truth["people"][person]["owns"].get(CALLS, [])), person
    assert numbers["kaoru"] and numbers["susumu"] and not numbers["kaoru"] & numbers["susumu"]
    engine.store.close()


def test_a_wrong_dealer_would_be_seen(few: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard's own test: rows given to the next case are refused by its tenure or found out by the truth."""
    real = together._Deal.of

    def next_one(self: Any, batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
        yield from (((owner + 1) % len(few.cases), rows) for owner, rows in real(self, batch))

    monkeypatch.setattr(together._Deal, "of", next_one)
    few.together()
    engine = few.engine
    wrong = []
    for person, case in few.cases.items():
        fetched = engine.store.case(case).facts["datasets"][CALLS]
        wrong += [person] if fetched["records"] != len(few.office.truth["people"][person]["owns"].get(CALLS, [])) else []
    engine.store.close()
    assert wrong


# -- one failure stops no other --------------------------------------------------------------------------------------


def test_a_busy_an_unknown_and_an_unproved_case_stop_no_other(desk: Desk) -> None:
    office, busy = desk.office, desk.cases["kenta"]
    unproved = office.open("hiroshi_65")
    engine = desk.engine
    with engine.hold(busy):
        status, ended, words = office.run("collect", *desk.cases.values(), unproved, "DSR-2026-999999")
    engine.store.close()
    states = {one["case"]: one["state"] for one in ended}
    assert status == 2 and states[busy] is None and states[unproved] is None and states["DSR-2026-999999"] is None
    assert {states[case] for person, case in desk.cases.items() if person != "kenta"} <= {"review", "awaiting_decision"}
    assert "another process is working on this case" in words and "no case" in words and "is in state received" in words
    assert office.ok("collect", busy)["state"] in ("review", "awaiting_decision")


def test_each_ends_with_its_own_failure(desk: Desk) -> None:
    engine = desk.engine
    shutil.rmtree(engine.home / "vault" / desk.cases["kaoru"] / "objects")
    (engine.home / "vault" / desk.cases["ryo"] / "key").write_bytes(b"destroyed\n")
    engine.store.close()
    desk.cases["nobody"] = "DSR-2026-999999"
    ended = desk.together()
    how = {person: ended[case] for person, case in desk.cases.items()}
    assert isinstance(how["kaoru"], Exception) and isinstance(how["ryo"], Sealed) and isinstance(how["nobody"], BadInput)
    assert all(isinstance(how[person], State) for person in ("hanako", "susumu", "kenta", "nana"))


def test_who_may_not_collect_collects_nothing(few: Desk, passes: list[tuple[str, str, int]]) -> None:
    ended = few.together(actor=offices.Officer("kansa-1", "auditor"))
    assert all(isinstance(one, NotAllowed) for one in ended.values()) and not passes


def breaking(monkeypatch: pytest.MonkeyPatch, what: str, fault: Callable[[int], Exception | None]) -> list[int]:
    """The lake's ``_locate`` or ``_fetch`` raises what ``fault`` gives for a number of asks or keys, after its rows."""
    calls: list[int] = []
    real = getattr(LakeStore, what)

    def broken(self: LakeStore, dataset: Dataset, asked: Any) -> Iterator[Any]:
        count = asked.num_rows if isinstance(asked, pa.Table) else len(asked)
        calls.append(count)
        yield from real(self, dataset, asked)
        if error := fault(count):
            raise error

    monkeypatch.setattr(LakeStore, what, broken)
    return calls


@pytest.mark.parametrize("what", ["_locate", "_fetch"])
def test_a_pass_that_fails_is_taken_apart(few: Desk, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Somebody's key or number breaks the pass for all: asked alone, only theirs breaks."""
    kenta = len(few.office.truth["people"]["kenta"]["owns"][CALLS])
    theirs = {"_locate": lambda count: count > 1, "_fetch": lambda count: count > 60 or count == kenta}[what]
    calls = breaking(monkeypatch, what, lambda count: ConnectorMisread("call_history", "calls", "x") if theirs(count) else None)
    ended = few.together()
    assert len(calls) >= 1 + len(few.cases)
    found = {person: few.office.ok("show", case)["datasets"] for person, case in few.cases.items()}
    status = {person: next(d["status"] for d in rows if d["dataset"] == CALLS) for person, rows in found.items()}
    broken = {"kenta"} if what == "_fetch" else set()
    assert {person for person, one in status.items() if one == "unreachable"} == broken
    assert {person for person, case in few.cases.items() if ended[case] is State.BLOCKED} == broken


def test_a_silent_store_is_asked_a_few_times_for_all_and_blocks_each(few: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = breaking(monkeypatch, "_locate", lambda count: ConnectorUnavailable("call_history", "calls", "asleep"))
    slept: list[float] = []
    ended = few.together(sleep=slept.append)
    assert set(ended.values()) == {State.BLOCKED} and calls == [len(few.cases)] * 3 and len(slept) == 2
    rows = few.office.ok("show", few.cases["kaoru"])["datasets"]
    assert next((d["status"], d["detail"]) for d in rows if d["dataset"] == CALLS) == ("unreachable", "asleep")
    monkeypatch.undo()
    again = few.together()
    assert set(again.values()) <= {State.REVIEW, State.AWAITING_DECISION}


@pytest.mark.parametrize(("rows", "keys"), [(100, 150), (10, 10)])
def test_what_is_too_much_for_one_pass_is_taken_in_halves(
    alone: Desk, few: Desk, monkeypatch: pytest.MonkeyPatch, passes: list[tuple[str, str, int]], rows: int, keys: int
) -> None:
    monkeypatch.setattr(together, "ROWS", rows)
    monkeypatch.setattr(together, "KEYS", keys)
    few.together()
    for person in few.cases:
        assert few.events(person) == alone.events(person), person
    assert sum(what == "locate" and dataset == CALLS for what, dataset, _ in passes) > 2


def test_cases_taken_in_turns_end_alike(desk: Desk, monkeypatch: pytest.MonkeyPatch, passes: list[tuple[str, str, int]]) -> None:
    monkeypatch.setattr(together, "AT_ONCE", 4)
    assert all(isinstance(one, State) for one in desk.together().values())
    assert [asks for what, dataset, asks in passes if (what, dataset) == ("locate", CALLS)] == [4, 2]


@pytest.mark.parametrize("what", ["_locate", "_fetch"])
def test_a_run_that_was_killed_is_taken_up_where_each_stood(
    alone: Desk, few: Desk, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Some by themselves, the rest together: asks nobody twice, leaves the same events."""
    with monkeypatch.context() as patch:
        def die(count: int) -> None:
            raise KeyboardInterrupt

        breaking(patch, what, die)  # type: ignore[arg-type]
        with pytest.raises(KeyboardInterrupt):
            few.together()
    engine = few.engine
    for case in few.cases.values():
        with engine.hold(case):  # nobody's lease was left behind
            pass
    engine.store.close()
    few.office.ok("collect", few.cases["susumu"])
    few.together()
    for person in few.cases:
        assert few.steps(person) == alone.steps(person)


def test_a_case_lost_to_another_process_writes_nothing_more(few: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    stolen = few.cases["kenta"]

    def steal(count: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("dsr.store._dead", lambda holder: True)
            other = few.engine
            other.store.take(stolen)
            other.store.close()

    breaking(monkeypatch, "_locate", steal)  # type: ignore[arg-type]
    ended = few.together()
    assert isinstance(ended[stolen], Conflict)
    assert all(isinstance(one, State) for case, one in ended.items() if case != stolen)
    assert ("locate:2:call_history.calls", "result") not in [(key, phase) for key, phase, _ in few.events("kenta")]


def test_the_morning_round_resumes_them_together(few: Desk, monkeypatch: pytest.MonkeyPatch, passes: list[tuple[str, str, int]]) -> None:
    with monkeypatch.context() as patch:
        breaking(patch, "_locate", lambda count: ConnectorUnavailable("call_history", "calls", "asleep"))
        assert set(few.together(sleep=lambda _: None).values()) == {State.BLOCKED}
    passes.clear()
    assert set(few.office.ok("watch")["resume"]) == set(few.cases.values())
    assert [asks for what, dataset, asks in passes if (what, dataset) == ("locate", CALLS)] == [len(few.cases)]
    assert {few.office.state(case) for case in few.cases.values()} <= {"review", "awaiting_decision"}


# -- dealing out -----------------------------------------------------------------------------------------------------

Word = st.none() | st.sampled_from(["", "-", "+", "a", "\x1f", "\x1f|", "\x1f_", "a\x1f", "|", "a|b"])
Keys = st.lists(st.tuples(Word, Word), max_size=8, unique=True)


def table(keys: Sequence[tuple[str | None, str | None]]) -> pa.Table:
    return pa.table({name: pa.array([key[n] for key in keys], pa.string()) for n, name in enumerate("xy")})


class Telling:
    """Every row of a store, in an order of its own."""

    def __init__(self, rows: Sequence[tuple[str | None, str | None]]) -> None:
        self.rows = rows

    def fetch(self, dataset: Dataset, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        for number, (x, y) in enumerate(self.rows):
            yield pa.record_batch({"n": [number], "y": pa.array([y], pa.string()), "x": pa.array([x], pa.string())})


DATASET = Dataset.model_validate({"system": "s", "name": "d", "label": "d", "key": ("x", "y"), "by": "person", "locate": "x",
                                  "fields": {"x": "x", "y": "y", "n": "n"}})


@given(keys=st.lists(Keys, min_size=1, max_size=4), order=st.randoms())
def test_each_case_gets_the_rows_of_its_own_keys_in_their_order(keys: list[Any], order: Any) -> None:
    """NULL is not blank, and no two keys are written alike; a key of two cases brings its row to both."""
    rows = sorted({key for each in keys for key in each}, key=str)
    order.shuffle(rows)
    dealt = together._dealt(DATASET, Telling(rows), {str(n): table(each) for n, each in enumerate(keys)})  # type: ignore[arg-type]
    for n, each in enumerate(keys):
        found = [number for batch in dealt[str(n)] for number in batch.column("n").to_pylist()]
        assert found == [number for number, row in enumerate(rows) if row in each]


def test_a_row_that_nobody_asked_for_is_dealt_to_nobody() -> None:
    with pytest.raises(ConnectorMisread, match="not asked for"):
        together._dealt(DATASET, Telling([("a", ""), ("b", "")]), {"1": table([("a", "")]), "2": table([])})  # type: ignore[arg-type]
