"""The scheduled rounds: the morning list with resuming, and the trail that must prove itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact

from dsr.case import Act
from dsr.engine import desk, process
from dsr.engine.office import Office
from flows import notifying
from flows.boundary import StepFailed, coded, guarded, working_office
from flows.collect import collect


@flow(
    name="期限の見回り",
    flow_run_name="watch",
    description="期限と督促を確認し、止まっている案件を再開します。会社の休業日には記録だけをします。",
    persist_result=False,
)
@guarded
async def watch() -> str:
    """One round. A case that another process works on is left to it; one that fails does not stop the others."""
    with working_office() as office:
        if not office.calendar.is_business_day(office.today):
            _record_rest(office)
            return "closed"
        found = desk.watch(office)
        ended = {case_no: await _resume(case_no) for case_no in found["resume"]}
        ended |= _fired(office)
        told_to = notifying.notify(office, found)
        words = _list(found, ended, told_to)
        await acreate_markdown_artifact(words, key="watch-list", description="期限の一覧（個人情報なし）")
    failed = sorted({words for words in ended.values() if words not in ("", "Conflict")})
    if failed:
        raise StepFailed("; ".join(failed))
    return "watched"


def _record_rest(office: Office) -> None:
    act = Act(f"rest:{office.today.isoformat()}", "result", {"business_day": False})
    office.store.log_alone(desk.OFFICE_LOG, act, office.now, office.actor.name)


async def _resume(case_no: str) -> str:
    """Empty, or why it could not go on."""
    try:
        await collect(case_no)
    except StepFailed as error:
        return error.words
    return ""


def _fired(office: Office) -> dict[str, str]:
    """Kept data whose statutory day has come goes by itself; empty words, or why it could not."""
    told = process.fire_due(office)
    return {no: coded(end).words if isinstance(end, Exception) else "" for no, end in told.items()}


def _list(found: Mapping[str, Any], resumed: Mapping[str, str], told_to: Mapping[str, str]) -> str:
    rows = [f"# {found['day']} の見回り", "", "| 案件 | すること | 担当 | 期限 | 超過日数 |", "|---|---|---|---|---:|"]
    rows += [f"| {r['case']} | `{r['what']}` {r.get('to', '')} | {r['who']} | {r['due']} | {r['overdue_days']} |"
             for r in (*found["reminders"], *found["escalated"])]  # fmt: skip
    files = [f"{one['case']} {one['ends']}" for one in found["files"]]
    rows += ["", f"終わる記録: {', '.join(files) or 'なし'}"]
    rows += ["", f"通知: {', '.join(f'{role} {words}' for role, words in told_to.items()) or 'なし'}"]
    rows += ["", f"再開した案件: {', '.join(resumed) or 'なし'}", "", f"記録の先端（tree head）: `{found['head']}`"]
    return "\n".join(rows)


@flow(
    name="記録の検証",
    flow_run_name="trail-check",
    description="記録（ログ）全体を計算し直し、改ざん・欠落がないことを確かめます。問題があれば失敗になります。",
    persist_result=False,
)
@guarded
async def trail_check() -> str:
    """Raises StepFailed with the kinds of damage found, when the log does not prove itself."""
    with working_office() as office:
        found: Mapping[str, Any] = desk.verify_trail(office)
    if not found["sound"]:
        raise StepFailed(f"trail not sound: {_kinds(found['problems'])}")
    return str(found["head"])


def _kinds(problems: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{p['what']} at {p['seq']}" for p in problems if p["level"] == "error")
