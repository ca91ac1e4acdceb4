"""Until which day what must stay: the vectors of law.md RT-2 and RT-3, one edge each, and what holds for every day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsr import law
from dsr.errors import BadInput
from dsr.inventory import Company
from dsr.rules.retention import RULES, Kept, last_kept, year_end

PLAIN = Company(name="x")
EXTENDED = Company(name="x", return_months=3)


def with_loss(*first_days: str, months: int = 2) -> Company:
    return Company(name="x", return_months=months, loss_years=tuple(map(date.fromisoformat, first_days)))


VECTORS = (  # what it is for, rule, company, day, last kept day, rule that keeps it
    ("an invoice of an ordinary year", "TAX59-7Y", PLAIN, "2026-06-15", "2034-05-31", "TAX59-7Y"),
    ("the return is due a month later", "TAX59-7Y", EXTENDED, "2026-06-15", "2034-06-30", "TAX59-7Y"),
    ("loss year and extension", "TAX59-7Y", with_loss("2026-04-01", months=3), "2026-06-15", "2037-06-30", "TAX26-3-10Y"),
    ("the last day of a year", "TAX59-7Y", PLAIN, "2019-03-31", "2026-05-31", "TAX59-7Y"),
    ("the first day of the next", "TAX59-7Y", PLAIN, "2019-04-01", "2027-05-31", "TAX59-7Y"),
    ("a loss of a year begun in 2017: nine", "TAX59-7Y", with_loss("2017-04-01"), "2018-03-20", "2027-05-31", "TAX26-3-9Y"),
    ("begun on 2018-04-01: ten", "TAX59-7Y", with_loss("2018-04-01"), "2018-04-01", "2029-05-31", "TAX26-3-10Y"),
    ("a loss of another year changes nothing", "TAX59-7Y", with_loss("2018-04-01"), "2018-03-31", "2025-05-31", "TAX59-7Y"),
    ("books closed 2017-03-31", "CO432-10Y", PLAIN, "2017-01-20", "2027-03-31", "CO432-10Y"),
    ("a ledger line of 2018-03-20 (EC-20)", "CO432-10Y", PLAIN, "2018-03-20", "2028-03-31", "CO432-10Y"),
    ("a ledger line of 2026-06-15 (EC-21)", "CO432-10Y", PLAIN, "2026-06-15", "2037-03-31", "CO432-10Y"),
    ("the copy of an invoice issued", "CTAX-7Y", PLAIN, "2026-06-15", "2034-05-31", "CTAX-7Y"),
    ("mobile contract ended", "MOB4-3Y", PLAIN, "2026-04-15", "2029-04-15", "MOB4-3Y"),
    ("ended on a leap day", "MOB4-3Y", PLAIN, "2024-02-29", "2027-02-28", "MOB4-3Y"),
    ("three years on a leap day follows", "MOB4-3Y", PLAIN, "2021-02-28", "2024-02-29", "MOB4-3Y"),
    ("the last provision is the first day", "REC-1Y", PLAIN, "2026-04-15", "2027-04-14", "REC-1Y"),
    ("on the last day of a month: still the day before", "REC-1Y", PLAIN, "2026-04-30", "2027-04-29", "REC-1Y"),
    ("of a batch", "REC-3YB", PLAIN, "2026-04-15", "2029-04-14", "REC-3YB"),
    ("of a batch, on a leap day", "REC-3YB", PLAIN, "2024-02-29", "2027-02-28", "REC-3YB"),
    ("the day of making is not counted", "REC-3Y", PLAIN, "2026-04-15", "2029-04-15", "REC-3Y"),
    ("a month from the last mail", "MAIL4", PLAIN, "2026-10-31", "2026-11-30", "MAIL4"),
    ("proof of consent", "SPEC12-REC", PLAIN, "2026-10-31", "2029-10-31", "SPEC12-REC"),
    ("identification, from the contract's end", "AML6-7Y", PLAIN, "2026-04-15", "2033-04-15", "AML6-7Y"),
    ("a transaction", "AML7-7Y", PLAIN, "2026-04-15", "2033-04-15", "AML7-7Y"),
)  # fmt: skip


@pytest.mark.parametrize("vector", VECTORS, ids=[vector[0] for vector in VECTORS])
def test_the_last_kept_day(vector: tuple[str, str, Company, str, str, str]) -> None:
    _, rule, company, day, until, keeper = vector
    assert last_kept(rule, date.fromisoformat(day), company) == Kept(keeper, date.fromisoformat(until))


@pytest.mark.parametrize(
    ("contracted", "until"),
    [("2020-03-31", "2036-07-27"), ("2020-04-01", "2031-07-27"), (None, "2036-07-27")],
    ids=["a contract of the old law", "of the new law", "nobody knows: the longer period"],
)
def test_a_claim_lives_by_the_law_of_its_contracts_day(contracted: str | None, until: str) -> None:
    signed = date.fromisoformat(contracted) if contracted else None
    found = last_kept("CIV166", date(2026, 7, 27), PLAIN, signed)
    assert found == Kept("CIV166", date.fromisoformat(until))


def test_what_sets_a_longest_time_keeps_nothing_and_a_dropped_ledger_neither() -> None:
    assert last_kept("CDR-MAX", date(2026, 6, 15), PLAIN) is None
    assert last_kept("CONN-MAX", date(2026, 6, 15), PLAIN) is None
    assert last_kept("CO432-10Y", date(2026, 6, 15), Company(name="x", subsidiary_books="drop")) is None


def test_every_rule_of_the_law_can_be_reckoned_and_no_other() -> None:
    assert set(RULES) == set(law.RETENTIONS)
    with pytest.raises(BadInput, match="no retention"):
        last_kept("TAX59-8Y", date(2026, 6, 15), PLAIN)


@pytest.mark.parametrize(("day", "end"), [("2027-02-28", "2027-02-28"), ("2027-03-01", "2028-02-29")])
def test_a_year_that_ends_in_february_ends_on_its_last_day(day: str, end: str) -> None:
    for written in ("02-28", "02-29"):
        company = Company(name="x", fiscal_year_end=written)
        assert year_end(date.fromisoformat(day), company) == date.fromisoformat(end)


DAYS = st.dates(date(1990, 1, 1), date(2060, 12, 31))
COMPANIES = st.builds(
    Company,
    name=st.just("x"),
    return_months=st.sampled_from([2, 3]),
    fiscal_year_end=st.sampled_from(["03-31", "12-31", "02-28", "06-30", "05-20"]),
)


@given(st.sampled_from(sorted(RULES)), DAYS, st.integers(0, 800), COMPANIES)
def test_a_later_day_is_never_kept_for_less_and_nothing_ends_before_it_began(
    rule: str, day: date, later: int, company: Company
) -> None:
    first, second = (last_kept(rule, at, company) for at in (day, day + timedelta(days=later)))
    assert (first is None) == (second is None)
    if first and second:
        assert day <= first.until <= second.until


@given(DAYS, COMPANIES)
def test_a_loss_only_lengthens_and_only_its_own_year(day: date, company: Company) -> None:
    end = year_end(day, company)
    begun = year_end(date(end.year - 1, end.month, 1), company) + timedelta(days=1)
    lossy = company.model_copy(update={"loss_years": (begun,)})
    plain, lost = last_kept("TAX59-7Y", day, company), last_kept("TAX59-7Y", day, lossy)
    assert plain and lost and plain.until < lost.until
    assert last_kept("TAX59-7Y", end + timedelta(days=1), lossy) == last_kept("TAX59-7Y", end + timedelta(days=1), company)
