"""What a collection brought into the vault, and which reading of it a draft or plan belongs to."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from dsr.engine import collecting
from dsr.engine.office import Hold
from dsr.inventory import Dataset


def fetched(hold: Hold, dataset: Dataset) -> Iterator[pa.RecordBatch]:
    """The rows as stored, batch by batch; none when nothing was fetched."""
    if not hold.vault.exists(f"fetched/{dataset.id}.arrow") or not _any(hold, dataset):
        return
    with hold.vault.reader(f"fetched/{dataset.id}.arrow") as source, pa.ipc.open_stream(source) as stream:
        yield from stream


def _any(hold: Hold, dataset: Dataset) -> bool:
    name = f"fetched/{dataset.id}.json"
    return hold.vault.exists(name) and int(hold.read_json(name).get("records", 0)) > 0


def found_datasets(hold: Hold) -> list[Dataset]:
    ended = hold.case.facts.get("datasets", {})
    return [d for d in hold.office.inventory.datasets() if ended.get(d.id, {}).get("status") == "found"]


def revision(hold: Hold) -> int:
    return sum(1 for step, phase in hold.steps() if step.startswith("review:") and phase == "result")


def stage(hold: Hold) -> str:
    """Drafts belong to one collection and one reading of it."""
    return f"{collecting.attempt(hold)}.{revision(hold)}"


def proposing_step(hold: Hold) -> str:
    """Of the next proposal: an approver may send the one of this very stage back."""
    step = f"propose:{stage(hold)}"
    made = sum(done.split("#")[0] == step for done, _ in hold.steps())
    return f"{step}#{made + 1}" if made else step
