"""What every command shares: the home and the officer, how it prints in two languages, what is said of a failure."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dsr.engine.office import Office
from dsr.errors import BadInput, CheckFailed, Conflict, ConnectorError, DsrError, NotAllowed, Sealed, os_words
from dsr.rules.lifecycle import State
from flows import home as homes

Arguments = argparse.Namespace

WORDS: dict[str, tuple[str, str]] = {
    "received": (
        "受け付けました。次は本人確認です: dsr prove {case} --file PROOF.json",
        "Opened. Next, the requester's identity: dsr prove {case} --file PROOF.json",
    ),
    "proved": (
        "本人確認が済みました。次は検索です: dsr collect {case}",
        "Identity is proved. Next: dsr collect {case}",
    ),
    "awaiting_cure": ("本人確認に補正が必要です。", "The proof needs a cure."),
    "misdirected": (
        "開示等の請求ではありません。案内する窓口を決めます: dsr decide {case} --as-proposed、次に dsr fulfil {case}",
        "No request of ours: dsr decide {case} --as-proposed, then dsr fulfil {case}",
    ),
    "blocked": (
        "未確認のシステムがあります。理由は dsr show {case}。復旧・回答の後 dsr collect {case} で再開します。",
        "A system could not be reached; see dsr show {case}. Run dsr collect {case} again to go on from there.",
    ),
    "review": ("担当者の確認が必要です: dsr review {case}", "An officer must read: dsr review {case}"),
    "collecting": (
        "同一人と確認された記録から検索を続けます: dsr collect {case}",
        "Discovery goes on from what was marked: dsr collect {case}",
    ),
    "awaiting_decision": (
        "判断案ができました: dsr show {case}、決定は dsr decide {case} --as-proposed",
        "The proposal stands: dsr show {case}, then dsr decide {case} --as-proposed",
    ),
    "awaiting_approval": (
        "別の承認者の承認が必要です: dsr approve {case}",
        "Another officer must approve: dsr approve {case}",
    ),
    "fulfilling": ("決定しました。作成: dsr fulfil {case}", "Decided. Next: dsr fulfil {case}"),
    "ordered": (
        "上の指図への回答を待っています。回答の記録の後 dsr fulfil {case} --live {case}",
        "Waits for the answers named above; once recorded: dsr fulfil {case} --live {case}",
    ),
    "dispatching": (
        "書類ができました。取り出しは dsr package {case} --out DIR、交付の記録は dsr dispatch {case} --file FILE",
        "The package is made: dsr package {case} --out DIR, then dsr dispatch {case} --file DISPATCH.json",
    ),
    "verifying": (
        "独立した確認が残っています: dsr fulfil {case} --live {case}",
        "The survey is left to do: dsr fulfil {case} --live {case}",
    ),
    "residual": (
        "措置が済んでいないもの、又は確かめられないものが見つかりました: dsr show {case}",
        "Something is left, or could not be looked at: dsr show {case}",
    ),
    "kept": ("保存期限の日に自動で再開します。", "Waits for its statutory date and goes on by itself."),
    "closed": ("完了しました。", "Closed."),
    "withdrawn": ("取り下げられました。", "Withdrawn."),
}


def words_of(failure: Exception) -> tuple[str, int]:
    """What may be said of a failure, and the exit status."""
    if isinstance(failure, DsrError):
        return str(failure), failure.exit_status
    if isinstance(failure, OSError):
        said = f"{type(failure).__name__}: {os_words(failure)}"
        return f"{said}: free space or check permissions, then run again", 1
    # Its message may hold anything, a subject's value too: only its place is told.
    return f"defect: {type(failure).__name__} at {_place(failure)}; nothing was lost, tell the technician", 1


def fail(arguments: Arguments, failure: Exception) -> int:
    words, status = words_of(failure)
    japanese = next((said for kind, said in HEADLINES if isinstance(failure, kind)), "内部の不具合です")
    print(f"dsr: {japanese}: {words}" if in_japanese(arguments) else f"dsr: {words}", file=sys.stderr)
    return status


HEADLINES: tuple[tuple[type[Exception], str], ...] = (
    (BadInput, "入力に誤りがあります"),
    (NotAllowed, "この操作はできません"),
    (Conflict, "他の処理と競合しています"),
    (Sealed, "封緘を開けません"),
    (CheckFailed, "確認の結果、正しくありません"),
    (ConnectorError, "システムから答えを得られません"),
    (DsrError, "処理できません"),
    (OSError, "ファイルを扱えません"),
)
"""What kind of failure it is, in Japanese; the part and the fix follow."""


def _place(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"


# -- printing ----------------------------------------------------------------------------------------------------


def show(arguments: Arguments, document: Any, words: str = "") -> None:
    if arguments.json:
        print(json.dumps(document, ensure_ascii=False, indent=2))
    elif words:
        print(words)
    else:
        print(json.dumps(document, ensure_ascii=False, indent=2))


def follow(arguments: Arguments, case_no: str, state: State, words: str = "", **more: Any) -> None:
    """``words``: the key of what is said, where the state alone does not say it."""
    japanese, english = WORDS.get(words or state.value, ("", ""))
    words = (japanese if in_japanese(arguments) else english).format(case=case_no)
    show(arguments, {"case": case_no, "state": state.value, **more}, f"{case_no}  {state.value}  {words}")


def in_japanese(arguments: Arguments) -> bool:
    return str(arguments.lang or os.environ.get("LC_ALL") or os.environ.get("LANG") or "ja").startswith(("ja", "C"))


# -- the home ----------------------------------------------------------------------------------------------------


def home_of(arguments: Arguments) -> Path:
    written = arguments.home or os.environ.get("DSR_HOME")
    if not written:
        raise BadInput("--home", "no engine home is named", "give --home DIR or set DSR_HOME")
    return Path(written)


@contextmanager
def office_of(arguments: Arguments) -> Iterator[Office]:
    office = homes.office(home_of(arguments), arguments.now)
    try:
        yield office
    finally:
        office.store.close()
