"""The promise of an erasure: what truth says goes, what truth says stays with its rule and day, and nothing else moves."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool

from dsr.engine.surveying import owed_by
from sample_data.build import build
from sample_data.serve import serve
from tests.connector_fixtures import Postgres
from tests.differ import TABLES, Records, difference, held
from tests.erasing import BOXES, Erasure
from tests.story import Office
from tests.test_erasure_luck import text_of

CALLS, INVOICES = "call_history.calls", "billing.invoices"
ALL = bool(os.environ.get("DSR_ALL_SEEDS"))
FATES = ("fumi", "nozomi", "isamu", "shigeru", "mai", "kaoru", "hanako", "hiroshi_65")
"""Each a different fate: live, ended, owing, long ago, member only, a number given again, a live customer of many, a
namesake whose call an officer knew."""
OTHERS = ("kenta", "hiroshi_90", "susumu", "izumi", "akari", "kazuo", "ryoko", "nana", "yutaka", "ryo", "rei", "saki",
          "makoto", "anzu", "jin", "john", "shizu")  # fmt: skip
LATER = ("naoki", "megumi", "hikaru", "yu", "jun_f", "kaede", "aya")
"""Of those who joined the sample later one of each kind, by ``DSR_ALL_SEEDS``: their rows go as the others' do."""
SEEDS = {**dict.fromkeys(FATES, (1, 2, 3) if ALL else (1,)),
         **{one: (1, 2, 3) if ALL else (2 + at % 2,) * (not at % 6) for at, one in enumerate(OTHERS)},
         **dict.fromkeys(LATER, (1,) * ALL)}  # fmt: skip
"""By default eleven people in one company each; ``DSR_ALL_SEEDS=1`` tries everybody in all three."""
CASES = [(person, seed) for person, seeds in SEEDS.items() for seed in seeds]


def told_of(office: Office, person: str) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Record nos by dataset that go, and that are changed, by the builder's own knowledge."""
    told = office.truth["people"][person]
    gone = {name: set(numbers) for name, numbers in told["erased"].items() if name != BOXES and numbers}
    changed: dict[str, set[str]] = {}
    for kind in ("deidentified", "use_stopped"):
        for name, numbers in told.get(kind, {}).items():
            changed.setdefault(name, set()).update(numbers)
    return gone, {name: numbers - gone.get(name, set()) for name, numbers in changed.items() if numbers}


@pytest.mark.parametrize(("person", "own_office"), CASES, indirect=["own_office"])
def test_what_truth_says_goes_and_every_other_row_is_identical(own_office: Office, tmp_path: Path, person: str) -> None:
    before = held(own_office.sample)
    gone, changed = told_of(own_office, person)
    assert all(numbers <= set(before[name]) for name, numbers in gone.items()), "present before"
    assert stopped_at_the_door(own_office, before, person, tmp_path) == {}
    erasure = Erasure(own_office, person, tmp_path).approved().carried_out()
    shown = erasure.show()
    assert shown["state"] == "dispatching", (shown["findings"], shown["stale"])
    found = difference(before, held(own_office.sample))
    assert found.gone == gone
    # Who had stopped offers before is stopped still: the record says so already.
    assert found.changed == {name: left for name, numbers in changed.items()
                             if (left := {n for n in numbers if not _stopped(before[name][n])})}  # fmt: skip
    assert found.new == {}
    _kept_as_truth_says(own_office, person, shown)
    stopped = stopped_at_the_door(own_office, before, person, tmp_path)
    assert stopped.get(CALLS, set()) == gone.get(CALLS, set()), "what stays may arrive again, what went may not"
    assert stopped.get(INVOICES, set()) <= gone.get(INVOICES, set())
    assert erasure.dispatched() in ("kept", "closed")


def stopped_at_the_door(office: Office, before: Records, person: str, folder: Path) -> dict[str, set[str]]:
    """Were the person's calls and bills played again as they stood: which may not be taken in."""
    rows, names = [], []
    for name, kind, number_at, moment_at in ((CALLS, "line_no", 1, 6), (INVOICES, "billing_no", 1, 3)):
        for number in office.truth["people"][person]["owns"].get(name, []):
            content = before[name][number]
            moment = f"{content[moment_at]}T00:00:00" if name == INVOICES else content[moment_at].isoformat()
            rows.append({"dataset": name, "identifiers": {kind: content[number_at]}, "at": f"{moment}+09:00"})
            names.append((name, number))
    path = folder / "door.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    _, told, errors = office.run("ingest-check", "--file", str(path))
    assert told is not None, errors
    found: dict[str, set[str]] = {}
    for (name, number), row in zip(names, told, strict=True):
        if row["stopped"]:
            found.setdefault(name, set()).add(number)
    return found


def _stopped(content: Any) -> bool:
    """A list entry whose last column says so."""
    return isinstance(content, tuple) and content[-1] == 1


def _kept_as_truth_says(office: Office, person: str, shown: Any) -> None:
    rules = {name: sorted(set(records.values()))
             for name, records in office.truth["people"][person]["kept_on_erasure"].items()}  # fmt: skip
    told = {name: sorted({part["rule"] for part in item["parts"] if part["until"]}) for name, item in shown["items"].items()}
    assert {name: found for name, found in told.items() if found} == {n: r for n, r in rules.items() if r}
    days = {name: sorted(set(days.values())) for name, days in office.truth["people"][person]["kept_until"].items() if days}
    told = {name: sorted({part["until"] for part in item["parts"] if part["until"]}) for name, item in shown["items"].items()}
    assert {name: found for name, found in told.items() if found} == days
    assert all(f["verdict"] == "verified" and f["level"] in ("L1", "L2") for f in shown["findings"])


def test_on_postgresql_level_one_is_claimed_and_the_dbas_duty_named(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    """The company's tables on PostgreSQL: a DELETE leaves the bytes to VACUUM and WAL, and that is what is printed."""
    url, company = postgres.database(), tmp_path / "company"
    build(company, people=20, calls=300, seed=1, database_url=url, whole=False)
    engine = create_engine(url, poolclass=NullPool)
    tables = [table for table in TABLES if table in inspect(engine).get_table_names()]  # not the whole estate

    def rows() -> dict[str, set[tuple[Any, ...]]]:
        with engine.connect() as connection:
            return {table: {tuple(map(str, row)) for row in connection.execute(text(f"SELECT * FROM {table}"))}
                    for table in tables}  # fmt: skip

    with serve(company):
        office = Office.set_up(tmp_path / "home", company, monkeypatch)
        before = rows()
        erasure = Erasure(office, "mai", tmp_path).approved().carried_out()
        shown = erasure.show()
        assert shown["state"] == "dispatching", str(shown["findings"])
        out = tmp_path / "package"
        office.ok("package", erasure.case, "--out", str(out))
        assert erasure.dispatched() in ("closed", "kept")
        _rewritten_by_the_dba(postgres, url, erasure, shown)
    after = rows()
    mine = {table: before[table] - after[table] for table in tables if before[table] - after[table]}
    gone = office.truth["people"]["mai"]["erased"]
    assert {table: len(lost) for table, lost in mine.items()} == {
        table: len(gone[dataset]) for table, (dataset, _) in TABLES.items() if gone.get(dataset)
    }
    assert all("M0001251" in row or "mai@mail.example" in row for lost in mine.values() for row in lost)
    assert all(after[table] <= before[table] for table in tables)
    levels = {f["dataset"]: f["level"] for f in shown["findings"]}
    assert (levels["member_accounts.members"], levels["web_logs.access"]) == ("L1", "L2")
    assert "VACUUM FULL" in text_of(out / "certificate.pdf") or "DBA" in text_of(out / "certificate.pdf")


def _rewritten_by_the_dba(postgres: Postgres, url: str, erasure: Erasure, shown: Any) -> None:
    """Owed beyond the answer; the catalogue is asked, not the DBA believed; and then the bytes are gone (traps.md T26)."""
    name = url.split("@/")[1].split("?")[0]
    gone, neighbour = b"M0001251", b"M0001234"
    duties = {f"dba:{f['system']}" for f in shown["findings"] if owed_by(f)}
    today = erasure.office.now[:10]
    said = {"done_by": "基盤課", **dict.fromkeys(("tables_on", "wal_on", "archive_on", "replicas_on"), today)}

    def owed() -> set[str]:
        return {work["what"] for work in erasure.show()["work"]} & duties

    assert owed() == duties and duties
    assert _in_files(postgres, name, gone), "present before"
    tables = {file for f in shown["findings"] for file in owed_by(f).get("files", ())}
    for steps in (("VACUUM",), ("VACUUM FULL",), ("ANALYZE",)):
        assert all(erasure.answer(duty, said)[0] == 1 for duty in duties), steps
        postgres.run(name, *(f"{step} {table}" for step in steps for table in sorted(tables) if "pg_catalog" not in table))
    status, _, errors = erasure.answer(min(duties), said)
    assert status == 1 and "pg_catalog.pg_statistic: VACUUM FULL" in errors and "customers" not in errors
    out = erasure.folder / "rewrite"
    erasure.office.ok("order", erasure.case, min(duties), "--out", str(out))
    [script] = out.glob("*.sql")
    assert all(f"VACUUM FULL {table};" in script.read_text() for table in tables)
    postgres.run(name, "VACUUM FULL pg_statistic", "CHECKPOINT")
    assert erasure.answer(min(duties), {**said, "wal_on": "2030-01-01"})[0] == 2, "a day to come"
    assert [erasure.answer(duty, said)[0] for duty in duties] == [0] * len(duties)
    assert not owed()
    assert {f["level"] for f in erasure.show()["findings"]} == {"L1", "L2"} - ({"L1"} if _all_looked(erasure) else set())
    assert not _in_files(postgres, name, gone), "absent after"
    assert _in_files(postgres, name, neighbour)
    assert erasure.answer(min(duties), said)[0] == 1, "nothing is owed any more"


def _all_looked(erasure: Erasure) -> bool:
    return all(f["system"] != "archives_backups" for f in erasure.show()["findings"])


def _in_files(postgres: Postgres, database: str, value: bytes) -> bool:
    """In the data files of one database, beside the WAL."""
    engine = create_engine(postgres.url(database), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CHECKPOINT"))
        folder = connection.execute(text("SELECT oid FROM pg_database WHERE datname = current_database()")).scalar_one()
    files = sorted((postgres.folder / "data" / "base" / str(folder)).iterdir())
    assert len(files) > 100
    return any(value in file.read_bytes() for file in files)
