"""From the inventory to connectors: one per system of our own, none for what is not ours to touch."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from importlib.metadata import EntryPoint, entry_points
from typing import NoReturn

import pyarrow as pa

from connectors.stores.access import ASKED, Access
from connectors.stores.faults import Guarded
from connectors.stores.http import HttpStore
from connectors.stores.lake_index import SideIndex
from connectors.stores.lake_write import LakeWriter
from connectors.stores.logs_write import LogWriter
from connectors.stores.manual import ManualStore
from connectors.stores.sql import SqlStore
from dsr.connector import Ask, Connector, Located, Scratch
from dsr.errors import ConnectorUnavailable
from dsr.inventory import Dataset, Inventory
from dsr.request import SearchAnswer

GROUP = "dsr.stores"
"""Entry points: store kind → a callable that takes an ``Access`` and gives a Connector. Ours cannot be replaced."""
STORES: Mapping[str, Callable[[Access], Connector]] = {
    "sql": SqlStore, "lake": LakeWriter, "http": HttpStore, "logs": LogWriter, "manual": ManualStore,
}


class Unconnected(Guarded):
    """A declared system whose kind of store nobody installed: unreachable, never skipped and never empty."""

    def _check(self) -> NoReturn:
        system = self.access.system
        raise ConnectorUnavailable(system.name, None, f"no connector for store {system.store} is installed")

    def _locate(self, dataset: Dataset, asks: Sequence[Ask]) -> Iterator[Located]:
        yield from self._check()

    def _fetch(self, dataset: Dataset, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        yield from self._check()


def _loaded(point: EntryPoint) -> Callable[[Access], Connector]:
    def start(access: Access) -> Connector:
        connector: Connector = point.load()(access)
        return connector

    return start


def _nobody_answered(system: str) -> SearchAnswer | None:
    return None


def connect(
    inventory: Inventory,
    *,
    answers: Callable[[str], SearchAnswer | None] = _nobody_answered,
    environment: Mapping[str, str] = os.environ,
    sleep: Callable[[float], None] = time.sleep,
    scratch: Scratch = nullcontext,
    index: SideIndex | None = None,
) -> dict[str, Connector]:
    """A connector per system of nature own or joint. Nothing is opened before it is asked, so nothing fails here.

    ``answers`` gives the recorded answer to a manual system's search order, or None while it waits. ``index`` is the
    home's side index of its lakes.
    """
    stores: dict[str, Callable[[Access], Connector]] = {p.name: _loaded(p) for p in entry_points(group=GROUP)}
    stores.update(STORES)
    return {
        system.name: stores.get(system.store, Unconnected)(
            Access(system, inventory, environment, sleep, answers, scratch, index)
        )
        for system in inventory.system.values() if system.nature in ASKED
    }
