"""Makes ``first_release.json``: a store as release 0.1.0 left it. Run it in a checkout of that release, nowhere else.

``python -m tests.first_release OUT.json`` tells a few people's stories on the sample company and writes down the DDL
that ``Store.create()`` of that release sends to either database, and every row; bytes as base64; and the longest of the
documents that it sealed of what it knew of a subject.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlmodel import SQLModel

from dsr.rules import discovery
from sample_data.build import build
from sample_data.serve import serve
from tests.story import Office

TABLES = ("case", "event", "work", "officer")


def told(folder: Path) -> Path:
    """One case closed, one waiting for its decision, one just opened and its twin."""
    build(folder / "sample", people=60, calls=2_000, seed=1, whole=False)
    with pytest.MonkeyPatch.context() as patch, serve(folder / "sample"):
        office = Office.set_up(folder / "home", folder / "sample", patch)
        case, _ = office.packaged("kenta", folder)
        check, sent = folder / "check.json", folder / "sent.json"
        check.write_text(
            '{"envelope_check": {"person": "match", "address": "match", "case_no": "match", "seal": "intact"}}'
        )
        sent.write_text('{"channel": "registered_post", "sent_on": "2026-11-22", "tracking_no": "1"}')
        office.ok("dispatch", case, "--file", str(check), officer="shonin-2")
        office.ok("dispatch", case, "--file", str(sent))
        office.collected("akari")
        office.open("hanako")
        office.open("hanako")
        office.ok("watch")
        assert office.ok("trail", "verify")["sound"]
    return folder / "home/dsr.db"


def sealed(patch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every document of a discovery, as it is about to be sealed."""
    found: list[dict[str, Any]] = []
    to_json = discovery.to_json

    def kept(known: discovery.Discovery) -> dict[str, Any]:
        found.append(to_json(known))
        return found[-1]

    patch.setattr(discovery, "to_json", kept)
    return found


def written(value: object) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def main() -> None:
    tables = [SQLModel.metadata.tables[name] for name in TABLES]
    found: dict[str, Any] = {"rows": {}}
    for dialect in (sqlite.dialect(), postgresql.dialect()):
        made = [CreateTable(table) for table in tables]
        made += [CreateIndex(index) for table in tables for index in sorted(table.indexes, key=lambda i: str(i.name))]
        found[dialect.name] = [str(ddl.compile(dialect=dialect)).strip() for ddl in made]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        documents = sealed(patch)
        with create_engine(f"sqlite:///{told(Path(folder))}").connect() as kept:
            for table in tables:
                rows = kept.execute(select(table).order_by(*table.primary_key)).mappings()
                found["rows"][table.name] = [{name: written(value) for name, value in row.items()} for row in rows]
        found["discovery"] = max(documents, key=lambda document: len(json.dumps(document)))
    Path(sys.argv[1]).write_text(json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
