"""Access logs, plain or gz: every line is read and understood, or the file says at which line it is not."""

from __future__ import annotations

import gzip
import re
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from connectors.stores.access import Access
from connectors.stores.faults import FILES, Guarded
from connectors.stores.rows import LIMIT, Columns, Exactly, chunks, distinct_keys, require_fields
from dsr.connector import Ask, Drift, Located
from dsr.days import instants, within
from dsr.errors import BadInput, ConnectorMisread
from dsr.inventory import PERSON, Dataset
from dsr.plan import line_mark

_BROKEN = (EOFError, gzip.BadGzipFile, zlib.error)


class LogStore(Guarded):
    """A record is ``<file name without .gz and extension>:<line>``, every line counted from 1; the key field holds it.

    A line that cannot be decoded or does not have the declared form stops the whole dataset: it could be anybody's.
    A file version once read whole is afterwards searched by bytes first, and only the hits are taken apart.
    """

    faults = (
        (zlib.error, ConnectorMisread, "is damaged"),
        (gzip.BadGzipFile, ConnectorMisread, "is damaged"),
        *FILES,
    )

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._sound: set[tuple[str, int, int]] = set()

    def _pattern(self, dataset: Dataset) -> re.Pattern[str]:
        """The line's form; its groups are the fields but the key."""
        written = dataset.line or self.access.system.line
        if not written:
            raise BadInput(f"{dataset.id}.line", "is not given", "write a regular expression of named groups")
        try:
            pattern = re.compile(written)
            "".encode(self._encoding(dataset))
        except (re.error, LookupError):
            raise BadInput(f"{dataset.id}.line", "line or encoding is not valid", "mend expression or name") from None
        if len(dataset.key) != 1 or dataset.key[0] in pattern.groupindex:
            raise BadInput(f"{dataset.id}.key", "must be one field that is no group of line", "add a record_no field")
        for number, way in enumerate(dataset.ways):
            if way.by == PERSON or way.locate not in pattern.groupindex:
                raise BadInput(f"{dataset.id}.ways.{number}.locate", "is no group of line", "name the group to search")
        return pattern

    def _agreeing(self, dataset: Dataset) -> re.Pattern[str]:
        pattern = self._pattern(dataset)
        require_fields(dataset, {*pattern.groupindex, *dataset.key})
        return pattern

    def _encoding(self, dataset: Dataset) -> str:
        return dataset.encoding or self.access.system.encoding

    def _check(self) -> list[Drift]:
        drifts = []
        for dataset in self.access.system.dataset.values():
            groups, fields = set(self._pattern(dataset).groupindex), set(dataset.fields) - set(dataset.key)
            self._files(dataset)
            for problem, names in (("undeclared", groups - fields), ("missing", fields - groups)):
                drifts += [Drift(dataset.system, dataset.name, name, problem) for name in sorted(names)]
        return drifts

    def _files(self, dataset: Dataset) -> dict[str, Path]:
        """Files by the name that stands in record numbers."""
        files: dict[str, Path] = {}
        for path in self.access.files(dataset):
            name = Path(path.name.removesuffix(".gz")).stem
            if name in files:
                detail = f"{files[name].name} and {path.name} would share record numbers"
                raise ConnectorMisread(dataset.system, dataset.name, detail)
            files[name] = path
        return files

    # -- reading -----------------------------------------------------------------------------------------------

    def _lines(self, dataset: Dataset, path: Path) -> Iterator[tuple[int, bytes]]:
        """Raises ConnectorMisread where the file breaks off, after the last whole line."""
        number, broken = 0, ""
        if path.name.endswith(".gz") and not path.stat().st_size:  # gzip itself takes it for an empty log
            self._misread(dataset, path, 1, "the file is damaged or cut off (no gz header)")
        with path.open("rb") as plain:
            stream: BinaryIO | gzip.GzipFile = gzip.GzipFile(fileobj=plain) if path.name.endswith(".gz") else plain
            try:
                for number, line in enumerate(stream, 1):
                    yield number, line
            except _BROKEN as error:
                broken = type(error).__name__
        if broken:
            self._misread(dataset, path, number + 1, f"the file is damaged or cut off ({broken})")

    def _misread(self, dataset: Dataset, path: Path, line: int, words: str) -> None:
        raise ConnectorMisread(dataset.system, dataset.name, f"{path.name} line {line}: {words}")

    def _taken(
        self, dataset: Dataset, path: Path, number: int, line: bytes, pattern: re.Pattern[str]
    ) -> dict[str, Any]:
        try:
            text = line.rstrip(b"\r\n").decode(self._encoding(dataset))
        except UnicodeDecodeError:
            text = None
        if text is None:
            self._misread(dataset, path, number, f"is not {self._encoding(dataset)}")
        found = pattern.fullmatch(text or "")
        if found is None:
            self._misread(dataset, path, number, "has not the declared form")
        return found.groupdict() if found else {}

    def _matching(
        self, dataset: Dataset, path: Path, pattern: re.Pattern[str], values: frozenset[str]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Lines that hold one of the values, taken apart."""
        stat = path.stat()
        version = (str(path), stat.st_size, stat.st_mtime_ns)
        sound = version in self._sound
        encoded = [value.encode(self._encoding(dataset), "ignore") for value in values]
        hit = re.compile(b"|".join(map(re.escape, encoded)) or b"(?!)").search
        for number, line in self._lines(dataset, path):
            if hit(line):
                yield number, self._taken(dataset, path, number, line, pattern)
            elif not sound:
                self._taken(dataset, path, number, line, pattern)
        self._sound.add(version)

    def shares(self, dataset: Dataset) -> bool:
        """Every line is read anyway, and belongs to whoever it names."""
        return True

    # -- asking ------------------------------------------------------------------------------------------------

    def _locate(self, dataset: Dataset, asks: Sequence[Ask]) -> Iterator[Located]:
        """One pass over every file for all asks together."""
        pattern = self._agreeing(dataset)
        asked: dict[tuple[str, str], list[int]] = defaultdict(list)
        for place, ask in enumerate(asks):
            if ask.identifier is not None and ask.identifier.value:
                asked[dataset.ways[ask.way].locate, ask.identifier.value].append(place)
        groups = {group for group, _ in asked}
        values = frozenset(value for _, value in asked)
        waiting: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for name, path in self._files(dataset).items():
            for number, row in self._matching(dataset, path, pattern, values):
                row[dataset.key[0]] = f"{name}:{number}"
                for place in (p for group in groups for p in asked.get((group, row[group]), ())):
                    waiting[place].append(row)
                    if len(waiting[place]) == LIMIT:
                        yield from self._located(dataset, asks[place], waiting.pop(place))
        for place in sorted(waiting):
            yield from self._located(dataset, asks[place], waiting[place])

    def _located(self, dataset: Dataset, ask: Ask, rows: Sequence[dict[str, Any]]) -> Iterator[Located]:
        """Only rows inside the ask's interval: there is no WHERE that would have kept the others from leaving."""
        table = pa.Table.from_batches([_batch(dataset, rows)])
        if dataset.at is not None:
            try:
                stamps = instants(table.column(dataset.at.column), dataset.at.form, dataset.at.tz)
            except ValueError:
                stamps = None
            if stamps is None:
                detail = f"{dataset.at.column} is not of the form {dataset.at.form}"
                raise ConnectorMisread(dataset.system, dataset.name, detail)
            table = table.filter(within(stamps, ask.interval))
        if table.num_rows:
            yield Located(ask, table)

    def marked(self, dataset: Dataset, marks: Collection[str]) -> Iterator[tuple[str, str]]:
        """``dsr.connector.Placed``: every file is read to its end."""
        return self._guard(dataset, lambda: self._marked(dataset, marks))

    def _marked(self, dataset: Dataset, marks: Collection[str]) -> Iterator[tuple[str, str]]:
        pattern = self._agreeing(dataset)
        for name, path in self._files(dataset).items():
            for number, line in self._lines(dataset, path):
                found = self._taken(dataset, path, number, line, pattern)
                if (mark := line_mark([found[group] for group in sorted(found)])) in marks:
                    yield f"{name}:{number}", mark

    def _fetch(self, dataset: Dataset, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        pattern = self._agreeing(dataset)
        wanted = distinct_keys(keys, dataset)
        lines: dict[str, set[int]] = defaultdict(set)
        for key in wanted.column(0).to_pylist():
            name, _, number = str(key).rpartition(":")
            if number.isdecimal():
                lines[name].add(int(number))
        exactly = Exactly(dataset, wanted)
        for rows in chunks(self._rows(dataset, pattern, lines)):
            yield exactly.admit(_batch(dataset, rows))

    def _rows(self, dataset: Dataset, pattern: re.Pattern[str], lines: dict[str, set[int]]) -> Iterator[dict[str, Any]]:
        for name, path in self._files(dataset).items():
            last = max(lines[name], default=0) if name in lines else 0
            for number, line in self._lines(dataset, path) if last else ():
                if number in lines[name]:
                    yield {**self._taken(dataset, path, number, line, pattern), dataset.key[0]: f"{name}:{number}"}
                if number >= last:
                    break


def _batch(dataset: Dataset, rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    columns = Columns(dataset, list(dataset.fields))
    return columns.batch([[row[name] for name in dataset.fields] for row in rows])
