"""The replay journal: on the disk before the effect, sealed, whole lines only, and forgotten when its key dies."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from dsr import journal as journals
from dsr.errors import Conflict, Sealed
from dsr.journal import Intent, Journal

CASE, OTHER = "DSR-2026-000001", "DSR-2026-000002"
KEYS = pa.table({"line_no": ["092-000-1001", "0", ""], "seq": pa.array([0, 1, None], pa.int64())})


def intent(case_no: str = CASE, dataset: str = "billing.invoices", digest: str = "d") -> Intent:
    return Intent(case_no, dataset, digest, "2026-11-22T09:00:00+09:00", KEYS, pa.table({"note": [None, "x", ""]}))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal", tmp_path / "keys")


def test_what_was_meant_comes_back_as_it_was_and_once(journal: Journal) -> None:
    journal.append(intent())
    journal.append(intent())  # a run that was killed right after, and again
    journal.append(intent(dataset="billing.payments"))
    journal.append(intent(OTHER))
    found = journal.of_case(CASE)
    assert [i.dataset for i in found] == ["billing.invoices", "billing.payments"]
    assert found[0].keys.equals(KEYS)
    assert found[0].values is not None
    assert found[0].values.column("note").to_pylist() == [None, "x", ""]
    assert journal.cases() == [CASE, OTHER]


def test_what_a_correction_found_comes_back_and_an_older_line_without_it_opens(journal: Journal, tmp_path: Path) -> None:
    said = pa.table({"note": ["a", None, "c"]})
    journal.append(replace(intent(), before=said))
    journal.append(intent(OTHER))
    assert [found.before and found.before.equals(said) for found in journal.intents()] == [True, None]
    assert b'"before"' not in next((tmp_path / "journal").iterdir()).read_bytes()


def test_nothing_personal_stands_in_the_clear(journal: Journal, tmp_path: Path) -> None:
    journal.append(intent())
    [file] = (tmp_path / "journal").iterdir()
    assert b"1001" not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    assert all(key.stat().st_mode & 0o077 == 0 for key in (tmp_path / "keys").iterdir())


def test_a_torn_last_line_is_an_effect_that_never_began(journal: Journal, tmp_path: Path) -> None:
    journal.append(intent())
    [file] = (tmp_path / "journal").iterdir()
    with file.open("ab") as out:
        out.write(b'{"case": "DSR-2026-0000')
    assert [i.dataset for i in journal.of_case(CASE)] == ["billing.invoices"]
    journal.append(intent(dataset="billing.payments"))
    assert [i.dataset for i in journal.of_case(CASE)] == ["billing.invoices", "billing.payments"]


def test_a_changed_or_moved_line_is_seen(journal: Journal, tmp_path: Path) -> None:
    journal.append(intent())
    file = tmp_path / "journal" / f"{CASE}.jsonl"
    line = json.loads(file.read_text())
    changes = ({"dataset": "billing.payments"}, {"at": "2020-01-01"}, {"case": OTHER}, {"sealed": "x"}, {"sealed": 1})
    touched = [json.dumps({**line, **change}) for change in changes]
    for text in (*touched, json.dumps({"case": CASE}), "[]", "{", "", f"\n{json.dumps(line)}"):
        file.write_text(text + "\n")
        with pytest.raises(Sealed, match=f"journal of {CASE}: a line was changed"):
            journal.of_case(CASE)
    file.write_text(json.dumps(line) + "\n")
    assert [i.dataset for i in journal.of_case(CASE)] == ["billing.invoices"]


def test_forgotten_means_no_key_and_no_line_and_the_neighbours_stays(journal: Journal, tmp_path: Path) -> None:
    journal.append(intent())
    journal.append(intent(OTHER))
    journal.forget(CASE)
    journal.forget(CASE)
    assert journal.cases() == [OTHER]
    assert len(journal.of_case(OTHER)) == 1
    assert not list(tmp_path.rglob(f"{CASE}*"))


def test_without_its_key_it_does_not_open(journal: Journal, tmp_path: Path) -> None:
    journal.append(intent())
    (tmp_path / "keys" / f"{CASE}.key").unlink()
    with pytest.raises(Sealed, match="key is missing"):
        journal.of_case(CASE)
    journal.append(intent(OTHER))
    assert journal.cases() == [OTHER]  # what cannot be opened cannot be replayed
    assert [i.case_no for i in journal.intents()] == [OTHER]


def test_it_returns_once_lines_keys_and_their_names_are_on_the_disk(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[Path, int]] = []

    def fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        synced.append((path, path.stat().st_size if path.is_file() else 0))
        real(handle)

    real = os.fsync
    monkeypatch.setattr("os.fsync", fsync)
    assert journal.cases() == []  # of folders that are not there yet
    opened = len([*Path("/proc/self/fd").iterdir()])
    journal.append(intent())
    line = tmp_path / "journal" / f"{CASE}.jsonl"
    assert {path.parent for path, size in synced if size} == {line.parent, tmp_path / "keys"}
    assert (line, line.stat().st_size) in synced, "whole, and not before it was written"
    assert {line.parent, tmp_path / "keys"} < {path for path, _ in synced}
    synced.clear()
    journal.forget(CASE)
    assert [path for path, _ in synced] == [tmp_path / "keys", line.parent], "the key dies first"
    assert len([*Path("/proc/self/fd").iterdir()]) == opened


def test_two_that_write_one_cases_journal_at_once_are_told_and_the_others_case_is_free(journal: Journal, tmp_path: Path) -> None:
    journal.append(intent())
    with (tmp_path / "journal" / f"{CASE}.jsonl").open("rb") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        with pytest.raises(Conflict):
            journal.append(intent(digest="e"))
        journal.append(intent(OTHER))
    journal.append(intent(digest="e"))
    assert [found.digest for found in journal.of_case(CASE)] == ["d", "e"]


def test_half_a_key_that_a_kill_left_is_none(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / f"{CASE}.part").write_bytes(b"\0" * 7)
    journal.append(intent())
    assert [found.digest for found in journal.of_case(CASE)] == ["d"]


def test_the_keys_folder_is_on_the_disk_before_a_line_is_sealed_under_it(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, bool]] = []
    keys, lines = tmp_path / "keys", tmp_path / "journal" / f"{CASE}.jsonl"
    real = journals._sync
    monkeypatch.setattr(journals, "_sync", lambda path: (told.append((path.name, lines.stat().st_size > 0)), real(path)))
    journal.append(intent())
    assert ("keys", False) in told[told.index(next(one for one in told if one[0] == "keys")) :]
    assert (keys / f"{CASE}.key").exists()
    renamed = [one for one in told if one == ("keys", False)]
    assert len(renamed) >= 2, "once for the part, once for its name"


def test_a_journal_that_nobody_wrote_yet_has_no_cases(tmp_path: Path) -> None:
    assert Journal(tmp_path / "nowhere", tmp_path / "keys").cases() == []
