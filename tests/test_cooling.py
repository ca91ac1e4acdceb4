"""Cooling off between approval and the first effect: loosened in a production home, it still holds for a day (EN-33)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dsr.engine import cooling, desk, erasing, intake
from dsr.engine.office import Office
from dsr.errors import NotAllowed
from dsr.rules.lifecycle import State
from flows.notifying import line
from tests.year import Sent, Year, request_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def ago(hours: float, value: int) -> tuple[datetime, int]:
    return NOON - timedelta(hours=hours), value


@pytest.mark.parametrize(("past", "holds"), [
    ([], 24), ([ago(1, 0)], 24), ([ago(24, 0)], 0), ([ago(23.9, 0)], 24),  # loosened: a day later
    ([ago(1, 48)], 48), ([ago(30, 48), ago(1, 12)], 48), ([ago(30, 48), ago(25, 12)], 12),  # stricter: at once
    ([ago(3, 0), ago(1, 24)], 24), ([ago(60, 0), ago(2, 24), ago(1, 0)], 24),
])  # fmt: skip
def test_what_holds_is_the_strictest_of_the_last_day(past: list[Any], holds: int) -> None:
    assert cooling.in_force(past, NOON) == holds


def test_who_lowers_it_waits_a_day_all_the_same_and_everybody_is_told(tmp_path: Path) -> None:
    year = Year(tmp_path, 1, 1)
    with year.opened():
        case = to_fulfil(year)
        at = year.as_().now

        def office(hours: float, declared: int | None, production: bool = True) -> Office:
            inventory = year._office.inventory
            company = inventory.company.model_copy(update={"cooling_off_hours": declared})
            return replace(year.as_(), clock=lambda: at + timedelta(hours=hours), production=production,
                           inventory=inventory.model_copy(update={"company": company}))  # fmt: skip

        for hours, declared in ((0, None), (1, 72), (30, 72), (31, 0), (54.9, 0)):
            with pytest.raises(NotAllowed, match="cooling off until"):
                erasing.fulfil(office(hours, declared), case, case)
        told = [row for row in desk.watch(office(54.9, 0))["reminders"] if row["case"] == "office"]
        assert [row["what"] for row in told] == ["cooling_off:72-0"] and "cooling_off:72-0" in line(told[0])
        assert rows(tmp_path) == 1
        assert erasing.fulfil(office(55, 0), case, case) in (State.DISPATCHING, State.VERIFYING)
        assert rows(tmp_path) == 0
        assert not [row for row in desk.watch(office(72, 0))["reminders"] if row["case"] == "office"]
        assert cooling.hours(office(0, None, production=False)) == 0, "outside production there is none unless set"


def to_fulfil(year: Year) -> str:
    """Hers whose contract ended, approved by the second officer."""
    asked = request_of(0, "erasure", year.as_(hour=9).now.isoformat(), year.draw)
    case = intake.open_case(year.as_(), asked).case_no
    year.sent[case] = Sent(0, "erasure", year.today)
    for _ in range(40):
        if year._office.store.case(case).state is State.FULFILLING:
            return case
        year.acts(case)
    raise AssertionError(year._office.store.case(case).state)


def rows(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "company/power.db")) as base:
        return int(base.execute("SELECT count(*) FROM party WHERE party_id = 'P000'").fetchone()[0])
