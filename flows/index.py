"""The command that builds a home's side index of its lakes, and the key that it makes for it."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from pathlib import Path

from connectors.build import connect
from connectors.stores.lake import LakeStore
from connectors.stores.lake_index import Indexing, SideIndex
from dsr.case import Act
from dsr.engine.desk import OFFICE_LOG
from dsr.errors import BadInput
from flows.home import INDEX_KEY, office, settings_of, side_index


def build(home: Path, dataset_id: str | None, now: str | None = None) -> dict[str, Indexing]:
    """Bring the index up to the lakes' files: of one dataset, or of all that say ``index = true`` and of no other.

    Without a key, or with one that is none, a new one is made; what the old one sealed is read from the files again.
    """
    keys, here = Path(settings_of(home)["keys"]), office(home, now)
    try:
        here.may("index")
        index = side_index(home, keys) or _with_new_key(home, keys)
        stores = connect(here.inventory, index=index)
        lakes = {name: store for name, store in stores.items() if isinstance(store, LakeStore)}
        wanted = {d.id: d for d in here.inventory.datasets() if d.index and d.system in lakes}
        if dataset_id is not None and dataset_id not in wanted:
            listed = ", ".join(wanted) or "none is"
            raise BadInput("dataset", "is no dataset of a lake with index = true", f"one of: {listed}")
        if dataset_id is None:
            index.keep(wanted)
        built = {
            name: lakes[dataset.system].reindex(dataset)
            for name, dataset in wanted.items() if dataset_id in (None, name)
        }
        act = Act(f"index:{here.now.isoformat()}", "result", {name: asdict(one) for name, one in built.items()})
        here.store.log_alone(OFFICE_LOG, act, here.now, here.actor.name)
        return built
    finally:
        here.store.close()


def _with_new_key(home: Path, keys: Path) -> SideIndex:
    part = keys / f".{INDEX_KEY}.part"
    part.touch(mode=0o600)
    part.write_text(secrets.token_hex(32))
    part.replace(keys / INDEX_KEY)
    made = side_index(home, keys)
    assert made, "a key that was just written"
    return made
