"""A year in the life of an office: no clock lapses unnoticed, and every case comes to a legal end (tests/year.py).

Here a few dozen cases in two months; ``DSR_YEAR=1000`` runs a thousand in the whole year, with the seed ``DSR_SEED``.
"""

from __future__ import annotations

import os
from pathlib import Path

from dsr import law
from dsr.engine import desk
from dsr.engine.office import Office
from dsr.rules.lifecycle import State
from tests.year import Year

CASES, SEED = int(os.environ.get("DSR_YEAR", "14")), int(os.environ.get("DSR_SEED", "3"))
DAYS = 365 if CASES > 100 else 40


def test_in_a_simulated_year_no_clock_lapses_unnoticed_and_every_case_ends(tmp_path: Path) -> None:
    year = Year(tmp_path, SEED, CASES).run(DAYS)
    assert year.problems == []
    assert dict(year.refusals) == {}, "what the officers did was always open to them"
    assert sum(year.ends.values()) >= CASES
    assert len({end.split()[0] for end in year.ends}) > 3, "requests of several kinds"


def test_what_nobody_does_stands_on_the_list_and_is_a_problem_where_it_does_not(tmp_path: Path) -> None:
    """The watcher itself: a list that is kept from showing a lapsed case is found out."""
    year = Year(tmp_path, SEED, 2)
    with year.opened():
        while len(year.sent) < 1 or not any(law.right(s.right).presuit for s in year.sent.values()):
            year.arrives()
        year.today = year.today.replace(month=3)
        year.noticed()
        assert year.problems == []
        listed, desk.listed = desk.listed, lambda *_, **__: []
        try:
            year.noticed()
        finally:
            desk.listed = listed
        assert any("nobody is told" in problem for problem in year.problems)
        year.closes()
        assert any("hangs in" in problem for problem in year.problems)
        assert {case.state for case in year.open()} <= {State.RECEIVED, State.MISDIRECTED}
    assert isinstance(year.as_(), Office)
