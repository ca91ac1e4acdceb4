"""How a survey gets to a system: by its own read-only way in, and with no driver's words on the way back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
import psycopg
import pyarrow as pa

from dsr.errors import BadInput, ConnectorMisread, ConnectorRefused, ConnectorUnavailable, DsrError
from dsr.inventory import Dataset, Inventory, System, value_of

T = TypeVar("T")
_REFUSED = (PermissionError, psycopg.errors.InsufficientPrivilege)
_AWAY = (OSError, psycopg.OperationalError, sqlite3.OperationalError, httpx.TransportError)


@dataclass(frozen=True)
class Reach:
    system: System
    inventory: Inventory = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)

    def address(self) -> str:
        """The survey's own, else the system's; empty where it is files beside the inventory."""
        return self._value(self.system, "survey_url" if self.system.survey_url else "url")

    def token(self) -> str:
        return self._value(self.system, "token")

    def _value(self, system: System, name: str) -> str:
        try:
            return value_of(
                getattr(system, name), f"system.{system.name}.{name}", self.environment, self.inventory.folder
            )
        except BadInput as error:
            raise ConnectorUnavailable(system.name, None, f"no {name}: {error.problem}") from None

    def datasets(self) -> dict[str, Dataset]:
        """Of this system, and of those at the same address: they are one store."""
        return {dataset.id: dataset for system in self._housemates() for dataset in system.dataset.values()}

    def seen(self) -> list[System]:
        """Systems that one look sees."""
        return [other for other in self.inventory.system.values()
                if other.name == self.system.name or self.system.seen_with(other)]  # fmt: skip

    def _housemates(self) -> Iterator[System]:
        for system in self.inventory.system.values():
            if system.name == self.system.name or (system.store == self.system.store and self._lives_here(system)):
                yield system

    def _lives_here(self, system: System) -> bool:
        try:
            return bool(self.system.url) and self._value(system, "url") == self._value(self.system, "url")
        except ConnectorUnavailable:
            return False

    def meant(self) -> dict[str, frozenset[str]]:
        """Kind of identifier → names of columns that are declared to hold it."""
        told: dict[str, set[str]] = {}
        for dataset in self.inventory.datasets():
            pairs = [(reveal.kind, reveal.column) for reveal in dataset.reveals]
            pairs += [(rule.kind, name) for name, rule in dataset.fields.items()]
            pairs += [(way.by, way.by) for way in dataset.ways]
            for kind, column in pairs:
                told.setdefault(kind, set()).add(column.lower())
        return {kind: frozenset(columns) for kind, columns in told.items()}

    def plainly(self, look: Callable[[], T]) -> T:
        """What ``look`` gives; every foreign fault as ours, for a driver's words may quote a row."""
        try:
            return look()
        except DsrError as error:
            failure = error.with_traceback(None)
        except Exception as error:
            failure = self._plain(error)
        failure.__cause__ = failure.__context__ = None
        raise failure  # outside the except block, or Python would hang the foreign one on

    def _plain(self, error: Exception) -> DsrError:
        kind = type(error).__name__
        if isinstance(error, _REFUSED):
            return ConnectorRefused(self.system.name, None, f"the survey may not read it ({kind}); grant it reading")
        if isinstance(error, _AWAY) and not isinstance(error, pa.ArrowException):
            return ConnectorUnavailable(self.system.name, None, f"cannot be reached ({kind})")
        return ConnectorMisread(self.system.name, None, f"cannot be read whole ({kind})")
