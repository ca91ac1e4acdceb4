"""README.txt of a package (はじめにお読みください): what is in it and how to open it, for somebody new to CSV."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from dsr.documents.content import Language, Party
from dsr.documents.style import said_day
from dsr.documents.wordings import say


def readme(party: Party, case_no: str, issued_on: date, files: Sequence[str], language: Language = "ja") -> bytes:
    """With the mark that tells an old editor that it is UTF-8, and line ends that it knows. English below Japanese."""
    volumes = sum(re.fullmatch(r"disclosure-\d+\.pdf", name) is not None for name in files)
    parts = [say("readme.head", company=party.name, case_no=case_no, day=said_day(issued_on))]
    parts += [say("readme.volumes", count=volumes)] if volumes else []
    parts += [say("readme.data")] if any(name.startswith("data/") for name in files) else []
    parts += [say("readme.tail", desk=party.desk or party.name)]
    parts += [say("readme.complaints", desk=party.complaint_desk)] if party.complaint_desk else []
    told = ["".join(part.ja for part in parts), "".join(part.en for part in parts)]
    text = f"\n{'-' * 60}\n\n".join(told if language == "en" else told[:1])
    return text.replace("\n", "\r\n").encode("utf-8-sig")
