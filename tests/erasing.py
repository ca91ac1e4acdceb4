"""Tells an erasure or a correction through the command line, as an office would; the sample's keepers answer orders."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.story import Office

KEEPER = "archives_backups"
BOXES = f"{KEEPER}.paper_boxes"
PASSED = {"envelope_check": {"person": "match", "address": "match", "case_no": "match", "seal": "intact"}}
SENT = {"channel": "addressee_only_post", "sent_on": "2026-11-22", "tracking_no": "1"}


class Erasure:
    """One case. ``right`` and whatever ``more`` says replace what the person's ready request says; what needs a ground
    and names none is no longer needed (G-3)."""

    def __init__(self, office: Office, person: str, folder: Path, right: str = "erasure", **more: Any) -> None:
        self.office, self.person, self.folder = office, person, folder / f"{person}.{right}"
        self.folder.mkdir(parents=True, exist_ok=True)
        ready = office.sample / f"requests/{person}.{right}.json"
        ready = ready if ready.exists() else office.sample / f"requests/{person}.json"
        needed = "G-3" if right in ("erasure", "use_stop") else None
        request = {**json.loads(ready.read_text()), "right": right, "ground": needed, **more}
        self.case = str(office.ok("open", self.written("request", request))["case"])

    def written(self, name: str, document: Any) -> str:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(document, ensure_ascii=False))
        return str(path)

    def show(self) -> Any:
        return self.office.ok("show", self.case)

    @property
    def state(self) -> str:
        return str(self.show()["state"])

    def proposed(self) -> Any:
        """Up to the proposal; gives the items."""
        self.office.collected(self.person, self.case)
        marks = self.office.truth["people"][self.person].get("identity", {})
        if self.state == "review":
            self.office.ok("review", self.case, "--file", self.written("marks", {"identity": marks, "notes": {}}))
        if self.state == "collecting":
            self.office.ok("collect", self.case)
        assert self.state == "awaiting_decision"
        return self.show()["proposal"]

    def decided(self, decision: Any = None) -> None:
        how = ("--as-proposed",) if decision is None else ("--file", self.written("decision", decision))
        self.office.ok("decide", self.case, *how)

    def code(self) -> str:
        out = self.folder / f"preview{len(list(self.folder.glob('preview*')))}"
        self.office.ok("preview", self.case, "--out", str(out))
        return str(json.loads((out / "plan.json").read_text())["code"])

    def approved(self, decision: Any = None) -> Erasure:
        self.proposed()
        self.decided(decision)
        self.office.ok("approve", self.case, "--code", self.code(), officer="shonin-1")
        return self

    def run(self) -> tuple[int, Any, str]:
        return self.office.run("fulfil", self.case, "--live", self.case)

    def answer(self, to: str, document: Any) -> tuple[int, Any, str]:
        return self.office.run("answer", self.case, to, "--file", self.written(f"answer.{to}", document))

    def answer_orders(self, **counts: int) -> int:
        """Every open order as done by its owner, who did nothing here: the survey looks for itself."""
        waiting = [order for order in self.show()["orders"] if order["answered_on"] is None]
        for order in waiting:
            self.answer_order(order, counts.get(order["to"]))
        return len(waiting)

    def answer_order(self, order: Any, done: int | None = None) -> None:
        name, done = order["dataset"] or order["to"], order["records"] if done is None else done
        told: dict[str, Any] = {"found": done, "done": done}
        if "annotate" in order["acts"]:
            told["issued"] = {number: f"{number}-2" for number in self.ordered(order["to"], name)}
        said = {"done_on": self.office.now[:10], "done_by": "所管課", "datasets": {name: told}}
        status, _, errors = self.answer(order["to"], said)
        assert status == 0, errors

    def ordered(self, to: str, dataset: str) -> list[str]:
        """Record nos of an open order, as its owner reads them in the key file."""
        out = self.folder / f"keys{len(list(self.folder.glob('keys*')))}"
        self.office.ok("order", self.case, to, "--out", str(out))
        [keys] = out.glob(f"*{dataset}*.csv")
        return [row[0] for row in list(csv.reader(keys.read_text("utf-8-sig").splitlines()))[1:]]

    def carried_out(self) -> Erasure:
        """On and on, answering orders and looking into the box again, until it is neither asked nor searched any more."""
        for _ in range(6):
            status, _, errors = self.run()
            state = self.state
            assert status == 0 or state == "residual", errors
            if state == "verifying":
                searched = {"searched_on": self.office.now[:10], "datasets": {BOXES: []}}
                assert self.answer(KEEPER, searched)[0] == 0
            elif state != "fulfilling" or not self.owners_do():
                return self
        raise AssertionError(f"{self.case} goes round in circles")

    def owners_do(self) -> int:
        """The owners of the sample's systems carry their SQL orders out to the letter, and answer."""
        for order in self.show()["orders"]:
            if order["answered_on"] is None and order["kind"] == "owner":
                for script in self.scripts(order["to"]):
                    self.run_script(script)
        return self.answer_orders()

    def scripts(self, to: str) -> list[str]:
        """The SQL of the open orders to an owner."""
        out = self.folder / f"orders{len(list(self.folder.glob('orders*')))}"
        self.office.ok("order", self.case, to, "--out", str(out))
        return [script.read_text() for script in sorted(out.glob("*.sql"))]

    def run_script(self, script: str) -> None:
        with closing(sqlite3.connect(self.office.sample / "company.db")) as base:
            base.executescript(script)

    def dispatched(self) -> str:
        self.office.ok("package", self.case, "--out", str(self.folder / f"package{self.office.now[:10]}"))
        sent = {**SENT, "sent_on": self.office.now[:10]}
        self.office.ok("dispatch", self.case, "--file", self.written("check", PASSED), officer="shonin-2")
        return str(self.office.ok("dispatch", self.case, "--file", self.written("sent", sent))["state"])
