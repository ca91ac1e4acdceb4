"""Who asks in the name of a person under protection learns nothing: the answer goes to her alone (law.md AG-7)."""

from __future__ import annotations

from dsr.engine.fetched import fetched, found_datasets
from dsr.engine.office import Hold


def for_her_alone(hold: Hold) -> bool:
    """An agent asks, and a dataset that ``protects`` holds a record of her: whatever the mandate says, the answer goes
    to an address that she proves. Worked out each time: that she is protected stands in no case and no log."""
    guards = [d for d in found_datasets(hold) if d.protects] if hold.request.agent else []
    return any(batch.num_rows for dataset in guards for batch in fetched(hold, dataset))
