"""A year of an office with a set clock: requests of every kind arrive, people are silent, ill proved or change their mind,
post comes back; officers work on business days. Seeded: the same year for the same seed, in ``tests/test_year.py`` and bench.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from dsr import law
from dsr.case import Case
from dsr.days import TOKYO
from dsr.engine import (
    charging,
    deciding,
    desk,
    dispatching,
    fulfilling,
    incidents,
    intake,
    previewing,
    process,
    reviewing,
    timing,
    withdrawing,
)
from dsr.engine.answering import answer
from dsr.engine.office import Office, Officer
from dsr.errors import DsrError
from dsr.rules.lifecycle import State
from flows import home as homes

HANDLER, APPROVER = Officer("uketsuke-1", "handler"), Officer("shonin-1", "approver")
FIRST = date(2026, 1, 5)
INVENTORY = """
[company]
name = "はまかぜ電力株式会社"
address = "福岡県みなと市港町1-2-3"
representative = "代表取締役社長 浜風 太郎"
desk = "個人情報開示等受付窓口"
complaint_desk = "お客様相談室"
procedure = "所定の請求書を郵送してください。"
security_measures = "取扱規程の整備、責任者の設置、教育、監督を行っています。"
member_site = "会員サイト「登録情報の確認」"
desks = {sender_identification = "法務部"}
[company.fees.disclosure]
yen = 300
way = "定額小為替"
[purposes]
P03 = "電気の供給"
P07 = "ご案内"
[purpose_kinds]
P03 = "core"
P07 = "offer"

[system.power]
label = "電気契約"
store = "sql"
url = "sqlite:///power.db"
writes = "direct"
canary = ["見本検査 契約者"]
[system.power.dataset.party]
label = "契約者"
row = 2
key = ["party_id"]
by = "person"
locate = "SELECT party_id, full_nm, full_kana, birth_ymd, tel FROM party WHERE full_kana IN :kana_forms OR tel IN :phone_forms"
fetch = "SELECT * FROM party WHERE party_id IN :keys ORDER BY party_id"
evidence = {name = "full_nm", kana = "full_kana", born_on = "birth_ymd", phone = "tel"}
reveals = [{kind = "party_id", column = "party_id"}]
purposes = ["P03", "P07"]
alive = {by = {party_id = "party_id"}}
use_stop = {offers = 0}
[system.power.dataset.party.fields]
party_id = {label = "契約者番号", kind = "record_no"}
full_nm = {label = "氏名", kind = "user.name"}
full_kana = {label = "カナ", kind = "user.name.kana"}
birth_ymd = {label = "生年月日", kind = "user.born_on"}
tel = {label = "電話", kind = "user.phone"}
home = {label = "住所", kind = "user.address"}
offers = "ご案内"
[system.power.dataset.supply]
label = "供給契約"
row = 32
key = ["supply_no"]
by = "party_id"
locate = "SELECT supply_no FROM supply WHERE party_id = :party_id"
fetch = "SELECT * FROM supply WHERE supply_no IN :keys ORDER BY supply_no"
purposes = ["P03"]
alive = {until = "to_day", gives = {party_id = "party_id"}}
keep = [{rule = "TAX59-7Y", from = "from_day"}]
[system.power.dataset.supply.fields]
supply_no = {label = "供給地点特定番号", kind = "supply_point_no"}
party_id = "契約者番号"
from_day = "開始"
to_day = "終了"

[system.box]
label = "書庫"
store = "manual"
due_days = 5
[system.box.dataset.papers]
label = "申込書"
row = 1
key = ["no"]
by = "person"
locate = "名前で綴りを引く"
fetch = "綴りを読む"
evidence = {name = "name"}
[system.box.dataset.papers.fields]
no = {label = "番号", kind = "record_no"}
name = {label = "氏名", kind = "user.name"}
"""
FAMILIES = ["有田", "井手", "牛島", "江里", "岡部", "香月", "木下", "草場", "玄海", "古賀", "坂井", "塩塚", "末次", "瀬戸", "空閑", "立石", "中島", "野中", "花田", "松永"]
READ = ["アリタ", "イデ", "ウシジマ", "エリ", "オカベ", "カツキ", "キノシタ", "クサバ", "ゲンカイ", "コガ", "サカイ", "シオツカ", "スエツグ", "セト", "クガ", "タテイシ", "ナカシマ", "ノナカ", "ハナダ", "マツナガ"]
GIVEN = (("一郎", "イチロウ"), ("二葉", "フタバ"), ("三枝", "ミエ"))
RIGHTS = {
    "disclosure": 30, "purpose_notice": 5, "correction": 8, "erasure": 14, "use_stop": 5, "marketing_stop": 10,
    "published_matters": 4, "foreign_measures": 2, "complaint": 6, "self_service": 3, "sender_identification": 2, "other": 3,
}  # fmt: skip
"""How often each kind arrives, relative to each other."""


def build(folder: Path) -> Path:
    """The company: sixty people, every second of whom has ended the contract. Gives its inventory."""
    folder.mkdir(parents=True)
    people, supplies = [], []
    for number, (family, given) in enumerate((f, g) for f in range(len(FAMILIES)) for g in range(len(GIVEN))):
        name, kana = f"{FAMILIES[family]} {GIVEN[given][0]}", f"{READ[family]} {GIVEN[given][1]}"
        people.append((f"P{number:03}", name, kana, f"19{60 + number % 40}0{1 + number % 9}15", f"092-300-{number:04}",
                       f"福岡県みなと市{number + 1}丁目", 1))  # fmt: skip
        supplies.append((f"S{number:03}", f"P{number:03}", "2015-04-01", None if number % 2 else "2016-03-31"))
    people.append(("P999", "見本検査 契約者", "ミホンケンサ ケイヤクシャ", "19000101", "", "", 0))
    with closing(sqlite3.connect(folder / "power.db")) as base, base:
        base.execute("CREATE TABLE party (party_id TEXT PRIMARY KEY, full_nm TEXT, full_kana TEXT, birth_ymd TEXT, tel TEXT, home TEXT, offers INTEGER)")
        base.execute("CREATE TABLE supply (supply_no TEXT PRIMARY KEY, party_id TEXT, from_day TEXT, to_day TEXT)")
        base.executemany("INSERT INTO party VALUES (?, ?, ?, ?, ?, ?, ?)", people)
        base.executemany("INSERT INTO supply VALUES (?, ?, ?, ?)", supplies)
    (folder / "inventory.toml").write_text(INVENTORY)
    return folder / "inventory.toml"


@dataclass
class Sent:
    """What a test knows of a case beside the engine: who, and what will still happen to its parcel."""

    person: int
    right: str
    arrived: date
    ended: date | None = None
    silent: bool = False


@dataclass
class Year:
    """Runs an office day by day. ``problems`` is what must not be: breaches nobody was told of, cases that hang."""

    folder: Path
    seed: int
    cases: int
    problems: list[str] = field(default_factory=list)
    sent: dict[str, Sent] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.today = FIRST
        inventory = build(self.folder / "company")
        officers = self.folder / "officers.json"
        officers.write_text(json.dumps([{"name": o.name, "role": o.role, "secret": "x" * 12} for o in (HANDLER, APPROVER)]))
        homes.init(self.folder / "home", inventory, officers, None, False, None)

    @contextmanager
    def opened(self) -> Iterator[None]:
        self._office = homes.office(self.folder / "home", f"{FIRST}T09:00+09:00", HANDLER)
        try:
            yield
        finally:
            self._office.store.close()

    def as_(self, officer: Officer = HANDLER, hour: int = 10) -> Office:
        now = datetime.combine(self.today, time(hour), TOKYO)
        return replace(self._office, actor=officer, clock=lambda: now, sleep=lambda _seconds: None)

    # -- day by day ----------------------------------------------------------------------------------------------

    def run(self, days: int = 365, after: int = 250) -> Year:
        """``after``: days without arrivals in which everything must come to its end."""
        with self.opened():
            per_day = self.cases / days
            for number in range(days + after):
                self.today = FIRST + timedelta(days=number)
                if number < days:
                    for _ in range(int(per_day * (number + 1)) - int(per_day * number)):
                        self.arrives()
                self.works()
                self.noticed()
                if number >= days and not self.open():
                    break
            self.closes()
        return self

    def open(self) -> list[Case]:
        return self._office.store.cases(set(State) - {State.CLOSED, State.KEPT})

    def arrives(self) -> None:
        right = self.draw.choices(list(RIGHTS), list(RIGHTS.values()))[0]
        person = self.draw.randrange(len(FAMILIES) * len(GIVEN))
        at = datetime.combine(self.today, time(9, self.draw.randrange(59)), TOKYO).isoformat()
        case = intake.open_case(self.as_(), request_of(person, right, at, self.draw))
        self.sent[case.case_no] = Sent(person, right, self.today, silent=self.draw.random() < 0.06)

    def works(self) -> None:
        office = self.as_(hour=8)
        process.fire_due(office)
        desk.watch(office)
        if not office.calendar.is_business_day(self.today):
            return
        for case in [*self.open(), *self._office.store.cases({State.CLOSED})]:
            for _ in range(self.draw.choice((0, 1, 1, 2, 3, 3))):
                if not self.acts(case.case_no):
                    break

    def acts(self, case_no: str) -> bool:
        """One act on a case, whatever its state asks for; a refusal is counted and nothing moves."""
        case = self._office.store.case(case_no)
        if case.facts.get("linked_to") and not self._office.store.case(case.facts["linked_to"]).withdrawn:
            return False
        do: Callable[[Case], object] | None = getattr(self, f"on_{case.state.value}", None)
        if do is None:
            return False
        try:
            return bool(do(case))
        except DsrError as error:
            self.refusals[f"{case.state.value}: {type(error).__name__}: {str(error).split(':', 1)[-1][:90]}"] += 1
            return False

    # -- what is done in each state ------------------------------------------------------------------------------

    def on_received(self, case: Case) -> bool:
        if self.now_and_then(0.02):
            withdrawing.withdraw(self.as_(), case.case_no)
            return True
        papers = "drivers_licence" if self.draw.random() < 0.75 else "pension_book"
        intake.prove(self.as_(), case.case_no, proof_of(papers, self.today, self.draw))
        return True

    def on_awaiting_cure(self, case: Case) -> bool:
        if self.sent[case.case_no].silent:
            over = case.facts["cure"]["due"] < self.today.isoformat()
            if over:
                procedure = {"ground": "APPI-37-1-ID", "reason": "補正の期限までに書類が届かなかったため。"}
                deciding.decide(self.as_(), case.case_no, {"datasets": {}, "procedure": procedure})
            return over
        if self.now_and_then(0.4):
            intake.prove(self.as_(), case.case_no, proof_of("drivers_licence", self.today, self.draw))
            return True
        return False

    def on_proved(self, case: Case) -> bool:
        if case.right == "disclosure" and not case.facts.get("fee") and self.now_and_then(0.3):
            charging.ask(self.as_(), case.case_no)
        if self.now_and_then(0.03):
            withdrawing.withdraw(self.as_(), case.case_no)
            return True
        process.collect(self.as_(), case.case_no)
        return True

    on_collecting = on_proved

    def on_blocked(self, case: Case) -> bool:
        if self.now_and_then(0.5):
            answer(self.as_(), case.case_no, "box", {"searched_on": self.today.isoformat(), "datasets": {"box.papers": []}})
            process.collect(self.as_(), case.case_no)
            return True
        if case.right == "disclosure" and not case.facts.get("rest_by") and self.now_and_then(0.2):
            timing.interim(self.as_(), case.case_no, self.today + timedelta(days=20))
            return True
        return False

    def on_review(self, case: Case) -> bool:
        reviewing.take_review(self.as_(), case.case_no, {"identity": {}, "notes": {}})
        return True

    def on_awaiting_decision(self, case: Case) -> bool:
        if self.now_and_then(0.03) and timing.clocks.sla_of(self._office.calendar, case.facts).paused is None:
            timing.extend(self.as_(), case.case_no, 5, "確認に日数を要するため。")
        if (case.facts.get("fee") or {}).get("asked_on") and not settled(case):
            if not self.now_and_then(0.5):
                return False
            charging.paid(self.as_(), case.case_no, self.today)
        if case.facts.get("stale"):
            from dsr.engine import collecting

            collecting.collect_again(self.as_(), case.case_no)
            process.collect(self.as_(), case.case_no)
            return True
        deciding.decide(self.as_(), case.case_no, self.decision(case))
        return True

    def decision(self, case: Case) -> dict[str, Any] | None:
        if case.right == "complaint":
            return {"datasets": {}, "answer": ["ご意見をいただき、ありがとうございます。", "担当部署に伝えました。"]}
        if case.right == "correction":
            return {"datasets": {}, "investigated": {"how": "現地を確認", "result": "untrue", "value": ""}}
        return None

    def on_misdirected(self, case: Case) -> bool:
        if not case.facts.get("decisions"):
            deciding.decide(self.as_(), case.case_no, None)
            return True
        fulfilling.fulfil(self.as_(), case.case_no)
        return True

    def on_awaiting_approval(self, case: Case) -> bool:
        code = ""
        if case.right in ("erasure", "use_stop", "marketing_stop", "correction"):
            out = self.folder / "preview"
            previewing.preview(self.as_(), case.case_no, out)
            code = json.loads((out / "plan.json").read_text()).get("code", "")
            shutil.rmtree(out)
        if self.now_and_then(0.05):
            deciding.refuse(self.as_(APPROVER), case.case_no, "理由を補ってください。")
        else:
            deciding.approve(self.as_(APPROVER), case.case_no, code)
        return True

    def on_fulfilling(self, case: Case) -> bool:
        fulfilling.fulfil(self.as_(), case.case_no, case.case_no)
        return True

    on_verifying = on_residual = on_fulfilling

    def on_dispatching(self, case: Case) -> bool:
        past = case.facts.get("deliveries", [])
        back = past[-1] if past and past[-1].get("returned_on") else None
        if back and not self.again(case, back):
            return False
        out = self.folder / "out"
        fulfilling.write_out(self.as_(), case.case_no, out)
        shutil.rmtree(out)
        fine = {"person": "match", "address": "match", "case_no": "match", "seal": "intact"}
        if charging.must_be_returned(Held(self.as_(), case)):  # type: ignore[arg-type]
            charging.give_back(self.as_(), case.case_no, "not_held")
        dispatching.dispatch(self.as_(APPROVER), case.case_no, {"envelope_check": fine})
        dispatching.dispatch(self.as_(), case.case_no, {"channel": "addressee_only_post", "sent_on": self.today.isoformat()})
        return True

    def again(self, case: Case, back: dict[str, Any]) -> bool:
        """Of what came back: asked for, at another address where it must be, or held to its day."""
        if self.now_and_then(0.3):
            if back["reason"] == "addressee_unknown":
                record = {"type": "residence_record", "seen_on": self.today.isoformat(), "name": "match", "birth": "match",
                          "address": "match"}  # fmt: skip
                dispatching.move_to(self.as_(), case.case_no, {"address": "福岡県みなと市新町1", "documents": [record]})
            return True
        if (self.today - date.fromisoformat(back["returned_on"])).days > 60:
            dispatching.dispatch(self.as_(), case.case_no, {"destroyed_on": self.today.isoformat()})
        return False

    def on_withdrawn(self, case: Case) -> bool:
        if self.now_and_then(0.05):
            withdrawing.objected(self.as_(), case.case_no)
            return True
        return False

    def on_closed(self, case: Case) -> bool:
        known = self.sent[case.case_no]
        if known.ended is None:
            known.ended = self.today
        past = case.facts.get("deliveries", [])
        if not past or past[-1].get("returned_on") or not 2 <= (self.today - known.ended).days <= 8:
            return False
        if self.now_and_then(0.01):
            reason = self.draw.choice(("lapsed", "addressee_unknown", "refused"))
            dispatching.dispatch(self.as_(), case.case_no, {"returned_on": self.today.isoformat(), "return_reason": reason,
                                                            "seal": "intact"})  # fmt: skip
        elif self.now_and_then(0.003):
            said = {"known_at": self.as_(hour=9).now.isoformat(), "kind": "misdelivery", "persons": 1, "read": "unknown",
                    "cause": "封入の取り違え", "secondary_harm": "なし"}  # fmt: skip
            incidents.occurred(self.as_(), case.case_no, said)
        known.ended = None if self._office.store.case(case.case_no).state is State.DISPATCHING else known.ended
        return False

    def now_and_then(self, share: float) -> bool:
        return self.draw.random() < share

    # -- what must be so ------------------------------------------------------------------------------------------

    def noticed(self) -> None:
        """Every clock that lapsed, or lapses today, stands on the morning list with somebody's name."""
        office = self.as_(hour=18)
        listed = {row["case"]: row for row in desk.listed(office, due_only=True)}
        for case in self.open():
            if case.state is State.WITHDRAWN or desk.waits_for_twin(office, case):
                continue
            clock = desk.standing(office, case)
            left = [clock["presuit"]["left"] if clock["presuit"] else None, clock["sla"]["left"]]
            if min((days for days in left if days is not None), default=1) <= 0 and case.case_no not in listed:
                self.problems.append(f"{self.today} {case.case_no} {case.right} {case.state}: {left} and nobody is told")

    def closes(self) -> None:
        for case in self._office.store.cases():
            self.ends[f"{case.right} {case.state} {case.outcome}"] += 1
            if case.state not in (State.CLOSED, State.KEPT):
                self.problems.append(f"{case.case_no} {case.right} hangs in {case.state}")
            elif case.outcome not in (*law.OUTCOMES, "duplicate"):
                self.problems.append(f"{case.case_no} {case.right} {case.state} ended as {case.outcome}")
            elif case.state is State.CLOSED and case.outcome != "duplicate" and not law.closes(str(case.outcome)):
                self.problems.append(f"{case.case_no} {case.right} closed with {case.outcome}, which is not final")
        if not desk.verify_trail(self.as_())["sound"]:
            self.problems.append("the log does not prove itself")


@dataclass(frozen=True)
class Held:
    """As much of a hold as ``charging.must_be_returned`` reads."""

    office: Office
    case: Case


def settled(case: Case) -> bool:
    fee = case.facts["fee"]
    return bool(fee.get("paid_on") or fee.get("waived_on"))


def request_of(person: int, right: str, at: str, draw: random.Random) -> dict[str, Any]:
    family, given = divmod(person, len(GIVEN))
    subject = {
        "name": f"{FAMILIES[family]} {GIVEN[given][0]}", "kana": f"{READ[family]} {GIVEN[given][1]}",
        "born_on": f"19{60 + person % 40}-0{1 + person % 9}-15", "addresses": [f"福岡県みなと市{person + 1}丁目"],
        "identifiers": [{"kind": "phone", "value": f"092-300-{person:04}", "from": None, "to": None}],
    }  # fmt: skip
    wrong = f"福岡県みなと市{person + 1}丁目"
    correction = {"field": "user.address", "wrong": wrong, "right": f"{wrong}2番", "evidence": "住民票"}
    return {
        "right": right, "subject": subject, "received": {"at": at, "channel": draw.choice(["post", "counter", "web", "phone"])},
        "answer": {"method": draw.choice(["electronic", "paper"]), "language": draw.choice(["ja", "ja", "en"])},
        "ground": "G-3" if right in ("erasure", "use_stop") else None,
        "correction": correction if right == "correction" else None,
    }  # fmt: skip


def proof_of(paper: str, today: date, draw: random.Random) -> dict[str, Any]:
    return {"method": "post", "documents": [{"type": paper, "last_digits": "12", "seen_on": today.isoformat(), "name": "match",
                                             "birth": "match", "address": "match"}]}  # fmt: skip
