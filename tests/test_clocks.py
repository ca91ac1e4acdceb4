"""Clocks: law.md §8 as a table, and the calendar against the Act on national holidays computed independently."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsr.errors import BadInput, NotAllowed
from dsr.rules.clocks import Calendar, Extension, Pause, Presuit, Sla, presuit_of, standing, targets

COMPANY = Calendar()
DAY = timedelta(days=1)


def d(written: str) -> date:
    return date.fromisoformat(written)


VECTORS = """
arrival    | +2 BD      | +3 BD      | +5 BD      | +10 BD     | A ends     | suit from  | why this row
2026-04-01 | 2026-04-03 | 2026-04-06 | 2026-04-08 | 2026-04-15 | 2026-04-15 | 2026-04-16 | GL's own example
2026-04-28 | 2026-05-01 | 2026-05-07 | 2026-05-11 | 2026-05-18 | 2026-05-12 | 2026-05-13 | Golden Week, substitute 05-06
2026-08-10 | 2026-08-13 | 2026-08-14 | 2026-08-18 | 2026-08-25 | 2026-08-24 | 2026-08-25 | holiday 08-11
2026-09-17 | 2026-09-24 | 2026-09-25 | 2026-09-29 | 2026-10-06 | 2026-10-01 | 2026-10-02 | sandwiched day 09-22
2026-12-25 | 2027-01-04 | 2027-01-05 | 2027-01-07 | 2027-01-15 | 2027-01-08 | 2027-01-09 | closing days
2026-12-28 | 2027-01-05 | 2027-01-06 | 2027-01-08 | 2027-01-18 | 2027-01-11 | 2027-01-12 | A ends on a holiday
2028-02-29 | 2028-03-02 | 2028-03-03 | 2028-03-07 | 2028-03-14 | 2028-03-14 | 2028-03-15 | leap day
"""
ROWS = [line.split(" | ") for line in VECTORS.strip().splitlines()[1:]]


@pytest.mark.parametrize("row", ROWS, ids=[row[-1] for row in ROWS])
def test_every_vector_of_the_law_page(row: list[str]):
    arrived, two, three, five, ten, ends, suit_from, _ = row
    assert [COMPANY.after(d(arrived), n) for n in (2, 3, 5, 10)] == [d(two), d(three), d(five), d(ten)]
    presuit = Presuit(d(arrived))
    assert (presuit.ends, presuit.suit_from) == (d(ends), d(suit_from))
    assert Sla(COMPANY, d(arrived)).due == d(ten)


@cache
def holidays(year: int) -> frozenset[date]:
    """祝日法 2条 and 3条, for 2022-2030; equinoxes by the usual approximation of the almanac."""
    def monday(month: int, nth: int) -> date:
        first = date(year, month, 1)
        return first + ((7 - first.weekday()) % 7 + 7 * (nth - 1)) * DAY

    since = year - 1980
    vernal = int(20.8431 + 0.242194 * since) - since // 4
    autumnal = int(23.2488 + 0.242194 * since) - since // 4
    fixed = ((1, 1), (2, 11), (2, 23), (3, vernal), (4, 29), (5, 3), (5, 4), (5, 5), (8, 11),
             (9, autumnal), (11, 3), (11, 23))
    named = {date(year, month, day) for month, day in fixed} | {monday(1, 2), monday(7, 3), monday(9, 3), monday(10, 2)}
    made = set(named)
    for day in sorted(named):
        if day.weekday() == 6:  # 3条2項: the next day that is no holiday itself
            while day in named:
                day += DAY
            made.add(day)
    between = {day + DAY for day in named if day + 2 * DAY in named and day + DAY not in named}
    return frozenset(made | between)


def closed(day: date) -> bool:
    company = (day.month, day.day) in {(12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)}
    return day.weekday() >= 5 or company or day in holidays(day.year)


def test_each_day_from_2022_to_2030_agrees_with_the_holiday_act():
    days = [date(2022, 1, 1) + n * DAY for n in range((date(2031, 1, 1) - date(2022, 1, 1)).days)]
    assert [day for day in days if COMPANY.is_business_day(day) == closed(day)] == [] and len(days) == 3287
    opened = [day for day in days if not closed(day)]
    for at, day in enumerate(opened[:-20]):  # each arrival: every due day of law.md §8 by counting, never by a walk
        assert [COMPANY.after(day, n) for n in (2, 3, 5, 10)] == [opened[at + n] for n in (2, 3, 5, 10)]
        assert Presuit(day).suit_from == date.fromordinal(day.toordinal() + 15)
    assert len(holidays(2026)) == 18 and date(2026, 9, 22) in holidays(2026) and date(2026, 5, 6) in holidays(2026)


@given(st.dates(date(2022, 1, 1), date(2030, 11, 30)), st.integers(1, 15))
def test_the_nth_business_day_after_is_that_many_open_days_away(day: date, n: int):
    due = COMPANY.after(day, n)
    span = [day + k * DAY for k in range(1, (due - day).days + 1)]
    assert sum(not closed(one) for one in span) == n and not closed(due)


def test_closing_days_are_the_companys_own_and_checked():
    assert Calendar(()).is_business_day(d("2026-12-29")) and not COMPANY.is_business_day(d("2026-12-29"))
    assert not Calendar(()).is_business_day(d("2026-01-01"))
    for wrong in ("12-32", "1-1", "2026-12-29", "２月"):
        with pytest.raises(BadInput, match="closing_days"):
            Calendar((wrong,))


def test_arrival_is_the_day_in_tokyo():
    late = datetime(2026, 3, 31, 15, 0, tzinfo=UTC)  # 2026-04-01 00:00 in Tokyo
    presuit = presuit_of("disclosure", late)
    assert presuit and presuit.arrived == d("2026-04-01")
    before = presuit_of("disclosure", late - timedelta(microseconds=1))
    assert before and before.arrived == d("2026-03-31")


def test_what_article_39_does_not_name_has_no_clock_a():
    at = datetime(2026, 4, 1, tzinfo=UTC)
    assert presuit_of("purpose_notice", at) is None and presuit_of("erasure", at) is not None


def test_a_refusal_opens_the_way_to_court_at_once_and_never_later():
    assert Presuit(d("2026-04-01"), d("2026-04-07")).suit_from == d("2026-04-07")
    assert Presuit(d("2026-04-01"), d("2026-05-07")).suit_from == d("2026-04-16")
    assert Presuit(d("2026-04-01"), d("2026-04-07")).ends == d("2026-04-15")


@pytest.mark.parametrize(("now", "left"), [("2026-04-01", 14), ("2026-04-15", 0), ("2026-04-16", -1)])
def test_clock_a_counts_calendar_days(now: str, left: int):
    assert Presuit(d("2026-04-01")).left(d(now)) == left


def test_our_clock_waits_for_completeness():
    waiting = Sla(COMPANY)
    assert (waiting.due, waiting.left(d("2026-04-30")), waiting.paused) == (None, None, None)
    assert waiting.started(d("2026-04-01")).due == d("2026-04-15")
    with pytest.raises(NotAllowed):
        waiting.started(d("2026-04-01")).started(d("2026-04-02"))


@pytest.mark.parametrize(("now", "left"), [
    ("2026-04-01", 10), ("2026-04-02", 9), ("2026-04-05", 8), ("2026-04-15", 0), ("2026-04-16", -1)])
def test_days_left_of_our_clock_are_business_days(now: str, left: int):
    assert Sla(COMPANY, d("2026-04-01")).left(d(now)) == left


def test_a_pause_stops_our_clock_and_gives_the_days_back():
    """Paused Friday 04-03 evening, answered Wednesday 04-08: Monday, Tuesday and Wednesday do not count."""
    paused = Sla(COMPANY, d("2026-04-01")).pause("identity", d("2026-04-03"))
    assert (paused.due, paused.paused, paused.left(d("2026-04-30"))) == (None, "identity", 8)
    resumed = paused.resume(d("2026-04-08"))
    assert (resumed.due, resumed.paused) == (d("2026-04-20"), None)
    assert resumed.left(d("2026-04-08")) == 8 and resumed.left(d("2026-04-09")) == 7


@given(st.dates(date(2026, 1, 1), date(2027, 12, 1)), st.integers(0, 20), st.integers(0, 30), st.integers(1, 20))
def test_our_clock_is_due_on_the_day_nothing_is_left(complete: date, into: int, length: int, days: int):
    """Whatever pause lies where: 0 left on the due day, 1 on the day before."""
    pause = Pause("fee", complete + into * DAY, complete + (into + length) * DAY)
    sla = Sla(COMPANY, complete, days, (pause,))
    assert sla.due and sla.left(sla.due) == 0 and sla.left(sla.due - DAY) == 1
    plain = Sla(COMPANY, complete, days)
    assert plain.due and sla.due >= plain.due


def test_a_pause_after_the_lapse_does_not_undo_it():
    lapsed = Sla(COMPANY, d("2026-04-01")).pause("cure", d("2026-04-16"))
    assert lapsed.due == d("2026-04-15") and lapsed.left(d("2026-04-20")) == -1


def test_pauses_are_named_and_do_not_nest():
    running = Sla(COMPANY, d("2026-04-01"))
    with pytest.raises(BadInput, match=r"pause\.reason"):
        running.pause("holiday", d("2026-04-02"))  # type: ignore[arg-type]
    with pytest.raises(NotAllowed):
        running.pause("fee", d("2026-04-02")).pause("cure", d("2026-04-03"))
    with pytest.raises(NotAllowed):
        running.resume(d("2026-04-03"))
    with pytest.raises(NotAllowed):
        Sla(COMPANY).pause("fee", d("2026-04-02"))
    with pytest.raises(BadInput, match=r"pause\.to"):
        running.pause("fee", d("2026-04-03")).resume(d("2026-04-02"))


def test_an_extension_is_given_once_and_before_the_lapse():
    running = Sla(COMPANY, d("2026-04-01"))
    extended = running.extended(5, d("2026-04-15"))
    assert extended.due == d("2026-04-22")
    with pytest.raises(NotAllowed, match="once"):
        extended.extended(5, d("2026-04-16"))
    with pytest.raises(NotAllowed, match="lapsed"):
        running.extended(5, d("2026-04-16"))
    with pytest.raises(NotAllowed):
        Sla(COMPANY, d("2026-04-01"), extension=Extension(5, d("2026-04-16")))
    with pytest.raises(NotAllowed):
        Sla(COMPANY).extended(5, d("2026-04-02"))


STEP: dict[str, Callable[[Sla, date], Sla]] = {
    "pause": lambda sla, day: sla.pause("fee", day),
    "resume": lambda sla, day: sla.resume(day),
    "extend": lambda sla, day: sla.extended(5, day),
}
STEPS = st.lists(st.tuples(st.sampled_from(sorted(STEP)), st.integers(0, 6)), max_size=12)


@given(st.dates(date(2022, 1, 1), date(2030, 6, 1)), STEPS)
def test_whatever_pauses_and_extends_the_clock_it_tallies_the_open_days(complete: date, steps: list[tuple[str, int]]):
    """Against a tally by hand, one mark for each business day that ran; an act that must not be is refused."""
    sla, day, ran, limit, paused, lapsed = Sla(COMPANY, complete), complete, 0, 10, False, False
    for act, wait in steps:
        for _ in range(wait):
            lapsed = lapsed or ran >= limit  # the due day itself has passed
            day += DAY
            ran += not (closed(day) or paused)
        may = {"pause": not paused, "resume": paused, "extend": limit == 10 and not lapsed}[act]
        try:
            sla = STEP[act](sla, day)
        except NotAllowed:
            assert not may
            continue
        assert may
        paused, limit = {"pause": True, "resume": False}.get(act, paused), 15 if act == "extend" else limit
        assert (sla.left(day), bool(sla.paused)) == (limit - ran, paused)
    assert not sla.due or sla.left(sla.due) == 0


def test_targets_follow_the_law_page_and_search_waits_for_proof():
    due = {target.what: target.due for target in targets(d("2026-04-28"), d("2026-05-07"), COMPANY)}
    assert due == {
        "acknowledge": d("2026-05-01"), "id_check": d("2026-05-07"), "search": d("2026-05-14"),
        "decision": d("2026-05-10"), "dispatch": d("2026-05-11"), "interim_answer": d("2026-05-11"),
    }
    unproved = targets(d("2026-04-28"), None, COMPANY, "marketing_stop")
    assert " ".join(t.what for t in unproved) == "acknowledge id_check marketing_stop decision dispatch interim_answer"
    assert {t.due for t in unproved if t.what == "marketing_stop"} == {d("2026-05-07")}


def test_the_interim_answer_comes_before_day_14():
    for row in ROWS:
        (interim,) = [t.due for t in targets(d(row[0]), None, COMPANY) if t.what == "interim_answer"]
        assert interim < Presuit(d(row[0])).ends


def test_standing_is_what_list_and_show_print():
    now = datetime(2026, 4, 2, 15, 30, tzinfo=UTC)  # already 04-03 in Tokyo
    assert standing(Presuit(d("2026-04-01")), Sla(COMPANY, d("2026-04-01")), now) == {
        "presuit": {"ends": "2026-04-15", "suit_from": "2026-04-16", "left": 12},
        "sla": {"due": "2026-04-15", "paused": None, "left": 8},
    }
    assert standing(None, Sla(COMPANY), now) == {"presuit": None, "sla": {"due": None, "paused": None, "left": None}}
