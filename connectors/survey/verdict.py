"""From two looks to findings: verified, residual or indeterminate, in numbered steps (limits.md §5, §6).

1 planted values were found · 2 no frozen key is left · 3 no written form stands where it should not · 4 A1 = A0 - B0,
B1 = 0, C1 = C0 and the digest of C is the same, or all of C stands and other rows came since · 5 the level that this
store's evidence allows · 6 vouchers stand to the letter as they stood, and where the inventory says where notes are,
a note of each that names it was found (EBOOK).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from connectors.survey.look import Look, Tally, Targets
from connectors.survey.others import lost
from dsr.plan import OTHERS, Finding, Level, Sought, Verdict

Hits = Counter[tuple[str, str, str, str]]
"""(where, case, place, kind) → count."""
RESIDUAL = frozenset({"left", "not_emptied", "back", "hit", "overwritten", "not_noted"})
"""Reasons of a residue; every other reason only says that nothing can be said."""
Ours = Callable[[], Sequence[Mapping[str, str]]]
Leveled = Callable[[], tuple[Level, dict[str, Any]]]


def asked(sought: Sequence[Sought]) -> list[str]:
    """Datasets in which something is sought."""
    return list(dict.fromkeys(name for each in sought for name in each.datasets))


def indeterminate(names: Sequence[str], why: str, words: str = "") -> list[Finding]:
    said = {"why": [why], **({"words": words} if words else {})}
    return [Finding(name, "indeterminate", None, said) for name in names]


class Judgement:
    def __init__(self, system: str, look: Look, before: Mapping[str, Any], general: Sequence[str],
                 ours: Ours) -> None:  # fmt: skip
        """``general``: reasons for which nothing in this store can be vouched for. ``ours``: see Surveyor.after."""
        self._ours = ours
        self._system, self._look, self._before, self._general = system, look, before, list(general)
        self._hits_before: Hits = Counter({tuple(hit[:4]): hit[4] for hit in before["hits"]})
        now = [((where, look.cases[case].case_no, place, kind), count) for (where, case, place, kind), count
               in look.hits.items()]  # fmt: skip
        self._hits: Hits = Counter(dict(now))

    def findings(self, names: Sequence[str], level: Leveled) -> list[Finding]:
        """One per named dataset, and one for every other place of which something bad is to be said."""
        told = [self._dataset(name, level) for name in names]
        spoken = {place for name in names for place in self._places_of(name)}
        others = sorted({*self._look.places, *self._before["places"], *(key[2] for key in self._hits)} - spoken)
        return told + [finding for place in others if (finding := self._place(place))]

    def _places_of(self, name: str) -> list[str]:
        return [place for place, tally in self._look.places.items() if name in tally.datasets]

    def _dataset(self, name: str, level: Leveled) -> Finding:
        targets = self._look.targets.get(name)
        places = self._places_of(name)
        why = list(self._general) + ([] if targets and places else ["no_such_place"])
        planted, found = self._look.planted()
        steps: list[dict[str, Any]] = [{"step": 1, "route": "full_scan", "places": len(self._look.places),
                                        "sought": planted, "found": found}]  # fmt: skip
        if targets:
            left, full = int((targets.gone.rows > 0).sum()), int(targets.emptied.full.sum())
            back = sum(map(targets.back, range(len(self._look.cases))))
            missing = len(targets.emptied.keys) - int((targets.emptied.rows > 0).sum())
            steps.append({"step": 2, "locators": self._before["of"], "gone": len(targets.gone.keys), "left": left,
                          "emptied": len(targets.emptied.keys), "not_emptied": full, "missing": missing})  # fmt: skip
            counts = (("left", left), ("not_emptied", full), ("vanished", missing), ("back", back))
            why += [reason for reason, count in counts if count]
        if stood := self._before.get("still", {}).get(name):
            steps.append({"step": 6, **(said_6 := self._look.vouchers(name, stood))})
            why += [reason for reason in ("overwritten", "not_noted") if said_6[reason]]
        for place in places:
            reasons, more = self._of_place(place)
            why, steps = why + reasons, steps + more
        said: dict[str, Any] = {"why": sorted(set(why)), "steps": steps, "cases": self._cases(name)}
        if set(why) - OTHERS:
            return Finding(name, _verdict(why), None, said)
        if targets and not targets.changes:  # nothing was to go: no level says how far
            return Finding(name, "indeterminate" if why else "verified", None, said)
        reached, evidence = level()
        verdict: Verdict = "indeterminate" if why else "verified"
        return Finding(name, verdict, reached, {**said, "steps": [*steps, {"step": 5, **evidence}]})

    def _place(self, place: str) -> Finding | None:
        """Of a place where nothing was planned; None where nothing is to be said of it."""
        why, steps = self._of_place(place)
        said = {"why": sorted(set(why)), "steps": steps}
        return Finding(f"{self._system}.{place}", _verdict(why), None, said) if why else None

    def _of_place(self, place: str) -> tuple[list[str], list[dict[str, Any]]]:
        wheres = ("planned", "elsewhere", "held", "bystander")
        counts = {where: self._count(self._hits, place, where) for where in wheres}
        grown = any(count > self._hits_before[key] for key, count in self._hits.items()
                    if key[0] == "bystander" and key[2] == place)  # fmt: skip
        third = {"step": 3, "place": place, "residual": counts["planned"] + counts["elsewhere"],
                 "still_held": counts["held"], "bystanders": counts["bystander"],
                 "bystanders_before": self._count(self._hits_before, place, "bystander")}  # fmt: skip
        a0, b0, c0, digest = self._before["places"].get(place, Tally().told())
        a1, b1, c1, now = self._look.places.get(place, Tally()).told()
        told = (0, 0) if digest == now else self._lost(place)
        missing, unknown = told or (None, None)
        fourth = {"step": 4, "place": place, "A0": a0, "B0": b0, "A1": a1, "B1": b1, "C0": c0, "C1": c1,
                  "digest_before": digest, "digest": now, "lost": missing,
                  "lost_to_ours": told and told[0] - told[1],
                  "came": None if missing is None else c1 - c0 + missing}  # fmt: skip
        tests = (("hit", third["residual"]), ("grown", grown), ("left", b1), ("counts", c1 != c0 and unknown != 0),
                 ("digest", unknown != 0))  # fmt: skip
        return [reason for reason, wrong in tests if wrong], [third, fourth]

    def _lost(self, place: str) -> tuple[int, int] | None:
        """Rows of others that stood there before and do not now; a place that nobody saw before lost none."""
        before, tally = self._before["others"].get(place), self._look.places.get(place, Tally())
        if not before:
            return 0, 0
        return lost(before, tally.others, [told[place] for told in self._others_of_ours if place in told])

    @cached_property
    def _others_of_ours(self) -> Sequence[Mapping[str, str]]:
        """Asked once all rows were looked at: whatever was gone by then had been planned before."""
        return self._ours()

    @staticmethod
    def _count(hits: Hits, place: str, where: str) -> int:
        return sum(count for key, count in hits.items() if key[0] == where and key[2] == place)

    def _cases(self, name: str) -> dict[str, dict[str, int]]:
        """What was sought and is left, case by case."""
        targets = self._look.targets.get(name)
        if targets is None:
            return {}
        return {
            each.case_no: {"gone": targets.gone.sought(case), "left": targets.gone.found(case),
                           "emptied": targets.emptied.sought(case), "not_emptied": targets.emptied.still_full(case),
                           **_before(targets, case)}
            for case, each in enumerate(self._look.cases) if name in each.datasets
        }  # fmt: skip


def _before(targets: Targets, case: int) -> dict[str, int]:
    """Of an overtaken plan, where there was one."""
    known = targets.gone_before.sought(case) + targets.emptied_before.sought(case)
    return {"before": known, "back": targets.back(case)} if known else {}


def _verdict(why: Sequence[str]) -> Verdict:
    return "residual" if RESIDUAL & set(why) else "indeterminate"
