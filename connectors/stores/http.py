"""HTTP ticket systems and the like: JSON records, a bearer token, pages, and a server that may ask us to wait."""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx
import pyarrow as pa

from connectors.stores import http_write
from connectors.stores.faults import FILES, Guarded
from connectors.stores.rows import LIMIT, Columns, Exactly, chunks, distinct_keys, needed, require_fields
from dsr.connector import Ask, Drift, Located
from dsr.days import ALWAYS, bound
from dsr.errors import (
    BadInput,
    ConnectorDrifted,
    ConnectorError,
    ConnectorMisread,
    ConnectorRefused,
    ConnectorTruncated,
    ConnectorUnavailable,
)
from dsr.identity import Identifier
from dsr.inventory import PERSON, Dataset
from dsr.plan import Effects, Plan, Receipt

PATIENCE = 30.0
"""Seconds in all that one answer may make us wait; a server that wants more is asked again by the engine."""
TIMEOUT = 10.0
DONE, GONE = frozenset({200, 202, 204}), frozenset({404, 410})
_NOBODY = "-"
_PLACE = re.compile(r"\{(\w+)\}")

# httpx logs every URL, and ours hold the person's numbers.
logging.getLogger("httpx").addFilter(lambda record: record.levelno >= logging.WARNING)


class HttpStore(Guarded):
    """``locate``: a path with ``{<kind>}``, ``{from}``, ``{to}``; ``fetch``: one with ``{key}`` or the key's fields.

    ``page``: ``items`` (where the records are), ``next`` and ``param`` (how the next page is named), ``total``,
    ``record`` (where a fetched record is), ``sample`` (a path that brings some record, for ``check``); dotted paths.
    Every fetched record must have exactly the declared fields: an API that leaves out empty ones is drift.
    """

    faults = (
        (httpx.TimeoutException, ConnectorUnavailable, "no answer in time"),
        (httpx.InvalidURL, ConnectorUnavailable, "the url is no address"),
        (httpx.UnsupportedProtocol, ConnectorUnavailable, "the url is no address"),
        (httpx.DecodingError, ConnectorMisread, "the answer cannot be decoded"),
        (httpx.RemoteProtocolError, ConnectorUnavailable, "the answer broke off"),
        (httpx.HTTPError, ConnectorUnavailable, "cannot be reached"),
        *FILES,
    )

    def _client(self) -> httpx.Client:
        address, token = self.access.address(), self.access.token()
        headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        # The system's own certificates, and no proxy from the environment: only the declared address hears of a person.
        verify = ssl.create_default_context() if address.startswith("https:") else False
        return httpx.Client(
            base_url=address.rstrip("/") + "/", headers=headers, timeout=TIMEOUT, trust_env=False, verify=verify
        )

    # -- one answer --------------------------------------------------------------------------------------------

    def _get(self, client: httpx.Client, dataset: Dataset, path: str) -> Any:
        """The JSON of an answer, None for "no such record". Raises ConnectorError or what httpx raises."""
        return self._body(dataset, self._patiently(client, dataset, "GET", path))

    def _patiently(
        self, client: httpx.Client, dataset: Dataset, method: str, path: str, **sent: Any
    ) -> httpx.Response:
        waited = 0.0
        while True:
            answer = client.request(method, path.removeprefix("/") if path.startswith("/") else path, **sent)
            told = answer.headers.get("Retry-After")
            if answer.status_code != 429 and not (answer.status_code == 503 and told):
                return answer
            pause = _pause(told)
            if waited + pause > PATIENCE:
                raise ConnectorUnavailable(dataset.system, dataset.name, f"status {answer.status_code}", pause)
            self.access.sleep(pause)
            waited += pause

    def _body(self, dataset: Dataset, answer: httpx.Response) -> Any:
        if answer.status_code == 200:
            return answer.json()
        if answer.status_code in GONE:
            return None
        raise self._refusal(dataset, answer.status_code)

    @staticmethod
    def _refusal(dataset: Dataset, status: int) -> ConnectorError:
        kind = ConnectorMisread
        if status in (401, 403, 405, 409):
            kind = ConnectorRefused  # type: ignore[assignment]
        elif status >= 500 or status == 408:
            kind = ConnectorUnavailable  # type: ignore[assignment]
        return kind(dataset.system, dataset.name, f"status {status}")

    def _pages(self, client: httpx.Client, dataset: Dataset, path: str) -> Iterator[list[dict[str, Any]]]:
        """The records page by page; part of an answer is no answer, so every way to stop early is an error."""
        page, seen, marks = dataset.page or {}, 0, set[str]()
        here = path
        while True:
            body = self._get(client, dataset, here) if not marks else self._further(client, dataset, here)
            records = _dig(body, page.get("items"))
            if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
                raise self._broken(dataset, "no list of records where one is declared", bool(marks))
            seen += len(records)
            yield records
            mark = _dig(body, page["next"]) if "next" in page else None
            if mark is None or mark is False or mark == "":
                break
            if str(mark) in marks:
                raise ConnectorMisread(dataset.system, dataset.name, "the pages go in a circle")
            marks.add(str(mark))
            here = self._next(client, dataset, path, str(mark))
        total = _dig(body, page.get("total", "total")) if isinstance(body, dict) else None
        if isinstance(total, int) and not isinstance(total, bool) and total != seen:
            raise ConnectorTruncated(dataset.system, dataset.name, f"{seen} records came of {total}")

    def _further(self, client: httpx.Client, dataset: Dataset, path: str) -> Any:
        """A page after the first: what fails here cuts an answer short."""
        failure = ""
        try:
            return self._get(client, dataset, path)
        except ConnectorRefused:
            raise
        except (ConnectorError, httpx.HTTPError, ValueError) as error:
            failure = type(error).__name__
        raise ConnectorTruncated(dataset.system, dataset.name, f"a later page did not come ({failure})")

    @staticmethod
    def _broken(dataset: Dataset, words: str, later: bool) -> ConnectorError:
        return (ConnectorTruncated if later else ConnectorMisread)(dataset.system, dataset.name, words)

    def _next(self, client: httpx.Client, dataset: Dataset, path: str, mark: str) -> str:
        """The next page's path. A mark that is an address must be this system's own: the token goes nowhere else."""
        param = (dataset.page or {}).get("param")
        if param:
            return f"{path}{'&' if '?' in path else '?'}{param}={quote(mark, safe='')}"
        following = client.base_url.join(mark)
        if following.copy_with(path="/", query=None, fragment=None) != client.base_url.copy_with(path="/"):
            raise ConnectorRefused(dataset.system, dataset.name, "the next page is at another address")
        return str(following)

    # -- asking ------------------------------------------------------------------------------------------------

    def _locate(self, dataset: Dataset, asks: Sequence[Ask]) -> Iterator[Located]:
        self._require_templates(dataset)
        with self._client() as client:
            for ask in asks:
                if ask.identifier is None:
                    continue
                columns: Columns | None = None
                found = (record for page in self._pages(client, dataset, _path(dataset, ask)) for record in page)
                for records in chunks(found, LIMIT):
                    columns = columns or Columns(dataset, self._listed(dataset, records[0]))
                    yield Located(ask, pa.Table.from_batches([self._batch(dataset, columns, records)]))

    def _fetch(self, dataset: Dataset, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        self._require_templates(dataset)
        wanted = distinct_keys(keys, dataset)
        exactly, columns = Exactly(dataset, wanted), Columns(dataset, list(dataset.fields))
        with self._client() as client:
            for records in chunks(self._records(client, dataset, wanted.to_pylist()), LIMIT):
                yield exactly.admit(self._batch(dataset, columns, records))

    def _records(
        self, client: httpx.Client, dataset: Dataset, keys: Sequence[Mapping[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        for key in keys:
            record = self._record(client, dataset, key)
            if record is not None:  # else it vanished since it was located
                yield record

    def _record(self, client: httpx.Client, dataset: Dataset, key: Mapping[str, Any]) -> dict[str, Any] | None:
        body = self._get(client, dataset, _address(dataset, key))
        if body is None:
            return None
        record = _dig(body, (dataset.page or {}).get("record"))
        if not isinstance(record, dict):
            raise ConnectorMisread(dataset.system, dataset.name, "no record where one is declared")
        if any(str(record.get(name)) != str(key[name]) for name in dataset.key):
            raise ConnectorMisread(dataset.system, dataset.name, "another record came than was asked for")
        require_fields(dataset, record)
        return record

    @staticmethod
    def _listed(dataset: Dataset, record: Mapping[str, Any]) -> list[str]:
        """A list may show less than a record holds: what it shows is declared, and holds all that is judged by."""
        live, declared = set(record), set(dataset.fields)
        for problem, names in (("undeclared", live - declared), ("missing", needed(dataset) - live)):
            if names:
                raise ConnectorDrifted(dataset.system, dataset.name, f"listed field {min(names)} is {problem}")
        return [name for name in dataset.fields if name in record]

    @staticmethod
    def _batch(dataset: Dataset, columns: Columns, records: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
        if any(set(record) != set(columns.names) for record in records):
            raise ConnectorDrifted(dataset.system, dataset.name, "records have not the same fields")
        return columns.batch([[record[name] for name in columns.names] for record in records])

    # -- writing -----------------------------------------------------------------------------------------------

    def write(self, plans: Sequence[Plan], effects: Effects) -> list[Receipt]:
        dataset = plans[0].dataset

        def carry_out() -> Iterator[list[Receipt]]:
            self._require_templates(dataset)
            with self._client() as client:
                yield http_write.write(plans, effects, _Records(self, client, dataset))

        return next(self._guard(dataset, carry_out))

    # -- drift -------------------------------------------------------------------------------------------------

    def _check(self) -> list[Drift]:
        """Asks for nobody, or for ``page.sample``: reaches the system, and looks at the first record's keys if any."""
        drifts = []
        with self._client() as client:
            for dataset in self.access.system.dataset.values():
                self._require_templates(dataset)
                by = dataset.ways[0].by
                path = (dataset.page or {}).get("sample") or _path(dataset, Ask(0, Identifier(by, _NOBODY), {}, ALWAYS))
                records = next(self._pages(client, dataset, path), [])
                live = set(records[0] if records else dataset.fields)
                for problem, names in (("undeclared", live - set(dataset.fields)), ("missing", needed(dataset) - live)):
                    drifts += [Drift(dataset.system, dataset.name, name, problem) for name in sorted(names)]
        return drifts

    def _require_templates(self, dataset: Dataset) -> None:
        """Without its place for the person's number a path would bring everybody."""
        for number, way in enumerate(dataset.ways):
            places = set(_PLACE.findall(way.locate))
            if way.by == PERSON or way.by not in places or places - {way.by, "from", "to"}:
                field = f"{dataset.id}.ways.{number}.locate"
                raise BadInput(field, "is no path for its identifier", f"write one with {{{way.by}}}, {{from}}, {{to}}")
            if places & {"from", "to"} and dataset.at is None:
                raise BadInput(f"{dataset.id}.at", "is needed by {from} and {to}", "declare at = {column = …}")
        places = set(_PLACE.findall(dataset.fetch))
        if places != set(dataset.key) and not (places == {"key"} and len(dataset.key) == 1):
            raise BadInput(f"{dataset.id}.fetch", "is no path for one record", "write a path such as /tickets/{key}")
        if missing := needed(dataset) - set(dataset.fields):
            raise ConnectorDrifted(dataset.system, dataset.name, f"field {min(missing)} is missing")


@dataclass(frozen=True)
class _Records:
    store: HttpStore
    client: httpx.Client
    dataset: Dataset

    def look(self, key: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return self.store._record(self.client, self.dataset, key)

    def ask(
        self, method: str, key: Mapping[str, Any], headers: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> int:
        sent = {"headers": headers, **({"json": body} if body is not None else {})}
        path = _address(self.dataset, key)
        status = self.store._patiently(self.client, self.dataset, method, path, **sent).status_code
        if status not in DONE and status not in GONE and status < 500:
            raise self.store._refusal(self.dataset, status)
        return status


def _address(dataset: Dataset, key: Mapping[str, Any]) -> str:
    """The path of one record."""
    return _filled(dataset.fetch, {"key": key[dataset.key[0]], **key})


def _path(dataset: Dataset, ask: Ask) -> str:
    assert ask.identifier is not None
    way = dataset.ways[ask.way]
    low, high = bound(ask.interval, dataset.at.form, dataset.at.tz) if dataset.at else ("", "")
    return _filled(way.locate, {way.by: ask.identifier.value, "from": low, "to": high})


def _filled(template: str, values: Mapping[str, Any]) -> str:
    return _PLACE.sub(lambda found: quote(str(values[found[1]]), safe=""), template)


def _dig(body: Any, path: str | None) -> Any:
    for name in path.split(".") if path else ():
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _pause(written: str | None) -> float:
    """Seconds of Retry-After, given as seconds or as a date; half a second at least, so that 0 cannot spin."""
    seconds = 1.0
    if written and written.strip().isdecimal():
        seconds = float(written)
    elif written:
        try:
            seconds = (parsedate_to_datetime(written) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            seconds = 1.0
    return max(seconds, 0.5)
