"""The law of a day as one document: what is in force, what is stored for later, and which rows wait for counsel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from dsr import law
from dsr.law import Row, Version

PARTS: Mapping[str, tuple[str, ...]] = {
    "rights": ("label", "label_en", "basis", "ground_needed", "fee", "presuit", "notice"),
    "grounds": ("kind", "citation", "printed", "needs", "rights"),
    "outcomes": ("label", "label_en", "final", "outward", "notice"),
    "retention": ("label", "label_en", "period", "period_en"),
}
"""Part → what is told of its rows; of a retention rule ``label`` names the source, the statute and its article."""


def shown(on: date) -> dict[str, Any]:
    """For a request that arrives ``on`` that day (V-2). Raises BadInput before the first version held.

    Retention follows the day of the act or the fiscal year and never the version: its rows are the same on every day.
    """
    version = law.version_on(on)
    parts = {part: {row.id: _told(row, fields) for row in law.standing(part, None if part == "retention" else version)}
             for part, fields in PARTS.items()}  # fmt: skip
    unsure = [f"{part}.{name}" for part, rows in parts.items() for name, row in rows.items() if row["mark"] == "verify"]
    later = [_version(one) for one in law.VERSIONS.values() if one.valid_from is None or one.valid_from > on]
    return {"on": on.isoformat(), "version": _version(version), **parts, "verify": unsure, "not_in_force": later}


def _told(row: Row, fields: tuple[str, ...]) -> dict[str, Any]:
    told = row.model_dump(mode="json", include=set(fields))
    return {"mark": row.status, "law_version": row.law_version, **{name: told[name] for name in fields}}


def _version(version: Version) -> dict[str, Any]:
    told: dict[str, Any] = version.model_dump(mode="json")
    return told
