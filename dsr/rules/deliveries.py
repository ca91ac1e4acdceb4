"""What may be sent again after a return: never where it failed, once after a lapse (ID-8; documents.md §2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

Delivery = Mapping[str, Any]
"""``channel``, ``sent_on``, and of what came back ``returned_on``, ``reason``, ``addressed``; days as ISO text."""
HELD_DAYS = 60
"""A parcel that came back is held sealed for as long [policy]."""
RESENDS = 1


def out(deliveries: Sequence[Delivery]) -> Delivery | None:
    """The one that is under way or has arrived."""
    last = deliveries[-1] if deliveries else None
    return None if last is None or last.get("returned_on") else last


def barred(deliveries: Sequence[Delivery], addressed: int) -> str:
    """Why nothing may be sent now; empty where it may. ``addressed``: how often a new address was proved."""
    back = [one for one in deliveries if one.get("returned_on")]
    if any(one["reason"] == "addressee_unknown" and one["addressed"] == addressed for one in back):
        return "it came back from this address (addressee unknown); another one is proved first"
    if sum(one["reason"] in ("lapsed", "refused") for one in back) > RESENDS:
        return "it was sent again once and came back; it is held sealed to its day, then destroyed"
    return ""


def held_until(returned_on: date) -> date:
    """The last day on which it is held."""
    return returned_on + timedelta(days=HELD_DAYS)
