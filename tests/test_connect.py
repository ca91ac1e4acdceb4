"""docs/connect.md is played: every command of it runs, and the packages hold what the planted rows say, by hand."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sqlite3
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dsr.inventory import read_inventory
from flows.cli import main
from tests.connector_fixtures import Postgres, running_postgres  # noqa: F401 - a fixture is used by its name
from tests.story import NOW, Office, datasets_of, rows_of
from tests.test_draft import packaged, request_of

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/connect.md").read_text(encoding="utf-8")


def section(title: str) -> list[str]:
    (text,) = re.findall(rf"^## {title}.*?\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]


@dataclass
class Player:
    """Runs the page's lines: ``dsr`` in process, the databases' own clients by their drivers, the rest by the shell."""

    patch: pytest.MonkeyPatch
    postgres: Postgres | None = None
    secrets: dict[str, str] = field(default_factory=dict)

    def play(self, line: str) -> None:
        words = shlex.split(line, comments=True)
        settings = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
        if "DSR_SECRET" in settings:
            settings["DSR_SECRET"] = self.secrets[settings["DSR_OFFICER"]]
        words = [word for word in words if not re.match(r"[A-Z_]+=", word)]
        if words[0] == "export":
            for name, value in settings.items():
                local = value.removeprefix("postgresql:///")
                self.patch.setenv(name, self.postgres.url(local) if local != value and self.postgres else value)
        elif words[0] == "dsr":
            self._dsr(words[1:], settings)
        elif words[0] == "sqlite3":
            base = sqlite3.connect(words[1])
            base.executescript(Path(words[3]).read_text())
            base.close()
        elif words[0] == "createdb" and self.postgres:
            self.postgres.run("postgres", f"CREATE DATABASE {words[1]}")
        elif words[0] == "psql" and self.postgres:
            self.postgres.run(words[3], *filter(str.strip, Path(words[-1]).read_text().split(";\n")))
        elif words[0] == "cd":
            self.patch.chdir(words[1])
        else:
            subprocess.run(["bash", "-ec", line], check=True, capture_output=True)

    def _dsr(self, words: list[str], settings: dict[str, str]) -> None:
        out, err = io.StringIO(), io.StringIO()
        with self.patch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            for name, value in settings.items():
                patch.setenv(name, value)
            status = main([*words, "--now", NOW])
        assert status == 0, f"dsr {' '.join(words)}: {err.getvalue()}"
        if words[:2] == ["officer", "add"]:
            self.secrets[words[2]] = re.findall(r"DSR_SECRET=(\S+)", out.getvalue())[0]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the repository's tests in it, and the page's two papers."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    for name, document in re.findall(r"^`(demo/\S+\.json)`:\n```json\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(document)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def held(package: Path) -> dict[str, set[str]]:
    found = {name.partition(".")[2]: set(rows_of(package, name)) for name in datasets_of(package)}
    return {name: rows for name, rows in found.items() if rows}


SATO = ("佐藤 浩", "サトウ ヒロシ", "1965-02-03")
OTHERS: dict[str, dict[str, tuple[dict[str, Any], dict[str, set[str]]]]] = {
    "chinook": {
        "浩 of 緑町": (request_of(*SATO, "090-0000-1002", "福岡県みなと市緑町2-3-4"),
                    {"customer": {"1"}, "invoice": {"1", "5"}, "invoice_line": {"2", "6"}}),
        "浩 of 東町": (request_of(*SATO, "090-0000-1003", "福岡県みなと市東町5-6-7"),
                    {"customer": {"2"}, "invoice": {"2"}, "invoice_line": {"3"}}),
        "文子": (request_of("髙橋 文子", "タカハシ フミコ", "1955-01-01", "092-000-1001", "福岡県みなと市中央1-2-3"),
               {"customer": {"3"}, "invoice": {"3"}, "invoice_line": {"4"}}),
        "恵, employee and customer": (
            request_of("田中 恵", "タナカ メグミ", "1983-08-29", "090-0000-7003", "福岡県みなと市西町3-3-3"),
            {"customer": {"4"}, "employee": {"3"}, "invoice": {"4"}, "invoice_line": {"5"}}),
        "a stranger": (request_of("佐藤 浩", "サトウ ヒロシ", "1990-11-30", "090-0000-9999", "福岡県みなと市南町8-8-8"), {}),
    },
    "sakila": {
        "浩 of 緑町": (request_of(*SATO, "090-0000-1002", "福岡県みなと市緑町2-3-4"),
                    {"customer": {"1"}, "rental": {"1"}, "payment": {"1", "5"}, "address": {"2"}}),
        "浩 of 東町": (request_of(*SATO, "090-0000-1003", "福岡県みなと市東町5-6-7"),
                    {"customer": {"2"}, "rental": {"2"}, "payment": {"2"}, "address": {"3"}}),
        "文子": (request_of("髙橋 文子", "タカハシ フミコ", "1955-01-01", "092-000-1001", "福岡県みなと市中央1-2-3"),
               {"customer": {"3"}, "rental": {"3"}, "payment": {"3"}, "address": {"1"}}),
        "健, staff": (request_of("山本 健", "ヤマモト ケン", "1962-02-18", "092-000-7001", "福岡県みなと市本町1-1-1"),
                    {"staff": {"1"}, "address": {"4"}}),
    },
}  # fmt: skip
"""What each planted person's package must hold, read off the INSERTs of tests/schemas by hand."""
ASKED = {
    "chinook": {"SupportRepId", "参照が空", "zone", "個人の列は見当たらない"},
    "sakila": {"rental_id", "staff_id", "manager_staff_id", "description", "zone", "個人の列は見当たらない", "画像などは印字できない",
               "一致には強い手がかりが二つ要る"},
}  # fmt: skip
"""What each draft asks, and the page answers."""
HANAKO = {
    "chinook": {"customer": {"0"}, "invoice": {"0", "6"}, "invoice_line": {"0", "1", "7"}},
    "sakila": {"customer": {"0"}, "rental": {"0"}, "payment": {"0", "4"}, "address": {"1"}},
}


@pytest.mark.parametrize(("system", "title"), [("chinook", "Chinook on SQLite"), ("sakila", "Sakila")])
def test_the_page_leads_from_the_database_to_exactly_one_persons_rows(
    page: Path, monkeypatch: pytest.MonkeyPatch, postgres: Postgres, system: str, title: str
) -> None:
    player = Player(monkeypatch, postgres)
    for line in section(title):
        player.play(line)
        if line.startswith("dsr inventory draft"):
            asked = re.findall("要確認: ([\\w.]+)", (page / f"demo/{system}/inventory.toml").read_text())
            assert set(asked) == ASKED[system]
    finished = (page / f"demo/{system}/inventory.toml").read_text()
    assert re.findall("要確認|記入", finished) == []
    assert held(page / f"demo/{system}/package") == HANAKO[system]
    office = Office(page / f"demo/{system}/home", page, monkeypatch, secrets=player.secrets)
    for name, (request, rows) in OTHERS[system].items():
        package = packaged(office, page, request)
        assert held(package) == rows, name
    shared = read_inventory(page / f"demo/{system}/inventory.toml").system[system].dataset
    assert {name for name, dataset in shared.items() if dataset.owners == "shared"} == {"address"} & set(shared)
