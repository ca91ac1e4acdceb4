"""The look before and the look after, alike for every kind of store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

from connectors.survey.look import Look, Part, Unread
from connectors.survey.marks import Marks
from connectors.survey.reach import Reach
from connectors.survey.verdict import Judgement, Ours, asked, indeterminate
from dsr.errors import CheckFailed, ConnectorMisread
from dsr.inventory import Dataset
from dsr.plan import Finding, Level, Sought


class Store(Protocol):
    """One kind of store: gives all that it holds, part by part, every place of it and not only the declared ones."""

    def parts(self, sought: Sequence[Sought], before: Mapping[str, Any] | None) -> Iterator[Part | Unread]:
        """``before``: what ``memory`` said at the look before; None at that look itself."""

    def memory(self) -> dict[str, Any]:
        """What this look must remember for the next one, beside counts and digests; keyed, nothing in clear."""

    def also(self, sought: Sequence[Sought]) -> Sequence[str]:
        """Texts that ``level`` wants to know of whether they stand anywhere."""

    def level(self, look: Look, before: Mapping[str, Any]) -> tuple[Level, dict[str, Any]]:
        """How far what is gone is gone, by the evidence of this look; and that evidence."""


class Survey:
    """A Surveyor of one system (dsr.plan)."""

    def __init__(self, reach: Reach, marks: Marks, store: Store) -> None:
        self._reach, self._marks, self._store = reach, marks, store

    def __repr__(self) -> str:
        return f"<survey of {self._reach.system.name}: {self._reach.system.store}>"

    @cached_property
    def _datasets(self) -> dict[str, Dataset]:
        return self._reach.datasets()

    def before(self, sought: Sequence[Sought]) -> Mapping[str, Any]:
        return self._reach.plainly(lambda: self._before(sought))

    def after(
        self, sought: Sequence[Sought], before: Mapping[str, Any], ours: Ours = tuple
    ) -> list[Finding]:
        names = self._names(sought)
        if before.get("of") != self._of(sought):
            return indeterminate(names, "other_plan")
        try:
            return self._reach.plainly(lambda: self._after(sought, names, before, ours))
        except ConnectorMisread as error:
            return indeterminate(names, "unread", error.detail)

    def rewritten(self, owed: Mapping[str, Any]) -> Sequence[str]:
        look = getattr(self._store, "rewritten", None)
        return self._reach.plainly(lambda: look(owed)) if look else []

    def _names(self, sought: Sequence[Sought]) -> list[str]:
        """Of all systems that this look sees; and what is nobody's."""
        own = {dataset.id for system in self._reach.seen() for dataset in system.dataset.values()}
        return [name for name in asked(sought) if name in own or name not in self._datasets]

    def _canary(self, sought: Sequence[Sought]) -> tuple[str, ...]:
        """Planted by those whose records are sought."""
        names = {name.partition(".")[0] for name in asked(sought)} | {self._reach.system.name}
        return tuple(text for system in self._reach.seen() if system.name in names for text in system.canary)

    def _look(self, sought: Sequence[Sought], before: Mapping[str, Any] | None) -> Look:
        look = Look(self._datasets, self._marks, sought, self._canary(sought), self._reach.meant(), before,
                    self._store.also(sought))  # fmt: skip
        for part in self._store.parts(sought, before and before["store"]):
            look.take(part)
        return look

    def _before(self, sought: Sequence[Sought]) -> dict[str, Any]:
        look = self._look(sought, None)
        for unread in look.unread:
            raise ConnectorMisread(self._reach.system.name, None, f"{unread.place}: {unread.why}")
        self._require_found(look)
        return {**look.told(), "planned": look.planned(), "of": self._of(sought), "store": self._store.memory()}

    def _require_found(self, look: Look) -> None:
        """A look that cannot find what is certainly there now could not find it afterwards either."""
        for name, targets in look.targets.items():
            for frozen in (targets.gone, targets.emptied, targets.still):
                planned, found = len(frozen.keys), int((frozen.rows > 0).sum())
                if found < planned:
                    raise CheckFailed(f"{name}: the survey found {found} of {planned} planned records; nothing was "
                                      "changed: compare the plan with the store, and survey_url with url")  # fmt: skip
        wanted, found = look.planted()
        if look.canary and found < wanted:
            raise CheckFailed(f"{self._reach.system.name}: the survey found {found} of {wanted} planted values; plant "
                              "the system's canary anew")  # fmt: skip

    def _after(
        self, sought: Sequence[Sought], names: Sequence[str], before: Mapping[str, Any],
        ours: Ours,
    ) -> list[Finding]:  # fmt: skip
        look = self._look(sought, before)
        wanted, found = look.planted()
        tests = (("no_plant", not wanted), ("plant_missing", found < wanted), ("unread", bool(look.unread)))
        judgement = Judgement(self._reach.system.name, look, before, [reason for reason, wrong in tests if wrong],
                              ours)  # fmt: skip
        return judgement.findings(names, lambda: self._store.level(look, before["store"]))

    def _of(self, sought: Sequence[Sought]) -> str:
        """Keyed, of which records of which cases are sought."""
        words: list[str] = []
        for each in sought:
            for group in each.groups:
                for name, rows in sorted(group.items()):
                    words += [each.case_no, name, *map(str, rows.to_pylist())]
        return self._marks.of(*words)


class Unlooked:
    """Of a store that no look reaches (paper, an unknown kind): nothing is vouched for, and that is said."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    @property
    def _why(self) -> str:
        return "a_person_must_look" if self._reach.system.store == "manual" else "no_survey_for_this_store"

    def before(self, sought: Sequence[Sought]) -> Mapping[str, Any]:
        return {"why": self._why}

    def after(
        self, sought: Sequence[Sought], before: Mapping[str, Any], ours: Ours = tuple
    ) -> list[Finding]:
        return indeterminate(asked(sought), self._why)

    def rewritten(self, owed: Mapping[str, Any]) -> Sequence[str]:
        return [self._why]
