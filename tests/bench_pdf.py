"""What ``make bench`` draws: the same table by us (tagged, PDF/A-3a) and by ReportLab's LongTable (untagged)."""

from __future__ import annotations

import io
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from random import Random
from typing import Any

Found = dict[str, Any]
LABELS = ("記録番号", "開始日時", "秒数", "向き", "相手先", "料金", "種別")
LIMIT = 90.0
"""Seconds after which LongTable is stopped: at 100,000 rows it had not ended after 500 (pdf.md §4)."""


def calls(count: int) -> Iterator[Sequence[str]]:
    random = Random(1)
    for n in range(count):
        number = f"092-{random.randrange(1000):03d}-{random.randrange(10000):04d}" if n % 3 else "（番号不開示）"
        yield (f"C{n:08d}", f"R8.{n % 12 + 1:02d}.{n % 28 + 1:02d} {n % 24:02d}:{n % 60:02d}:00",
               str(random.randrange(3600)), "発信" if n % 2 else "着信", number, f"{random.randrange(9999):,}", "音声")  # fmt: skip


def by_us(count: int) -> int:
    """As volumes are drawn: 25,000 rows a process, so many at once as there are cores. Pages."""
    from dsr.engine.volumes import ROWS

    parts = [(start, min(start + ROWS, count)) for start in range(0, count, ROWS)]
    if len(parts) == 1:
        return _volume(parts[0])
    with multiprocessing.get_context("spawn").Pool(min(len(parts), multiprocessing.cpu_count()), maxtasksperchild=1) as pool:
        return sum(pool.map(_volume, parts, chunksize=1))


def _volume(part: tuple[int, int]) -> int:
    from itertools import islice

    from dsr.documents.content import Column, Masked, Table
    from dsr.documents.volume import Volume, draw_volume

    start, stop = part

    def rows() -> Iterator[Sequence[Any]]:
        for row in islice(calls(stop), start, stop):
            yield [Masked(cell, "withheld_number", "") if cell[:1] == "（" else cell for cell in row]

    columns = tuple(Column(f"k{n}", label, "right" if n in (2, 5) else "left") for n, label in enumerate(LABELS))
    table = Table("通話履歴", "call_history.calls", columns, rows, stop - start)
    volume = Volume("DSR-2026-000001", date(2026, 11, 22), "みなと通信電力株式会社", 1, 1, start + 1, stop, table)
    return draw_volume(volume, io.BytesIO())


def by_longtable(count: int) -> int:
    """The plain way: one LongTable in a SimpleDocTemplate with the same font and size. Pages."""
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfbase import pdfmetrics
    from reportlab.platypus import LongTable, SimpleDocTemplate, TableStyle

    from dsr.documents.letters import face

    font = face("fixed")
    pdfmetrics.registerFont(font)
    style = TableStyle([("FONT", (0, 0), (-1, -1), font.fontName, 8, 11.5), ("ALIGN", (2, 0), (2, -1), "RIGHT"),
                        ("LINEBELOW", (0, 0), (-1, -1), 0.3, colors.grey), ("TOPPADDING", (0, 0), (-1, -1), 2),
                        ("BOTTOMPADDING", (0, 0), (-1, -1), 2)])  # fmt: skip
    table = LongTable([LABELS, *calls(count)], repeatRows=1, style=style)
    document = SimpleDocTemplate(io.BytesIO(), pagesize=A4, pageCompression=1)
    document.build([table])
    return int(document.page)


def pdf_by_us(rows: int) -> Found:
    return _spent(by_us, rows)


def pdf_by_longtable(rows: int) -> Found:
    """Stopped after LIMIT seconds, and said so."""
    child = multiprocessing.get_context("fork").Process(target=by_longtable, args=(rows,))
    from tests.bench import spending

    with spending(sampled=True) as found:
        child.start()
        child.join(LIMIT)
        ended = not child.is_alive()
        child.kill()
        child.join()
    return {**found, "rows": rows, "ended": ended}


def _spent(way: Callable[[int], int], rows: int) -> Found:
    from tests.bench import spending

    with spending(sampled=True) as found:
        pages = way(rows)
    return {**found, "rows": rows, "pages": pages}


JOBS = (pdf_by_us, pdf_by_longtable)


def bench_pdf(job: Callable[..., Found], sizes: Sequence[int]) -> Iterator[Found]:
    """Fonts are read anew by each; of a thousand rows that is most of the time."""
    for rows in sizes:
        plain = job(pdf_by_longtable, rows=rows)
        stopped = "" if plain["ended"] else ", stopped unfinished"
        yield {"what": f"pdf: {rows:,} rows, LongTable{stopped}", **plain}
        ours = job(pdf_by_us, rows=rows)
        yield {"what": f"pdf: {rows:,} rows, ours, tagged PDF/A-3a", **ours, "ratio": ours["seconds"] / plain["seconds"]}
