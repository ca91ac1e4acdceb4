"""Builds みなと通信電力株式会社 as real files: same bytes for the same people, calls and seed."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path

from sample_data.company import company_rows
from sample_data.holdings import held, write_usage
from sample_data.lake import write_lake
from sample_data.papers import AS_OF, write_accounts, write_closed_stores, write_paper_box, write_people
from sample_data.people import NEIGHBOURS, STORY, crowd
from sample_data.provision import write_listings, write_register
from sample_data.tables import write_tables
from sample_data.tickets import tickets
from sample_data.truth import Truth
from sample_data.weblogs import write_logs

FOLDERS = ("lake/calls", "lake/usage", "logs", "faults", "paper", "answers", "requests", "sealed", "truth")
SQLITE_URL = "sqlite:///company.db"


def build(
    out: Path,
    people: int = 200,
    calls: int = 20_000,
    seed: int = 1,
    database_url: str | None = None,
    whole: bool = True,
) -> None:
    """Write the sample company into ``out``: stores, inventory, accounts, papers and the truth about them.

    ``people``: customers without a story; ``calls``: their calls; ``database_url``: PostgreSQL (its tables of these
    names are dropped and made anew) in place of ``company.db``; ``whole``: with the systems that hold
    something of a few people only, each of which makes every case longer. An older sample in ``out`` is replaced.
    """
    out = Path(out).resolve()
    for folder in FOLDERS:
        shutil.rmtree(out / folder, ignore_errors=True)
        (out / folder).mkdir(parents=True)
    truth, strangers = Truth(), crowd(people, seed)
    # Who joined the sample later comes last, so that the draws of everybody before stay what they were.
    rows = company_rows([*STORY, *NEIGHBOURS[:2], *strangers, *NEIGHBOURS[2:]], seed, truth)
    rows["links"] = write_logs(out / "logs", strangers, seed, truth)
    if whole:
        rows |= held(truth)
        write_usage(out / "lake" / "usage", truth)
    write_tables(out, rows, database_url)
    write_lake(out / "lake" / "calls", strangers, NEIGHBOURS, calls, seed, truth)
    _write_tickets(out, tickets(strangers, seed, truth))
    write_paper_box(out, truth)
    write_closed_stores(out)
    write_listings(out, truth)
    write_register(out, truth)
    write_accounts(out, seed)
    _write_inventory(out, database_url, whole)
    (out / "as_of").write_text(AS_OF + "\n", encoding="utf-8")
    write_people(out, truth, whole)
    truth.write_crowd(out / "truth", frozenset(person.key for person in STORY))


def _write_tickets(out: Path, found: list[dict[str, str]]) -> None:
    lines = ",\n".join(json.dumps(ticket, ensure_ascii=False) for ticket in found)
    (out / "faults" / "tickets.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _write_inventory(out: Path, database_url: str | None, whole: bool) -> None:
    text = resources.files("sample_data").joinpath("inventory.toml").read_text(encoding="utf-8")
    if whole:
        text += resources.files("sample_data").joinpath("inventory_rare.toml").read_text(encoding="utf-8")
    url = (database_url or SQLITE_URL).replace("\\", "\\\\").replace('"', '\\"')
    (out / "inventory.toml").write_text(text.replace(SQLITE_URL, url), encoding="utf-8")
