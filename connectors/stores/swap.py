"""A file takes another's place: crash-safe, journalled, and never over a version that nobody looked at (limits.md §4).

intent (the old version, records by case) → temp file beside it → fsync → read back and checked → intent of the swap
(the new version) → the old one is still the pinned version → rename → fsync of the folder → results. Temp files hold
personal data: 0600, gone with the draft, and swept where a kill left them. What is kept: mode, owner, attributes. The
time of the file moves on by one second: who compares times sees a change, who deletes by age still counts from then.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.stores.access import identity
from dsr.errors import CheckFailed, ConnectorRefused, ConnectorUnavailable
from dsr.inventory import Dataset
from dsr.plan import Effects, Plan, Receipt

TOGETHER = 2
"""Files that are rewritten at once; the journal is kept by one thread, in the order of the files."""
WAITS = 240
"""Quarters of a second for which another's rewrite of the same file is waited for."""
LATER = 1_000_000_000
_TEMP = re.compile(r"\.dsr-[0-9a-f]{16}\.part")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
Counts = Mapping[str, int]


@dataclass(frozen=True)
class Rewrite:
    """Of one file. ``looked``: its identity when the records were found in it. ``records``: how many of each
    plan it holds; ``plans``: one digest of them all. ``make`` writes the new file and says what it kept; ``check``
    raises CheckFailed unless every row that nobody planned is there as it was, in its order, and every planned one is
    gone or as it shall be."""

    dataset: Dataset
    path: Path
    place: str
    looked: str
    records: Counts
    plans: str
    make: Callable[[Path, Path], Mapping[str, Any]] = field(repr=False)
    check: Callable[[Path, Path], None] = field(repr=False)


def labels(plans: Sequence[Plan]) -> list[str]:
    """What each plan is called in the journal: its case, numbered from the second plan of one case on."""
    met: Counter[str] = Counter()
    names = []
    for plan in plans:
        met[plan.case_no] += 1
        names.append(plan.case_no + (f"#{met[plan.case_no]}" if met[plan.case_no] > 1 else ""))
    return names


def digest_of(plans: Sequence[Plan]) -> str:
    """One for all: the approved plans' own stand in each case's log."""
    told = zip(labels(plans), plans, strict=True)
    return hashlib.sha256("\n".join(f"{name} {plan.digest}" for name, plan in told).encode()).hexdigest()


def receipts(plans: Sequence[Plan], done: Iterable[Counts]) -> list[Receipt]:
    """What is planned and was changed nowhere was in none of the files: they have all been looked through."""
    counts = list(done)
    changed = [sum(one.get(label, 0) for one in counts) for label in labels(plans)]
    return [
        Receipt(plan.case_no, plan.dataset.id, plan.records, count, plan.records - count)
        for plan, count in zip(plans, changed, strict=True)
    ]


# -- versions ------------------------------------------------------------------------------------------------------


def _said(path: Path, stat: os.stat_result) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": digest}


def _synced(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def sweep(folders: Iterable[Path]) -> int:
    """Remove temp files whose process is gone: nobody holds their lock; how many."""
    swept = 0
    for folder in sorted(set(folders)):
        for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
            if _TEMP.fullmatch(entry.name):
                swept += _swept(entry)
    return swept


def _swept(entry: Path) -> bool:
    with suppress(OSError):
        opened = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            entry.unlink()
            return True
        finally:
            os.close(opened)
    return False


# -- after a kill --------------------------------------------------------------------------------------------------


def settled(path: Path, place: str, effects: Effects) -> Counts | None:
    """Records by plan that were changed here, also by a run that did not live to say so; None: still to be done.

    Raises CheckFailed where the file is neither what it was nor what it was to become.
    """
    said, swap = effects.begun(place), f"{place}:swap"
    if said is None:
        ended = effects.ended(place)
        return None if ended is None or ended.get("discarded") else dict(ended["records"])
    now = _said(path, path.stat()) if path.exists() else {"sha256": None}
    begun = effects.begun(swap)
    new = begun or effects.ended(swap) or {}
    if now["sha256"] and now["sha256"] == new.get("sha256"):
        _synced(path.parent)
        return _recorded(place, said["records"], begun, effects)
    if now == {name: said[name] for name in ("size", "mtime_ns", "sha256")}:
        return None
    if begun is not None:
        raise CheckFailed(
            f"{place}: is neither the file that was to be rewritten nor what it was to become; somebody changed it "
            "after a kill: compare it with its back-up, then collect the case again"
        )
    effects.done(place, {"discarded": True, "records": {}})  # only a temp file had been written
    return None


def _recorded(place: str, records: Counts, swap: Mapping[str, Any] | None, effects: Effects) -> Counts:
    if swap is not None:
        effects.done(f"{place}:swap", {"sha256": swap["sha256"], "size": swap["size"]})
    effects.done(place, {"records": dict(records)})
    return dict(records)


# -- one file ------------------------------------------------------------------------------------------------------


class Draft:
    """A rewrite under way: the old file is held, so that of two processes one waits; the new one lies beside it."""

    def __init__(self, rewrite: Rewrite, effects: Effects, sleep: Callable[[float], None]) -> None:
        self.rewrite, self._effects = rewrite, effects
        self._old = rewrite.path.open("rb")
        self._temp: Path | None = None
        self._lock: int | None = None
        self.work: Future[Mapping[str, Any]] | None = None
        try:
            self._hold(sleep)
            self._stat = os.fstat(self._old.fileno())
            self._may_begin()
            self._said = _said(rewrite.path, self._stat)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._old.close()
        if self._temp is not None:
            self._temp.unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
        self._temp = self._lock = None

    def _hold(self, sleep: Callable[[float], None]) -> None:
        for _ in range(WAITS):
            with suppress(BlockingIOError):
                fcntl.flock(self._old, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            sleep(0.25)
        raise self._unavailable("is being rewritten by another process")

    def _unavailable(self, words: str) -> ConnectorUnavailable:
        dataset = self.rewrite.dataset
        return ConnectorUnavailable(dataset.system, dataset.name, f"{self.rewrite.path.name} {words}")

    def _may_begin(self) -> None:
        if identity(self._stat) != self.rewrite.looked or not self._there():
            raise self._unavailable("changed while it was rewritten")
        if self._stat.st_nlink > 1:
            dataset = self.rewrite.dataset
            detail = f"{self.rewrite.path.name} has a second name (hard link), under which everything would stay"
            raise ConnectorRefused(dataset.system, dataset.name, detail)
        with self._quiet():
            pass

    def _there(self) -> bool:
        """Whether the path still leads to the very file that is held, untouched since."""
        with suppress(FileNotFoundError):
            return identity(self.rewrite.path.stat()) == identity(self._stat)
        return False

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Nobody writes the file: a line added to a file that was replaced would be lost. Who opens it to write waits
        until the swap is over. Where the file system knows no leases, nobody can tell."""
        held = self._old.fileno()
        try:
            fcntl.fcntl(held, fcntl.F_SETSIG, signal.SIGURG)  # ignored by default; the kernel's own word would end us
            fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                raise self._unavailable("is open for writing") from None
        try:
            yield
        finally:
            with suppress(OSError):
                fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    def intend(self) -> None:
        one = self.rewrite
        self._effects.intend(one.place, {**self._said, "records": dict(one.records), "plans": one.plans})

    def write(self) -> Mapping[str, Any]:
        """The new file, on the disk and proved; what is said of it. Journals nothing: runs beside others."""
        one = self.rewrite
        self._temp = one.path.with_name(f".dsr-{secrets.token_hex(8)}.part")
        self._lock = os.open(self._temp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            kept = one.make(one.path, self._temp)
            os.fsync(self._lock)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise self._unavailable("has no room to be rewritten: free space where it lies") from None
        one.check(one.path, self._temp)
        new = _said(self._temp, os.fstat(self._lock))
        if new["sha256"] == self._said["sha256"]:
            raise CheckFailed(f"{one.place}: holds planned records and was written anew without any change")
        return {**new, "mtime_ns": self._stat.st_mtime_ns + LATER, "mode": f"{self._stat.st_mode & 0o7777:o}", **kept}

    def swap(self) -> Counts:
        """Raises ConnectorUnavailable, the file as it is, where it is no longer the pinned version."""
        assert self.work is not None
        new, one = self.work.result(), self.rewrite
        assert self._temp is not None and self._lock is not None
        self._effects.intend(f"{one.place}:swap", {**new, "records": dict(one.records)})
        try:
            with self._quiet():
                if not self._there() or _said(one.path, self._stat) != self._said:
                    raise self._unavailable("changed while it was rewritten")
                self._keep(self._temp, self._lock)
                os.replace(self._temp, one.path)  # noqa: PTH105 - the call that limits.md §4 speaks of
                self._temp = None
                _synced(one.path.parent)
        except ConnectorUnavailable:
            self._effects.done(f"{one.place}:swap", {"discarded": True})
            self._effects.done(one.place, {"discarded": True, "records": {}})
            raise
        return _recorded(one.place, one.records, new, self._effects)

    def _keep(self, temp: Path, lock: int) -> None:
        now = os.fstat(lock)
        if (now.st_uid, now.st_gid) != (self._stat.st_uid, self._stat.st_gid):
            os.chown(temp, self._stat.st_uid, self._stat.st_gid)
        shutil.copystat(self.rewrite.path, temp)
        os.utime(temp, ns=(self._stat.st_atime_ns, self._stat.st_mtime_ns + LATER))
        os.fsync(lock)


def carry_out(rewrites: Iterable[Rewrite], effects: Effects, sleep: Callable[[float], None]) -> list[Counts]:
    """Every rewrite to its end, or the first error: what was swapped by then stays so, and is journalled."""
    drafts: deque[Draft] = deque()
    done: list[Counts] = []

    def finish() -> None:
        done.append(drafts[0].swap())
        drafts.popleft().close()

    try:
        with ThreadPoolExecutor(TOGETHER) as pool:
            for rewrite in rewrites:
                drafts.append(Draft(rewrite, effects, sleep))
                drafts[-1].intend()
                drafts[-1].work = pool.submit(drafts[-1].write)
                if len(drafts) == TOGETHER:
                    finish()
            while drafts:
                finish()
    finally:
        for draft in drafts:
            draft.close()
    return done
