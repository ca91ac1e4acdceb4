"""Looks for a person's values in every file of a tree, in every form a program may have left them."""

from __future__ import annotations

import base64
import gzip
import json
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote


def spellings(value: str) -> set[str]:
    """As written, folded, without spaces and hyphens."""
    forms = {value, unicodedata.normalize("NFKC", value), value.replace("髙", "高")}
    forms |= {"".join(ch for ch in form if ch not in " 　-") for form in set(forms)}
    return {form for form in forms if len(form) >= 4 or (not form.isascii() and len(form) >= 3)}


def written(value: str) -> set[bytes]:
    """Each spelling as UTF-8, UTF-16, cp932, JSON escapes, percent signs, hex and base64 at each alignment."""
    found: set[bytes] = set()
    for form in spellings(value):
        raw = form.encode()
        found |= {raw, form.encode("utf-16-le"), json.dumps(form)[1:-1].encode(), quote(form).encode(), raw.hex().encode()}
        found.add(form.encode("cp932", "ignore"))
        for lead in range(3):
            coded = base64.b64encode(b"\0" * lead + raw)
            found.add(coded[(lead * 8 + 5) // 6 : -4])
    return {form for form in found if len(form) >= 6}


def search(root: Path, values: Iterable[str], skip: Iterable[Path] = ()) -> list[str]:
    """``file: number of the value`` for each value found below ``root``; never the value itself."""
    needles = [(number, form) for number, value in enumerate(values) for form in written(value)]
    outside = [path.resolve() for path in skip]
    hits = []
    for path in sorted(root.rglob("*")):
        if not path.is_file() or any(path.resolve().is_relative_to(other) for other in outside):
            continue
        raw = path.read_bytes()
        bodies = [raw] if raw[:2] != b"\x1f\x8b" else [raw, gzip.decompress(raw)]
        hits += [f"{path.name}: value {number}" for number, form in needles if any(form in body for body in bodies)]
    return sorted(set(hits))
