"""Letters of a case before and beside its answer: made from the office's templates, recorded, owed until taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dsr import law
from dsr.case import Act
from dsr.days import day_of
from dsr.documents import forms, templates
from dsr.documents.content import Frame, Head, Language, Recipient, Words
from dsr.documents.letter import draw_letter
from dsr.documents.letters import UndrawableLetter
from dsr.documents.style import said_day
from dsr.documents.wordings import say
from dsr.engine import papers
from dsr.engine.office import Hold, Office, digest_of
from dsr.errors import BadInput, as_id

LETTERS = "documents/"
"""Folder of the vault whose papers ``dsr letters`` takes out."""
POST = "post:"
"""Begins the name of the work that a letter is to be taken out and sent; its file's name follows."""


def template_of(office: Office, kind: str) -> templates.Template:
    """The office's own copy, else ours. Raises BadInput for a copy that cannot be printed."""
    own = office.home / "templates" / f"{kind}.toml"
    return templates.read(kind, own.read_text("utf-8")) if own.is_file() else templates.kind(kind)


def checked(office: Office, path: Path) -> templates.Template:
    """An office's copy, by its file. Raises BadInput for one that cannot be printed or is of no letter."""
    templates.kind(path.stem)
    if path.suffix != ".toml":
        raise BadInput(as_id(path.name), "is no template", "name it after its letter: KIND.toml")
    return template_of(office, path.stem)


def specimens(office: Office, out: Path) -> None:
    """Every letter with something in every field, as the office would see it. Raises BadInput for a folder in use."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput("--out", "is not an empty folder", "name a new folder")
    out.mkdir(parents=True, exist_ok=True)
    company = papers.party_of(office.inventory)
    blank = Frame(
        "DSR-0000-000000", "disclosure", office.today, company, Recipient("見本　花子", ""), "見本　花子", "", ()
    )
    for kind in templates.kinds():
        made = templates.letter(kind, template_of(office, kind), blank, templates.specimen(kind))
        with (out / f"{kind}.pdf").open("wb") as page:
            draw_letter(made, page)


def blank_forms(office: Office, out: Path, language: Language) -> list[Path]:
    """様式, one PDF each, with this company's name and desk. Raises BadInput for a folder in use."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput("--out", "is not an empty folder", "name a new folder")
    out.mkdir(parents=True, exist_ok=True)
    for name in forms.forms():
        with (out / f"{name}.pdf").open("wb") as page:
            forms.draw_form(name, papers.party_of(office.inventory), office.today, language, page)
    return sorted(out.iterdir())


def write(hold: Hold, key: str, kind: str, values: Mapping[str, templates.Value], *,
          to: Recipient | None = None, act: Act | None = None) -> Mapping[str, Any]:  # fmt: skip
    """Makes a letter once for ``key``; owed to the post from then on. ``act``: what changes in the case with it.

    A name that no font can draw leaves the letter to be written by hand, and owed all the same. Raises BadInput.
    """
    template, rights = template_of(hold.office, kind), templates.kind(kind).rights
    if rights and hold.case.right not in rights:
        raise BadInput("kind", f"{kind} is no letter of {hold.case.right}", f"it belongs to {', '.join(rights)}")
    path = f"{LETTERS}{kind}.{key.replace(':', '-')}.pdf"
    due = hold.office.calendar.after(hold.office.today, 1)

    def draw() -> tuple[Mapping[str, Any], Act]:
        changed = act or Act("")
        owed = replace(changed, owes=(*changed.owes, (f"{POST}{path.removeprefix(LETTERS)}", "handler", due)))
        head = hold.office.store.head().text
        public = {**changed.public, "kind": kind, "template": digest_of(template.model_dump(mode="json"))[:16],
                  "issued_on": hold.office.today.isoformat(), "head": head}  # fmt: skip
        made = templates.letter(kind, template, frame(hold, head, to), {**common(hold), **values})
        try:
            entry = papers.draw(hold, kind, path, lambda out: draw_letter(made, out))
        except UndrawableLetter as error:
            return {**public, "undrawn": f"U+{error.code_point:04X}"}, owed
        documents = [*hold.case.facts.get("documents", []), entry]
        facts = {**changed.facts, "documents": documents}
        return {**public, "sha256": entry["sha256"], "pages": entry["pages"]}, replace(owed, facts=facts)

    return hold.once(f"letter:{key}", draw, {"kind": kind})


def frame(hold: Hold, head: str, to: Recipient | None = None) -> Frame:
    arrived = day_of(hold.case.received_at)
    version = law.version_on(arrived)
    return Frame(hold.case_no, hold.case.right, hold.office.today, papers.party(hold), to or papers.recipient(hold),
                 hold.request.subject.name, Words(version.label, version.label_en), (), Head(head),
                 hold.request.answer.language, papers.number(hold))  # fmt: skip


def common(hold: Hold) -> dict[str, templates.Value]:
    """``templates.COMMON``: what every letter may say."""
    received_on = day_of(hold.case.received_at)
    right, company = law.right(hold.case.right, law.version_on(received_on)), hold.office.inventory.company
    basis = Words(right.basis, law.in_english(right.basis))
    return {
        "received_on": said_day(received_on),
        "right": say("based", right=Words(right.label, right.label_en), basis=basis),
        "scope": papers.scope_text(hold),
        "method": say(f"method.{hold.method}"),
        "desk": papers.own(hold.office.inventory, company.desk),
        "company": papers.own(hold.office.inventory, company.name),
    }


def to_post(hold: Hold) -> tuple[str, ...]:
    """Names of the work that is done once the letters made so far are taken out."""
    return tuple(work.what for work in hold.office.store.work(hold.case_no) if work.what.startswith(POST))
