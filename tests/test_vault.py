"""What is sealed stays sealed: without the key nothing opens, and nothing changed, cut or moved opens as whole."""

from __future__ import annotations

import base64
import csv
import errno
import fcntl
import io
import os
import shutil
import stat
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dsr.errors import BadInput, Conflict, DsrError, Sealed
from dsr.vault import CHUNK, TAG, CaseVault, Keys, Vault

MARKER = "髙橋 花子 092-000-1001"
CASE = "R8-0001"
HEADER = 27


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault", Keys.create(tmp_path / "keys"))


@pytest.fixture
def case(vault: Vault) -> CaseVault:
    return vault.case(CASE, create=True)


def folder(tmp_path: Path) -> Path:
    return tmp_path / "vault" / CASE


def stored(tmp_path: Path, name: str) -> Path:
    return folder(tmp_path) / "objects" / name


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def everything(root: Path) -> bytes:
    return b"\n".join(str(path).encode() + b"\n" + path.read_bytes() for path in files(root))


def forms(value: str) -> list[bytes]:
    raw = value.encode()
    return [raw, value.encode("utf-16-le"), value.encode("cp932"), raw.hex().encode(),
            *[base64.b64encode(b"x" * pad + raw)[pad + 1 : -4] for pad in range(3)]]


# -- keys
def test_keys_come_back_as_they_were_made_and_are_their_owners_only(tmp_path: Path) -> None:
    made, loaded = Keys.create(tmp_path / "keys"), Keys.load(tmp_path / "keys")
    assert (made.master, made.public_key) == (loaded.master, loaded.public_key)
    assert len(made.master) == len(made.public_key) == 32
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert [(path.name, stat.S_IMODE(path.stat().st_mode)) for path in files(tmp_path)] == [("keys.json", 0o600)]
    assert made.master.hex() not in repr(made) and str(made.master) not in repr(made)


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    first = Keys.create(tmp_path)
    with pytest.raises(Conflict, match="never overwritten"):
        Keys.create(tmp_path)
    assert Keys.load(tmp_path).master == first.master
    assert len(files(tmp_path)) == 1


LONG = base64.b64encode(bytes(32)).decode()
SHORT = [f'{{"format":"{form}","master":"{master}","log":"{log}"}}'.encode() for form, master, log in
         (("dsr-keys/1", "AA==", LONG), ("dsr-keys/1", LONG, "AA=="), ("dsr-keys/2", LONG, LONG))]


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]", b"\xff", *SHORT])
def test_without_whole_keys_nothing_opens(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "keys.json").write_bytes(content)
        (tmp_path / "keys.json").chmod(0o600)
    with pytest.raises(Sealed, match="no key → nothing opens"):
        Keys.load(tmp_path)


def test_keys_that_others_can_read_are_refused(tmp_path: Path) -> None:
    Keys.create(tmp_path)
    (tmp_path / "keys.json").chmod(0o640)
    with pytest.raises(Sealed, match="chmod 600"):
        Keys.load(tmp_path)


# -- objects
@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 20 * CHUNK + 7])
def test_what_was_written_is_read_whole_or_bit_by_bit(case: CaseVault, size: int) -> None:
    data = os.urandom(size)
    case.write("fetched/a", data)
    assert case.read("fetched/a") == data
    with case.reader("fetched/a") as file:
        assert file.read() == data and file.read() == b""
    with case.reader("fetched/a") as file:
        assert b"".join(iter(lambda: file.read(10_007), b"")) == data
    with case.writer("b") as file:
        for start in range(0, size, 40_009):
            assert file.write(data[start : start + 40_009]) == len(data[start : start + 40_009])
        assert file.tell() == size
    assert case.read("b") == data
    assert case.names() == ["b", "fetched/a"] and case.names("fetched/") == ["fetched/a"]
    case.remove("b")
    case.remove("b")
    assert case.exists("fetched/a") and not case.exists("b")


def test_the_usual_writers_and_readers_take_its_files(case: CaseVault) -> None:
    table = pa.table({"n": list(range(50_000)), "note": [MARKER] * 50_000})
    with case.writer("rows.arrow") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table, max_chunksize=4096)
    with case.reader("rows.arrow") as opened, pa.ipc.open_stream(opened) as read:
        assert read.read_all().equals(table)
    with case.writer("a.csv") as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
        csv.writer(text).writerows([["記録番号"], [MARKER]])
    with case.reader("a.csv") as opened, io.TextIOWrapper(opened, "utf-8-sig", newline="") as lines:
        assert list(csv.reader(lines)) == [["記録番号"], [MARKER]]
    with case.writer("a.zip") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", MARKER)
    assert zipfile.ZipFile(io.BytesIO(case.read("a.zip"))).read("a.txt").decode() == MARKER
    with case.writer("copy") as target, case.reader("rows.arrow") as source:
        shutil.copyfileobj(source, target)
    assert case.read("copy") == case.read("rows.arrow")


def test_nothing_of_the_person_is_on_the_disk_in_the_clear(tmp_path: Path, case: CaseVault) -> None:
    case.write("request.json", (MARKER * 9000).encode())
    with case.writer("draft") as file:
        file.write(MARKER.encode() * 9000)
        half = everything(tmp_path)  # also while it is being written
        with pytest.raises(Sealed):
            case.read("draft")
    (tmp_path / "event").write_bytes(case.seal("collect/x", MARKER.encode()))
    for form in forms(MARKER):
        assert form not in everything(tmp_path) and form not in half
    for leaked in (MARKER.encode(), base64.b64encode(b"xy" + MARKER.encode())):  # and the search does find
        (tmp_path / "leak").write_bytes(leaked)
        assert any(form in everything(tmp_path) for form in forms(MARKER))


def test_folders_and_files_are_their_owners_only(tmp_path: Path, case: CaseVault) -> None:
    case.write("a", b"x")
    with case.scratch(), case.writer("b"):
        for path in (tmp_path / "vault").rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE((tmp_path / "vault").stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["../../x", "..", ".", "/etc/x", "a/b:c|d=%2F"])
def test_no_name_climbs_out_of_the_folder(tmp_path: Path, case: CaseVault, name: str) -> None:
    before = set(files(tmp_path))
    case.write(name, b"x")
    (new,) = set(files(tmp_path)) - before
    assert new.parent == folder(tmp_path) / "objects"
    assert case.names() == [name] and case.read(name) == b"x"


@pytest.mark.parametrize("name", ["", "髙橋.pdf", "a\0b", "a\nb", "x" * 201])
def test_a_name_that_is_no_id_is_refused_and_not_repeated(vault: Vault, case: CaseVault, name: str) -> None:
    for act in (lambda: case.write(name, b""), lambda: case.exists(name), lambda: vault.case(name, create=True)):
        with pytest.raises(BadInput, match="is no id") as caught:
            act()
        assert not name or name not in str(caught.value)


# -- tampering
def cut(raw: bytes) -> bytes:
    return raw[: HEADER + 2 * (CHUNK + TAG)]


TAMPERED: dict[str, Callable[[bytes], bytes]] = {
    "cut in a chunk": lambda raw: raw[:-5],
    "cut between chunks": cut,
    "cut to the header": lambda raw: raw[:HEADER],
    "cut in the header": lambda raw: raw[:10],
    "emptied": lambda raw: b"",
    "two chunks exchanged": lambda raw: (
        raw[:HEADER] + raw[HEADER + CHUNK + TAG : HEADER + 2 * (CHUNK + TAG)] + raw[HEADER : HEADER + CHUNK + TAG]
        + raw[HEADER + 2 * (CHUNK + TAG) :]
    ),
    "a chunk twice": lambda raw: cut(raw) + raw[HEADER + CHUNK + TAG :],
    "a chunk left out": lambda raw: raw[:HEADER] + raw[HEADER + CHUNK + TAG :],
    "bytes added": lambda raw: raw + b"x",
    **{f"bit flipped at {at}": (lambda raw, at=at: raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])  # type: ignore[misc]
       for at in (0, 5, 25, HEADER, HEADER + CHUNK, -1, -TAG - 1)},
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_changed_object_does_not_open_and_only_its_name_is_said(tmp_path: Path, case: CaseVault, how: str) -> None:
    case.write("a", (MARKER * CHUNK).encode()[: 2 * CHUNK + 100])
    path = stored(tmp_path, "a")
    path.write_bytes(TAMPERED[how](path.read_bytes()))
    with pytest.raises(Sealed, match=f"{CASE}/a") as caught:
        case.read("a")
    assert MARKER not in str(caught.value) and caught.value.__context__ is None
    with case.reader("a") as file:
        for _ in range(2):  # asked again, a fault is still no end of the file
            with pytest.raises(Sealed, match=f"{CASE}/a"):
                file.read()


def test_objects_cannot_be_renamed_exchanged_or_moved_to_another_case(
    tmp_path: Path, vault: Vault, case: CaseVault
) -> None:
    other = vault.case("R8-0002", create=True)
    for where, name in ((case, "a"), (case, "b"), (other, "a")):
        where.write(name, f"{where.case_no} {name}".encode())
    a, b = stored(tmp_path, "a"), stored(tmp_path, "b")
    shutil.copy(a, stored(tmp_path, "c"))
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)
    shutil.copy(b, tmp_path / "vault" / "R8-0002" / "objects" / "a")
    for where, name in ((case, "a"), (case, "b"), (case, "c"), (other, "a")):
        with pytest.raises(Sealed, match=name):
            where.read(name)
    shutil.copy(folder(tmp_path) / "key", tmp_path / "vault" / "R8-0002" / "key")
    with pytest.raises(Sealed, match="R8-0002"):
        vault.case("R8-0002")


def test_a_missing_object_is_said_to_be_missing(case: CaseVault) -> None:
    for act in (case.read, case.reader):
        with pytest.raises(Sealed, match=f"{CASE}/a: not in the vault"):
            act("a")


# -- no key, no opening (T31, T32)
ACTS: dict[str, Callable[[CaseVault], Any]] = {
    "read": lambda case: case.read("a"),
    "reader": lambda case: case.reader("a"),
    "write": lambda case: case.write("b", b"x"),
    "exists": lambda case: case.exists("a"),
    "names": lambda case: case.names(),
    "remove": lambda case: case.remove("a"),
    "scratch": lambda case: case.scratch().__enter__(),
    "seal": lambda case: case.seal("s", b"x"),
    "unseal": lambda case: case.unseal("s", bytes(40)),
    "commit": lambda case: case.commit("phone", "1"),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("how", ["removed", "destroyed", "emptied", "changed"])
def test_without_the_key_every_act_is_refused_also_to_who_held_the_vault_open(
    tmp_path: Path, vault: Vault, case: CaseVault, how: str, act: str
) -> None:
    """T31 and T32: nothing falls back to plain text, and no cached key outlives the true one."""
    case.write("a", MARKER.encode())
    key = folder(tmp_path) / "key"
    if how == "destroyed":
        vault.destroy_key(CASE)
    elif how == "removed":
        key.unlink()
    else:
        key.write_bytes(b"" if how == "emptied" else key.read_bytes()[:-1] + b"x")
    before = set(files(tmp_path))
    with pytest.raises(Sealed, match=CASE):
        ACTS[act](case)
    for create in (False, True):
        with pytest.raises(Sealed, match=CASE):
            vault.case(CASE, create=create)  # and no new key is made in its place
    assert set(files(tmp_path)) == before


def test_a_case_opens_again_with_the_same_keys_and_not_with_others(tmp_path: Path, case: CaseVault) -> None:
    case.write("a", b"x")
    assert Vault(tmp_path / "vault", Keys.load(tmp_path / "keys")).case(CASE, create=True).read("a") == b"x"
    with pytest.raises(Sealed, match="does not open"):
        Vault(tmp_path / "vault", Keys.create(tmp_path / "other")).case(CASE)
    with pytest.raises(Sealed, match="R8-0009"):
        Vault(tmp_path / "vault", Keys.load(tmp_path / "keys")).case("R8-0009")


def test_destroying_a_key_forgets_its_case_and_no_other(tmp_path: Path, vault: Vault, case: CaseVault) -> None:
    other = vault.case("R8-0002", create=True)
    for one in (case, other):
        one.write("a", MARKER.encode())
    wrapped = (folder(tmp_path) / "key").read_bytes()
    for _ in range(2):
        vault.destroy_key(CASE)
        over = (folder(tmp_path) / "key").read_bytes()
        assert over.startswith(b"destroyed") and len(over) == len(wrapped)  # written over to its last byte
        assert not set(over[10:]) - {0x20}
        assert [path.name for path in files(folder(tmp_path))] == ["key"]
    assert other.read("a") == MARKER.encode()
    with pytest.raises(Sealed, match="R8-0009"):
        vault.destroy_key("R8-0009")


def test_a_key_destroyed_while_writing_leaves_no_object(tmp_path: Path, vault: Vault, case: CaseVault) -> None:
    with pytest.raises(Sealed, match="destroyed"), case.writer("a") as file:
        file.write(b"x")
        vault.destroy_key(CASE)
    assert [path.name for path in files(folder(tmp_path))] == ["key"]


# -- half-written, full and killed
def test_a_failure_while_writing_leaves_the_old_object_and_no_other_file(tmp_path: Path, case: CaseVault) -> None:
    case.write("a", b"old")
    before = set(files(tmp_path))
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), case.writer("a") as file:
            file.write(os.urandom(3_000_000))
            raise error
    assert set(files(tmp_path)) == before
    assert case.read("a") == b"old"


def test_a_wrapper_that_closes_early_or_is_forgotten_commits_nothing_by_itself(tmp_path: Path, case: CaseVault) -> None:
    with pytest.raises(ZeroDivisionError), case.writer("a") as file:
        file.write(b"half")
        file.close()
        raise ZeroDivisionError
    assert not case.exists("a")
    with case.writer("a") as file:
        file.write(b"whole")
        file.close()
        with pytest.raises(ValueError, match="closed"):
            file.write(b"more")
    assert case.read("a") == b"whole"


@pytest.mark.parametrize("call", ["fsync", "open"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_so_and_leaves_the_old_object(
    tmp_path: Path, case: CaseVault, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    case.write("a", b"old")
    before, real = set(files(tmp_path)), getattr(os, call)

    def full(*given: Any, **named: Any) -> Any:
        if call == "open" and not given[1] & os.O_CREAT:
            return real(*given, **named)
        raise OSError(code, MARKER)

    monkeypatch.setattr(os, call, full)
    with pytest.raises(DsrError, match=r"disk full.*free space, run again") as caught:
        case.write("a", os.urandom(100))
    assert caught.value.__suppress_context__ and MARKER not in str(caught.value)
    with pytest.raises(DsrError, match="disk full"):
        Keys.create(tmp_path / "more")
    monkeypatch.undo()
    assert set(files(tmp_path)) == before
    assert case.read("a") == b"old"


def test_a_disk_that_fills_up_in_mid_write_is_told_through_the_writers_on_top(
    tmp_path: Path, case: CaseVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real refusal by the kernel: /dev/full stands in for the part file."""
    before = set(files(tmp_path))
    monkeypatch.setattr("dsr.vault._create", lambda path: Path("/dev/full").open("wb", buffering=CHUNK))  # noqa: SIM115
    rows = pa.record_batch({"n": list(range(100_000))})
    with pytest.raises(DsrError, match="disk full"), case.writer("a") as file:
        pa.ipc.new_stream(file, rows.schema).write_batch(rows)
    assert set(files(tmp_path)) == before


def test_what_a_killed_run_left_is_swept_and_what_is_being_written_is_not(tmp_path: Path, case: CaseVault) -> None:
    case.write("a", b"whole")
    killed = [folder(tmp_path) / "parts" / "0a", folder(tmp_path) / "scratch" / "0b" / "spill"]
    killed[1].parent.mkdir(parents=True)
    for path in killed:
        path.write_bytes(b"left")
    with case.writer("b") as file, case.scratch() as scratch:
        file.write(b"going on")
        (scratch / "spill").write_bytes(b"in use")
        assert case.sweep() == 2
        assert (scratch / "spill").exists()
    assert not any(path.exists() for path in killed)
    assert not scratch.exists()
    assert (case.read("a"), case.read("b"), case.sweep()) == (b"whole", b"going on", 0)


def test_scratch_is_emptied_also_when_the_work_fails(tmp_path: Path, case: CaseVault) -> None:
    with pytest.raises(ValueError, match="x"), case.scratch() as scratch:
        (scratch / "deep").mkdir()
        (scratch / "deep" / "spill").write_text(MARKER)
        assert scratch.is_relative_to(folder(tmp_path))
        raise ValueError("x")
    assert not list((folder(tmp_path) / "scratch").iterdir())


def test_a_lock_that_a_killed_process_held_is_free_again(tmp_path: Path, case: CaseVault) -> None:
    with case.writer("b"):
        (part,) = (folder(tmp_path) / "parts").iterdir()
        with part.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert case.exists("b")


def test_many_threads_write_one_case_at_once(vault: Vault) -> None:
    """The case is founded by whoever is first; each object is its writer's, whole."""
    seen: list[bytes] = []

    def work(n: int) -> None:
        mine = vault.case(CASE, create=True)
        data = bytes([n]) * (CHUNK * 3 + n)
        mine.write(f"part/{n}", data)
        mine.write("shared", data)
        assert mine.read(f"part/{n}") == data
        seen.append(data)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert vault.case(CASE).read("shared") in seen
    assert len(vault.case(CASE).names("part/")) == 8


# -- the log's sealed part and its commitments
def test_the_same_step_seals_to_the_same_bytes_so_that_a_resumed_run_has_the_same_leaf(
    tmp_path: Path, vault: Vault, case: CaseVault
) -> None:
    again = Vault(tmp_path / "vault", Keys.load(tmp_path / "keys")).case(CASE)
    other = vault.case("R8-0002", create=True)
    for data in (b"", MARKER.encode()):
        sealed = case.seal("collect/a", data)
        assert sealed == again.seal("collect/a", data)
        assert again.unseal("collect/a", sealed) == data
        assert sealed not in (case.seal("collect/b", data), other.seal("collect/a", data))
        for where, step in ((case, "collect/b"), (other, "collect/a")):
            with pytest.raises(Sealed, match=step):
                where.unseal(step, sealed)
        for raw in (b"", sealed[:-1], bytes([sealed[0] ^ 1]) + sealed[1:]):
            with pytest.raises(Sealed, match="collect/a"):
                case.unseal("collect/a", raw)


def test_trying_every_number_finds_no_commitment(vault: Vault, case: CaseVault) -> None:
    """T30: a locator named in public is keyed per case; hashing all candidates tells nothing."""
    import hashlib
    import hmac

    truth = "092-000-1001"
    public = case.commit("phone", truth)
    assert public == case.commit("phone", truth)
    other = vault.case("R8-0002", create=True)
    assert public not in (other.commit("phone", truth), case.commit("line", truth), case.commit("phon", f"e{truth}"))
    guesses = [f"092-000-{n:04}" for n in range(10_000)]
    for algorithm in ("md5", "sha1", "sha256", "sha512", "blake2b"):
        assert public not in {hashlib.new(algorithm, guess.encode()).hexdigest() for guess in guesses}
    for key in (b"", CASE.encode(), b"phone"):
        assert public not in {hmac.digest(key, guess.encode(), "sha256").hex() for guess in guesses}


def test_nothing_about_keys_or_content_is_in_a_repr(vault: Vault, case: CaseVault) -> None:
    case.write("a", MARKER.encode())
    assert (repr(vault), repr(case)) == ("Vault()", f"CaseVault({CASE})")
