"""The SELECTs of an inventory: what is accepted, what is refused, and how values are bound."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.stores.statements import edges, fetching, locating, read_statement
from dsr.days import ALWAYS, Interval
from dsr.errors import BadInput
from dsr.inventory import At, Dataset
from dsr.shapes import shaped


def dataset(**given: Any) -> Dataset:
    document = {"system": "s", "name": "d", "label": "d", "key": ["k"], "fields": {"k": "k"}, "by": "line_no", **given}
    document.setdefault("locate", "SELECT k FROM t WHERE l = :line_no")
    document.setdefault("fetch", "SELECT * FROM t WHERE k IN :keys")
    return shaped(Dataset, document, "dataset")


@pytest.mark.parametrize("text", [
    "DELETE FROM t WHERE k = :line_no",
    "SELECT k FROM t WHERE l = :line_no; DELETE FROM t",
    "WITH x AS (DELETE FROM t RETURNING k) SELECT k FROM x WHERE k = :line_no",
    "SELECT k INTO u FROM t WHERE l = :line_no",
    "SELECT k FROM t WHERE l = :line_no FOR UPDATE",
    "UPDATE t SET k = :line_no",
    "DROP TABLE t",
    "COPY t TO 'x'",
    "",
    "SELEC k FORM t",
])
@pytest.mark.parametrize("dialect", ["sqlite", "postgres", "duckdb"])
def test_anything_but_one_reading_select_is_refused_by_its_name(text: str, dialect: str) -> None:
    with pytest.raises(BadInput) as caught:
        locating(dataset(locate=text), 0, dialect)
    assert caught.value.field == "s.d.ways.0.locate"


@pytest.mark.parametrize(("locate", "words"), [
    ("SELECT k FROM t", "nobody in particular"),
    ("SELECT k FROM t WHERE l = :line_no OR m = :member", ":member"),
    ("SELECT k FROM t WHERE l IN :phone_forms", ":phone_forms"),
    ("SELECT k FROM t WHERE l = :line_no AND d >= :from", "no at"),
    ("SELECT k FROM t WHERE k IN :keys AND l = :line_no", ":keys"),
    ("SELECT k FROM read_parquet('x') WHERE l = :line_no", "function"),
])
def test_a_way_that_does_not_ask_for_this_person_is_refused(locate: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        locating(dataset(locate=locate), 0, "duckdb")


@pytest.mark.parametrize("locate", ["SELECT k FROM t WHERE kana = :kana_forms", "SELECT k FROM t WHERE l = :line_no",
                                    "SELECT k FROM t WHERE note CONTAINS :note"])
def test_a_way_by_person_binds_written_forms_as_lists(locate: str) -> None:
    with pytest.raises(BadInput):
        locating(dataset(by="person", locate=locate), 0, "sqlite")


@pytest.mark.parametrize("fetch", [
    "SELECT * FROM t", "SELECT * FROM t WHERE k = :keys", "SELECT * FROM t WHERE k IN :keys AND l = :line_no",
    "SELECT * FROM t WHERE other IN :keys", "SELECT * FROM t WHERE (k, l) IN :keys",
    "SELECT * FROM t WHERE k NOT IN :keys", "SELECT * FROM t WHERE lower(k) IN :keys", "",
])
def test_a_fetch_that_is_not_by_its_keys_is_refused(fetch: str) -> None:
    with pytest.raises(BadInput):
        fetching(dataset(fetch=fetch), "postgres")


def test_a_statement_knows_its_tables_and_columns_and_not_its_own_names() -> None:
    read = read_statement(
        'WITH x AS (SELECT a AS made FROM "受付") SELECT x.made, b FROM x JOIN other.u ON u.c = :id;', "p", "postgres"
    )
    assert read.tables == {"受付", "other.u"}
    assert read.columns == {"a", "b", "c"}
    assert read.binds == {"id"}


def test_colons_in_literals_comments_casts_and_quoted_names_are_no_binds() -> None:
    text = "SELECT a::text, ':x', \":y\" -- :z\n FROM t /* :q */ WHERE b = :id"
    read = read_statement(text, "p", "postgres")
    assert read.binds == {"id"}
    sql, given = read.render("$", {"id": "v"})
    assert sql == text.replace(":id", "$id_0") and given == {"id_0": "v"}


def test_lists_expand_and_an_empty_one_matches_nothing() -> None:
    locate = "SELECT k FROM t WHERE a IN :kana_forms OR b IN :phone_forms"
    read = locating(dataset(by="person", locate=locate), 0, "sqlite")
    sql, given = read.render("$", {"kana_forms": ("ア", "イ")})
    assert sql.endswith("a IN ($kana_forms_0, $kana_forms_1) OR b IN (NULL)")
    assert given == {"kana_forms_0": "ア", "kana_forms_1": "イ"}


def test_contains_escapes_wildcards_and_skips_blank_forms() -> None:
    """A blank form would find everybody."""
    read = locating(dataset(by="person", locate="SELECT k FROM t WHERE note CONTAINS :name_forms"), 0, "sqlite")
    sql, given = read.render("$", {"name_forms": ("100%_!", " ")})
    assert sql.endswith("(note LIKE $name_forms_0 ESCAPE '!')") and given == {"name_forms_0": "%100!%!_!!%"}
    assert read.render("$", {"name_forms": ("", "　")})[0].endswith("(1 = 0)")


def test_null_key_parts_are_matched_as_null() -> None:
    read = fetching(dataset(key=["k", "l"], fields={"k": "k", "l": "l"},
                            fetch="SELECT * FROM t WHERE (t.k, t.l) IN :keys"), "sqlite")
    assert read.render("$", {}, (False, False), "…")[0].endswith("((t.k, t.l) IN (…))")
    assert read.render("$", {}, (True, False), "…")[0].endswith("(t.k IS NULL AND t.l IN (…))")
    assert read.render("$", {}, (True, True), "")[0].endswith("(t.k IS NULL AND t.l IS NULL)")
    assert read.render("$", {})[0].endswith("1 = 0")


@given(st.text())
def test_no_text_of_a_person_ever_becomes_part_of_a_statement(value: str) -> None:
    read = locating(dataset(), 0, "sqlite")
    assert read.render("$", {"line_no": value})[0] == read.render("$", {"line_no": "x"})[0]


def test_edges_take_the_columns_own_type() -> None:
    """09:00 in Tokyo is midnight UTC; a DATE of a part day stays inside."""
    interval = Interval(datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC))
    at = At(column="d", form="timestamp")
    assert edges(interval, at, pa.date32()) == (date(2026, 4, 1), date(2026, 4, 3))
    assert edges(interval, at, pa.timestamp("us")) == (datetime(2026, 4, 1, 9), datetime(2026, 4, 2, 9))
    assert edges(interval, at, pa.timestamp("us", "UTC")) == (interval.start, interval.end)
    # Text is compared as text, and 2026/04/01 is written too: whole years, and the rest is let fall afterwards.
    assert edges(interval, at, None) == ("2026-01-01", "2027-01-01")
    assert edges(interval, At(column="d", form="yyyymmdd"), None) == (20260401, 20260403)
    number = At(column="d", form="yyyymmdd")
    assert edges(interval, number, None) == (20260401, 20260403)
    assert edges(interval, number, pa.string()) == ("20260401", "20260403")
    assert edges(ALWAYS, number, pa.int32()) == (10102, 99991230)


@pytest.mark.parametrize(("where", "rendered"), [
    ("a >= :from AND a < :to", "1 = 1 AND a < :to_0"),
    ("x = 1 AND (a >= :from)", "x = 1 AND (1 = 1)"),
    ("NOT a < :from AND b", "NOT a < :from_0 AND b"),
    ("NOT (a < :from)", "NOT (a < :from_0)"),
    ("a::date >= :from", "a\\:\\:date >= :from_0"),
    ("b + a >= :from", "b + a >= :from_0"),
    ("a >= :from - INTERVAL 1 DAY", "a >= :from_0 - INTERVAL 1 DAY"),
    ("coalesce(a, b) >= :from", "coalesce(a, b) >= :from_0"),
])
def test_an_open_edge_is_left_out_only_where_it_is_a_term_of_its_own(where: str, rendered: str) -> None:
    """Elsewhere it is compared with the far past: left out of ``NOT a < :from`` it would leave everything out."""
    statement = read_statement(f"SELECT * FROM t WHERE {where}", "place", "duckdb")
    assert statement.render(":", {"open": frozenset({"from"})})[0] == f"SELECT * FROM t WHERE {rendered}"
