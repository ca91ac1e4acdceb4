"""Reminders sent to roles by apprise (inventory: [notify]): case number, what, who and due, and nothing else."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dsr.engine.office import Office
from dsr.errors import BadInput, CheckFailed
from dsr.inventory import value_of

SENT, FAILED = "sent", "not sent"
_LINE = re.compile(
    r"(DSR-[0-9]{4}-[0-9]{6}|office)  [A-Za-z0-9_.:-]+( \([A-Za-z0-9_]+\))? → [a-z]+  "
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}( \+[0-9]+)?"
)


def line(told: Mapping[str, Any]) -> str:
    """A reminder as every reader sees it. ``+n``: days late."""
    to = f" ({told['to']})" if "to" in told else ""
    late = f" +{told['overdue_days']}" if told["overdue_days"] else ""
    return f"{told['case']}  {told['what']}{to} → {told['who']}  {told['due']}{late}"


def notify(office: Office, found: Mapping[str, Any]) -> dict[str, str]:
    """Role → ``sent``, or why not. Whatever fails here is said and stops nothing."""
    told: dict[str, str] = {}
    for role, places in office.inventory.notify.items():
        lines = [line(one) for one in (*found["reminders"], *found["escalated"]) if one["who"] == role]
        if not lines:
            continue
        try:
            told[role] = SENT if _send(office, role, places, f"dsr watch {found['day']}", lines) else FAILED
        except (BadInput, CheckFailed) as error:
            told[role] = f"{FAILED}: {error}"
        except Exception as error:  # a foreign library's words may hold the address, which is a secret
            told[role] = f"{FAILED}: {type(error).__name__}"
    return told


def _send(office: Office, role: str, places: Sequence[str], title: str, lines: Sequence[str]) -> bool:
    if strange := [at for at, one in enumerate(lines) if not _LINE.fullmatch(one)]:
        raise CheckFailed(f"reminder {strange[0]} holds more than numbers, codes and days; nothing was sent")
    import apprise  # half a second that only who is notified pays

    quiet = logging.getLogger("apprise")
    quiet.propagate, quiet.handlers = False, [logging.NullHandler()]
    inventory, to = office.inventory, apprise.Apprise()
    for number, written in enumerate(places):
        field = f"notify.{role}.{number}"
        if not to.add(value_of(written, field, os.environ, inventory.folder)):
            raise BadInput(field, "is no URL that apprise knows", "see apprise's list of services")
    return bool(to.notify(title=title, body="\n".join(lines)))
