"""HTTP systems: each frozen key is asked for, and every list is read to its end."""

from __future__ import annotations

import json
import logging
import re
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx
import pyarrow as pa

from connectors.survey.look import NUMBER, Look, Part, key_texts
from connectors.survey.marks import Marks
from connectors.survey.reach import Reach
from dsr.days import ALWAYS, bound
from dsr.errors import ConnectorMisread, ConnectorRefused, ConnectorUnavailable
from dsr.inventory import Dataset
from dsr.plan import Level, Sought

PATIENCE, TIMEOUT = 30.0, 10.0
"""Seconds that the system may make us wait for one answer, and that one answer may take."""
WHOLE = 2_000
"""Listed records that are asked for one by one; of more of them only what the list shows is compared."""
_PLACE = re.compile(r"\{(\w+)\}")

logging.getLogger("httpx").addFilter(lambda record: record.levelno >= logging.WARNING)  # its URLs hold numbers


class Api:
    """``page.all``: the path of a list of all records, where there is one. Without it only the lists of the person's
    own identifiers and of the planted values are read, and the finding says so."""

    def __init__(self, reach: Reach, marks: Marks) -> None:
        self._reach = reach

    def _client(self) -> httpx.Client:
        address, token = self._reach.address(), self._reach.token()
        headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        verify = ssl.create_default_context() if address.startswith("https:") else False
        return httpx.Client(base_url=address.rstrip("/") + "/", headers=headers, timeout=TIMEOUT, trust_env=False,
                            verify=verify)  # fmt: skip

    def parts(self, sought: Sequence[Sought], before: Mapping[str, Any] | None) -> Iterator[Part]:
        with self._client() as client:
            for dataset in self._reach.system.dataset.values():
                yield _part(dataset, list(self._records(client, dataset, sought)))

    def _records(self, client: httpx.Client, dataset: Dataset, sought: Sequence[Sought]) -> Iterator[dict[str, Any]]:
        """Each once, whole: those planned, and those on a list. What is listed though it cannot be had is there too."""
        listed = {_key(dataset, record): record for path in self._lists(dataset, sought)
                  for record in self._listed(client, dataset, path)}  # fmt: skip
        keys = {key: values for each in sought for group in (*each.groups, each.kept)
                if (rows := group.get(dataset.id)) is not None
                for key, values in zip(key_texts(dataset, rows).to_pylist(),
                                       rows.select(list(dataset.key)).to_pylist(), strict=True)}  # fmt: skip
        if len(listed) <= WHOLE:
            keys |= {key: record for key, record in listed.items() if key not in keys}
        for key, values in keys.items():
            record = self._dig(self._get(client, _filled(dataset.fetch, {"key": values[dataset.key[0]], **values})),
                               dataset, "record")  # fmt: skip
            if record is not None or key in listed:
                yield record if isinstance(record, dict) else listed[key]
        yield from (record for key, record in listed.items() if key not in keys)

    def _lists(self, dataset: Dataset, sought: Sequence[Sought]) -> list[str]:
        low, high = bound(ALWAYS, dataset.at.form, dataset.at.tz) if dataset.at else ("", "")
        every = (dataset.page or {}).get("all")
        if every:
            return [str(every)]
        told = [(way, value) for way in dataset.ways for each in sought for value in each.forms.get(way.by, ())]
        told += [(way, value) for way in dataset.ways
                 for system in self._reach.seen() for value in system.canary]  # fmt: skip
        return list(dict.fromkeys(_filled(way.locate, {way.by: value, "from": low, "to": high})
                                  for way, value in told if f"{{{way.by}}}" in way.locate))  # fmt: skip

    def _listed(self, client: httpx.Client, dataset: Dataset, path: str) -> Iterator[dict[str, Any]]:
        """To the end: a list that breaks off or goes in a circle is no list."""
        page, here, seen = dataset.page or {}, path, set[str]()
        while here not in seen:
            seen.add(here)
            body = self._get(client, here)
            records = self._dig(body, dataset, "items")
            if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
                raise ConnectorMisread(dataset.system, dataset.name, "no list of records where one is declared")
            yield from records
            mark = self._dig(body, dataset, "next") if "next" in page else None
            if mark in (None, False, ""):
                return
            here = self._further(client, path, page, str(mark))
        raise ConnectorMisread(dataset.system, dataset.name, "the pages go in a circle")

    def _further(self, client: httpx.Client, path: str, page: Mapping[str, Any], mark: str) -> str:
        if page.get("param"):
            return f"{path}{'&' if '?' in path else '?'}{page['param']}={quote(mark, safe='')}"
        following = client.base_url.join(mark)
        if (following.scheme, following.netloc) != (client.base_url.scheme, client.base_url.netloc):
            raise ConnectorRefused(self._reach.system.name, None, "the next page is at another address")
        return str(following)

    @staticmethod
    def _dig(body: Any, dataset: Dataset, what: str) -> Any:
        for name in str((dataset.page or {}).get(what) or "").split("."):
            body = body if not name else body.get(name) if isinstance(body, dict) else None
        return body

    def _get(self, client: httpx.Client, path: str) -> Any:
        """The JSON of an answer, None for 404 and 410. Only those two say that a record is gone."""
        waited = 0.0
        while True:
            answer = client.get(path.removeprefix("/"))
            status, told = answer.status_code, answer.headers.get("Retry-After", "")
            if status == 200:
                return answer.json()
            if status in (404, 410):
                return None
            pause = max(0.5, float(told) if told.isdecimal() else 1.0)
            if status in (401, 403):
                raise ConnectorRefused(self._reach.system.name, None, f"status {status}")
            if status not in (429, 503) or waited + pause > PATIENCE or (status == 503 and not told):
                kind = ConnectorUnavailable if status >= 500 or status in (408, 429) else ConnectorMisread
                raise kind(self._reach.system.name, None, f"status {status}")
            time.sleep(pause)
            waited += pause

    # -- afterwards --------------------------------------------------------------------------------------------

    def memory(self) -> dict[str, Any]:
        return {}

    def also(self, sought: Sequence[Sought]) -> Sequence[str]:
        return ()

    def level(self, look: Look, before: Mapping[str, Any]) -> tuple[Level, dict[str, Any]]:
        """What lies behind an API nobody outside can see."""
        every = all((dataset.page or {}).get("all") for dataset in self._reach.system.dataset.values())
        return "L1", {"lists_all": every}


def _key(dataset: Dataset, record: Mapping[str, Any]) -> str:
    return "\x1f".join("\0" if record.get(name) is None else str(record[name]) for name in dataset.key)


def _filled(template: str, values: Mapping[str, Any]) -> str:
    return _PLACE.sub(lambda found: quote(str(values.get(found[1], "")), safe=""), template)


def _part(dataset: Dataset, records: Sequence[Mapping[str, Any]]) -> Part:
    """A field's texts and its numbers apart; what is nested is one text."""
    names = sorted({name for record in records for name in record} | set(dataset.key))
    table: dict[str, list[str | None]] = {}
    for name in names:
        cells = [record.get(name) for record in records]
        table[name] = [_text(cell) for cell in cells]
        table[name + NUMBER] = [str(cell) if _is_number(cell) else None for cell in cells]
    return Part(dataset.name, pa.table({name: pa.array(told, pa.string()) for name, told in table.items()}), (dataset,))


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str) or _is_number(cell):
        return cell if isinstance(cell, str) else None
    return json.dumps(cell, ensure_ascii=False, sort_keys=True)
