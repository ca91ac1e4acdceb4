"""The log proves itself: every proof against the recursive definition, every tampering found where it begins."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from dsr.errors import BadInput, CheckFailed
from dsr.log import (
    EMPTY,
    Checkpoint,
    Event,
    Tree,
    TreeHead,
    canonical,
    consistency_proof,
    entry,
    evidence_bundle,
    inclusion_proof,
    leaf,
    leaf_hash,
    node,
    open_checkpoint,
    open_note,
    root,
    sign_note,
    verify_consistency,
    verify_inclusion,
    verify_log,
)

# The Certificate Transparency reference leaves and their roots for sizes 1 to 8 (google/certificate-transparency).
CT_LEAVES = [leaf_hash(bytes.fromhex(text)) for text in
             ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(str(n).encode()) for n in range(70)]
ORIGIN = "dsr.example/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


def head_of(leaves: list[bytes]) -> TreeHead:
    return Tree(leaves).head


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def defined_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    k = split(len(leaves))
    return sha256(b"\x01" + defined_root(leaves[:k]) + defined_root(leaves[k:])).digest()


def defined_path(m: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*defined_path(m, leaves[:k]), defined_root(leaves[k:])]
    return [*defined_path(m - k, leaves[k:]), defined_root(leaves[:k])]


def defined_subproof(m: int, leaves: list[bytes], known: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if known else [defined_root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*defined_subproof(m, leaves[:k], known), defined_root(leaves[k:])]
    return [*defined_subproof(m - k, leaves[k:], False), defined_root(leaves[:k])]


# -- the tree
def test_roots_are_those_of_the_published_vectors() -> None:
    assert [root(CT_LEAVES[:n]).hex() for n in range(1, 9)] == CT_ROOTS
    assert root([]) == EMPTY == sha256(b"").digest()
    # published inclusion and consistency proofs of the same tree
    assert [step.hex()[:8] for step in inclusion_proof(CT_LEAVES, 5)] == ["bc1a0643", "ca854ea1", "d37ee418"]
    assert [step.hex()[:8] for step in consistency_proof(CT_LEAVES[:5], 2)] == ["5f083f0a", "bc1a0643"]


@pytest.mark.parametrize("size", [*range(1, 18), 31, 32, 33, 64, 65, 70])
def test_every_proof_is_the_defined_one_and_proves_its_own_leaf_and_no_other(size: int) -> None:
    leaves = LEAVES[:size]
    head = head_of(leaves)
    assert head == TreeHead(size, defined_root(leaves))
    for index in range(size):
        proof = inclusion_proof(leaves, index)
        assert proof == defined_path(index, leaves)
        assert verify_inclusion(leaves[index], index, proof, head)
        assert not verify_inclusion(LEAVES[index - 1], index, proof, head)
        assert not verify_inclusion(leaves[index], index + 1, proof, head)
        assert not verify_inclusion(leaves[index], index - 1, proof, head)
        assert not verify_inclusion(leaves[index], index, [*proof, head.root], head)
        assert not (proof and verify_inclusion(leaves[index], index, proof[:-1], head))
        assert not verify_inclusion(leaves[index], index, proof, TreeHead(size, EMPTY))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 32, 33, 70])
def test_a_tree_that_grew_proves_it_and_one_that_was_rewritten_cannot(size: int) -> None:
    leaves, new = LEAVES[:size], head_of(LEAVES[:size])
    for first in range(1, size + 1):
        old, proof = head_of(leaves[:first]), consistency_proof(leaves, first)
        assert proof == defined_subproof(first, leaves, True)
        assert verify_consistency(old, new, proof)
        rewritten = head_of([leaf_hash(b"other"), *leaves[1:first]])
        assert not verify_consistency(rewritten, new, proof)
        assert not verify_consistency(old, TreeHead(size, rewritten.root if first < size else EMPTY), proof)
        assert not verify_consistency(old, new, [*proof, EMPTY])
        assert not (proof and verify_consistency(old, new, proof[:-1]))
    assert verify_consistency(TreeHead(0, EMPTY), new, consistency_proof(leaves, 0))
    assert not verify_consistency(TreeHead(0, new.root), new, [])
    assert not verify_consistency(new, head_of(leaves[:-1]), [])


def test_an_index_outside_the_tree_is_refused() -> None:
    for wrong in (-1, 3):
        with pytest.raises(BadInput, match="index"):
            inclusion_proof(LEAVES[:3], wrong)
    with pytest.raises(BadInput, match="size"):
        consistency_proof(LEAVES[:3], 4)


def test_a_leaf_cannot_pose_as_a_node() -> None:
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != node(LEAVES[0], LEAVES[1])


def test_a_hundred_thousand_leaves_take_less_than_a_second() -> None:
    leaves = [leaf_hash(n.to_bytes(4, "big")) for n in range(100_000)]
    begun = time.process_time()
    root(leaves)
    assert time.process_time() - begun < 1


# -- events
def event(seq: int, **changes: object) -> Event:
    made = Event(seq, f"R8-{seq % 3:04}", f"collect/billing.invoices/{seq}", "result", f"2026-11-02T01:{seq:02}:00Z",
                 "handler-1", canonical({"rows": seq}), bytes([seq]) * 40)
    return replace(made, **changes)  # type: ignore[arg-type]


def log(size: int = 12) -> list[tuple[Event, bytes]]:
    return [(one, leaf(one)) for one in map(event, range(1, size + 1))]


def head(of: list[tuple[Event, bytes]], size: int | None = None) -> TreeHead:
    return head_of([stored for _, stored in of[:size]])


def found(problems: object) -> list[tuple[int | None, str]]:
    return [(problem.seq, problem.what) for problem in problems]  # type: ignore[attr-defined]


def test_an_entry_is_canonical_json_and_the_digest_of_the_ciphertext() -> None:
    one = event(7)
    shown, digest = entry(one)[:-32], entry(one)[-32:]
    assert digest == sha256(one.sealed).digest()
    said = json.loads(shown)
    assert rfc8785.dumps(said) == shown
    assert said == {"seq": 7, "case_no": "R8-0001", "step_key": "collect/billing.invoices/7", "phase": "result",
                    "at": "2026-11-02T01:07:00Z", "actor_id": "handler-1", "public": '{"rows":7}'}


@pytest.mark.parametrize("change", [
    {"seq": 8}, {"case_no": "R8-0002"}, {"step_key": "x"}, {"phase": "intent"}, {"at": "2026-11-02T01:07:01Z"},
    {"actor_id": "handler-2"}, {"public": '{"rows": 7}'}, {"sealed": b""},
])
def test_a_leaf_commits_to_every_field(change: dict[str, object]) -> None:
    assert leaf(replace(event(7), **change)) != leaf(event(7))  # type: ignore[arg-type]


def test_public_is_canonical_whatever_the_order_it_was_built_in() -> None:
    assert canonical({"b": 1, "a": [1.0, "𠮷"]}) == canonical({"a": [1.0, "𠮷"], "b": 1}) == '{"a":[1,"𠮷"],"b":1}'


@pytest.mark.parametrize("wrong", [{"n": 2**60}, {"n": float("nan")}, {"n": b"marker"}, {1: "marker"}, {"n": "\ud800"}])
def test_what_json_cannot_say_is_refused_without_repeating_it(wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="canonical JSON") as caught:
        canonical(wrong)
    assert "marker" not in str(caught.value)
    assert caught.value.__context__ is None


# -- heads and checkpoints
@given(st.integers(0, 10**15), st.binary(min_size=32, max_size=32))
def test_a_head_reads_back_from_paper(size: int, top: bytes) -> None:
    assert TreeHead.parse(f" {TreeHead(size, top).text}\n") == TreeHead(size, top)


@pytest.mark.parametrize("wrong", ["", "5", "5:", "05:", "-1:", "x:"])
def test_a_head_that_is_not_whole_is_refused(wrong: str) -> None:
    good = base64.b64encode(EMPTY).decode()
    with pytest.raises(BadInput, match="head"):
        TreeHead.parse(wrong + (good if wrong[-1:] == ":" and wrong != "5:" else ""))
    with pytest.raises(BadInput, match="head"):
        TreeHead.parse(f"5:{good[:-2]}W=")  # other text for the same bytes


def test_a_note_is_that_of_the_reference_implementation() -> None:
    """The example of golang.org/x/mod/sumdb/note, key and all."""
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:])
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    note = sign_note(text, "PeterNeumann", key)
    assert note == (f"{text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngot"
                    "pRZb6KE6RyyBwJnAM=\n")
    assert open_note(note, "PeterNeumann", key.public_key().public_bytes_raw()) == text


def test_a_checkpoint_opens_to_its_head_also_with_a_witness_beside_it() -> None:
    note = Checkpoint.sign(ORIGIN, TreeHead(5, EMPTY), KEY)
    assert note.startswith(f"{ORIGIN}\n5\n{base64.b64encode(EMPTY).decode()}\n\n— {ORIGIN} ")
    witness = sign_note(note.rpartition("\n\n")[0] + "\n", "witness.example", Ed25519PrivateKey.generate())
    for signed in (note, note + witness.rpartition("\n\n")[2]):
        assert open_checkpoint(signed, ORIGIN, PUBLIC) == TreeHead(5, EMPTY)


def test_a_checkpoint_with_any_sign_changed_does_not_open() -> None:
    note = Checkpoint.sign(ORIGIN, TreeHead(5, EMPTY), KEY)
    for at, sign in enumerate(note):
        for other in {"A", "\n", "=", "6"} - {sign}:
            with pytest.raises(CheckFailed):
                open_checkpoint(note[:at] + other + note[at + 1 :], ORIGIN, PUBLIC)
    for other_key in (Ed25519PrivateKey.generate().public_key().public_bytes_raw(), bytes(32)):
        with pytest.raises(CheckFailed, match="not signed"):
            open_checkpoint(note, ORIGIN, other_key)
    with pytest.raises(CheckFailed, match="not signed"):
        open_checkpoint(note, "other.example/log", PUBLIC)


def test_what_our_key_signed_for_another_log_or_as_no_head_does_not_open() -> None:
    for body, words in (("other.example\n5\nAAAA\n", "another log"), (f"{ORIGIN}\n5\nAAAA\n", "no tree head")):
        with pytest.raises(CheckFailed, match=words):
            open_checkpoint(sign_note(body, ORIGIN, KEY), ORIGIN, PUBLIC)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\nb", "a\tb"])
def test_a_name_that_would_break_a_note_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="origin"):
        Checkpoint.sign(name, TreeHead(0, EMPTY), KEY)


# -- proving the log (EN-40)
def test_an_honest_log_has_no_problems_with_any_head_it_ever_had() -> None:
    kept = log()
    assert verify_log([]) == []
    assert verify_log(kept, [head(kept, n) for n in range(13)], [head(kept, 5)]) == []


@pytest.mark.parametrize("field", ["case_no", "step_key", "phase", "at", "actor_id", "public", "sealed"])
def test_an_altered_event_is_named(field: str) -> None:
    kept = log()
    change: dict[str, Any] = {field: b"x" if field == "sealed" else "2027-01-01T00:00:00Z"}
    kept[6] = (replace(kept[6][0], **change), kept[6][1])
    kept[9] = (replace(kept[9][0], actor_id="x"), kept[9][1])
    problems = [one for one in verify_log(kept) if one.level == "error"]
    assert found(problems) == [(7, "altered")]
    assert "1 more" in problems[0].words


@pytest.mark.parametrize("value", [None, b"x", "\ud800", 5.5])
def test_a_row_that_no_event_can_be_is_a_finding_and_not_a_crash(value: object) -> None:
    kept = log()
    kept[6] = (replace(kept[6][0], public=value, at=value, sealed=value), kept[6][1])  # type: ignore[arg-type]
    assert (7, "altered") in found(verify_log(kept))


def test_a_stored_leaf_that_was_changed_is_named() -> None:
    kept = log()
    kept[6] = (kept[6][0], EMPTY)
    assert found(verify_log(kept)) == [(7, "altered")]


@pytest.mark.parametrize(("dropped", "first"), [(slice(0, 1), 1), (slice(3, 4), 4), (slice(3, 7), 4)])
def test_a_dropped_event_is_named(dropped: slice, first: int) -> None:
    kept = log()
    del kept[dropped]
    assert found(verify_log(kept, [head(log(), 8), head(log())])) == [(first, "gap")]


@pytest.mark.parametrize("with_leaf", [True, False])
def test_two_exchanged_events_are_named_together(with_leaf: bool) -> None:
    kept = log()
    (one, own), (other, theirs) = kept[3], kept[8]
    kept[3] = (replace(other, seq=4), theirs if with_leaf else own)
    kept[8] = (replace(one, seq=9), own if with_leaf else theirs)
    problems = [problem for problem in verify_log(kept) if problem.level == "error"]
    assert found(problems) == [(4, "swapped")]
    assert "4 and 9" in problems[0].words


def test_rows_out_of_order_or_twice_are_named() -> None:
    kept = log()
    assert (5, "order") in found(verify_log([*kept[:5], kept[4], *kept[5:]]))
    assert found(verify_log([*kept[:3], kept[4], kept[3], *kept[5:]]))[0] == (4, "gap")


def renumbered(kept: list[tuple[Event, bytes]]) -> list[tuple[Event, bytes]]:
    """What somebody with the database, and without a checkpoint's key, would write to hide a change."""
    again = [replace(one, seq=at) for at, (one, _) in enumerate(kept, 1)]
    return [(one, leaf(one)) for one in again]


@pytest.mark.parametrize("witness", ["checkpoints", "heads"])
def test_a_rewritten_history_shows_only_against_a_witness_and_then_between_which_two(witness: str) -> None:
    kept = log()
    forged = renumbered([*kept[:6], *kept[7:]])
    assert verify_log(forged) == []
    problems = verify_log(forged, **{witness: [head(kept, 3), head(kept, 9), head(kept, 10)]})
    assert found(problems) == [(4, "fork")]
    assert "4 to 9" in problems[0].words


@pytest.mark.parametrize("witness", ["checkpoints", "heads"])
def test_a_cut_tail_shows_against_a_printed_letter(witness: str) -> None:
    kept = log()
    assert verify_log(kept[:8]) == []
    assert found(verify_log(kept[:8], **{witness: [head(kept, 8)]})) == []
    assert found(verify_log(kept[:8], **{witness: [head(kept, 9)]})) == [(9, "cut")]
    assert found(verify_log([], **{witness: [head(kept, 9)]})) == [(1, "cut")]


def test_a_roll_back_that_went_on_in_another_way_is_a_fork() -> None:
    kept = log()
    other = renumbered([*kept[:8], *[(event(n, actor_id="handler-2"), b"") for n in range(9, 13)]])
    assert found(verify_log(other, [head(kept, 8)], [head(kept, 10)])) == [(9, "fork")]


def test_two_heads_of_one_size_contradict_each_other_even_beyond_the_log() -> None:
    kept = log()
    problems = verify_log(kept[:5], [TreeHead(9, EMPTY)], [head(kept, 9)])
    assert (None, "fork") in found(problems)


def test_a_clock_that_went_back_is_a_warning_and_a_rehearsal_is_not() -> None:
    back = event(7, at="2026-11-02T01:02:00Z")
    problems = verify_log([(one, leaf(one)) for one in [*map(event, range(1, 7)), back, event(8)]])
    assert [(one.seq, one.what, one.level) for one in problems] == [(7, "clock", "warning")]
    future = event(7, at="2030-01-01T00:00:00Z", public=canonical({"rehearsal": True}))
    past = event(8, at="2020-01-01T00:00:00Z", public=canonical({"rehearsal": True}))
    assert verify_log([(one, leaf(one)) for one in [*map(event, range(1, 7)), future, past, event(9)]]) == []
    nested = event(7, at="2020-01-01T00:00:00Z", public=canonical({"x": {"rehearsal": True}}))
    assert found(verify_log([(one, leaf(one)) for one in [*map(event, range(1, 7)), nested]])) == [(7, "clock")]


# -- evidence
def test_evidence_that_would_not_prove_is_not_handed_out() -> None:
    kept = log()
    leaves, top = [stored for _, stored in kept], head(kept, 10)
    note = Checkpoint.sign(ORIGIN, top, KEY)
    mine = [one for one, _ in kept[:10] if one.case_no == "R8-0001"]
    assert evidence_bundle("R8-0001", leaves, mine, top, note, PUBLIC)["head"] == top.text
    wrong: list[tuple[list[bytes], list[Event], TreeHead, str]] = [
        (leaves, [], top, note),
        (leaves, [event(3)], top, note),
        (leaves, [replace(mine[0], actor_id="x")], top, note),
        (leaves, [event(13, case_no="R8-0001")], top, note),
        ([*leaves[:4], EMPTY, *leaves[5:]], mine, top, note),
        (leaves, mine, top, Checkpoint.sign(ORIGIN, head(kept, 9), KEY)),
        (leaves[:9], mine, top, note),
    ]
    for all_leaves, events, at, signed in wrong:
        with pytest.raises(CheckFailed, match=r"trail"):
            evidence_bundle("R8-0001", all_leaves, events, at, signed, PUBLIC)
