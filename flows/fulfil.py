"""The flow that fulfils a decision: data in parallel per dataset, then book, letter and manifest."""

from __future__ import annotations

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from dsr.engine import erasing, fulfilling, plans
from dsr.engine.office import Office
from flows.boundary import CaseNo, guarded, working_office
from flows.steps import THREADS, Progress, alone, in_hand, summarise, together


@flow(
    name="書類の作成",
    flow_run_name="fulfil-{case_no}",
    description="決定済みの案件について、データ・開示書・決定通知書・目録を作成します。",
    task_runner=ThreadPoolTaskRunner(max_workers=THREADS),  # type: ignore[arg-type]
    persist_result=False,
)
@guarded
async def fulfil(case_no: CaseNo) -> str:
    """Gives the state reached: dispatching."""
    with working_office() as office:
        progress = await Progress.begin("fulfil-progress", f"{case_no} 書類の作成")
        if plans.is_changing(office.store.case(case_no)):
            await alone("carry-out", lambda: erasing.fulfil(office, case_no, None))
            await progress.at(100, "終了")
            return await _summary(office, case_no)
        with in_hand(office, case_no) as hold:
            await alone("begin", lambda: fulfilling.begin(hold))
            names = fulfilling.to_write(hold)
            await progress.at(10, f"データ {len(names)}件")
            await together({f"write-{n}": lambda _last, n=n: fulfilling.write_data(hold, n) for n in names})  # type: ignore[misc]
            await progress.at(50, "開示書・決定通知書・目録")
            await alone("finish", lambda: fulfilling.finish(hold))
        await progress.at(100, "終了")
        return await _summary(office, case_no)


async def _summary(office: Office, case_no: str) -> str:
    """The state reached; papers, and of an erasure the findings and open orders, on Prefect's page."""
    case = office.store.case(case_no)
    rows = ["| 書類 | 頁 | SHA-256 |", "|---|---:|---|"]
    rows += [f"| `{d['path']}` | {d['pages']} | `{d['sha256']}` |" for d in case.facts.get("documents", [])]
    if case.facts.get("findings"):
        rows += ["", "| データ | 確認 | 水準 |", "|---|---|---|"]
        rows += [f"| `{f['dataset']}` | {f['verdict']} | {f['level'] or ''} |" for f in case.facts["findings"]]
    waiting = [number for number, order in case.facts.get("orders", {}).items() if order["answered_on"] is None]
    rows += ["", f"回答待ちの作業指図書・指示書: {', '.join(waiting)}"] if waiting else []
    await summarise("fulfil-summary", "書類の作成の結果", office, case_no, rows)
    return case.state.value
