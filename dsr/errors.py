"""Every error the engine raises on purpose, drawn as one tree.

DsrError                      something a person can act on; the message names the part and what to do
├── BadInput                  the input is wrong: names the field and the fix (exit 2)
├── NotAllowed                the act is not open to this officer, or not in this state (exit 1)
├── Conflict                  somebody else holds the case, or it moved under us (exit 1)
├── Sealed                    a sealed thing cannot be opened: key missing or bytes changed (exit 1)
├── CheckFailed               what was checked is not so (exit 1)
└── ConnectorError            a company's system; carries system, dataset and a code, never a value (exit 3)
    ├── ConnectorUnavailable  no answer: asked again later
    ├── ConnectorRefused      it said no: a person must look
    ├── ConnectorMisread      it answered something that cannot be read whole; stops and speaks
    │   └── ConnectorTruncated  it stopped in mid-answer: part of an answer is no answer
    └── ConnectorDrifted      its live schema is not the declared one

No message ever holds a subject's value: messages are built from ids, field names, places and counts.
"""

from __future__ import annotations

import errno
import os
import re
from typing import ClassVar

_ID = re.compile(r"DSR-[0-9]{4}-[0-9]{6}|(?!.*[0-9]{5})[A-Za-z][A-Za-z0-9_.+-]{0,59}")


def as_id(typed: str) -> str:
    """``typed`` where it reads like an id. Anything else may be a name or a number of the subject: ``…``."""
    return typed if _ID.fullmatch(typed) else "…"


def os_words(error: OSError) -> str:
    """What the operating system says of the fault; the exception's own words may quote a path or anything else."""
    return os.strerror(error.errno or errno.EIO)


class DsrError(Exception):
    """``cases``: whose records it speaks of, where several were in hand and only these are in trouble."""

    exit_status: ClassVar[int] = 1
    cases: frozenset[str] = frozenset()


class BadInput(DsrError):
    """``field`` is a dotted path into the input; ``fix`` says in words what would be accepted."""

    exit_status = 2

    def __init__(self, field: str, problem: str, fix: str = "") -> None:
        self.field, self.problem, self.fix = field, problem, fix
        super().__init__(f"{field}: {problem}" + (f" → {fix}" if fix else ""))


class NotAllowed(DsrError):
    pass


class Conflict(DsrError):
    pass


class Sealed(DsrError):
    pass


class CheckFailed(DsrError):
    pass


class ConnectorError(DsrError):
    """``reason`` is one of the coded words that a search result prints (documents.md §3)."""

    exit_status = 3
    reason: ClassVar[str] = "no_answer"

    def __init__(self, system: str, dataset: str | None, detail: str) -> None:
        self.system, self.dataset, self.detail = system, dataset, detail
        super().__init__(f"{system}{'.' + dataset if dataset else ''}: {self.reason}: {detail}")


class ConnectorUnavailable(ConnectorError):
    reason = "no_answer"

    def __init__(self, system: str, dataset: str | None, detail: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(system, dataset, detail)


class ConnectorRefused(ConnectorError):
    reason = "refused"


class ConnectorMisread(ConnectorError):
    reason = "misread"


class ConnectorTruncated(ConnectorMisread):
    reason = "truncated"


class ConnectorDrifted(ConnectorError):
    reason = "drift"
