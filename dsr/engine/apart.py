"""Single records of a disclosure that are decided apart: left out of every paper, counted under their ground (DC-4).

Of one that must not be known nothing is counted either. Which records they are is an officer's word: sealed with the
decision, made part of its plan by a keyed digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsr.engine import reviewing
from dsr.engine.fetched import fetched
from dsr.engine.office import Hold
from dsr.errors import BadInput, as_id
from dsr.request import Decision
from dsr.rules import proposing
from dsr.rules.redaction import record_nos

Drafts = dict[str, dict[str, Any]]


def decide(hold: Hold, number: int, items: Mapping[str, dict[str, Any]], decision: Decision) -> Drafts:
    """The drafts without them; ``items`` of their datasets say so. Raises BadInput for a record that is not there."""
    drafts: Drafts = dict(hold.case.facts.get("drafts", {}))
    if not decision.records:
        return drafts
    found = proposing.apart(hold.case.right, items, decision)
    hold.write_json(f"decision/{number}.records.json", found)
    for name, records in found.items():
        if not records:
            continue
        dataset = hold.office.inventory.dataset(name)
        here = {no for batch in fetched(hold, dataset) for no in record_nos(batch, dataset.key).to_pylist()}
        for missing in sorted(set(records) - here):
            raise BadInput(f"records.{as_id(name)}/{as_id(missing)}", "is no record of this case", "see dsr preview")
        file = f"draft/{name}.{number}.arrow"
        draft = {**reviewing.redacted(hold, dataset, file, records), "file": file, "apart": number}
        if not draft["rows"]:
            raise BadInput(f"records.{name}", "leave nothing of the dataset", "decide the dataset as a whole")
        drafts[name] = draft
        whole = not draft["reasons"] and not draft["withheld"]
        items[name]["outcome"] = "full" if whole else "partial"
    return drafts
