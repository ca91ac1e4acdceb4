"""Law as effective-dated data: the rows of law.md §1, §3, §5, §6, §7 and documents.md §6, and how each is looked up.

The rows are the TOML files beside this module, read once at import and frozen. A row belongs to the version of the
law from which it stands; a later version replaces it by a row of the same id written ``"id@version"``. Without ``on``
the version in force is meant; a version without ``valid_from`` can never be chosen (V-6). No template holds an article
number: citations come from the grounds, and the names of statutes from one table.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from importlib.resources import files
from string import Formatter
from typing import Any, Literal, TypeVar

from dsr.errors import BadInput, as_id
from dsr.shapes import Shape, shaped

Lang = Literal["ja", "en"]
FIRST_VERSION = "appi_r3"
_CITING = ("citation", "basis", "notice")


class Version(Shape):
    """``valid_to`` is the last day, inclusive; ``changes`` is what the office should prepare for."""

    id: str
    label: str
    label_en: str
    status: Literal["in_force", "enacted_not_in_force", "superseded"]
    valid_from: date | None = None
    valid_to: date | None = None
    passed_on: date | None = None
    promulgated_on: date | None = None
    in_force_by: date | None = None
    """The last day on which a Cabinet Order can bring it into force."""
    mark: Literal["text", "verify"] = "text"
    changes: tuple[str, ...] = ()


class Row(Shape):
    """``status``: ``text`` of statute or guideline, our ``policy``, or ``verify`` until counsel confirms."""

    id: str
    law_version: str = FIRST_VERSION
    status: Literal["text", "policy", "verify"] = "text"


class Right(Row):
    """A request type. ``presuit``: counts for clock A; ``ground_needed``: ids of claims, any one of which is shown."""

    label: str
    label_en: str
    basis: str
    ground_needed: tuple[str, ...] = ()
    fee: Literal["may", "never", "unconfirmed", "none"]
    presuit: bool
    notice: str

    @property
    def may_charge(self) -> bool:
        """Only what Art. 38 names; for correction, stop and erasure no setting can change this (F-1)."""
        return self.fee == "may"


class Claim(Row):
    """What a requester shows in support (law.md §4, G-1..G-5)."""

    label: str
    label_en: str
    citation: str


class Ground(Row):
    """A reason for withholding. ``citation`` as printed; empty where ``printed`` is false (Orders 5 and 11).

    ``needs``: codes of what the case must hold before use. ``rights``: request types that allow it, empty for all.
    ``item``: the number n of 「不開示・n号」.
    """

    kind: Literal["refusal", "law", "weight"] = "refusal"
    citation: str = ""
    ja: str = ""
    en: str = ""
    printed: bool = True
    needs: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    needs_law: bool = False
    item: int | None = None

    def allows(self, right_id: str) -> bool:
        return not self.rights or right_id in self.rights

    def reason(self, lang: Lang = "ja") -> str:
        """The reason in plain words; the facts of the case are the officer's own. Raises BadInput if never printed."""
        if not self.printed:
            raise BadInput("ground", f"{self.id} is never printed", "use the neutral wording of absence")
        return self.ja if _lang(lang) == "ja" else self.en


class Record(Row):
    """A kind of statutory record of provision: given by us, else received; ``items`` in the order printed."""

    label: str
    label_en: str
    given: bool = False
    items: tuple[str, ...]


class Outcome(Row):
    """``outward``: the outcome that papers carry, another one only where the true one must not be known."""

    label: str
    label_en: str
    final: bool
    final_reasons: tuple[str, ...] = ()
    notice: str = ""
    outward: str = ""


class Mark(Row):
    """How a masked cell is shown, and the line that explains it."""

    label: str
    label_en: str
    shown: str
    numbered: str = ""
    legend: str
    legend_en: str

    def shown_for(self, cited: Ground) -> str:
        """The cell's text; 「■■■（不開示・1号）」 where the ground has a number."""
        return self.numbered.format(n=cited.item) if self.numbered and cited.item else self.shown

    def line(self, citation: str = "", lang: Lang = "ja") -> str:
        """The legend with the ground's citation, where the mark rests on one."""
        text, cited = (self.legend, f"（{citation}）") if _lang(lang) == "ja" else (self.legend_en, f" ({citation})")
        return text + cited if citation else text


class Retention(Row):
    """A rule under which data are kept (law.md §9), as the book names it."""

    label: str
    period: str
    label_en: str
    period_en: str

    def line(self, lang: Lang = "ja") -> str:
        japanese = _lang(lang) == "ja"
        return f"{self.label}：{self.period}" if japanese else f"{self.label_en}: {self.period_en}"


class ProofDocument(Row):
    """A paper or means that may prove identity, with the days (inclusive) on which it counts (ID-3..ID-6)."""

    label: str
    label_en: str
    strength: int
    photo: bool = False
    proves_address: bool = False
    registered: bool = False
    refused: bool = False
    valid_from: date | None = None
    valid_to: date | None = None
    days: int | None = None
    """From its issue, for which a certificate says how things are [policy]."""

    def counts_on(self, day: date, issued_on: date | None = None) -> bool:
        in_time = self.days is None or issued_on is None or day <= issued_on + timedelta(self.days)
        return in_time and (self.valid_from or date.min) <= day <= (self.valid_to or date.max)


class IncidentDuty(Row):
    """Days from knowing (law.md L-1, L-2)."""

    label: str
    label_en: str
    citation: str
    first_days: int
    full_days: int
    full_days_malicious: int


class Defect(Row):
    ja: str
    en: str


R = TypeVar("R", bound=Row)


def _lang(lang: str) -> str:
    if lang not in ("ja", "en"):
        raise BadInput("lang", "is neither ja nor en", "use ja or en")
    return lang


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((files(__package__) / name).read_text("utf-8"))


def _rows(shape: type[R], document: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, tuple[R, ...]]:
    """Rows by id, several where versions of the law differ; ``{APPI}`` in a citation becomes the statute's name."""
    found: dict[str, tuple[R, ...]] = {}
    for key, body in document.items():
        row_id, _, version = key.partition("@")
        named = {field: value.format_map(_SHORT) for field, value in body.items() if field in _CITING}
        whole = {"id": row_id, "law_version": version or FIRST_VERSION, **body, **named}
        row = shaped(shape, whole, f"{name}.{key}")
        found[row_id] = (*found.get(row_id, ()), row)
    return found


def _fill(template: str, where: str, fields: Mapping[str, str | int]) -> str:
    wanted = {name for _, name, _, _ in Formatter().parse(template) if name}
    for name in sorted(wanted | set(fields)):
        if name not in wanted:
            raise BadInput(f"{where}.{name}", "is no field of this wording", "remove it")
        if fields.get(name) in (None, ""):
            raise BadInput(f"{where}.{name}", "is missing", "the document cannot be built without it")
    return template.format(**fields)


_VERSIONS_FILE, _RIGHTS_FILE = _read("versions.toml"), _read("rights.toml")
_WORDINGS_FILE, _PROOF_FILE = _read("wordings.toml"), _read("proof_documents.toml")
_SHORT: dict[str, str] = _VERSIONS_FILE["short"]
_ENGLISH: dict[str, str] = _VERSIONS_FILE["english"]
VERSIONS = {key: shaped(Version, {"id": key, **body}, key) for key, body in _VERSIONS_FILE["version"].items()}
_RIGHTS = _rows(Right, _RIGHTS_FILE["right"], "right")
_CLAIMS = _rows(Claim, _RIGHTS_FILE["claim"], "claim")
_GROUNDS = _rows(Ground, _read("grounds.toml")["ground"], "ground")
_OUTCOMES = _rows(Outcome, _read("outcomes.toml")["outcome"], "outcome")
_MARKS = _rows(Mark, _read("marks.toml")["mark"], "mark")
_RETENTIONS = _rows(Retention, _read("retention.toml")["retention"], "retention")
_RECORDS = _rows(Record, _read("records.toml")["record"], "record")
_DOCUMENTS = _rows(ProofDocument, _PROOF_FILE["document"], "document")
_INCIDENTS = _rows(IncidentDuty, _read("incidents.toml")["report"], "report")
_DEFECTS = _rows(Defect, _PROOF_FILE["defect"], "defect")
RIGHTS, CLAIMS, GROUNDS, OUTCOMES = tuple(_RIGHTS), tuple(_CLAIMS), tuple(_GROUNDS), tuple(_OUTCOMES)
MARKS, PROOF_DOCUMENTS, DEFECTS, RETENTIONS = tuple(_MARKS), tuple(_DOCUMENTS), tuple(_DEFECTS), tuple(_RETENTIONS)
_CITATIONS = {key: row["citation"].format_map(_SHORT) for key, row in _read("citations.toml")["citation"].items()}
RECORDS = tuple(_RECORDS)
WORDINGS, STATUSES = tuple(_WORDINGS_FILE["wording"]), tuple(_WORDINGS_FILE["status"])


def _dated(versions: Mapping[str, Version]) -> list[Version]:
    return sorted((v for v in versions.values() if v.valid_from), key=lambda v: v.valid_from or date.min)


def version_on(day: date) -> Version:
    """The law in force on the day a request arrived (V-2). Raises BadInput before the first version held."""
    found = [v for v in _dated(VERSIONS) if (v.valid_from or date.max) <= day <= (v.valid_to or date.max)]
    if not found:
        first = _dated(VERSIONS)[0].valid_from
        raise BadInput("received.at", f"the law held here begins on {first}", "check the year, or answer with counsel")
    return found[-1]


def _choose(rows: Mapping[str, tuple[R, ...]], row_id: str, what: str, on: Version | None) -> R:
    """The newest row of the id that already stands under ``on``."""
    dated = _dated(VERSIONS)
    upto = on or next(v for v in dated if v.status == "in_force")
    if upto.valid_from is None:
        raise BadInput("law_version", f"{upto.id} is not in force", "use the version of the day of arrival")
    order = [v.id for v in dated if v.valid_from and v.valid_from <= upto.valid_from]
    standing = [row for row in rows.get(row_id, ()) if row.law_version in order]
    if not standing:
        raise BadInput(what, f"no {what} '{as_id(row_id)}'", _some(rows))
    return max(standing, key=lambda row: order.index(row.law_version))


def standing(part: str, on: Version | None = None) -> tuple[Row, ...]:
    """The rows of ``rights``, ``grounds``, ``outcomes`` or ``retention`` under a version; what starts later is none."""
    tables: Mapping[str, Mapping[str, tuple[Row, ...]]] = {
        "rights": _RIGHTS, "grounds": _GROUNDS, "outcomes": _OUTCOMES, "retention": _RETENTIONS}  # fmt: skip
    found = []
    for row_id in tables[part]:
        try:
            found.append(_choose(tables[part], row_id, part, on))
        except BadInput:
            continue
    return tuple(found)


def _some(rows: Iterable[str]) -> str:
    return "one of " + ", ".join(rows)


def right(right_id: str, on: Version | None = None) -> Right:
    return _choose(_RIGHTS, right_id, "right", on)


def cited(key: str) -> str:
    """A citation that a letter needs beside those of grounds, rights and outcomes. Raises BadInput."""
    if key not in _CITATIONS:
        raise BadInput("citation", f"no citation '{as_id(key)}'", _some(_CITATIONS))
    return str(_CITATIONS[key])


def claim(claim_id: str, on: Version | None = None) -> Claim:
    return _choose(_CLAIMS, claim_id, "claim", on)


def outcome(outcome_id: str, on: Version | None = None) -> Outcome:
    return _choose(_OUTCOMES, outcome_id, "outcome", on)


def mark(mark_id: str) -> Mark:
    return _choose(_MARKS, mark_id, "mark", None)


def retention(rule: str) -> Retention:
    return _choose(_RETENTIONS, rule, "retention", None)


def record(kind: str) -> Record:
    """R-1 … R-6. Raises BadInput."""
    return _choose(_RECORDS, kind, "record", None)


def incident_report(what: str) -> IncidentDuty:
    return _choose(_INCIDENTS, what, "report", None)


def proof_document(document_id: str) -> ProofDocument:
    """Raises BadInput with the list of types that may be shown."""
    if document_id not in _DOCUMENTS:
        shown = [key for key in PROOF_DOCUMENTS if not _DOCUMENTS[key][0].refused]
        raise BadInput("documents.type", f"no document type '{as_id(document_id)}'", _some(shown))
    return _choose(_DOCUMENTS, document_id, "document", None)


def defect_words(code: str, document: str = "", document_en: str = "") -> tuple[str, str]:
    """Japanese and English; ``{document}`` becomes the label of the paper concerned."""
    row = _choose(_DEFECTS, code, "defect", None)
    return row.ja.replace("{document}", document), row.en.replace("{document}", document_en)


def ground(ground_id: str, on: Version | None = None) -> Ground:
    """One ground, or several joined by ``+`` (``APPI-33-2-3+TBA-4-1``): one row that cites them all.

    Raises BadInput for an unknown id, for ``APPI-33-2-3`` without the other law it rests on, and for a law or a weight
    without the ground it belongs to.
    """
    parts = [_choose(_GROUNDS, part.strip(), "ground", on) for part in ground_id.split("+")]
    ids = {part.id for part in parts}
    for part in parts:
        if part.joins and not ids & set(part.joins):
            raise BadInput("ground", f"{part.id} is no ground by itself", f"write {part.joins[0]}+{part.id}")
        partners = [other.id for other in parts if part.id in other.joins]
        if part.needs_law and not partners:
            first = next(row[0].id for row in _GROUNDS.values() if part.id in row[0].joins)
            raise BadInput("ground", f"{part.id} does not name the other law", f"write {part.id}+{first}")
    return parts[0] if len(parts) == 1 else _joined(parts)


def _joined(parts: list[Ground]) -> Ground:
    printed = all(part.printed for part in parts)
    limits = [set(part.rights) for part in parts if part.rights]
    cited = [part.citation for part in parts] if printed else []
    return parts[0].model_copy(update={
        "id": "+".join(part.id for part in parts),
        "citation": "及び".join(["、".join(cited[:-1]), cited[-1]]) if printed else "",
        "ja": "".join(part.ja for part in parts) if printed else "",
        "en": " ".join(part.en for part in parts) if printed else "",
        "printed": printed,
        "needs": tuple(dict.fromkeys(need for part in parts for need in part.needs)),
        "rights": tuple(sorted(set.intersection(*limits))) if limits else (),
        "status": "verify" if any(part.status == "verify" for part in parts) else parts[0].status,
        "needs_law": False,
        "item": next((part.item for part in parts if part.item), None),
    })


def needs(ground_id: str) -> tuple[str, ...]:
    """Of a row by itself, also of one that stands only beside another."""
    return _choose(_GROUNDS, ground_id, "ground", None).needs


_ROMAN = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_ARTICLE = re.compile(r"第(\d+)(条|項|号)")


def in_english(citation: str) -> str:
    """個人情報の保護に関する法律第33条第2項第1号 → Act on the Protection of Personal Information, Article 33(2)(i).

    A gloss, not an official translation; empty for a citation that holds words it has no English for.
    """
    parts = {"条": ", Article {0}", "項": "({0})", "号": "({1})"}
    text = _ARTICLE.sub(lambda found: parts[found[2]].format(found[1], _ROMAN[int(found[1]) % len(_ROMAN)]), citation)
    for japanese, english in sorted(_ENGLISH.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(japanese, english)
    text = re.sub(r"(^|\(|and|or) ?, Article", r"\1 Article", text).replace("( ", "(").strip()
    return text if text.isascii() else ""


def wording(key: str, lang: Lang = "ja", **fields: str | int) -> str:
    """A fixed wording. Raises BadInput for an unknown key, a missing or empty field, and a field it has not."""
    rows = _WORDINGS_FILE["wording"]
    if key not in rows:
        raise BadInput("wording", f"no wording '{as_id(key)}'", _some(rows))
    row = rows[rows[key].get("same_as", key)]
    return _fill(row[_lang(lang)], f"wording.{key}", fields)


def status_label(status: str, reason: str | None = None, lang: Lang = "ja") -> str:
    """A search result as printed, its reason beside it: 「調査せず（ご請求の範囲外）」. Raises BadInput."""
    statuses = _WORDINGS_FILE["status"]
    if status not in statuses:
        raise BadInput("status", f"no search result '{as_id(status)}'", _some(statuses))
    label: str = statuses[status][_lang(lang)]
    if reason is None:
        return label
    words = reason_label(status, reason, lang)
    return f"{label}（{words}）" if lang == "ja" else f"{label} ({words})"


def reason_label(status: str, reason: str, lang: Lang = "ja") -> str:
    """The reason of a search result in words. Raises BadInput for a reason that this result cannot have."""
    reasons = _WORDINGS_FILE["reason"].get(status, {})
    if reason not in reasons:
        fix = _some(reasons) if reasons else "leave it out"
        raise BadInput("reason", f"{status} has no reason '{as_id(reason)}'", fix)
    words: str = reasons[reason][_lang(lang)]
    return words


def closes(outcome_id: str, reason: str | None = None) -> bool:
    """Whether a case may close with this item: final outcomes, and ``not_asked`` with a final reason (law.md §6)."""
    row = outcome(outcome_id)
    return row.final or reason in row.final_reasons
