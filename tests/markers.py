"""Looks for a person's values in every file of a tree, in every form a program may have left them.

The values come from the sample's own papers and stores, not through the engine. A hit names file and value by name.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import sqlite3
import tomllib
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jaconv
import numpy as np
import pyarrow.parquet as pq

PERSONAL = {
    "name", "kana", "born_on", "address", "phone", "mail", "nickname", "customer_no", "contract_no", "billing_no",
    "invoice_no", "line_no", "payer_name", "account_no", "card_no", "inquiry_no", "caller_name", "caller_phone",
    "note", "answer", "member_id", "cookie_id", "counterpart_no", "call_id", "ticket_no", "engineer", "ip",
    "installation_no", "entry_no", "consent_no", "contact", "struck",
}  # fmt: skip
"""Columns of the sample that hold or lead to a person; the others hold codes, days and amounts that many share."""
SHORTEST = 6
"""Bytes of a form that is searched: fewer are met by chance in a digest or a ciphertext."""


# -- whose values --------------------------------------------------------------------------------------------------


def values_of(sample: Path, person: str) -> dict[str, str]:
    """Name of the value → value: what the person's letter says and what the company's stores hold of them."""
    found = dict(_leaves(json.loads((sample / f"requests/{person}.json").read_text())["subject"], "letter"))
    answer = sample / f"answers/{person}.archives_backups.json"
    if answer.exists():
        for dataset, rows in json.loads(answer.read_text())["datasets"].items():
            found |= {f"{dataset}.{n}.{name}": str(v) for n, row in enumerate(rows) for name, v in row.items()}
    told = json.loads((sample / "truth.json").read_text())["people"][person]
    for dataset, row in _rows(sample):
        number = "|".join(str(row[name]) for name in row["_key"])
        if number in told["owns"].get(dataset, ()):
            found |= {f"{dataset}.{number}.{name}": str(value) for name, value in row.items()}
            struck = told["spans"].get(dataset, {}).get(number, {}).get("strike", [])
            found |= {f"{dataset}.{number}.struck.{at}": row[name][at:end] for name, at, end, _ in struck}
    pieces = {f"{name}.{n}": part for name, value in found.items() for n, part in enumerate(_pieces(name, value))}
    wanted = {name: value for name, value in (found | pieces).items() if _kind(name) in PERSONAL or "letter" in name}
    # The nickname is the story's own key, which stands in the names of tests and files.
    return {n: v for n, v in wanted.items() if len(v) >= (6 if v.isascii() else 2) and v != person}


def only_erased(sample: Path, person: str, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    """Personal values of records that truth says go and that stand in none of the others: ``rows`` before the erasure."""
    erased = json.loads((sample / "truth.json").read_text())["people"][person]["erased"]
    gone, stays = {}, []
    for dataset, row in rows:
        number = "|".join(str(row[name]) for name in row["_key"])
        told = {f"{dataset}.{number}.{name}": str(value) for name, value in row.items() if name != "_key" and value}
        if number in erased.get(dataset, ()):
            gone |= {name: value for name, value in told.items() if _kind(name) in PERSONAL and len(value) >= SHORTEST}
        else:
            stays += told.values()
    left = "\n".join(stays)
    return {name: value for name, value in gone.items() if value not in left}


def _kind(name: str) -> str:
    return next((part for part in reversed(name.split(".")) if not part.isdigit()), "")


def _pieces(name: str, value: str) -> Iterator[str]:
    if _kind(name) in ("note", "answer"):
        yield from (part for part in re.split("[。、]", value) if len(part) >= 8)
        yield from re.findall(r"0\d+-\d+-\d+", value)
    if _kind(name) in ("name", "kana", "payer_name", "caller_name", "engineer"):
        yield from re.split(r"[\s　]", value)
    if _kind(name) == "born_on" and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        year, month, day = value.split("-")
        yield from (f"{year}{month}{day}", f"{year}/{month}/{day}", f"{year}年{int(month)}月{int(day)}日")


def _leaves(document: Any, name: str) -> Iterator[tuple[str, str]]:
    """Text inside a JSON document. The kind of an identifier and its days are no one's."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key not in ("kind", "from", "to"):
                yield from _leaves(value, f"{name}.{key}")
    elif isinstance(document, list):
        for number, value in enumerate(document):
            yield from _leaves(value, f"{name}.{number}")
    elif isinstance(document, str):
        yield name, document


def _rows(sample: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every record of every store that has the person's own rows, with its dataset and key."""
    inventory = tomllib.loads((sample / "inventory.toml").read_text())
    for system, declared in inventory["system"].items():
        for name, dataset in declared.get("dataset", {}).items():
            for row in _stored(sample, declared, dataset):
                yield f"{system}.{name}", {**row, "_key": dataset["key"]}


def _stored(sample: Path, system: Mapping[str, Any], dataset: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    database = system.get("url", "").removeprefix("sqlite:///")
    if system["store"] == "sql" and database in ("company.db", "listings.db"):
        table = re.search(r"FROM (\w+)", dataset["fetch"])
        with sqlite3.connect(sample / database) as base:
            base.row_factory = sqlite3.Row
            yield from map(dict, base.execute(f"SELECT * FROM {table and table[1]}"))
        base.close()
    if system["store"] == "lake":
        for path in sorted(sample.glob(dataset["glob"])):
            yield from pq.read_table(path).to_pylist()
    if system["store"] == "http":
        yield from json.loads((sample / "faults/tickets.json").read_text())
    if system["store"] == "logs":
        for path in sorted(sample.glob(dataset["glob"])):
            for at, line in enumerate(gzip.decompress(path.read_bytes()).decode().splitlines(), 1):
                found = re.match(dataset["line"], line)
                yield {**(found.groupdict() if found else {}), "record_no": f"{path.name.split('.')[0]}:{at}"}


# -- in what form ----------------------------------------------------------------------------------------------------


def spellings(value: str) -> set[str]:
    """As written and folded: width, kana, variant characters, case; without spaces and hyphens; a phone as +81."""
    forms = {value, unicodedata.normalize("NFKC", value), unicodedata.normalize("NFKD", value)}
    forms |= {form.replace("髙", "高").replace("﨑", "崎") for form in set(forms)}
    forms |= {jaconv.kata2hira(form) for form in set(forms)}
    forms |= {jaconv.h2z(form, digit=True, ascii=True) for form in set(forms)}
    forms |= {jaconv.z2h(form, kana=True) for form in set(forms)} | {form.lower() for form in forms}
    forms |= {form.upper() for form in set(forms)}
    forms |= {"".join(ch for ch in form if ch not in " 　-－") for form in set(forms)}
    if re.fullmatch(r"0[0-9-]{9,12}", value):
        forms |= {"+81" + value.replace("-", "")[1:], "+81-" + value[1:]}
    return forms


def written(value: str) -> set[bytes]:
    """Each spelling in the encodings and escapes that a program may use; also what a pickle holds."""
    found: set[bytes] = set()
    for form in spellings(value):
        raw = form.encode()
        plain = {raw, *(form.encode(code) for code in ("utf-16-le", "utf-16-be")), *_legacy(form)}
        escaped = json.dumps(form)[1:-1]
        found |= plain | {escaped.encode(), escaped.encode().upper().replace(b"\\U", b"\\u")}
        found |= {quote(form).encode(), quote(form, safe="").lower().encode(), repr(raw)[2:-1].encode()}
        for body in plain:
            found |= {body.hex().encode(), body.hex().upper().encode()}
        for coded in (base64.b64encode, base64.urlsafe_b64encode):
            for lead in range(3):  # the first and last signs depend on what stands beside
                found.add(coded(b"\0" * lead + raw)[(lead * 8 + 5) // 6 : -4])
    return {form for form in found if len(form) >= SHORTEST}


def _legacy(form: str) -> Iterator[bytes]:
    for code in ("cp932", "euc_jp"):
        coded = form.encode(code, "ignore")
        if len(coded.decode(code)) == len(form):
            yield coded


# -- where -----------------------------------------------------------------------------------------------------------


class Markers:
    """Named values, made ready to be looked for in bytes: first by their first six, then whole."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._by_start: dict[int, list[tuple[str, bytes]]] = {}
        named = {value: name for name, value in values.items()}
        for value, name in named.items():
            for form in written(value):
                self._by_start.setdefault(int.from_bytes(form[:SHORTEST], "little"), []).append((name, form))
        self._begins = np.zeros(1 << 24, np.bool_)
        self._begins[[start & 0xFFFFFF for start in self._by_start]] = True

    def within(self, raw: bytes) -> set[str]:
        """Names of the values that stand in ``raw``, or in what it holds compressed."""
        return set().union(*(self._plain(body) for body in (raw, *_inflated(raw))))

    def _plain(self, raw: bytes) -> set[str]:
        octets = np.frombuffer(raw, np.uint8).astype(np.uint32)
        threes = octets[:-2] | octets[1:-1] << 8 | octets[2:] << 16
        places = np.flatnonzero(self._begins[threes])
        met = {int.from_bytes(raw[at : at + SHORTEST], "little") for at in places.tolist()}
        return {name for start in met & self._by_start.keys() for name, form in self._by_start[start] if form in raw}

    def search(self, root: Path, skip: Iterable[Path] = ()) -> list[str]:
        """``file: name of the value`` for every file below ``root``, its name too, but not below ``skip``."""
        outside, hits = [path.resolve() for path in skip], set()
        for path in sorted(root.rglob("*")):
            if any(path.resolve().is_relative_to(other) for other in outside):
                continue
            where = path.relative_to(root)
            hits |= {f"the name of a file: {name}" for name in self.within(path.name.encode())}
            if path.is_file():
                hits |= {f"{where}: {name}" for name in self.within(path.read_bytes())}
        return sorted(hits)


def _inflated(raw: bytes) -> Iterator[bytes]:
    """Whatever opens as gzip or zlib, at any place: a log that was rolled, a stream inside a file."""
    for lead, window in ((b"\x1f\x8b\x08", 31), (b"\x78\x9c", 15), (b"\x78\xda", 15), (b"\x78\x01", 15)):
        at = raw.find(lead)
        while at >= 0:
            with suppress(zlib.error):
                yield zlib.decompressobj(window).decompress(memoryview(raw)[at:], 1 << 26)
            at = raw.find(lead, at + 1)
