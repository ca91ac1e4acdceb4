"""The boundary to Prefect: ids in, nothing personal out.

Prefect stores parameters, run names, exception messages, tracebacks and logs in clear. So a flow is given a case
number only, finds home and clock in its environment, and whatever fails in it leaves as ``StepFailed``: a type name
and, of a company's system, its name and the coded reason. Nothing of the failing call hangs on it.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar, cast

from pydantic import Field

from dsr.errors import BadInput, ConnectorError, ConnectorUnavailable

if TYPE_CHECKING:
    from dsr.engine.office import Office

P = ParamSpec("P")
R = TypeVar("R")

# As json_schema_extra, for Prefect sets a title and description of its own over those of a Field.
CaseNo = Annotated[
    str,
    Field(
        pattern=r"^DSR-[0-9]{4}-[0-9]{6}$",
        max_length=15,
        json_schema_extra={
            "title": "案件番号",
            "description": "例: DSR-2026-000001。氏名など個人の情報は入れないでください。",
        },
    ),
]


class StepFailed(Exception):
    """``words`` are type names, ids and codes. ``again``: the system did not answer and may be asked once more."""

    def __init__(self, words: str, again: bool = False) -> None:
        self.words, self.again = words, again
        super().__init__(words)


def coded(error: BaseException) -> StepFailed:
    """What may be told of a failure outside: never its message, which for a foreign exception may hold a row."""
    if isinstance(error, StepFailed):
        return StepFailed(error.words, error.again)
    name = type(error).__name__
    if isinstance(error, ConnectorError):
        place = f"{error.system}.{error.dataset}" if error.dataset else error.system
        return StepFailed(f"{name}: {place}: {error.reason}", isinstance(error, ConnectorUnavailable))
    return StepFailed(name)


def guarded(work: Callable[P, R]) -> Callable[P, R]:
    """Wrap the body of a flow or task. The failure is raised outside the handler, so that no context hangs on it."""
    if inspect.iscoroutinefunction(work):

        @functools.wraps(work)
        async def later(*args: P.args, **kwargs: P.kwargs) -> Any:
            try:
                return await work(*args, **kwargs)
            except Exception as error:
                failed = coded(error)
            raise failed

        return cast(Callable[P, R], later)

    @functools.wraps(work)
    def now(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        except Exception as error:
            failed = coded(error)
        raise failed

    return now


@contextmanager
def working_office() -> Iterator[Office]:
    """The office of DSR_HOME, the engine acting; DSR_NOW sets a rehearsal's clock."""
    from flows.home import engine_office  # the Prefect server reads this module for Redaction and needs no more

    home = os.environ.get("DSR_HOME")
    if not home:
        raise BadInput("DSR_HOME", "is not set", "start the flow through dsr serve, or set it to the engine home")
    office = engine_office(Path(home), os.environ.get("DSR_NOW") or None)
    try:
        yield office
    finally:
        office.store.close()


class Redaction(logging.Filter):
    """On every handler: tracebacks go, and what a foreign library says goes too; only its name and level stay."""

    OURS = ("prefect", "uvicorn", "fastapi", "docket")

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            kind = record.exc_info[0]
            record.exc_info, record.exc_text = None, None
            record.msg, record.args = f"{record.name}: {kind.__name__ if kind else 'failure'}", ()
        record.stack_info = None
        if record.name.partition(".")[0] not in self.OURS:
            record.msg, record.args = f"({record.name}: words withheld)", ()
        return True
