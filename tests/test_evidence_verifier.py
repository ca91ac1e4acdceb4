"""A stranger with one file, one program and a public key proves the log, and any change is refused."""

from __future__ import annotations

import ast
import base64
import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dsr import evidence_verifier
from dsr.evidence_verifier import NotProved, main, signed_by, verify
from dsr.log import Checkpoint, Event, Tree, canonical, evidence_bundle, leaf

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
CASE = "R8-0001"
RFC8032 = [  # §7.1: tests 1, 2, 3 and SHA(abc): public key, message, signature
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
    ("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"),
]


def events() -> list[Event]:
    return [
        Event(n, CASE if n % 2 else "R8-0002", f"collect/通話.{n}", "intent", f"2026-11-02T01:{n:02}:00Z", "handler-1",
              canonical({"rows": n, "note": 'quoted "\\\u007f\u0001'}), bytes([n]) * 30 if n % 3 else b"")
        for n in range(1, 12)
    ]


def bundle() -> dict[str, Any]:
    leaves = [leaf(one) for one in events()]
    head = Tree(leaves).head
    note = Checkpoint.sign("dsr.example/log", head, KEY)
    made = evidence_bundle(CASE, leaves, [one for one in events() if one.case_no == CASE], head, note, PUBLIC)
    return dict(json.loads(json.dumps(made)))


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    yield at
    for name, child in children:
        yield from paths(child, (*at, name))


def variants(value: Any) -> list[Any]:
    if isinstance(value, str):
        middle = len(value) // 2
        flipped = value[:middle] + ("A" if value[middle : middle + 1] != "A" else "B") + value[middle + 1 :]
        # "…A=" and "…B=" are one value to a lenient reader of base64
        lenient = [value[:-2] + chr(ord(value[-2]) + 1) + "="] if value[-1:] == "=" else []
        return [flipped, value + " ", value[:-1], "", None, 1, *lenient]
    if isinstance(value, int):
        return [value + 1, value - 1, float(value), str(value), True, 10**30, -value]
    if isinstance(value, list):
        turned = [*value[1:], value[0]] if len(value) > 1 else []
        return [turned, [*value, value[0]] if value else ["A"], None, {}]
    return [None, [], {**value, "more": 1}]


def mutations() -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    whole = bundle()
    for path in paths(whole):
        if not path:
            continue
        target: Any = whole
        for name in path:
            target = target[name]
        for other in variants(target):
            changed = copy.deepcopy(whole)
            holder: Any = changed
            for name in path[:-1]:
                holder = holder[name]
            holder[path[-1]] = other
            if changed != whole or type(other) is not type(target):
                yield path, changed
        if isinstance(path[-1], str):
            changed = copy.deepcopy(whole)
            holder = changed
            for name in path[:-1]:
                holder = holder[name]
            del holder[path[-1]]
            yield path, changed


def test_signatures_are_those_of_rfc_8032() -> None:
    for key, message, signature in RFC8032:
        raw = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
        assert signed_by(*raw)
        assert not signed_by(raw[0], raw[1] + b"x", raw[2])
        for at in (0, 31, 32, 63):
            bent = bytearray(raw[2])
            bent[at] ^= 1
            assert not signed_by(raw[0], raw[1], bytes(bent))
        raised = int.from_bytes(raw[2][32:], "little") + evidence_verifier.ORDER  # the same modulo the order
        assert not signed_by(raw[0], raw[1], raw[2][:32] + raised.to_bytes(32, "little"))
    for odd in (b"", bytes(31), b"\xff" * 32, b"\x02" + bytes(31), b"\x01" + bytes(30) + b"\x80"):
        assert not signed_by(odd, b"", bytes.fromhex(RFC8032[0][2]))


def test_a_point_has_one_writing_only() -> None:
    p = evidence_verifier.P
    assert evidence_verifier.point_of((1).to_bytes(32, "little")) == (0, 1, 1, 0)
    for other in (p + 1, 1 | 1 << 255):  # y not reduced; a sign for x = 0
        assert evidence_verifier.point_of(other.to_bytes(32, "little")) is None


def test_our_own_signatures_verify() -> None:
    for n in range(3):
        key = Ed25519PrivateKey.generate()
        assert signed_by(key.public_key().public_bytes_raw(), bytes([n]) * n, key.sign(bytes([n]) * n))


def test_the_program_proves_a_bundle_alone(tmp_path: Path) -> None:
    """As a stranger runs it: isolated, from another folder, with nothing of ours on the path."""
    program = tmp_path / "evidence_verifier.py"
    program.write_bytes(Path(evidence_verifier.__file__).read_bytes())
    (tmp_path / "bundle.json").write_text(json.dumps(bundle()), encoding="utf-8")
    command = [sys.executable, "-I", "-S", str(program), str(tmp_path / "bundle.json"), "--key", bundle()["public_key"]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "proved     6 events of case 'R8-0001' in a log of 11" in done.stdout
    assert done.stdout.count("event  ") == 6


def test_what_was_left_out_is_not_passed_over_in_silence() -> None:
    """A tail that is cut off, or an event in between: proved is only what is there, and the rest is named as unseen."""
    whole = bundle()
    assert "not seen   places 2-2, 4-4, 6-6, 8-8, 10-10: other cases' events, or left out" in verify(whole)[-2]
    for left, gap in ((whole["events"][:-1], "10-11"), (whole["events"][:2] + whole["events"][3:], "4-6")):
        assert gap in verify({**whole, "events": left})[-2]
    assert sum(line.startswith("open ") for line in verify(whole)) == 6, "each begins a step of which no result is there"


def test_the_program_is_short_and_needs_only_the_standard_library() -> None:
    text = Path(evidence_verifier.__file__).read_text(encoding="utf-8")
    assert len(text.splitlines()) < 200
    for found in ast.walk(ast.parse(text)):
        names = [one.name for one in found.names] if isinstance(found, ast.Import) else []
        names += [found.module or ""] if isinstance(found, ast.ImportFrom) else []
        assert set(names) <= sys.stdlib_module_names | {"__future__"}


def test_no_field_of_a_bundle_can_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every value replaced, shortened, retyped, reordered or removed; the curve is asked only for new questions."""
    known: dict[tuple[bytes, bytes, bytes], bool] = {}
    asked = evidence_verifier.signed_by

    def once(*question: bytes) -> bool:
        key = (question[0], question[1], question[2])
        return known[key] if key in known else known.setdefault(key, asked(*key))

    monkeypatch.setattr(evidence_verifier, "signed_by", once)
    assert verify(bundle())[-1].startswith("proved")
    tried = 0
    for path, changed in mutations():
        tried += 1
        try:
            verify(changed)
        except (NotProved, UnicodeError):
            continue
        # leaving out the last event is the one change that inclusion proofs cannot show (said in both docstrings)
        pytest.fail(f"proved although {path} was changed")
    assert tried > 300


def test_a_bundle_signed_with_another_key_proves_only_to_who_has_no_key() -> None:
    forger = Ed25519PrivateKey.generate()
    leaves = [leaf(one) for one in events()]
    head = Tree(leaves).head
    note = Checkpoint.sign("dsr.example/log", head, forger)
    mine = [one for one in events() if one.case_no == CASE]
    forged = evidence_bundle(CASE, leaves, mine, head, note, forger.public_key().public_bytes_raw())
    assert "FROM THE BUNDLE" in verify(forged)[0]
    with pytest.raises(NotProved, match="not the one you trust"):
        verify(forged, bundle()["public_key"])
    with pytest.raises(NotProved, match="not signed with this key"):
        verify({**forged, "public_key": bundle()["public_key"]})


def test_a_signature_of_somebody_else_under_our_name_and_key_id_is_false() -> None:
    whole = bundle()
    text, _, signature = whole["checkpoint"].rpartition("\n\n")
    name, encoded = signature.removeprefix("— ").rstrip("\n").split(" ")
    forged = base64.b64decode(encoded)[:4] + Ed25519PrivateKey.generate().sign(text.encode() + b"\n")
    whole["checkpoint"] = f"{text}\n\n— {name} {base64.b64encode(forged).decode()}\n"
    with pytest.raises(NotProved, match="signature is false"):
        verify(whole)


def test_exit_status_tells_proved_from_not_and_from_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "b.json"
    file.write_text(json.dumps(bundle()), encoding="utf-8")
    assert main([str(file)]) == 0
    file.write_text(json.dumps({**bundle(), "case_no": "R8-0009"}), encoding="utf-8")
    assert main([str(file)]) == 1
    assert "NOT PROVED event 1 belongs to another case" in capsys.readouterr().out
    for broken in (b"{", b"[]", b"\xff", b"[" * 100_000, b'{"format": "\\ud800"}'):
        file.write_bytes(broken)
        assert main([str(file)]) == 1
    assert main([str(tmp_path / "none.json")]) == 1
    assert main([]) == main([str(file), "--kee", "x"]) == 2
