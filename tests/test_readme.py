"""The README is kept true: its commands exist, its examples are read, the errors are drawn as they are."""

from __future__ import annotations

import ast
import json
import re
import sqlite3
import tomllib
from pathlib import Path

import pytest

from dsr import errors
from dsr.inventory import Inventory
from dsr.request import Dispatch, OrderAnswer, Review
from dsr.shapes import Shape, shaped
from flows.cli import _parser

SHAPES: dict[str, type[Shape]] = {"notes": Review, "done_by": OrderAnswer}
"""By what an example of the README names."""
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(
    "line", sorted(set(re.findall(r"^(?:DSR_\S+ )*dsr (.+?)(?:\s+#.*|\s+&)?$", README, re.MULTILINE)))
)
def test_every_command_of_the_readme_is_one_that_the_program_takes(line: str) -> None:
    _parser().parse_args(line.split())


def test_every_command_of_the_program_is_in_the_readme_or_the_changelog() -> None:
    words = README + (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    commands = next(iter(_parser()._subparsers._group_actions)).choices  # type: ignore[union-attr]
    assert [name for name in commands if not re.search(rf"\b{name}\b", words)] == []  # type: ignore[union-attr]


def test_the_examples_of_the_readme_are_read_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in blocks("json"):
        document = json.loads(text)
        shape = next((shape for name, shape in SHAPES.items() if name in document), Dispatch)
        shaped(shape, document, "example")
    inventory = shaped(Inventory, tomllib.loads(blocks("toml")[0]), "inventory")
    assert {dataset.id for dataset in inventory.datasets()} == {"power.party", "power.supply"}


def test_the_inventory_of_the_readme_agrees_with_the_database_it_describes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newcomer's connection, checked live: no drift."""
    from connectors.build import connect
    from dsr.inventory import read_inventory

    base = sqlite3.connect(tmp_path / "power.db")
    base.executescript("""
        CREATE TABLE party (party_id INTEGER PRIMARY KEY, full_nm TEXT, full_kana TEXT, birth_ymd INTEGER, tel TEXT);
        CREATE TABLE supply (party_id INTEGER, supply_no TEXT, seq INTEGER, from_ymd INTEGER, to_ymd INTEGER);
        CREATE TABLE tariff (code TEXT, yen INTEGER);
    """)
    base.close()
    (tmp_path / "inventory.toml").write_text(blocks("toml")[0])
    monkeypatch.setenv("POWER_URL", "sqlite:///power.db")
    connectors = connect(read_inventory(tmp_path / "inventory.toml"), answers=lambda _system: None)
    assert connectors["power"].check() == []


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn = set(re.findall(r"^[│ ├└─]*([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE))
    made = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.DsrError)}
    assert made <= drawn


def test_every_module_says_its_one_reason_in_its_first_line() -> None:
    silent = []
    for folder in ("dsr", "connectors", "flows", "sample_data"):
        for path in (ROOT / folder).rglob("*.py"):
            if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))):
                silent.append(str(path.relative_to(ROOT)))
    assert silent == []
