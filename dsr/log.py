"""The one log as values: what an event commits to, and the Merkle tree that proves nobody rewrote it.

A leaf commits to the public part and to the *ciphertext* of the sealed part, so that destroying a case's key
leaves every proof valid. Tree and proofs: RFC 6962 §2.1, RFC 9162 §2.1. Checkpoints: C2SP signed-note and
tlog-checkpoint. Nothing here reads or writes; the store calls these functions.

Known limit: a log proves that nothing was changed since somebody outside saw a head of it. What was cut off or
rewritten after the last checkpoint or printed letter that the auditor holds cannot show.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from dsr.errors import BadInput, CheckFailed

EMPTY = sha256(b"").digest()
ANEW = "once a checkpoint or a letter proves the events whole, empty the table tree: it is made anew from them"
_SHOWN = ("seq", "case_no", "step_key", "phase", "at", "actor_id", "public")


# -- the tree ---------------------------------------------------------------------------------------------------
def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that only grows: holds one root per set bit of its size, so a head costs O(log n) at any size."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._peaks: list[bytes] = []
        for one in leaves:
            self.append(one)

    def append(self, one: bytes) -> None:
        size = self.size
        while size & 1:  # every trailing one bit of the old size is a full subtree that this leaf completes
            one, size = node(self._peaks.pop(), one), size >> 1
        self._peaks.append(one)
        self.size += 1

    @classmethod
    def kept(cls, size: int, peaks: bytes) -> Tree:
        """As ``peaks`` gave it. Raises CheckFailed for what no tree of this size is."""
        if size < 0 or len(peaks) != 32 * size.bit_count():
            raise CheckFailed(f"trail: the kept tree is damaged; {ANEW}")
        tree = cls()
        tree.size, tree._peaks = size, [peaks[at : at + 32] for at in range(0, len(peaks), 32)]
        return tree

    @property
    def peaks(self) -> bytes:
        """The roots of the full subtrees, largest first, 32 bytes each: with the size, all that growing needs."""
        return b"".join(self._peaks)

    @property
    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY
        top = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            top = node(peak, top)
        return top

    @property
    def head(self) -> TreeHead:
        return TreeHead(self.size, self.root)


def root(leaves: Iterable[bytes]) -> bytes:
    """The Merkle tree hash over leaf hashes; SHA-256 of nothing for no leaves."""
    return Tree(leaves).root


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """RFC 9162 §2.1.3.1, from the leaf upwards. Raises BadInput for an index outside the tree."""
    if not 0 <= index < len(leaves):
        raise BadInput("index", "lies outside the tree", f"0 to {len(leaves) - 1}")
    return _path(_levels(leaves), index)


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    levels = [list(leaves)]
    while len(below := levels[-1]) > 1:
        above = [node(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
        levels.append(above + below[-1:] if len(below) % 2 else above)
    return levels


def _path(levels: list[list[bytes]], index: int) -> list[bytes]:
    path = []
    for level in levels:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        index >>= 1
    return path


def verify_inclusion(leaf: bytes, index: int, proof: Sequence[bytes], head: TreeHead) -> bool:
    """RFC 9162 §2.1.3.2: is ``leaf`` the ``index``-th (from 0) of the tree with this head?"""
    if not 0 <= index < head.size:
        return False
    at, last, top = index, head.size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            top = node(step, top)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            top = node(top, step)
        at, last = at >> 1, last >> 1
    return last == 0 and top == head.root


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """RFC 9162 §2.1.4.1: that the tree of the first ``size`` leaves is the beginning of this one."""
    if not 0 <= size <= len(leaves):
        raise BadInput("size", "is larger than the tree", f"0 to {len(leaves)}")
    proof: list[bytes] = []
    low, high, known = 0, len(leaves), True
    while 0 < size != high:
        middle = low + (1 << ((high - low - 1).bit_length() - 1))
        if size <= middle:
            proof.append(root(leaves[middle:high]))
            high = middle
        else:
            proof.append(root(leaves[low:middle]))
            low, known = middle, False
    if not known:
        proof.append(root(leaves[low:high]))
    return proof[::-1]


def verify_consistency(old: TreeHead, new: TreeHead, proof: Sequence[bytes]) -> bool:
    """RFC 9162 §2.1.4.2: did ``new`` grow from ``old`` by appending only?"""
    if old.size in (0, new.size):
        return not proof and old.root == (new.root if old.size == new.size else EMPTY)
    if not 0 < old.size < new.size or not proof:
        return False
    path = [old.root, *proof] if old.size & (old.size - 1) == 0 else list(proof)
    at, last = old.size - 1, new.size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node(step, before), node(step, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node(after, step)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old.root and after == new.root


# -- an event and its leaf --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Event:
    """One line of the log. ``public`` holds ids, counts and codes only; whatever is the person's is in ``sealed``."""

    seq: int  # 1-based: index in the tree + 1
    case_no: str
    step_key: str
    phase: str  # "intent" | "result"
    at: str  # ISO instant, UTC, ending in Z
    actor_id: str
    public: str  # RFC 8785 JSON
    sealed: bytes = field(default=b"", repr=False)  # ciphertext, or nothing


def canonical(public: Mapping[str, Any]) -> str:
    """RFC 8785 JSON. Raises BadInput, naming no value, for what JSON cannot say the same way everywhere."""
    try:
        return bytes(rfc8785.dumps(dict(public))).decode()
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        kind = type(error).__name__
    raise BadInput("public", f"cannot be written as canonical JSON ({kind})", "use text, whole numbers, lists, objects")


def entry(event: Event) -> bytes:
    """``public`` goes in as the text it is: two writings of one object are two entries."""
    shown = {name: getattr(event, name) for name in _SHOWN}
    return bytes(rfc8785.dumps(shown)) + sha256(event.sealed).digest()


def leaf(event: Event) -> bytes:
    """32 bytes: the leaf hash of the event's entry."""
    return leaf_hash(entry(event))


# -- heads and checkpoints --------------------------------------------------------------------------------------
def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unb64(text: str, length: int) -> bytes | None:
    """Exactly one text per value: what does not encode back to itself is refused."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == length and _b64(raw) == text else None


@dataclass(frozen=True)
class TreeHead:
    size: int
    root: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """``size:base64root``, as printed on letters and in the daily mail."""
        return f"{self.size}:{_b64(self.root)}"

    @classmethod
    def parse(cls, text: str) -> TreeHead:
        size, _, encoded = text.strip().partition(":")
        raw = _unb64(encoded, 32)
        if not re.fullmatch(r"0|[1-9][0-9]{0,15}", size) or raw is None:
            raise BadInput("head", "is not a tree head", "copy it whole: size:root, 44 signs after the colon")
        return cls(int(size), raw)


@dataclass(frozen=True)
class Checkpoint:
    """A head signed by the log: ``origin`` (also the key's name), size, base64 root, each on a line."""

    origin: str
    head: TreeHead

    @property
    def body(self) -> str:
        return f"{self.origin}\n{self.head.size}\n{_b64(self.head.root)}\n"

    @staticmethod
    def sign(origin: str, head: TreeHead, private_key: Ed25519PrivateKey) -> str:
        """A C2SP signed note. The caller first makes sure that ``head`` grew from the last one it signed."""
        return sign_note(Checkpoint(origin, head).body, origin, private_key)


def _key_id(name: str, public_key: bytes) -> bytes:
    if not name or "+" in name or any(sign.isspace() or not sign.isprintable() for sign in name):
        raise BadInput("origin", "is no name for a key", "use letters, digits, dots and slashes, without spaces or +")
    return sha256(name.encode() + b"\n\x01" + public_key).digest()[:4]


def sign_note(text: str, name: str, private_key: Ed25519PrivateKey) -> str:
    identity = _key_id(name, private_key.public_key().public_bytes_raw())
    return f"{text}\n— {name} {_b64(identity + private_key.sign(text.encode()))}\n"


def open_note(note: str, name: str, public_key: bytes) -> str:
    """The text that ``name`` signed, or CheckFailed. Signatures of other keys (witnesses) are passed over."""
    text, blank, signatures = note.rpartition("\n\n")
    text += "\n"
    if not blank or not signatures.endswith("\n"):
        raise CheckFailed("checkpoint: is not a signed note; fetch it again")
    identity, signed = _key_id(name, public_key), False
    for line in signatures[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        signer, _, encoded = rest.partition(" ")
        raw = _unb64(encoded, 68)
        if dash != "—":
            raise CheckFailed("checkpoint: a signature line is malformed; fetch it again")
        if signer == name and raw is not None and raw[:4] == identity:
            try:
                Ed25519PublicKey.from_public_bytes(public_key).verify(raw[4:], text.encode())
            except (InvalidSignature, ValueError):
                raise CheckFailed(f"checkpoint: the signature of {name} is false; do not trust it") from None
            signed = True
    if not signed:
        raise CheckFailed(f"checkpoint: not signed by {name} with the key at hand; compare the public keys")
    return text


def open_checkpoint(note: str, origin: str, public_key: bytes) -> TreeHead:
    """The head in a note signed by ``origin``. ``public_key``: 32 raw bytes. Raises CheckFailed."""
    lines = open_note(note, origin, public_key).split("\n")
    if len(lines) < 4 or lines[0] != origin:
        raise CheckFailed("checkpoint: belongs to another log; compare the origin line")
    try:
        return TreeHead.parse(f"{lines[1]}:{lines[2]}")
    except BadInput:
        raise CheckFailed("checkpoint: holds no tree head; fetch it again") from None


# -- proving the log --------------------------------------------------------------------------------------------
What = Literal["gap", "order", "altered", "swapped", "cut", "fork", "tree", "clock"]


@dataclass(frozen=True)
class Problem:
    """``seq``: the first bad position, ``None`` for the log as a whole. A warning leaves the proof standing."""

    seq: int | None
    what: What
    words: str
    level: Literal["error", "warning"] = "error"


def verify_log(
    events: Iterable[tuple[Event, bytes]],
    checkpoints: Sequence[TreeHead] = (),
    heads: Sequence[TreeHead] = (),
    kept: TreeHead | None = None,
) -> list[Problem]:
    """Every kind of fault once, at its first position, in order of position; empty when the log proves itself.

    ``events``: each with its stored leaf, by ascending seq, read as a stream. ``checkpoints`` are opened ones,
    ``heads`` those printed on letters. Cutting the tail, rolling back and forking show only against one of these.
    ``kept``: the head of the tree that the store keeps of these events; no witness, for who rewrites can keep it too.
    """
    reading = _Reading({one.size for one in (*checkpoints, *heads)})
    for event, stored in events:
        reading.take(event, stored)
    reading.settle_altered()
    reading.compare([(one, "a signed checkpoint") for one in checkpoints] + [(one, "a printed head") for one in heads])
    if kept:
        reading.compare_kept(kept)
    return reading.problems


def _leaf_or_none(event: Event) -> bytes | None:
    """A tampered row may hold what no event can say; that is a finding, not a crash of the check."""
    try:
        return leaf(event)
    except (rfc8785.CanonicalizationError, UnicodeError, TypeError):
        return None


def _rehearsed(public: str) -> bool:
    if not isinstance(public, str) or '"rehearsal":true' not in public:  # cheap, and nearly always enough
        return False
    try:
        said = json.loads(public)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("rehearsal") is True


class _Reading:
    MOST_ALTERED = 64  # pairs are compared among these; more than that is no exchange of two

    def __init__(self, sizes: set[int]) -> None:
        self._sizes, self._roots, self._tree, self._whole = sizes, {0: EMPTY}, Tree(), True
        self._last, self._clock = 0, (0, datetime.min.replace(tzinfo=UTC))
        self._altered: list[tuple[Event, bytes]] = []
        self._first: dict[What, tuple[Problem, int]] = {}

    @property
    def problems(self) -> list[Problem]:
        found = [replace(p, words=f"{p.words} (and {n} more after it)") if n else p for p, n in self._first.values()]
        return sorted(found, key=lambda problem: problem.seq or 0)

    def _report(self, problem: Problem) -> None:
        kept, more = self._first.get(problem.what, (problem, -1))
        self._first[problem.what] = (kept, more + 1)

    def take(self, event: Event, stored: bytes) -> None:
        if event.seq > self._last + 1:
            self._whole = False
            lost = f"{event.seq - self._last - 1} missing: the next event in the log is {event.seq}"
            self._report(Problem(self._last + 1, "gap", f"from event {self._last + 1} on, {lost}"))
        elif event.seq <= self._last:
            self._whole = False
            self._report(Problem(event.seq, "order", f"event {event.seq} stands a second time or out of its place"))
        if _leaf_or_none(event) != stored:
            self._altered.append((event, stored))
        self._last = max(self._last, event.seq)
        self._watch_clock(event)
        if self._whole:
            self._tree.append(stored)
            if self._tree.size in self._sizes:
                self._roots[self._tree.size] = self._tree.root

    def _watch_clock(self, event: Event) -> None:
        if _rehearsed(event.public):
            return  # dsr --now: the clock was set by hand and says nothing about the true one
        latest, mark = self._clock
        try:
            at = datetime.fromisoformat(event.at).astimezone(UTC)
        except (ValueError, TypeError, OverflowError):
            self._report(Problem(event.seq, "clock", f"event {event.seq} carries no readable instant", "warning"))
            return
        if at < mark:
            words = f"event {event.seq} is dated before event {latest}: the clock went backwards"
            self._report(Problem(event.seq, "clock", words, "warning"))
        else:
            self._clock = (event.seq, at)

    def settle_altered(self) -> None:
        """Two altered events of which each fits at the other's place were exchanged."""
        rest = list(self._altered)
        few = rest[: self.MOST_ALTERED]
        for at, (one, own) in enumerate(few):
            for other, theirs in few[at + 1 :]:
                fits = (_leaf_or_none(replace(one, seq=other.seq)), _leaf_or_none(replace(other, seq=one.seq)))
                if fits in ((own, theirs), (theirs, own)):
                    self._report(Problem(one.seq, "swapped", f"events {one.seq} and {other.seq} were exchanged"))
                    rest = [pair for pair in rest if pair[0] not in (one, other)]
        for event, _ in rest:
            self._report(Problem(event.seq, "altered", f"event {event.seq} is not what its leaf commits to"))

    def compare(self, witnesses: list[tuple[TreeHead, str]]) -> None:
        agreed = 0
        beyond: dict[int, bytes] = {}
        for head, name in sorted(witnesses, key=lambda pair: pair[0].size):
            if head.size > self._last:
                words = f"the log ends at {self._last}, but {name} shows {head.size}: tail cut or rolled back"
                self._report(Problem(self._last + 1, "cut", words))
                if beyond.setdefault(head.size, head.root) != head.root:
                    self._report(Problem(None, "fork", f"two heads of size {head.size} contradict each other"))
            elif self._roots.get(head.size, head.root) != head.root:
                words = f"{name} of size {head.size} shows another history: {agreed + 1} to {head.size} was rewritten"
                self._report(Problem(agreed + 1, "fork", words))
            elif head.size in self._roots:
                agreed = head.size

    def compare_kept(self, kept: TreeHead) -> None:
        if self._whole and kept != self._tree.head:
            words = f"the kept tree, of {kept.size} events, is not that of the {self._tree.size} in the log: they were "
            self._report(Problem(None, "tree", f"{words}cut or rewritten, or it is damaged; {ANEW}"))


# -- evidence for a stranger ------------------------------------------------------------------------------------
def evidence_bundle(
    case_no: str,
    all_leaves: Sequence[bytes],
    case_events: Sequence[Event],
    head: TreeHead,
    note: str,
    public_key: bytes,
) -> dict[str, Any]:
    """What ``dsr/evidence_verifier.py`` checks with nothing else at hand: the case's events, each one's proof, the
    signed checkpoint over ``head``, the log's key (32 raw bytes).

    Raises CheckFailed rather than hand out evidence that would not prove: the leaves do not give ``head``, or an
    event is not the case's, is younger than ``head`` or is not its leaf. Shows that these events are in the log
    unchanged; that the case has no others only the whole log shows (``verify_log``).
    """
    leaves = all_leaves[: head.size]
    if not case_events:
        raise CheckFailed(f"trail: the log holds no event of case {case_no}; check the number")
    if Tree(leaves).head != head or open_checkpoint(note, note.partition("\n")[0], public_key) != head:
        raise CheckFailed("trail: the log does not give the head of the checkpoint; run dsr trail verify")
    for event in case_events:
        if event.case_no != case_no or event.seq > head.size or leaf(event) != leaves[event.seq - 1]:
            raise CheckFailed(f"trail: event {event.seq} is not under this checkpoint; run dsr trail verify")
    levels = _levels(leaves)
    return {
        "format": "dsr-evidence/1",
        "case_no": case_no,
        "events": [
            {name: getattr(event, name) for name in _SHOWN}
            | {
                "sealed_sha256": _b64(sha256(event.sealed).digest()),
                "proof": [_b64(step) for step in _path(levels, event.seq - 1)],
            }
            for event in sorted(case_events, key=lambda event: event.seq)
        ],
        "head": head.text,
        "checkpoint": note,
        "public_key": _b64(public_key),
    }
