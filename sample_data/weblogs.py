"""Access logs of the member site, one gz a day, and the table that ties cookies to members."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path

import numpy as np

from sample_data import canary
from sample_data.people import NEIGHBOURS, STORY, Person
from sample_data.truth import Truth

DATASET, LINKS = "web_logs.access", "cookie_links.links"
START, DAYS = date(2026, 5, 1), 184
NOBODY = "-"
SHARED_COOKIE, RYO_COOKIE, LONELY_COOKIE = "5ab3d10c44e6902f", "c19e07aa52d4b836", "7f3a5c0e91d2b846"
FUMI_COOKIE, MAI_COOKIE, KAEDE_COOKIE = "b64f20d17e8a93c5", "d8c3517fa02be946", "f21c9e60b3a74d58"
RYO_LINKED_AT = datetime(2026, 6, 1, 20, 5)  # noqa: DTZ001 - local, as stored
HITS_EACH = 14
_PAGES = ("/my/", "/my/bill", "/my/usage", "/my/contract", "/faq", "/campaign/autumn", "/my/inquiry")
_AGENTS = ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)")


@dataclass(frozen=True)
class Hit:
    """One line. ``owner`` is None where it is nobody's; ``member_id`` ``-``: not logged in."""

    at: datetime
    member_id: str
    cookie_id: str
    owner: str | None
    place: int

    def line(self) -> str:
        page, agent = _PAGES[self.place % len(_PAGES)], _AGENTS[self.place % 2]
        return (
            f"203.0.113.{self.place % 250 + 1} - {self.member_id} [{self.at.isoformat()}+09:00] "
            f'"GET {page} HTTP/1.1" 200 {1_000 + self.place % 50_000} "-" "{agent}" cookie={self.cookie_id}'
        )


def _moments(rng: np.random.Generator, count: int, first: datetime, last: datetime) -> list[datetime]:
    seconds = np.sort(rng.integers(0, int((last - first).total_seconds()), count))
    return [first + timedelta(seconds=int(second)) for second in seconds]


def _hits(
    rng: np.random.Generator,
    count: int,
    member_id: str,
    cookie_id: str,
    owner: str | None,
    first: datetime | None = None,
    last: datetime | None = None,
) -> list[Hit]:
    start = datetime.combine(START, time.min)
    moments = _moments(rng, count, first or start, last or start + timedelta(days=DAYS))
    return [
        Hit(at, member_id, cookie_id, owner, int(place))
        for at, place in zip(moments, rng.integers(0, 1 << 20, count), strict=True)
    ]


def _story(rng: np.random.Generator) -> tuple[list[Hit], frozenset[tuple[str, str]]]:
    """Hits, and the pairs of cookie and member that were never linked although one logged in there."""
    by = {person.key: person.member_id for person in STORY}
    hits = _hits(rng, 92, by["hanako"], "a07be2f9d3315c68", "hanako") + _hits(
        rng, 8, NOBODY, "a07be2f9d3315c68", "hanako"
    )
    hits += _hits(rng, 30, by["kenta"], "e4410b7dc8f2965a", "kenta")
    # One browser, two members: what was not logged in could be either's, and is nobody's (law.md K-3).
    for key, count in (("nana", 30), ("yutaka", 26)):
        hits += _hits(rng, count, by[key], SHARED_COOKIE, key)
    hits += _hits(rng, 12, NOBODY, SHARED_COOKIE, None)
    # Ryo browsed for four weeks before he logged in; a guest logged in once on his browser, and that line is hers.
    first_seen = datetime(2026, 5, 3, 19, 2, 11)  # noqa: DTZ001 - local, as stored
    hits += [Hit(first_seen, NOBODY, RYO_COOKIE, "ryo", 7), Hit(RYO_LINKED_AT, by["ryo"], RYO_COOKIE, "ryo", 8)]
    hits += _hits(rng, 24, NOBODY, RYO_COOKIE, "ryo", first_seen + timedelta(seconds=1), RYO_LINKED_AT)
    hits += _hits(rng, 29, by["ryo"], RYO_COOKIE, "ryo", RYO_LINKED_AT + timedelta(seconds=1))
    guest = NEIGHBOURS[1]
    hits.append(Hit(datetime(2026, 9, 1, 15, 0), guest.member_id, RYO_COOKIE, guest.key, 9))  # noqa: DTZ001
    hits += _hits(rng, 9, NOBODY, LONELY_COOKIE, None)
    hits += _hits(rng, 40, by["fumi"], FUMI_COOKIE, "fumi") + _hits(rng, 5, NOBODY, FUMI_COOKIE, "fumi")
    hits += _hits(rng, 20, by["mai"], MAI_COOKIE, "mai")
    hits += _hits(rng, 16, by["kaede"], KAEDE_COOKIE, "kaede")
    hits.append(Hit(canary.AT, NOBODY, canary.COOKIE, None, 3))
    return hits, frozenset({(RYO_COOKIE, guest.member_id)})


def write_logs(folder: Path, strangers: Sequence[Person], seed: int, truth: Truth) -> list[dict[str, str]]:
    """Write the log files; returns the rows of ``links``. Member and cookie break ties, so that bytes repeat."""
    rng = np.random.default_rng([seed, 6])
    hits, unlinked = _story(rng)
    for person in strangers:
        if person.member_id:
            cookie_id = rng.bytes(8).hex()
            hits += _hits(rng, HITS_EACH, person.member_id, cookie_id, person.key)
            hits += _hits(rng, 2, NOBODY, cookie_id, person.key)
    hits.sort(key=lambda hit: (hit.at, hit.member_id, hit.cookie_id))
    days = {day: list(lines) for day, lines in groupby(hits, lambda hit: hit.at.date())}
    for day in (START + timedelta(days=n) for n in range(DAYS)):
        name = f"access-{day.isoformat()}"
        lines = days.get(day, [])
        for number, hit in enumerate(lines, 1):
            truth.own(hit.owner, DATASET, f"{name}:{number}")
        text = "".join(hit.line() + "\n" for hit in lines)
        (folder / f"{name}.log.gz").write_bytes(gzip.compress(text.encode(), 6, mtime=0))
    return _links(hits, unlinked, strangers, truth)


def _links(
    hits: Sequence[Hit], unlinked: frozenset[tuple[str, str]], strangers: Sequence[Person], truth: Truth
) -> list[dict[str, str]]:
    """A pair is linked at its first login; the cookie itself was seen from its first line on."""
    seen: dict[str, datetime] = {}
    linked: dict[tuple[str, str], datetime] = {}
    for hit in hits:
        seen.setdefault(hit.cookie_id, hit.at)
        if hit.member_id != NOBODY and (hit.cookie_id, hit.member_id) not in unlinked:
            linked.setdefault((hit.cookie_id, hit.member_id), hit.at)
    owners = {person.member_id: person.key for person in (*STORY, *NEIGHBOURS, *strangers) if person.member_id}
    for cookie_id, member_id in sorted(linked):
        truth.own(owners[member_id], LINKS, f"{cookie_id}|{member_id}")
    return [
        {"cookie_id": cookie_id, "member_id": member_id, "first_seen": str(seen[cookie_id]), "linked_at": str(at)}
        for (cookie_id, member_id), at in sorted(linked.items())
    ] + [canary.ROWS["links"]]
