"""The yearly report's numbers, from facts and the log's public part alone: a case whose file ended counts as before."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dsr import law
from dsr.case import Case
from dsr.days import day_of
from dsr.documents.content import Text, Words
from dsr.documents.style import said_month
from dsr.documents.wordings import WORDINGS, say
from dsr.documents.yearly import draw_yearly
from dsr.engine import papers
from dsr.engine.office import Office
from dsr.errors import BadInput
from dsr.rules import clocks, counting, filing
from dsr.rules.counting import Counted
from dsr.rules.lifecycle import State


def statistics(office: Office, year: int) -> dict[str, dict[str, float]]:
    """Of the requests that arrived in a year (Asia/Tokyo): section → code → number."""
    cases = (case for case in office.store.cases() if day_of(case.received_at).year == year)
    return counting.counts([_counted(office, case) for case in cases], office.today)


def _counted(office: Office, case: Case) -> Counted:
    facts, presuit = case.facts, clocks.presuit_of(case.right, case.received_at)
    log = list(_results(office, case.case_no))
    over = case.state is State.CLOSED or case.withdrawn
    sent = (said["sent_on"] for step, _, said in log if step.startswith("dispatch:") and said.get("sent_on"))
    first = next((date.fromisoformat(day) for day in sent), None)
    if first is None and over and not case.withdrawn:  # with its twin, or by a letter alone
        first = next((day for step, day, _ in reversed(log) if not step.startswith((filing.FILE, "letters:"))), None)
    decided = [said["items"] for step, _, said in log if step.startswith("decide:")]
    grounds = tuple(ground for _, ground in (decided[-1] if decided else {}).values() if ground)
    return Counted(
        case.right, str(facts.get("channel", "other")), day_of(case.received_at), case.outcome, first,
        presuit.ends if presuit else None, over, bool(facts.get("extension")), grounds,
        sum(step.startswith("letter:incident:") for step, _, _ in log),
    )  # fmt: skip


def _results(office: Office, case_no: str) -> Iterator[tuple[str, date, dict[str, Any]]]:
    for event, _ in office.store.events(case_no):
        if event.phase == "result":
            yield event.step_key, day_of(datetime.fromisoformat(event.at)), json.loads(event.public)


# -- on paper ------------------------------------------------------------------------------------------------------


def label(section: str, code: str) -> Text:
    """As the report says it; what has no words of its own is said as its code."""
    if section == "right":
        return Words(law.right(code).label, law.right(code).label_en)
    if section == "outcome" and code != counting.OPEN:
        return Words(law.outcome(code).label, law.outcome(code).label_en) if code in law.OUTCOMES else code
    if section == "month":
        return said_month(date.fromisoformat(f"{code}-01"))
    return say(f"{section}.{code}") if f"{section}.{code}" in WORDINGS else code


def write(office: Office, year: int, told: dict[str, dict[str, float]], out: Path) -> list[Path]:
    """CSV (UTF-8 with BOM) and a chart as PDF. Raises BadInput for a folder in use."""
    office.may("export")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput("--out", "is not an empty folder", "name a new folder")
    out.mkdir(parents=True, exist_ok=True)
    table, chart = out / f"statistics-{year}.csv", out / f"statistics-{year}.pdf"
    lines = io.StringIO()
    rows = csv.writer(lines, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    rows.writerow(["区分", "コード", "項目", "数"])
    for section, found in told.items():
        rows.writerows([section, code, str(getattr(said := label(section, code), "ja", said)), f"{count:g}"]
                       for code, count in found.items())  # fmt: skip
    table.write_text(lines.getvalue(), encoding="utf-8-sig", newline="")
    shown = [(section, [(label(section, code), n) for code, n in found.items()]) for section, found in told.items()]
    with chart.open("wb") as page:
        draw_yearly(papers.party_of(office.inventory), year, office.today, shown, page)
    return [table, chart]
