"""What every store does alike: no foreign exception, and no value in one, ever leaves a connector."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TypeVar

import pyarrow as pa

from connectors.stores.access import Access
from dsr.connector import Ask, Drift, Located
from dsr.errors import BadInput, ConnectorError, ConnectorMisread, ConnectorRefused, ConnectorUnavailable, DsrError
from dsr.inventory import Dataset

T = TypeVar("T")
Fault = tuple[type[Exception], type[ConnectorError], str]

FILES: tuple[Fault, ...] = (
    (PermissionError, ConnectorRefused, "no permission"),
    (OSError, ConnectorUnavailable, "cannot be reached"),
    (EOFError, ConnectorMisread, "ends in the middle"),
    (UnicodeError, ConnectorMisread, "is not in the declared encoding"),
)
"""Of files and sockets; first match wins."""


class Guarded:
    """The public face of a store around ``_check``, ``_locate`` and ``_fetch``, which may raise anything.

    What leaves is a DsrError without cause, context or inner frames: a driver's message, and its frames' locals,
    quote the statement and the row. What no table knows is ``misread``: better stopped than half read.
    """

    faults: tuple[Fault, ...] = FILES

    def __init__(self, access: Access) -> None:
        self.access = access

    def __repr__(self) -> str:
        return f"<{self.access.system.name}: {self.access.system.store}>"

    def check(self) -> list[Drift]:
        return next(self._guard(None, lambda: iter([self._check()])))

    def locate(self, dataset: Dataset, asks: Sequence[Ask]) -> Iterator[Located]:
        return self._guard(dataset, lambda: self._locate(dataset, asks))

    def fetch(self, dataset: Dataset, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        return self._guard(dataset, lambda: self._fetch(dataset, keys))

    def _check(self) -> list[Drift]:
        raise NotImplementedError

    def _locate(self, dataset: Dataset, asks: Sequence[Ask]) -> Iterator[Located]:
        raise NotImplementedError

    def _fetch(self, dataset: Dataset, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        raise NotImplementedError

    def _coded(self, error: Exception) -> tuple[type[ConnectorError], str]:
        """The coded error of a foreign exception, and its words."""
        for kind, coded, words in self.faults:
            if isinstance(error, kind):
                return coded, words
        return ConnectorMisread, "cannot be read"

    def _plain(self, error: Exception, dataset: Dataset | None) -> DsrError:
        if isinstance(error, DsrError):
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)
        coded, words = self._coded(error)
        return coded(self.access.system.name, dataset.name if dataset else None, f"{words} ({type(error).__name__})")

    def _guard(self, dataset: Dataset | None, start: Callable[[], Iterator[T]]) -> Iterator[T]:
        failure: DsrError | None = None
        with closing(_steps(start)) as steps:
            while failure is None:
                try:
                    item = next(steps)
                except StopIteration:
                    return
                except Exception as error:
                    failure = self._plain(error, dataset)
                else:
                    yield item
        raise failure  # outside the except block, or Python would hang the foreign exception on as __context__


def places_of(dataset: Dataset, look: Callable[[Dataset], Iterable[tuple[str, str]]]) -> list[tuple[str, str]]:
    """Places and problems of one dataset, each once; a statement that cannot be used is one, and hides no other's."""
    try:
        return list(dict.fromkeys(look(dataset)))
    except BadInput as error:
        wrong = error
    return [(wrong.field.removeprefix(f"{dataset.id}."), f"{wrong.problem} → {wrong.fix}")]


def _steps(start: Callable[[], Iterator[T]]) -> Generator[T, None, None]:
    yield from start()
