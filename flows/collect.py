"""The flow that collects: the engine's steps, each dataset of a wave asked in parallel, a silent system asked again."""

from __future__ import annotations

from functools import partial

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from dsr.engine import collecting, process
from dsr.engine.office import Hold, Office
from dsr.rules.lifecycle import State
from flows.boundary import CaseNo, guarded, working_office
from flows.steps import THREADS, Progress, alone, dataset_rows, in_hand, summarise, together


@flow(
    name="検索・収集",
    flow_run_name="collect-{case_no}",
    description="案件のご本人の記録を各システムで検索し、収集します（開示・訂正・消去に共通）。",
    task_runner=ThreadPoolTaskRunner(max_workers=THREADS),  # type: ignore[arg-type]
    persist_result=False,
)
@guarded
async def collect(case_no: CaseNo) -> str:
    """Gives the state reached: review, awaiting_decision or blocked."""
    with working_office() as office:
        progress = await Progress.begin("collect-progress", f"{case_no} 検索・収集")
        state = office.store.case(case_no).state
        if state is not State.REVIEW:
            with in_hand(office, case_no) as hold:
                await _collect(hold, progress)
            state = office.store.case(case_no).state
        if state is State.REVIEW:
            await alone("settle-review", lambda: process.settle_review(office, case_no))
        await progress.at(100, "終了")
        return await _summary(office, case_no)


async def _collect(hold: Hold, progress: Progress) -> None:
    await alone("begin", lambda: collecting.begin(hold))
    await alone("check", lambda: collecting.check(hold))
    while wave := collecting.next_wave(hold):
        await progress.at(min(60, 10 * wave.number), f"第{wave.number}波の照会 {len(wave.asks)}件")
        await together({f"locate-{name}": partial(collecting.locate, hold, wave, name) for name in wave.asks})
        await alone(f"match-{wave.number}", partial(collecting.match, hold, wave))
    names = collecting.to_fetch(hold)
    await progress.at(70, f"取得 {len(names)}件")
    await together({f"fetch-{name}": partial(collecting.fetch, hold, name) for name in names})
    await alone("settle", lambda: collecting.settle(hold))


async def _summary(office: Office, case_no: str) -> str:
    facts = office.store.case(case_no).facts
    rows = dataset_rows(office.inventory, office.inventory.ordered(facts.get("datasets", {})))
    if facts.get("candidates"):
        rows += ["", f"ご本人かどうか担当者の確認を待つ記録: {facts['candidates']}件"]
    await summarise("collect-summary", "検索・収集の結果", office, case_no, rows)
    return office.store.case(case_no).state.value
