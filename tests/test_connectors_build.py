"""From the inventory to connectors: what gets one, what never does, and where addresses come from."""

from __future__ import annotations

import sqlite3
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import connectors.build
from connectors.build import GROUP, connect
from connectors.stores.access import Access
from connectors.stores.sql import SqlStore
from dsr.errors import BadInput, ConnectorUnavailable
from dsr.inventory import Inventory, value_of
from tests.connector_fixtures import SECRET, ask_by, inventory_of

SYSTEM = """
[system.{name}]
label = "x"
store = "{store}"
url = "{url}"
nature = "{nature}"
[system.{name}.dataset.rows]
label = "x"
key = ["k"]
by = "line_no"
locate = "SELECT k FROM t WHERE k = :line_no"
fetch = "SELECT * FROM t WHERE k IN :keys"
fields = {{k = "k"}}
"""


def systems(folder: Path, *given: dict[str, str]) -> Inventory:
    defaults = {"name": "one", "store": "sql", "url": "sqlite:///company.db", "nature": "own"}
    return inventory_of(folder, "".join(SYSTEM.format(**{**defaults, **each}) for each in given))


@pytest.mark.parametrize(("nature", "touched"), [
    ("own", True), ("joint", True), ("entrusted", False), ("neutral", False), ("excluded", False),
])
def test_only_our_own_systems_get_a_connector(tmp_path: Path, nature: str, touched: bool) -> None:
    """SC-6, U-2: what is not ours is never touched, so there is nothing to touch it with."""
    assert bool(connect(systems(tmp_path, {"nature": nature}), environment={})) is touched


def test_a_missing_address_silences_its_own_system_only(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "company.db")
    database.execute("CREATE TABLE t (k text)")
    database.close()
    inventory = systems(tmp_path, {}, {"name": "two", "url": "env:NOWHERE"}, {"name": "three", "url": "file:gone.url"},
                        {"name": "four", "url": ""})
    made = connect(inventory, environment={})
    assert made["one"].check() == []
    for name in ("two", "three", "four"):
        with pytest.raises(ConnectorUnavailable) as caught:
            made[name].check()
        assert caught.value.system == name and caught.value.__context__ is None


@pytest.mark.parametrize("store", ["files", "partner"])
def test_a_store_that_nobody_installed_is_unreachable_never_skipped(tmp_path: Path, store: str) -> None:
    """T18: a connector that is not there must not read as a system without data."""
    inventory = systems(tmp_path, {"store": store})
    connector, dataset = connect(inventory)["one"], inventory.dataset("one.rows")
    for act in (connector.check, lambda: list(connector.locate(dataset, [ask_by("line_no", "1")])),
                lambda: list(connector.fetch(dataset, None))):  # type: ignore[arg-type]
        with pytest.raises(ConnectorUnavailable, match=f"no connector for store {store}"):
            act()


class Theirs(SqlStore):
    """A third party's store, as its entry point names it."""


def test_third_parties_add_stores_and_replace_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint(kind, "tests.test_connectors_build:Theirs", GROUP) for kind in ("partner", "lake")]

    def entry_points(**asked: Any) -> list[EntryPoint]:
        assert asked == {"group": GROUP}
        return points

    monkeypatch.setattr(connectors.build, "entry_points", entry_points)
    made = connect(systems(tmp_path, {"store": "partner"}, {"name": "two", "store": "lake"}))
    assert isinstance(made["one"], Theirs) and not isinstance(made["two"], Theirs)


def test_an_access_shows_no_address(tmp_path: Path) -> None:
    inventory = systems(tmp_path, {"url": f"postgresql://u:{SECRET}@host/db"})
    (connector,) = connect(inventory).values()
    access: Access = connector.access  # type: ignore[attr-defined]
    assert SECRET not in f"{access!r}{connector!r}{inventory.system['one']!r}"


def test_a_value_stands_for_itself_or_comes_from_environment_or_file(tmp_path: Path) -> None:
    (tmp_path / "faults.token").write_text(" abc\n", encoding="utf-8")
    environment = {"URL": "http://x", "DB": "sqlite:///c.db"}
    assert value_of("plain", "f", {}, tmp_path) == "plain"
    assert value_of("env:URL", "f", environment, tmp_path) == "http://x"
    assert value_of("file:faults.token", "f", {}, tmp_path) == "abc"
    assert value_of("env:DB", "f", environment, tmp_path) == f"sqlite:///{tmp_path}/c.db"
    assert value_of("sqlite:////abs/c.db", "f", {}, tmp_path) == "sqlite:////abs/c.db"
    for written in ("env:GONE", "file:gone"):
        with pytest.raises(BadInput, match=r"^system\.x\.url"):
            value_of(written, "system.x.url", environment, tmp_path)
