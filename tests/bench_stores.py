"""Stores that only the benchmark needs: a line with very many calls in the lake, and six tables in PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from tests.connector_fixtures import Postgres

CALL_LINE, CALL_SINCE = "092-000-1013", "2026-02-01"
"""Susumu's line and its first day with him; before, it was Kaoru's."""
FORMER = 50
"""One in so many added calls was made before, in Kaoru's tenure or between the two: never Susumu's."""
ROW_GROUP = 65_536


def add_calls(lake: Path, calls: int) -> dict[str, int]:
    """``calls`` calls in Susumu's tenure and some before, mixed by time into the months that are there."""
    rng, number = np.random.default_rng(9), 5_000_000_000
    months = sorted(lake.glob("calls-*.parquet"))
    theirs = [month for month in months if month.stem[6:] >= CALL_SINCE[:7]]
    added = 0
    for month in months:
        count = calls // len(theirs) if month in theirs else calls // FORMER // (len(months) - len(theirs))
        old = pq.read_table(month)
        new = _calls(month.stem[6:], count, number, rng).cast(old.schema)
        table = pa.concat_tables([old, new])
        table = table.take(pa.array(np.argsort(table["started_at"].to_numpy(), kind="stable")))
        pq.write_table(table, month, compression="zstd", row_group_size=ROW_GROUP)
        number, added = number + count, added + count
    return {"rows": added}


def _calls(month: str, count: int, first: int, rng: np.random.Generator) -> pa.Table:
    start, end = (np.datetime64(month, "M") + more for more in (0, 1))
    stamps = np.sort(rng.integers(start.astype("M8[s]").astype(int), end.astype("M8[s]").astype(int), count))
    way, lasted, numbers = rng.integers(1, 3, count), rng.integers(5, 1800, count), rng.integers(0, 20_000, count)
    others = pa.array([f"080-0{n // 7 % 900 + 100}-{n:05d}" for n in range(20_000)])
    return pa.table({
        "call_id": np.arange(first, first + count),
        "line_no": pa.repeat(CALL_LINE, count),
        "counterpart_no": others.take(pa.array(numbers)),
        "direction": way,
        "shown": rng.integers(0, 2, count),
        "level": pa.array(["full", "last4_masked"]).take(pa.array(rng.integers(0, 2, count))),
        "started_at": stamps.astype("M8[s]").astype("M8[us]"),
        "duration_s": lasted,
        "charge_yen": np.where(way == 1, 9 * (1 + lasted // 180), 0),
    })


# -- six tables in PostgreSQL --------------------------------------------------------------------------------------

COUNTS = {"customers": 1, "invoices": 12, "payments": 12, "calls": 300, "faults": 2, "web": 100}
PERSON_NO = {"customer_no": "C0000007", "line_no": "092-100-0007", "member_id": "M0000007"}
KANA, NUMERALS = "アイウエオカキクケコ", "0123456789"

TABLES = f"""
CREATE TABLE customers AS SELECT 'C' || lpad(n::text, 7, '0') AS customer_no, '092-100-' || lpad(n::text, 4, '0') AS line_no,
  'M' || lpad(n::text, 7, '0') AS member_id, '港 ' || translate(lpad(n::text, 4, '0'), '{NUMERALS}', '{KANA}') AS name,
  'ミナト ' || translate(lpad(n::text, 4, '0'), '{NUMERALS}', '{KANA}') AS kana,
  (date '1950-01-01' + n * 17)::text AS born_on, '福岡県みなと市浜町1-1-' || n AS address FROM generate_series(1, :people) n;
CREATE TABLE invoices AS SELECT customer_no || '-' || m AS invoice_no, customer_no, (date '2025-10-31' + m * 30) AS issued_on,
  3000 + m * 110 AS amount_yen, name AS payer_name FROM customers, generate_series(1, {COUNTS["invoices"]}) m;
CREATE TABLE payments AS SELECT customer_no || '-' || m AS payment_no, customer_no, (date '2025-11-20' + m * 30) AS paid_on,
  3000 + m * 110 AS amount_yen, '1234567' AS account_no FROM customers, generate_series(1, {COUNTS["payments"]}) m;
CREATE TABLE calls AS SELECT row_number() OVER () AS call_id, line_no, '080-0100-' || lpad((m * 31)::text, 4, '0') AS counterpart_no,
  1 + m % 2 AS direction, timestamptz '2026-01-01 08:00+09' + m * interval '19 hours' AS started_at, m * 7 % 900 AS duration_s
  FROM customers, generate_series(1, {COUNTS["calls"]}) m;
CREATE TABLE faults AS SELECT customer_no || '-F' || m AS ticket_no, line_no, timestamptz '2026-03-01 10:00+09' + m * interval '40 days' AS opened_at,
  '通話不可' AS symptom, '宅内を確認。立会いは佐藤様 (080-0100-0001)。' AS note FROM customers, generate_series(1, {COUNTS["faults"]}) m;
CREATE TABLE web AS SELECT row_number() OVER () AS hit_no, member_id, timestamptz '2026-05-01 08:00+09' + m * interval '41 hours' AS at,
  '/my/page' || m % 9 AS page, 200 AS status FROM customers, generate_series(1, {COUNTS["web"]}) m;
ALTER TABLE customers ADD PRIMARY KEY (customer_no); ALTER TABLE invoices ADD PRIMARY KEY (invoice_no);
ALTER TABLE payments ADD PRIMARY KEY (payment_no); ALTER TABLE calls ADD PRIMARY KEY (call_id);
ALTER TABLE faults ADD PRIMARY KEY (ticket_no); ALTER TABLE web ADD PRIMARY KEY (hit_no);
CREATE INDEX ON customers (kana); CREATE INDEX ON invoices (customer_no); CREATE INDEX ON payments (customer_no);
CREATE INDEX ON calls (line_no); CREATE INDEX ON faults (line_no); CREATE INDEX ON web (member_id);
ANALYZE
"""

INVENTORY = """
[company]
name = "みなと通信電力株式会社"
[system.customer_master]
label = "お客様情報"
store = "sql"
url = "URL"
writes = "direct"
[system.customer_master.dataset.customers]
label = "お客様情報"
row = 2
purposes = ["P1"]
key = ["customer_no"]
alive = {when = "customer_no is null"}
ways = [
  {by = "customer_no", locate = "SELECT customer_no, line_no, member_id, name, kana, born_on, address FROM customers WHERE customer_no = :customer_no"},
  {by = "person", locate = "SELECT customer_no, line_no, member_id, name, kana, born_on, address FROM customers WHERE kana IN :kana_forms"},
]
fetch = "SELECT * FROM customers WHERE customer_no IN :keys"
evidence = {name = "name", kana = "kana", born_on = "born_on", address = "address"}
reveals = [{kind = "customer_no", column = "customer_no"}, {kind = "line_no", column = "line_no"}, {kind = "member_id", column = "member_id"}]
[system.customer_master.dataset.customers.fields]
customer_no = {label = "お客様番号", kind = "record_no"}
line_no = {label = "回線番号", kind = "user.phone"}
member_id = {label = "会員番号", kind = "member_id"}
name = {label = "お名前", kind = "user.name"}
kana = {label = "フリガナ", kind = "user.name.kana"}
born_on = {label = "生年月日", kind = "user.born_on"}
address = {label = "ご住所", kind = "user.address"}
[system.billing]
label = "請求・お支払い"
store = "sql"
url = "URL"
writes = "direct"
[system.billing.dataset.invoices]
label = "請求書"
row = 6
purposes = ["P1"]
key = ["invoice_no"]
alive = {when = "invoice_no is null"}
by = "customer_no"
locate = "SELECT invoice_no, issued_on FROM invoices WHERE customer_no = :customer_no AND issued_on >= :from AND issued_on < :to"
fetch = "SELECT * FROM invoices WHERE invoice_no IN :keys ORDER BY issued_on"
at = {column = "issued_on", form = "date", zone = "Asia/Tokyo"}
[system.billing.dataset.invoices.fields]
invoice_no = {label = "請求書番号", kind = "record_no"}
customer_no = {label = "お客様番号", kind = "customer_no"}
issued_on = {label = "発行日", kind = "day"}
amount_yen = {label = "請求額 (円)", kind = "amount.yen"}
payer_name = {label = "請求先", kind = "user.name", third_party = "unless_subject"}
[system.billing.dataset.payments]
label = "お支払い"
row = 6
purposes = ["P1"]
key = ["payment_no"]
alive = {when = "payment_no is null"}
by = "customer_no"
locate = "SELECT payment_no, paid_on FROM payments WHERE customer_no = :customer_no AND paid_on >= :from AND paid_on < :to"
fetch = "SELECT * FROM payments WHERE payment_no IN :keys ORDER BY paid_on"
at = {column = "paid_on", form = "date", zone = "Asia/Tokyo"}
[system.billing.dataset.payments.fields]
payment_no = {label = "入金番号", kind = "record_no"}
customer_no = {label = "お客様番号", kind = "customer_no"}
paid_on = {label = "入金日", kind = "day"}
amount_yen = {label = "入金額 (円)", kind = "amount.yen"}
account_no = {label = "口座番号", kind = "payment.account", mask = "last3"}
[system.call_history]
label = "通話・通信履歴"
store = "sql"
url = "URL"
writes = "direct"
secrecy = true
[system.call_history.dataset.calls]
label = "通話履歴"
row = 9
purposes = ["P1"]
key = ["call_id"]
alive = {when = "call_id is null"}
by = "line_no"
locate = "SELECT call_id, started_at FROM calls WHERE line_no = :line_no AND started_at >= :from AND started_at < :to"
fetch = "SELECT * FROM calls WHERE call_id IN :keys ORDER BY call_id"
at = {column = "started_at", form = "timestamp", zone = "Asia/Tokyo"}
[system.call_history.dataset.calls.fields]
call_id = {label = "通話番号", kind = "record_no"}
line_no = {label = "回線番号", kind = "user.phone"}
counterpart_no = {label = "相手先番号", kind = "counterpart_number", mask = [{when = "direction = 2", as = "withheld_number"}]}
direction = {label = "発着", kind = "code", codes = {"1" = "発信", "2" = "着信"}}
started_at = {label = "開始日時", kind = "instant"}
duration_s = {label = "通話時間 (秒)", kind = "amount.seconds"}
[system.fault_records]
label = "故障対応記録"
store = "sql"
url = "URL"
writes = "direct"
[system.fault_records.dataset.faults]
label = "故障対応記録"
row = 5
purposes = ["P1"]
key = ["ticket_no"]
alive = {when = "ticket_no is null"}
by = "line_no"
locate = "SELECT ticket_no, opened_at FROM faults WHERE line_no = :line_no AND opened_at >= :from AND opened_at < :to"
fetch = "SELECT * FROM faults WHERE ticket_no IN :keys ORDER BY opened_at"
at = {column = "opened_at", form = "timestamp", zone = "Asia/Tokyo"}
[system.fault_records.dataset.faults.fields]
ticket_no = {label = "受付番号", kind = "record_no"}
line_no = {label = "回線番号", kind = "user.phone"}
opened_at = {label = "受付日時", kind = "instant"}
symptom = {label = "症状", kind = "value"}
note = {label = "作業内容", kind = "text"}
[system.web_logs]
label = "閲覧・利用履歴"
store = "sql"
url = "URL"
writes = "direct"
[system.web_logs.dataset.web]
label = "会員サイトの閲覧履歴"
row = 26
purposes = ["P1"]
key = ["hit_no"]
alive = {when = "hit_no is null"}
by = "member_id"
locate = "SELECT hit_no, at FROM web WHERE member_id = :member_id AND at >= :from AND at < :to"
fetch = "SELECT * FROM web WHERE hit_no IN :keys ORDER BY hit_no"
at = {column = "at", form = "timestamp", zone = "Asia/Tokyo"}
[system.web_logs.dataset.web.fields]
hit_no = {label = "記録番号", kind = "record_no"}
member_id = {label = "会員番号", kind = "member_id"}
at = {label = "日時", kind = "instant"}
page = {label = "ページ", kind = "value"}
status = {label = "結果", kind = "code"}
"""


def fill_postgres(server: Postgres, company: Path, people: int) -> str:
    """The tables in a fresh database, and inventory and officers in ``company``; gives the database's address."""
    url = server.database(*TABLES.replace(":people", str(people)).split(";\n"))
    (company / "inventory.toml").write_text(INVENTORY.replace("URL", url), encoding="utf-8")
    accounts = (("uketsuke-1", "handler"), ("shonin-1", "approver"))
    officers = [{"name": name, "role": role, "secret": f"bench-{name}"} for name, role in accounts]
    (company / "officers.json").write_text(json.dumps(officers), encoding="utf-8")
    return url


def customer_request(number: int, right: str = "disclosure") -> dict[str, Any]:
    """REQUEST.json of the customer of that number."""
    from datetime import date, timedelta

    given = f"{number:04d}".translate(str.maketrans(NUMERALS, KANA))
    return {
        "right": right,
        **({"ground": "G-3"} if right == "erasure" else {}),
        "subject": {"name": f"港 {given}", "kana": f"ミナト {given}",
                    "born_on": (date(1950, 1, 1) + timedelta(days=17 * number)).isoformat(),
                    "addresses": [f"福岡県みなと市浜町1-1-{number}"],
                    "identifiers": [{"kind": "customer_no", "value": f"C{number:07d}"}]},
        "received": {"at": "2026-11-02T10:15:00+09:00", "channel": "post"},
    }  # fmt: skip
