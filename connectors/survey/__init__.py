"""The independent look: other code than what erases, a credential of its own, targets from the store's own schema.

It finds what is still there after an erasure, whoever carried it out, and says nothing where it cannot be sure
(architecture.md; traps.md T01-T08). It imports nothing that fetches or erases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connectors.survey.files import LakeFiles, LogFiles
from connectors.survey.http import Api
from connectors.survey.marks import Marks
from connectors.survey.reach import Reach
from connectors.survey.sql import Database
from connectors.survey.surveyor import Store, Survey, Unlooked
from dsr.inventory import Inventory, System
from dsr.plan import Surveyor

STORES: Mapping[str, Callable[[Reach, Marks], Store]] = {
    "sql": Database, "lake": LakeFiles, "logs": LogFiles, "http": Api,
}


def surveyor(inventory: Inventory, system: System, environment: Mapping[str, str], key: bytes) -> Surveyor:
    """Of one system. ``key`` keys every digest and must be the same for the look before and the looks after.

    Nothing is opened before it is asked. A store that nobody can look into gets one that says ``indeterminate``.
    """
    reach = Reach(system, inventory, environment)
    kind = STORES.get(system.store)
    if kind is None:
        return Unlooked(reach)
    marks = Marks(key)
    return Survey(reach, marks, kind(reach, marks))


__all__ = ["surveyor"]
