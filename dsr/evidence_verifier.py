"""Checks an evidence bundle of `dsr trail export` with Python's standard library and nothing else.

    python evidence_verifier.py BUNDLE.json [--key PUBLICKEY]

PUBLICKEY (base64, 32 bytes) is the log's key as you got it from somewhere other than the bundle; without it the
bundle's own key is used, and then the check shows only that the bundle agrees with itself. Exit status: 0 proved,
1 not proved, 2 wrong usage.

What it shows: every event printed was in the log, at its place and unchanged, when the checkpoint was signed. Sealed
parts count by the digest of their ciphertext, so it holds also after the case's key was destroyed. What it cannot
show: that no event was left out (dsr trail verify of the whole log does); it names places not shown, and steps without
a result. Compare the head with one on a letter you hold.
Made from: RFC 8032 §5.1 (Ed25519), RFC 9162 §2.1.3.2 (inclusion), RFC 8785 (canonical JSON), C2SP signed-note.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from hashlib import sha256, sha512
from typing import Any

FIELDS = {"format", "case_no", "events", "head", "checkpoint", "public_key"}
SHOWN = ("seq", "case_no", "step_key", "phase", "at", "actor_id", "public")


class NotProved(Exception):
    pass


def demand(truth: bool, words: str) -> None:
    if not truth:
        raise NotProved(words)


# -- Ed25519, verification only; points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z ------------------------
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int, int, int]


def add(one: Point, other: Point) -> Point:
    a, b = (one[1] - one[0]) * (other[1] - other[0]) % P, (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point, scalar = add(point, point), scalar >> 1
    return total


def point_of(raw: bytes) -> Point | None:
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def signed_by(public_key: bytes, message: bytes, signature: bytes) -> bool:
    if len(public_key) != 32 or len(signature) != 64 or BASE is None:
        return False
    key, nonce, s = point_of(public_key), point_of(signature[:32]), int.from_bytes(signature[32:], "little")
    if key is None or nonce is None or s >= ORDER:
        return False
    k = int.from_bytes(sha512(signature[:32] + public_key + message).digest(), "little") % ORDER
    left, right = times(s, BASE), add(nonce, times(k, key))
    return all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1))


# -- the bundle -------------------------------------------------------------------------------------------------
def decode(text: Any, length: int, name: str) -> bytes:
    demand(isinstance(text, str), f"{name} is not text")
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise NotProved(f"{name} is not base64") from None
    demand(len(raw) == length and base64.b64encode(raw).decode() == text, f"{name} is not {length} bytes in base64")
    return raw


def checked_head(note: Any, public_key: bytes) -> tuple[str, int, bytes]:
    """Origin, size and root out of a note that the key signed under the origin's name."""
    demand(isinstance(note, str) and note.endswith("\n") and "\n\n" in note, "the checkpoint is not a signed note")
    text, _, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    demand(len(lines) >= 3 and bool(re.fullmatch("0|[1-9][0-9]{0,15}", lines[1])), "the checkpoint holds no head")
    identity = sha256(lines[0].encode() + b"\n\x01" + public_key).digest()[:4]
    found = False
    for line in signatures[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        demand(dash == "—", "a signature line of the checkpoint is malformed")
        if name == lines[0] and (raw := decode(encoded, 68, "the signature"))[:4] == identity:
            demand(signed_by(public_key, text.encode() + b"\n", raw[4:]), "the checkpoint's signature is false")
            found = True
    demand(found, "the checkpoint is not signed with this key")
    return lines[0], int(lines[1]), decode(lines[2], 32, "the checkpoint's root")


def leaf_of(event: dict[str, Any]) -> bytes:
    # Text and one whole number under ASCII names: for these, this is the RFC 8785 writing.
    shown = json.dumps({name: event[name] for name in SHOWN}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(b"\x00" + shown.encode() + decode(event["sealed_sha256"], 32, "sealed_sha256")).digest()


def included(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    if not 0 <= index < size:
        return False
    at, last = index, size - 1
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            leaf = sha256(b"\x01" + step + leaf).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            leaf = sha256(b"\x01" + leaf + step).digest()
        at, last = at >> 1, last >> 1
    return last == 0 and leaf == root


def check_event(event: Any, case_no: str, before: int, size: int, root: bytes) -> None:
    demand(isinstance(event, dict) and event.keys() == {*SHOWN, "sealed_sha256", "proof"}, "an event has other fields")
    demand(type(event["seq"]) is int and before < event["seq"] <= size, "an event stands twice or out of order")
    demand(all(isinstance(event[name], str) for name in SHOWN[1:]), f"event {event['seq']}: a field is not text")
    demand(event["case_no"] == case_no, f"event {event['seq']} belongs to another case")
    demand(isinstance(event["proof"], list), f"event {event['seq']}: its proof is not a list")
    proof = [decode(step, 32, f"proof of event {event['seq']}") for step in event["proof"]]
    there = included(leaf_of(event), event["seq"] - 1, size, proof, root)
    demand(there, f"event {event['seq']} is not in the log as printed here")


def verify(bundle: Any, trusted: str | None = None) -> list[str]:
    """The lines to print, one for each thing proved. Raises NotProved at the first that is not."""
    demand(isinstance(bundle, dict) and bundle.keys() == FIELDS, "the bundle has other fields than it should")
    demand(bundle["format"] == "dsr-evidence/1", "the bundle is of a format unknown here")
    key = decode(bundle["public_key"], 32, "public_key")
    demand(trusted in (None, bundle["public_key"]), "the bundle's key is not the one you trust")
    said = [f"key        {bundle['public_key']} " + ("the one you gave" if trusted else "FROM THE BUNDLE: compare it")]
    origin, size, root = checked_head(bundle["checkpoint"], key)
    head = f"{size}:{base64.b64encode(root).decode()}"
    demand(bundle["head"] == head, "the head is not the checkpoint's")
    said.append(f"checkpoint {head} signed by {origin!a}")
    events = bundle["events"]
    demand(isinstance(events, list) and bool(events), "the bundle holds no events")
    demand(isinstance(bundle["case_no"], str), "case_no is not text")
    for before, event in zip([{"seq": 0}, *events], events):  # noqa: B905
        check_event(event, bundle["case_no"], before["seq"], size, root)
        said.append(f"event      {json.dumps([event[name] for name in SHOWN])}")
    places = [0, *(event["seq"] for event in events), size + 1]
    gaps = [f"{one + 1}-{other - 1}" for one, other in zip(places, places[1:]) if other > one + 1]  # noqa: B905, RUF007
    ended = {event["step_key"] for event in events if event["phase"] != "intent"}
    begun = [event["seq"] for event in events if event["phase"] == "intent" and event["step_key"] not in ended]
    said += [f"open       event {seq} begins a step whose result is not here" for seq in begun]
    said.append(f"not seen   places {', '.join(gaps) or '-'}: other cases' events, or left out; and all after {size}")
    return [*said, f"proved     {len(events)} events of case {bundle['case_no']!a} in a log of {size}"]


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 3) or (len(arguments) == 3 and arguments[1] != "--key"):
        sys.stderr.write(f"{(__doc__ or '').strip()}\n")
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as file:  # noqa: PTH123  one file, few imports
            lines = verify(json.load(file), arguments[2] if len(arguments) == 3 else None)
    except NotProved as problem:
        sys.stdout.write(f"NOT PROVED {problem}\n")
        return 1
    except (OSError, ValueError, RecursionError) as error:
        sys.stdout.write(f"NOT PROVED the bundle cannot be read ({type(error).__name__})\n")
        return 1
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
