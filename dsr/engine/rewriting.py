"""Carry out many approved plans at once: a file that holds records of several cases is rewritten once for all (EN-32).

Each case keeps its own checks, events, journal entries, receipts and looks. What is wrong with one stops that one: it
is left out, and the rewrite is begun anew for the others. A case that was killed half way goes on alone, or with those
that were with it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dsr.case import Act
from dsr.engine import erasing, ordering, plans
from dsr.engine.office import Hold, Office
from dsr.engine.plans import Frozen
from dsr.engine.together import AT_ONCE, Party
from dsr.errors import ConnectorUnavailable, DsrError
from dsr.plan import Plan
from dsr.rules import planning
from dsr.rules.lifecycle import State

FILES = frozenset({"lake", "logs"})
"""Stores that are rewritten file by file; others change a case's records where they stand, and gain nothing."""


def fulfil_together(office: Office, case_nos: Sequence[str], live: Collection[str]) -> dict[str, State | Exception]:
    """The state that each erasing case reached, or what stopped it and no other. ``live``: the numbers typed again."""
    ended: dict[str, State | Exception] = {}
    for start in range(0, len(case_nos), AT_ONCE):
        with office.beating() as kept, Party(office, case_nos[start : start + AT_ONCE], kept) as party:
            _carry_out(party, live)
        ended |= party.ended
    return ended


def _carry_out(party: Party, live: Collection[str]) -> None:
    party.each(lambda no, hold: erasing.must_be_live(hold.office, no, no if no in live else None))
    going = [no for no, anything in party.each(lambda _, hold: erasing.begin(hold)).items() if anything]
    party.each(lambda _, hold: erasing.prepare(hold), going)
    frozen = party.each(lambda _, hold: {one.dataset.id: one for one in plans.frozen(hold)}, going)
    waiting: dict[str, list[str]] = {no: [] for no in frozen}
    for name in planning.order_of(party.office.inventory):  # leaves before hubs, for each
        mine = {no: ones[name] for no, ones in frozen.items() if name in ones}
        _at_once(party, mine)
        for no, done in party.each(lambda no, hold: erasing.done(hold, mine[no]), mine).items():  # noqa: B023 - called now
            waiting[no] += [] if done else [name]
    party.each(lambda no, hold: erasing.conclude(hold, waiting[no]), waiting)
    for no, state in party.each(lambda _, hold: erasing.look(hold)).items():
        party.end(no, state)


def _at_once(party: Party, mine: Mapping[str, Frozen]) -> None:
    """What of a dataset one rewrite may do for several cases; whatever comes of it, each then looks at its own."""
    groups: dict[str, dict[str, list[Plan]]] = {}
    for no, (so_far, work) in party.each(lambda no, hold: _work(hold, mine[no]), mine).items():
        if work:
            groups.setdefault(so_far, {})[no] = work
    for group in groups.values():
        if len(group) > 1:
            _rewrite(party, mine, group)


def _rewrite(party: Party, mine: Mapping[str, Frozen], work: Mapping[str, list[Plan]]) -> None:
    steps = {no: erasing.step_of(party.holds[no], mine[no]) for no in work}
    begun = {no: {"records": sum(plan.records for plan in plans_)} for no, plans_ in work.items()}
    party.each(lambda no, hold: hold.record(Act(steps[no], "intent", begun[no])), work)
    asked = [(party.holds[no], steps[no], work[no]) for no in work if no in party.holds]
    while len(asked) > 1:
        try:
            connector = erasing.writer(asked[0][0], mine[asked[0][0].case_no])
            assert connector is not None
            told = erasing.write(asked, connector)
        except ConnectorUnavailable as error:  # the store's own trouble: all go on from there, together or alone
            for hold, *_ in asked:
                party.end(hold.case_no, error)
            return
        except Exception as error:  # alone, who broke it breaks nobody else
            blamed = error.cases if isinstance(error, DsrError) else frozenset()
            asked = [one for one in asked if blamed and one[0].case_no not in blamed]
        else:
            _told(party, steps, {hold.case_no: said for (hold, *_), said in zip(asked, told, strict=True)})
            return


def _told(party: Party, steps: Mapping[str, str], said: Mapping[str, Mapping[str, Any]]) -> None:
    party.each(lambda no, hold: hold.record(Act(steps[no], "result", said[no])), said)


def _work(hold: Hold, one: Frozen) -> tuple[str, list[Plan]]:
    """What is to be done, and what was so far: only those that did the same, in one rewrite, go on in one."""
    step, system = erasing.step_of(hold, one), hold.office.inventory.system_of(one.dataset)
    alone = one.of(frozenset({"annotate"})).num_rows or ordering.waits_for(hold, plans.run(hold), one.dataset)
    if system.store not in FILES or alone or hold.result(step) is not None or erasing.writer(hold, one) is None:
        return "", []
    so_far = {f"{key.removeprefix(step)} {phase}": _of_all(said) for (key, phase), said in hold.ledger().items()
              if key.startswith(f"{step}:")}  # fmt: skip
    return json.dumps(so_far, sort_keys=True), plans.work_of(hold, one)


def _of_all(said: Mapping[str, Any]) -> dict[str, Any]:
    """Without the counts, which are each case's own; a digest of the plans tells who was in it."""
    return {name: value for name, value in json.loads(said["said"]).items() if name != "records"}
