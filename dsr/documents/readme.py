"""README.txt of a package (はじめにお読みください): what is in it and how to open it, for somebody new to CSV."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from dsr.documents.content import Party
from dsr.documents.style import era_day

HEAD = """はじめにお読みください

{company}　受付番号 {case_no}　{day}

この中には、次のファイルが入っています。

decision.pdf
    決定通知書です。何を決定したか、お見せしていない部分とその理由が書かれています。
    最初にお読みください。
disclosure.pdf
    開示書です。あなたの記録を、テーマごとに分けて載せています。
"""
VOLUMES = """disclosure-01.pdf など {count} 冊
    分冊です。長い表の全ての行を載せています。
"""
DATA = """data フォルダー
    同じ記録の電子データです。.csv は表計算ソフト（Excel など）で開けます。
    .json は他社のサービスなどへ渡すときに使う形式です。中身はどちらも同じです。
"""
TAIL = """manifest.json
    入っているファイルの一覧と、改ざんされていないことを確かめるための値です。

CSV を Excel で開くと、電話番号などの先頭の 0 が消えて見えることがあります。
消えては困るときは、Excel の［データ］→［テキストまたは CSV から］で開き、
列の種類を「文字列」にしてください。ファイルそのものは正しいままです。

「マスキング」の列は、お見せしていない箇所と、その理由の区分を示します。

記録の内容が事実と違うとき、利用の停止や消去を求めるとき、
分からないことがあるときは、次の窓口へお申し出ください。
{desk}
"""
COMPLAINTS = "苦情の申出先：{desk}\n"


def readme(party: Party, case_no: str, issued_on: date, files: Sequence[str]) -> bytes:
    """With the mark that tells an old editor that it is UTF-8, and line ends that it knows."""
    volumes = sum(re.fullmatch(r"disclosure-\d+\.pdf", name) is not None for name in files)
    text = HEAD.format(company=party.name, case_no=case_no, day=era_day(issued_on))
    text += VOLUMES.format(count=volumes) if volumes else ""
    text += DATA if any(name.startswith("data/") for name in files) else ""
    text += TAIL.format(desk=party.desk or party.name)
    text += COMPLAINTS.format(desk=party.complaint_desk) if party.complaint_desk else ""
    return text.replace("\n", "\r\n").encode("utf-8-sig")
