"""Hours between approval and the first effect; in a production home loosening them waits a day, announced (EN-33)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from dsr.case import Act
from dsr.engine.office import Office
from dsr.store import OFFICE

USUAL = 24
DAY = timedelta(hours=24)
STEP = "cooling_off:"
Past = Sequence[tuple[datetime, int]]
"""When the setting was first met by the engine, and its hours; oldest first."""


def hours(office: Office) -> int:
    """As they hold now: 0 outside production unless set; in production 24 unless set, and less only after a day."""
    declared = office.inventory.company.cooling_off_hours
    return in_force(_noted(office), office.now) if office.production else declared or 0


def loosening(office: Office) -> tuple[int, int, datetime] | None:
    """What is to be announced: the hours that hold, those that will, and from when."""
    if not office.production or not (past := _noted(office)) or (now := hours(office)) <= past[-1][1]:
        return None
    return now, past[-1][1], past[-1][0] + DAY


def in_force(past: Past, now: datetime) -> int:
    """The strictest of what was set within the last day and what was set before it."""
    older = [value for at, value in past if at <= now - DAY]
    return max([older[-1] if older else USUAL, *(value for at, value in past if at > now - DAY)])


def _noted(office: Office) -> Past:
    """A change stands in the log from the moment that it is met."""
    declared = office.inventory.company.cooling_off_hours
    declared = USUAL if declared is None else declared
    past = [(datetime.fromisoformat(event.at), int(json.loads(event.public)["hours"]))
            for event, _ in office.store.events(OFFICE) if event.step_key.startswith(STEP)]  # fmt: skip
    if declared == (past[-1][1] if past else USUAL):
        return past
    act = Act(f"{STEP}{len(past) + 1}", "result", {"hours": declared, "before": past[-1][1] if past else USUAL})
    office.store.log_alone(OFFICE, act, office.now, office.actor.name)
    return [*past, (office.now, declared)]
