"""``dsr inventory draft``: proposes a declaration of somebody else's SQL database, for a person to finish."""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from connectors.draft.kinds import snake
from connectors.draft.schema import read_schema
from connectors.draft.write import write
from connectors.stores.access import Access
from connectors.stores.sql import SqlStore, database_url
from dsr.connector import Drift
from dsr.inventory import Inventory, System, value_of
from dsr.shapes import shaped


@dataclass(frozen=True)
class Draft:
    """``left``: what ``dsr inventory check`` would still say, such as tables of schemas that were not asked for."""

    text: str
    datasets: int
    excused: int
    left: tuple[Drift, ...]


def draft(written: str, schema: str | None, folder: Path, environment: Mapping[str, str]) -> Draft:
    """Read the database at ``written`` (an address, ``env:NAME`` or ``file:NAME``), read-only, and propose.

    ``folder`` is where the draft will lie. An address may hold a password: the draft names a variable instead. Raises
    BadInput for an address that is none, no tables or no such schema, ConnectorError where there is no answer.
    """
    named = written.startswith(("env:", "file:"))
    address = value_of(written, "URL", environment, folder if named else Path())
    url = database_url(address, "URL")
    name = re.sub(r"^(?![a-z])", "db_", re.sub(r"[^a-z0-9_]", "", snake(Path(url.database or "").stem)))
    at = System(name=name, label=name, store="sql", url=address)
    told = written if named else f"env:{name.upper()}_URL"
    text = _store(at, environment).look(
        lambda connection: write(name, told, read_schema(connection, schema), connection)
    )
    system = shaped(Inventory, tomllib.loads(text), "inventory").system[name].model_copy(update={"url": address})
    return Draft(text, len(system.dataset), len(system.not_personal), tuple(_store(system, environment).check()))


def _store(system: System, environment: Mapping[str, str]) -> SqlStore:
    inventory = Inventory.model_construct(system={system.name: system})
    return SqlStore(Access(system, inventory, environment, time.sleep, lambda _system: None))
