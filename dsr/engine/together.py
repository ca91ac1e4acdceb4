"""Collect many cases at once: each keeps its own steps, events and vault; where a store shares, one pass serves all.

Nothing crosses from case to case. What comes back is dealt out by the ask that it answers or by its key, and each case
records, judges and checks its share by tenure just as if it had asked alone. A pass that brings too much is taken in
halves; one that fails is taken apart, so that only the case that broke it is stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dsr.connector import Connector, Located, Shared
from dsr.engine import collecting
from dsr.engine.collecting import Wave, persist
from dsr.engine.office import Hold, Office
from dsr.errors import ConnectorMisread, ConnectorUnavailable
from dsr.inventory import Dataset
from dsr.rules.lifecycle import State
from dsr.store import Lease

AT_ONCE = 1_000
"""Cases in hand at a time."""
ROWS, KEYS = 500_000, 100_000
"""Located rows, and keys to fetch, of one pass: what is held in memory until it is dealt out."""
T = TypeVar("T")


class TooMuch(Exception):
    """A pass brought more than is held in memory."""


def collect_together(office: Office, case_nos: Sequence[str]) -> dict[str, State | Exception]:
    """The state that each case reached, or what stopped it: its failure or its being busy elsewhere stops no other."""
    numbers = list(dict.fromkeys(case_nos))
    ended: dict[str, State | Exception] = {}
    for start in range(0, len(numbers), AT_ONCE):
        with office.beating() as kept, Party(office, numbers[start : start + AT_ONCE], kept) as party:
            _collect(party)
        ended |= party.ended
    return {case_no: ended[case_no] for case_no in numbers}


class Party:
    """The cases in hand, and how those ended that no longer are."""

    def __init__(self, office: Office, case_nos: Sequence[str], kept: set[Lease]) -> None:
        self.office = office
        self.holds: dict[str, Hold] = {}
        self.ended: dict[str, State | Exception] = {}
        self._open: dict[str, ExitStack] = {}
        for case_no in case_nos:
            self._open[case_no] = ExitStack()
            try:
                self.holds[case_no] = self._open[case_no].enter_context(office.held(case_no, kept))
            except Exception as error:
                self.ended[case_no] = error

    def __enter__(self) -> Party:
        return self

    def __exit__(self, *_: object) -> None:
        for stack in self._open.values():
            stack.close()

    def each(self, step: Callable[[str, Hold], T], case_nos: Iterable[str] | None = None) -> dict[str, T]:
        """Do a step of each case in hand; one that fails is put down."""
        done = {}
        for case_no in list(self.holds if case_nos is None else case_nos):
            if case_no in self.holds:
                try:
                    done[case_no] = step(case_no, self.holds[case_no])
                except Exception as error:
                    self.end(case_no, error)
        return done

    def end(self, case_no: str, how: State | Exception) -> None:
        self.ended[case_no] = how
        del self.holds[case_no]
        try:
            self._open.pop(case_no).close()
        except Exception as error:
            self.ended[case_no] = error


def _collect(party: Party) -> None:
    party.each(lambda _, hold: collecting.begin(hold))
    look = _Look()
    party.each(lambda _, hold: collecting.check(hold, look))
    datasets, going = list(party.office.inventory.datasets()), list(party.holds)
    while going:
        waves = {no: wave for no, wave in party.each(lambda _, hold: collecting.next_wave(hold), going).items() if wave}
        for dataset in datasets:
            _locate(party, dataset, {no: wave for no, wave in waves.items() if dataset.id in wave.asks})
        party.each(lambda no, hold: collecting.match(hold, waves[no]), waves)  # noqa: B023 - called here and now
        going = list(waves)
    wanted = party.each(lambda _, hold: collecting.to_fetch(hold))
    for dataset in datasets:
        _fetch(party, dataset, [no for no, names in wanted.items() if dataset.id in names])
    for case_no, state in party.each(lambda _, hold: collecting.settle(hold)).items():
        party.end(case_no, state)


class _Look:
    """What the schemas of a system that shares look like now, looked at once for all."""

    def __init__(self) -> None:
        self._seen: dict[str, Mapping[str, Any]] = {}

    def __call__(self, system: str, connector: Connector) -> Mapping[str, Any]:
        if not isinstance(connector, Shared):
            return collecting.drifts(connector)
        if system not in self._seen:
            self._seen[system] = collecting.drifts(connector)
        return self._seen[system]


# -- one pass for all ----------------------------------------------------------------------------------------------

Pass = Callable[[Sequence[str]], Mapping[str, Sequence[T]]]
Told = Callable[[str, Hold, Iterable[T] | None], object]
"""Does a case's own step with its share; with None it asks alone."""


def _shares(party: Party, dataset: Dataset, case_nos: Sequence[str]) -> bool:
    if len(case_nos) < 2:
        return False
    connector = party.holds[case_nos[0]].connectors[dataset.system]
    return isinstance(connector, Shared) and connector.shares(dataset)


def _together(party: Party, case_nos: Sequence[str], ask: Pass[T], told: Told[T]) -> None:
    going = [case_no for case_no in case_nos if case_no in party.holds]
    if len(going) < 2:
        party.each(lambda no, hold: told(no, hold, None), going)
        return

    def step(last: bool) -> Mapping[str, Iterable[T]]:
        try:
            return ask(going)
        except ConnectorUnavailable as error:
            if not last:
                raise
            return {case_no: _silent(error) for case_no in going}

    try:
        found = persist(party.office, step)
    except TooMuch:
        for half in (going[: len(going) // 2], going[len(going) // 2 :]):
            _together(party, half, ask, told)
    except Exception:  # one case's key or number may have broken it: alone, it breaks nobody else
        party.each(lambda no, hold: told(no, hold, None), going)
    else:
        party.each(lambda no, hold: told(no, hold, found[no]), going)


def _silent(error: ConnectorUnavailable) -> Iterator[Any]:
    raise error
    yield


def _locate(party: Party, dataset: Dataset, waves: Mapping[str, Wave]) -> None:
    def alone(no: str, hold: Hold, answers: Iterable[Located] | None) -> None:
        if answers is None:
            persist(party.office, lambda last: collecting.locate(hold, waves[no], dataset.id, last))
        else:
            collecting.locate(hold, waves[no], dataset.id, True, answers)

    def ask(case_nos: Sequence[str]) -> Mapping[str, Sequence[Located]]:
        owners = {id(ask): no for no in case_nos for ask in waves[no].asks[dataset.id]}
        asks = [ask for no in case_nos for ask in waves[no].asks[dataset.id]]
        found: dict[str, list[Located]] = {no: [] for no in case_nos}
        rows = 0
        connector = party.holds[case_nos[0]].connectors[dataset.system]
        for located in connector.locate(dataset, asks):
            rows += located.rows.num_rows
            if rows > ROWS:
                raise TooMuch
            found[owners[id(located.ask)]].append(located)
        return found

    steps = {no: collecting.locate_step(wave, dataset.id) for no, wave in waves.items()}
    done = party.each(lambda no, hold: hold.result(steps[no].step_key), waves)
    fresh = [no for no, result in done.items() if result is None]
    if _shares(party, dataset, fresh):
        party.each(lambda no, hold: hold.record(steps[no]), fresh)
        _together(party, fresh, ask, alone)
    else:
        party.each(lambda no, hold: alone(no, hold, None), fresh)


# -- fetch -----------------------------------------------------------------------------------------------------


def _fetch(party: Party, dataset: Dataset, case_nos: Sequence[str]) -> None:
    def alone(_: str, hold: Hold, brought: Iterable[pa.RecordBatch] | None) -> None:
        if brought is None:
            persist(party.office, lambda last: collecting.fetch(hold, dataset.id, last))
        else:
            collecting.fetch(hold, dataset.id, True, brought)

    def ask(some: Sequence[str]) -> Mapping[str, Sequence[pa.RecordBatch]]:
        keys = {no: collecting.matched_keys(party.holds[no], dataset) for no in some}
        return _dealt(dataset, party.holds[some[0]].connectors[dataset.system], keys)

    def look(_: str, hold: Hold) -> int:
        """How many keys there are to fetch that were not fetched yet; none where the case has no need of others."""
        keys = collecting.matched_keys(hold, dataset)
        step = collecting.fetch_step(hold, dataset, keys)
        fresh = 0 < keys.num_rows <= KEYS and hold.result(step.step_key) is None
        if fresh and shared:
            hold.record(step)
        return keys.num_rows if fresh else 0

    shared = _shares(party, dataset, case_nos)
    sizes = party.each(look, case_nos)
    party.each(lambda no, hold: alone(no, hold, None), [no for no, size in sizes.items() if not size or not shared])
    for some in _passes({no: size for no, size in sizes.items() if size and shared}):
        _together(party, some, ask, alone)


def _passes(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Cases in order, as many at a time as bring at most ``KEYS`` rows."""
    some: list[str] = []
    held = 0
    for case_no, size in sizes.items():
        if some and held + size > KEYS:
            yield some
            some, held = [], 0
        some.append(case_no)
        held += size
    if some:
        yield some


def _dealt(dataset: Dataset, connector: Connector, keys: Mapping[str, pa.Table]) -> dict[str, Sequence[pa.RecordBatch]]:
    """One fetch of all keys, each row given to the cases that have its very key, in the order in which it came."""
    names, cases = list(dataset.key), list(keys)
    asked = pa.concat_tables([table.select(names) for table in keys.values()], promote_options="permissive")
    owners = np.repeat(np.arange(len(cases)), [table.num_rows for table in keys.values()])
    dealt: dict[str, list[pa.RecordBatch]] = {case_no: [] for case_no in cases}
    deal = None
    for batch in connector.fetch(dataset, asked):
        deal = deal or _Deal(dataset, asked.cast(pa.schema([batch.schema.field(name) for name in names])), owners)
        for owner, rows in deal.of(batch):
            dealt[cases[owner]].append(rows)
    return {case_no: _joined(parts) for case_no, parts in dealt.items()}


def _joined(parts: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """In as few batches as a fetch of these rows alone would have given."""
    if not parts:
        return []
    return list(pa.Table.from_batches(parts).combine_chunks().to_batches(max_chunksize=65_536))


class _Deal:
    """Whose each key is. Keys are compared whole and not by a hash: a wrong owner would be somebody else's row."""

    def __init__(self, dataset: Dataset, keys: pa.Table, owners: np.ndarray[Any, Any]) -> None:
        self._dataset = dataset
        words = _words(keys, dataset.key)
        self._known = pc.unique(words)
        place = pc.index_in(words, value_set=self._known).to_numpy(zero_copy_only=False)
        pairs = np.unique(np.stack([place, owners]), axis=1)
        self._owners, self._starts = pairs[1], np.searchsorted(pairs[0], np.arange(len(self._known) + 1))

    def of(self, batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
        found = pc.index_in(_words(batch, self._dataset.key), value_set=self._known)
        if found.null_count:
            raise ConnectorMisread(self._dataset.system, self._dataset.name, "rows that were not asked for")
        place = found.to_numpy(zero_copy_only=False)
        starts, counts = self._starts[place], self._starts[place + 1] - self._starts[place]
        rows = np.repeat(np.arange(len(place)), counts)
        nth = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        owners = self._owners[np.repeat(starts, counts) + nth]
        order = np.argsort(owners, kind="stable")
        there, first = np.unique(owners[order], return_index=True)
        for owner, part in zip(there, np.split(rows[order], first[1:]), strict=False):
            yield int(owner), batch.take(pa.array(part))


def _words(rows: pa.Table | pa.RecordBatch, key: Sequence[str]) -> pa.Array:
    """Each row's key as one text that no other key has: NULL is not blank, and no value can look like two."""
    plus, none, null, between = (pa.scalar(word, pa.large_string()) for word in ("+", "", "-", "\x1f|"))
    texts: list[Any] = []
    for name in key:
        column = rows.column(name)
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        text = pc.replace_substring(column.cast(pa.large_string()), "\x1f", "\x1f_")
        texts.append(pc.fill_null(pc.binary_join_element_wise(plus, text, none), null))
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, between)
