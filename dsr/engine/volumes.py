"""Volumes of a book on paper, each drawn by a process of its own, so that no length of table costs memory here.

What crosses into the child are the sealed folder's place and key, never a row: it opens the vault and writes into it.
"""

from __future__ import annotations

import io
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from dsr.documents.content import Cell, Language
from dsr.documents.volume import Volume, draw_volume
from dsr.engine import papers, reviewing
from dsr.engine.office import Hold
from dsr.inventory import Dataset
from dsr.package import Digested
from dsr.vault import CaseVault, Vault

ROWS, PAGES = 25_000, 600
"""Of one volume at most: 350 MB while it is drawn (pdf.md §4)."""


@dataclass(frozen=True)
class Part:
    """Rows ``start`` to ``stop`` of a draft, as one volume. ``path`` is its name in the vault."""

    path: str
    dataset: Dataset
    start: int
    stop: int
    rows: int
    number: int
    file: str
    total: int = 0


@dataclass(frozen=True)
class Job:
    vault: tuple[Path, bytes] = field(repr=False)
    case_no: str
    issued_on: date
    company: str
    language: Language
    part: Part


def parts_of(hold: Hold, folder: str) -> list[Part]:
    """The volumes this case needs: none unless paper was chosen and a table is too long for the book."""
    parts: list[Part] = []
    for dataset in papers.in_volumes(hold):
        rows = int(hold.case.facts["drafts"][dataset.id]["rows"])
        pages, file = papers.pages_of(hold, dataset), reviewing.file_of(hold, dataset.id)
        step = max(1, min(ROWS, int(rows * PAGES / pages)))
        for start in range(0, rows, step):
            number = len(parts) + 1
            name = f"{folder}disclosure-{number:02d}.pdf"
            parts.append(Part(name, dataset, start, min(start + step, rows), rows, number, file))
    return [replace(part, total=len(parts)) for part in parts]


def draw_all(hold: Hold, folder: str, issued: dict[str, Any]) -> list[dict[str, Any]]:
    """Every volume into the vault; their document entries."""
    parts = parts_of(hold, folder)
    if not parts:
        return []
    day, company = date.fromisoformat(issued["issued_on"]), hold.office.inventory.company.name
    vault, language = hold.office.vault.handed_over(), hold.request.answer.language
    jobs = [Job(vault, hold.case_no, day, company, language, part) for part in parts]
    workers = min(len(jobs), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        return list(pool.map(draw, jobs))


def draw(job: Job) -> dict[str, Any]:
    """In the child: one volume, from the sealed draft to the sealed file."""
    vault, part = Vault.taken_over(job.vault).case(job.case_no), job.part
    table = papers.table_of(part.dataset, lambda: _rows(vault, part), part.stop - part.start)
    volume = Volume(job.case_no, job.issued_on, job.company, part.number, part.total, part.start + 1, part.rows, table,
                    job.language)
    drawn = io.BytesIO()
    pages = draw_volume(volume, drawn)
    with vault.writer(part.path) as out:
        sink = Digested(out)
        sink.write(drawn.getvalue())
    return {"path": part.path, "kind": "disclosure_volume", "sha256": sink.sha256, "pages": pages, "size": sink.size}


def _rows(vault: CaseVault, part: Part) -> Iterator[Sequence[Cell]]:
    return islice(papers.cells_of(vault, part.dataset, part.file), part.start, part.stop)
