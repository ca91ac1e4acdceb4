"""How Prefect runs one step of the engine: a task, tasks in parallel, the case in hand, and what the operators see."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect import task
from prefect.artifacts import acreate_markdown_artifact, acreate_progress_artifact, aupdate_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as RunState
from prefect.client.schemas.objects import TaskRun
from prefect.futures import PrefectFuture
from prefect.runtime import task_run
from prefect.tasks import Task

from dsr import law
from dsr.engine.office import Hold, Office
from dsr.errors import ConnectorUnavailable
from dsr.inventory import Inventory
from dsr.rules import courses
from flows.boundary import StepFailed, guarded

Step = Callable[[bool], object]
"""One step of the engine; told whether it is the last time that a silent system is asked."""

TRIES = 3
PAUSE = float(os.environ.get("DSR_RETRY_SECONDS") or 2.0)
THREADS = 8


def _unavailable(_task: Task[..., Any], _run: TaskRun, state: RunState[Any]) -> bool:
    return isinstance(state.data, StepFailed) and state.data.again


@task(
    name="手順",
    task_run_name="{name}",
    persist_result=False,  # what a step brings is in the vault; Prefect keeps that it ran
    cache_policy=NO_CACHE,
    retries=TRIES - 1,
    retry_delay_seconds=[PAUSE * 4**number for number in range(TRIES - 1)],
    retry_condition_fn=_unavailable,
)
@guarded
def step(name: str, work: Step) -> None:
    """``work`` is a closure, which Prefect neither stores nor walks through. A stated Retry-After is waited for."""
    try:
        work(task_run.run_count >= TRIES)
    except ConnectorUnavailable as error:
        time.sleep(min(error.retry_after or 0.0, 30.0) if PAUSE else 0.0)
        raise


async def together(steps: Mapping[str, Step]) -> None:
    """Each on a thread of its own, all to their end. Raises StepFailed with the words of those that failed."""
    futures = [step.submit(name, work) for name, work in steps.items()]
    ended = await asyncio.to_thread(lambda: [_ended(future) for future in futures])
    words = sorted({error.words for error in ended if error})
    if words:
        raise StepFailed("; ".join(words))


def _ended(future: PrefectFuture[None]) -> StepFailed | None:
    found: object = future.result(raise_on_failure=False)
    if isinstance(found, StepFailed):
        return found
    return StepFailed(type(found).__name__) if isinstance(found, BaseException) else None


async def alone(name: str, work: Callable[[], object]) -> None:
    await together({name: lambda _last: work()})


@contextmanager
def in_hand(office: Office, case_no: str) -> Iterator[Hold]:
    """The case for this flow, with all that threads share made before they share it."""
    with office.hold(case_no) as hold:
        _ = hold.request, hold.person, courses.of(hold.case.right).asks and hold.connectors
        yield hold


# -- what the operators see: a case number, datasets, statuses and counts --------------------------------------------


class Progress:
    """A bar in Prefect's page. Keys are global there, so none carries a case number."""

    def __init__(self, artifact: UUID, words: str) -> None:
        self._artifact, self._words = artifact, words

    @classmethod
    async def begin(cls, key: str, words: str) -> Progress:
        return cls(await acreate_progress_artifact(0.0, key=key, description=words), words)

    async def at(self, percent: float, stage: str) -> None:
        await aupdate_progress_artifact(self._artifact, percent, f"{self._words}: {stage}")


async def summarise(key: str, heading: str, office: Office, case_no: str, rows: list[str]) -> None:
    """``rows`` are lines of markdown made of ids, labels of the inventory, statuses and counts."""
    from flows.terminal import WORDS  # the same words as the command line says

    state = office.store.case(case_no).state.value
    follows = WORDS.get(state, ("", ""))[0].format(case=case_no)
    text = [f"# {case_no} {heading}", "", f"**状態**: `{state}`　{follows}", "", *rows]
    await acreate_markdown_artifact("\n".join(text), key=key, description=f"{case_no} {heading}（個人情報なし）")


def dataset_rows(inventory: Inventory, ended: Mapping[str, Mapping[str, Any]]) -> list[str]:
    labels = {d.id: (inventory.system_of(d).label, d.label) for d in inventory.datasets()}
    rows = ["| システム | データ | 結果 | 件数 |", "|---|---|---|---:|"]
    for name, found in ended.items():
        system, label = labels.get(name, (name.partition(".")[0], name.partition(".")[2]))
        status = law.status_label(found["status"], found["reason"])
        rows.append(f"| {system} | {label} `{name}` | {status} | {found['records'] or ''} |")
    return rows
