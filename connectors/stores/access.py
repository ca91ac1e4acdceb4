"""What a store is given to reach its system: the declaration, where secrets are looked up, how to wait."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dsr.connector import Scratch
from dsr.errors import BadInput, ConnectorUnavailable
from dsr.inventory import Dataset, Inventory, System, value_of
from dsr.request import SearchAnswer

if TYPE_CHECKING:
    from connectors.stores.lake_index import SideIndex

ASKED = frozenset({"own", "joint"})
"""Natures that get a connector; entrusted, neutral and excluded systems are never touched (law.md SC-6, U-2)."""


@dataclass(frozen=True)
class Access:
    """``index`` is the home's side index of its lakes, if it has one."""

    system: System
    inventory: Inventory = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    sleep: Callable[[float], None] = field(repr=False)
    answers: Callable[[str], SearchAnswer | None] = field(repr=False)
    scratch: Scratch = field(default=nullcontext, repr=False)
    index: SideIndex | None = None

    def address(self) -> str:
        return self._value(self.system, "url")

    def token(self) -> str:
        return self._value(self.system, "token")

    def _value(self, system: System, name: str) -> str:
        written = getattr(system, name)
        try:
            value = value_of(written, f"system.{system.name}.{name}", self.environment, self.inventory.folder)
        except BadInput as error:
            raise ConnectorUnavailable(system.name, None, f"no {name}: {error.problem}") from None
        if name == "url" and not value:
            raise ConnectorUnavailable(system.name, None, "no url: write it in the inventory")
        return value

    def housemates(self) -> list[System]:
        """Every system declared at this system's address, itself included, in inventory order."""
        here = self.address()
        return [system for system in self.inventory.system.values() if self._lives_at(system, here)]

    def _lives_at(self, system: System, address: str) -> bool:
        try:
            return system.store == self.system.store and self._value(system, "url") == address
        except ConnectorUnavailable:
            return False

    def speaks_for_address(self) -> bool:
        """Only the first system of an address reports what nobody there declared."""
        return next(s.name for s in self.housemates() if s.nature in ASKED) == self.system.name

    def files(self, dataset: Dataset) -> list[Path]:
        """Files of the dataset's glob, sorted; raises ConnectorUnavailable for none: no file is not an empty one."""
        pattern = dataset.glob or self.system.glob
        if not pattern:
            raise BadInput(f"{dataset.id}.glob", "is not given", "write the glob of the files")
        found = sorted(glob.glob(self.inventory.place(pattern), recursive=True))  # noqa: PTH207 - may be absolute
        files = [path for path in map(Path, found) if path.is_file()]
        if not files:
            raise ConnectorUnavailable(self.system.name, dataset.name, "no file matches the declared glob")
        return files


def identity(stat: os.stat_result) -> str:
    """Of a file on this machine's disks: its number and the time of its last change of any sort, which nobody can set
    as they can ``mtime``."""
    return f"{stat.st_ino} {stat.st_ctime_ns}"
