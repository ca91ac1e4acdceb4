"""The replay journal: what was to be erased, kept in a second place so that a restored store can be put right again.

Every intent of erasing is appended here, sealed and on the disk, *before* the effect (architecture.md, Replay). One
file per case, under a key of its own that dies when the last backup that could bring the data back has expired; the
vault of the case may be gone long before.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dsr.errors import Conflict, Sealed

Said = Mapping[str, Any]


@dataclass(frozen=True)
class Intent:
    """What one step meant to do. ``at``: the original instant (ISO). ``keys`` and ``values`` as in ``dsr.plan.Plan``.

    ``before``, of a correction: what the columns of ``values`` said then. A record that says anything else by now was
    changed by somebody since, and is not set back.
    """

    case_no: str
    dataset: str
    digest: str
    at: str
    keys: pa.Table
    values: pa.Table | None = None
    before: pa.Table | None = None


class Journal:
    """``folder``: where the lines are; ``keys``: where their keys are. Both outside every store that is restored."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self._folder, self._keys = folder, keys

    def __repr__(self) -> str:
        return "Journal()"

    def append(self, intent: Intent) -> None:
        """Returns once the line is on the disk. The same intent twice is one (a resumed run)."""
        with self._alone(intent.case_no):
            if any((i.dataset, i.digest) == (intent.dataset, intent.digest) for i in self.of_case(intent.case_no)):
                return
            nonce = secrets.token_bytes(12)
            head = {"case": intent.case_no, "dataset": intent.dataset, "digest": intent.digest, "at": intent.at}
            tables = {"keys": intent.keys, "values": intent.values, "before": intent.before}
            body = {name: None if table is None else _table(table) for name, table in tables.items()}
            key = self._key(intent.case_no, make=True)
            sealed = AESGCM(key).encrypt(nonce, json.dumps(body).encode(), _bound(head))
            line = json.dumps({**head, "sealed": base64.b64encode(nonce + sealed).decode()}) + "\n"
            self._write(self._file(intent.case_no), line.encode())

    @contextmanager
    def _alone(self, case_no: str) -> Iterator[None]:
        """One that slept past its lease in the midst of it must not repeat, nor cut off, what its successor wrote."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self._file(case_no), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise Conflict(f"{case_no}: another process is writing its journal; wait until it ends") from None
        finally:
            os.close(handle)

    def of_case(self, case_no: str) -> list[Intent]:
        """Raises Sealed for a line that does not open. A torn last line is one whose effect never began."""
        path = self._file(case_no)
        if not path.exists() or not path.stat().st_size:
            return []
        key = self._key(case_no)
        return [_opened(case_no, key, line) for line in path.read_bytes().split(b"\n")[:-1]]

    def cases(self) -> list[str]:
        """Cases whose journal can still be replayed."""
        return sorted(p.stem for p in self._folder.glob("*.jsonl") if self._key_file(p.stem).exists())

    def intents(self) -> Iterator[Intent]:
        for case_no in self.cases():
            yield from self.of_case(case_no)

    def forget(self, case_no: str) -> None:
        """No backup holds the data any more: the key dies, then the lines. Safe to call twice."""
        for path in (self._key_file(case_no), self._file(case_no)):
            path.unlink(missing_ok=True)
            _sync(path.parent)

    def _file(self, case_no: str) -> Path:
        return self._folder / f"{case_no}.jsonl"

    def _key_file(self, case_no: str) -> Path:
        return self._keys / f"{case_no}.key"

    def _key(self, case_no: str, make: bool = False) -> bytes:
        path = self._key_file(case_no)
        if make and not path.exists():
            part = path.with_suffix(".part")
            part.unlink(missing_ok=True)  # of a kill: nothing was sealed under it
            self._write(part, secrets.token_bytes(32))
            part.replace(path)
            _sync(path.parent)
        try:
            key = path.read_bytes()
        except OSError:
            key = b""
        if len(key) != 32:
            raise Sealed(f"journal of {case_no}: its key is missing or damaged; restore the keys folder")
        return key

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            _drop_torn_end(path, handle)
            with open(handle, "ab", closefd=False) as file:
                file.write(data)
            os.fsync(handle)
        finally:
            os.close(handle)
        _sync(path.parent)


def _drop_torn_end(path: Path, handle: int) -> None:
    """A line that a kill or a full disk cut off would run into the next one."""
    if path.suffix == ".jsonl":
        whole = path.read_bytes().rfind(b"\n") + 1
        os.ftruncate(handle, whole)


def _sync(folder: Path) -> None:
    if folder.is_dir():
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _bound(head: Said) -> bytes:
    return json.dumps(head, sort_keys=True).encode()


def _table(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return base64.b64encode(sink.getvalue().to_pybytes()).decode()


def _read(written: str) -> pa.Table:
    return pa.ipc.open_stream(base64.b64decode(written)).read_all()


def _opened(case_no: str, key: bytes, written: bytes) -> Intent:
    try:
        line = json.loads(written)
        head = {name: line[name] for name in ("case", "dataset", "digest", "at")}
        raw = base64.b64decode(line["sealed"])
        body = json.loads(AESGCM(key).decrypt(raw[:12], raw[12:], _bound(head)))
    except (ValueError, KeyError, TypeError, InvalidTag):  # whose words may quote the line
        body = None
    if body is None:
        raise Sealed(f"journal of {case_no}: a line was changed or belongs elsewhere")
    values, before = (_read(body[name]) if body.get(name) else None for name in ("values", "before"))
    return Intent(head["case"], head["dataset"], head["digest"], head["at"], _read(body["keys"]), values, before)
