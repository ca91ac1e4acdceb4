"""Tells a case's story through the command line, in process: the way an office would, one command after the other."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dsr.engine import fulfilling
from dsr.engine import office as engine
from flows import home as homes
from flows.cli import main

NOW = "2026-11-22T09:00+09:00"


@dataclass
class Office:
    """A home on a sample company, and its officers."""

    home: Path
    sample: Path
    patch: pytest.MonkeyPatch
    truth: dict[str, Any] = field(repr=False, default_factory=dict)
    secrets: dict[str, str] = field(repr=False, default_factory=dict)
    now: str = NOW

    @classmethod
    def set_up(cls, home: Path, sample: Path, patch: pytest.MonkeyPatch) -> Office:
        office = cls(home, sample, patch)
        office.truth = json.loads((sample / "truth.json").read_text())
        office.secrets = {o["name"]: o["secret"] for o in json.loads((sample / "officers.json").read_text())}
        status, _, _ = office.run(
            "init",
            "--inventory",
            str(sample / "inventory.toml"),
            "--officers",
            str(sample / "officers.json"),
            officer=None,
        )
        assert status == 0
        return office

    def run(self, *argv: str, officer: str | None = "uketsuke-1") -> tuple[int, Any, str]:
        """Exit status, the JSON document, and what went to standard error."""
        with self.patch.context() as patch:
            patch.setenv("DSR_HOME", str(self.home))
            patch.delenv("DSR_OFFICER", raising=False)
            if officer:
                patch.setenv("DSR_OFFICER", officer)
                patch.setenv("DSR_SECRET", self.secrets[officer])
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    status = main([*argv, "--json", "--now", self.now])
                except SystemExit as stop:
                    status = int(stop.code or 0)
        text = out.getvalue()
        return status, json.loads(text) if text.strip() else None, err.getvalue()

    def ok(self, *argv: str, officer: str | None = "uketsuke-1", status: int = 0) -> Any:
        ended, document, errors = self.run(*argv, officer=officer)
        assert ended == status, f"dsr {' '.join(argv)}: {ended}: {errors}"
        return document

    def state(self, case: str) -> str:
        return str(self.ok("show", case)["state"])

    # -- the story of a disclosure -----------------------------------------------------------------------------

    def open(self, person: str) -> str:
        return str(self.ok("open", str(self.sample / f"requests/{person}.json"))["case"])

    def collected(self, person: str, case: str | None = None) -> str:
        case = case or self.open(person)
        self.ok("prove", case, "--file", str(self.sample / f"requests/{person}.proof.json"))
        answer = self.sample / f"answers/{person}.archives_backups.json"
        if answer.exists():
            self.ok("answer", case, "archives_backups", "--file", str(answer))
        self.ok("collect", case)
        return case

    def review_of(self, person: str, folder: Path) -> Path:
        told = self.truth["people"][person]
        path = folder / f"{person}.review.json"
        path.write_text(json.dumps({"identity": told.get("identity", {}), "notes": told["spans"]}, ensure_ascii=False))
        return path

    def decided(self, person: str, folder: Path, case: str | None = None) -> str:
        return self.decided_from(self.collected(person, case), person, folder)

    def decided_from(self, case: str, person: str, folder: Path) -> str:
        """A proved case of the person, collected by now or not."""
        if self.state(case) == "proved":
            answer = self.sample / f"answers/{person}.archives_backups.json"
            self.ok("answer", case, "archives_backups", "--file", str(answer))
            self.ok("collect", case)
        told = self.truth["people"][person]
        if self.state(case) == "review":
            identity = folder / f"{person}.identity.json"
            identity.write_text(json.dumps({"identity": told.get("identity", {}), "notes": {}}, ensure_ascii=False))
            if told.get("identity") and self.ok("review", case, "--file", str(identity))["state"] == "collecting":
                self.ok("collect", case)
            if self.state(case) == "review" or told["spans"]:
                self.ok("review", case, "--file", str(self.review_of(person, folder)))
        self.ok("decide", case, "--as-proposed")
        if self.state(case) == "awaiting_approval":
            self.ok("approve", case, officer="shonin-1")
        return case

    def packaged(self, person: str, folder: Path, case: str | None = None) -> tuple[str, Path]:
        case = self.decided(person, folder, case)
        self.ok("fulfil", case)
        out = folder / f"package-{person}"
        self.ok("package", case, "--out", str(out))
        return case, out


    def data_of(self, person: str, folder: Path) -> tuple[str, Path]:
        """As ``packaged``, but only the data: what the papers are drawn from, at a tenth of the time."""
        case, out = self.decided(person, folder), folder / f"data-{person}"
        (out / "data").mkdir(parents=True)
        with closing_store(homes.engine_office(self.home, self.now)) as office, office.hold(case) as hold:
            fulfilling.begin(hold)
            for name in fulfilling.to_write(hold):
                for file in fulfilling.write_data(hold, name)["files"]:
                    (out / file["path"]).write_bytes(hold.vault.read(f"package/{file['path']}"))
        return case, out


@contextlib.contextmanager
def closing_store(office: engine.Office) -> Iterator[engine.Office]:
    try:
        yield office
    finally:
        office.store.close()


# -- reading a package as an outsider would ------------------------------------------------------------------------


def rows_of(package: Path, dataset: str) -> dict[str, dict[str, str]]:
    """Record no. → the row, as the CSV says."""
    path = package / "data" / f"{dataset}.csv"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return {row["記録番号"]: row for row in csv.DictReader(lines)}


def datasets_of(package: Path) -> Iterator[str]:
    for path in sorted((package / "data").glob("*.csv")):
        yield path.stem


def marks_of(row: dict[str, str]) -> set[tuple[str, str, str]]:
    """(field, mark, ground) of a CSV row."""
    return {tuple(entry.split(":", 2)) for entry in row["マスキング"].split(";") if entry}  # type: ignore[misc]


def oracle(told: dict[str, Any], package: Path, shown: dict[str, Any]) -> list[str]:
    """What differs between a package and the builder's own knowledge; empty when all is right. Knows nothing of the engine."""
    problems = []
    for dataset in sorted({*told["owns"], *datasets_of(package)}):
        owns, rows = set(told["owns"].get(dataset, [])), rows_of(package, dataset)
        problems += [f"{dataset}: missing {n}" for n in sorted(owns - set(rows))]
        problems += [f"{dataset}: not theirs {n}" for n in sorted(set(rows) - owns)]
        for number in sorted(owns & set(rows)):
            masked = {(f, m, g or "") for f, (m, g) in told["masked"].get(dataset, {}).get(number, {}).items()}
            struck = told["spans"].get(dataset, {}).get(number, {}).get("strike", [])
            masked |= {(f, "person_other" if g.endswith(("THIRD", "OTHER")) else "struck", g) for f, _, _, g in struck}
            if (found := marks_of(rows[number])) != masked:
                problems.append(f"{dataset} {number}: masks {sorted(found ^ masked)}")
    told_status = told["status"]
    found_status = {d["dataset"]: d["status"] for d in shown["datasets"]}
    problems += [
        f"{name}: status {found_status.get(name)} is not {status}"
        for name, status in told_status.items()
        if found_status.get(name) != status
    ]
    return problems
