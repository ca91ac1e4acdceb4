"""The declared systems, datasets and fields: ``inventory.toml`` as frozen values (public_face.md)."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StrictBool, model_validator

from dsr.days import TOKYO, Form
from dsr.errors import BadInput, as_id
from dsr.shapes import Shape, shaped

T = TypeVar("T")
PERSON = "person"
"""``by = "person"``: a way in by written forms of name, kana, birth date, address, phone; evidence, never a match."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("is no time zone; write a name such as Asia/Tokyo") from None
    return name


Zone = Annotated[str, AfterValidator(_zone)]


class Condition(Shape):
    """``when`` of a rule: comparisons of the row's own stored columns joined by ``and``.

    ``direction = 2`` · ``shown != 1`` · ``kind in (1, 'x')`` · ``ended_on is null``.
    """

    text: str

    _TERM = re.compile(
        r"\s*([A-Za-z_]\w*)\s*(?:(=|!=)\s*('[^']*'|-?\d+)|in\s*\(([^)]*)\)|(is null|is not null))\s*", re.ASCII
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value

    @cached_property
    def terms(self) -> tuple[tuple[str, str, tuple[str | int | None, ...]], ...]:
        """Column, ``=`` or ``!=``, and the values: an int where it is written without quotes."""
        terms: list[tuple[str, str, tuple[str | int | None, ...]]] = []
        for part in re.split(r"\band\b", self.text):
            found = self._TERM.fullmatch(part)
            if not found:
                raise ValueError(
                    f"cannot read {part.strip()!r}; write column = 1, column != 'x', column in (1, 2) or column is null"
                )
            column, operator, literal, several, null = found.groups()
            if null:
                terms.append((column, "=" if null == "is null" else "!=", (None,)))
            else:
                words = [literal] if literal is not None else several.split(",")
                terms.append((column, operator or "=", tuple(_literal(word.strip()) for word in words)))
        return tuple(terms)

    @model_validator(mode="after")
    def _readable(self) -> Condition:
        _ = self.terms
        return self

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(column for column, _, _ in self.terms)

    def holds(self, row: Mapping[str, Any]) -> bool:
        return all(any(is_value(row[c], word) for word in words) == (op == "=") for c, op, words in self.terms)


def _literal(word: str) -> str | int:
    return int(word) if re.fullmatch(r"-?[0-9]+", word) else word.strip("'")


def is_value(value: Any, word: str | int | None) -> bool:
    """2, 2.0, Decimal("2.00"), '2 ' and '02' are all 2: a mask must not depend on how a store writes a code.

    A word in quotes is compared as text without the blanks around it; NULL equals only null.
    """
    if value is None or word is None:
        return value is word
    written = str(int(value)) if isinstance(value, bool) else str(value).strip()
    if isinstance(word, str):
        return written == word.strip()
    try:
        return Decimal(written) == word
    except InvalidOperation:
        return False


class Mask(Shape):
    """How a field is shown. ``as``: see dsr.rules.redaction.MARKS; ``ground``: law.md §5."""

    when: Condition | None = None
    shown: Literal["last3", "card_last4", "last4", "withheld_number", "person_other", "all"] = Field(alias="as")
    ground: str | None = None


class Withhold(Shape):
    """A row that is withheld whole, counted under its ground."""

    when: Condition
    ground: str


class FieldRule(Shape):
    """One declared column. ``kind`` is a dotted path compared by segment; ``text`` and below it is free text."""

    label: str
    label_en: str = ""
    kind: str = "value"
    mask: tuple[Mask, ...] = ()
    third_party: Literal["unless_subject", "always"] | None = None
    codes: dict[str, str] = Field(default_factory=dict)
    form: Form | None = None
    """Stored form of a day or instant that papers and data show as ISO in Japan's time; as stored where not given."""
    zone: Zone = "Asia/Tokyo"

    @model_validator(mode="before")
    @classmethod
    def _short_mask(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"label": value}
        if isinstance(value, dict) and "mask" in value:
            masks = value["mask"] if isinstance(value["mask"], list) else [value["mask"]]
            value = {**value, "mask": [{"as": mask} if isinstance(mask, str) else mask for mask in masks]}
        return value

    def is_kind(self, path: str) -> bool:
        """By segment: ``user.name`` covers ``user.name.kana`` and never ``user.name_kana`` (traps.md T12)."""
        return (self.kind + ".").startswith(path + ".")

    @property
    def free_text(self) -> bool:
        return self.is_kind("text")

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


class At(Shape):
    """The column that says when a row happened; rows outside the identifier's tenure are nobody's business."""

    column: str
    form: Form = "text"
    zone: Zone = "Asia/Tokyo"

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


class Way(Shape):
    """One way in. ``locate``: a SELECT (sql, lake), a path template (http), a group of the line (logs), words."""

    by: str
    locate: str


class Reveal(Shape):
    """An identifier that a matched row reveals, with the days or instants in which it held.

    ``from``/``to`` are columns of the locate; ``end`` says whether ``to`` itself still belongs; ``open`` lists the
    stored values that mean "no end"; ``when`` limits it to rows of which the condition holds.
    """

    kind: str
    column: str
    start: str | None = Field(None, alias="from")
    to: str | None = None
    end: Literal["exclusive", "inclusive"] = "inclusive"
    open: tuple[str | int, ...] = ()
    form: Form = "text"
    zone: Zone = "Asia/Tokyo"
    when: Condition | None = None
    reused: StrictBool = True
    """Whether the number may be another's before or after these days; false for numbers that are given once."""

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


class Keep(Shape):
    """A rule under which a record, or only some fields of it, must stay for a time (law.md §9).

    ``start`` is the column that dates it (a document's day, a contract's end); ``when`` limits it to some records.
    ``fields``: those that stay, the key always; empty for the whole record. What no rule covers goes (RT-1).
    """

    rule: str
    start: str = Field(alias="from")
    form: Form = "text"
    zone: Zone = "Asia/Tokyo"
    fields: tuple[str, ...] = ()
    when: Condition | None = None
    contracted: str | None = None
    """CIV166: column of the contract's day, which decides the old or the new period; the longer one without it."""

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


ProvisionItem = Literal["consent", "date", "name", "address", "representative", "how", "person", "data", "published",
                        "foreign"]  # fmt: skip


class Provision(Shape):
    """How a register of statutory records of provision (law.md §10) says what its rows are.

    ``kinds``: value of ``column`` → R-1 … R-6; a row of any other value is no record that is due, and is never brought
    (R-7). ``items``: what such a record says → its columns. A record under Order 11 is one that ``withhold_when``
    names.
    """

    column: str
    kinds: dict[str, Literal["R-1", "R-2", "R-3", "R-4", "R-5", "R-6"]]
    items: dict[ProvisionItem, tuple[str, ...]]

    @model_validator(mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("items"), dict):
            items = {item: [names] if isinstance(names, str) else names for item, names in value["items"].items()}
            value = {**value, "items": items}
        return value

    @property
    def columns(self) -> frozenset[str]:
        return frozenset({self.column}).union(*self.items.values())

    def kind(self, value: Any) -> str | None:
        return self.kinds.get(str(value).strip())


class Alive(Shape):
    """Which records a live contract still needs (estate.md §5, PX-4).

    A record lives where ``when`` holds of it, where the day of ``until`` is not over or is none, or where a column of
    ``by`` (column → kind) holds a number that a living record gave; it gives the numbers of ``gives`` (column → kind).
    Nothing of these: it ends with the request. A dataset with a core purpose and no ``alive`` lives: what is not known
    to have ended has not.
    """

    when: Condition | None = None
    until: str | None = None
    form: Form = "text"
    zone: Zone = "Asia/Tokyo"
    by: dict[str, str] = Field(default_factory=dict)
    gives: dict[str, str] = Field(default_factory=dict)
    days: int | None = None
    """And it happened (``at``) no more than so many days ago: a call, until its bill is settled."""
    unless_in: tuple[str, str] | None = None
    """(dataset id, column): a claim is open for records whose first key column stands in none of the person's there."""

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


class Partner(Shape):
    """Who holds a copy: a processor or joint user is instructed, a recipient (a third party) asked; each answers, and
    silence is no success (law.md P-1..3)."""

    key: str
    label: str
    kind: Literal["processor", "joint", "recipient"]
    datasets: tuple[str, ...]
    """Whose copies it holds."""
    identifiers: tuple[str, ...]
    """Kinds that it is told, and no more."""
    due_days: int = 10
    country: str = ""
    """Where it is, if abroad; ``system`` and ``measures`` are then told to whoever asks (APPI 28(3))."""
    system: str = ""
    """How it is bound to protect data equivalently."""
    measures: str = ""
    """What we do so that it keeps to that."""


IN_DIGITS: tuple[Form, ...] = ("epoch", "epoch_ms", "yyyymmdd", "yyyymmddhhmmss")
EVIDENCE = ("name", "kana", "born_on", "address", "phone", "mail", "gender", "died_on", "mention")


class Dataset(Shape):
    """``key`` columns make the record no.; ``row`` is the row of the record of processing (estate.md)."""

    system: str
    name: str
    label: str
    label_en: str = ""
    """As ``label_en`` of fields and systems: the gloss of the label, printed where English was asked for."""
    row: int | str | None = None
    chapter: str | None = None
    key: tuple[str, ...]
    ways: tuple[Way, ...]
    fetch: str = ""
    evidence: dict[str, str] = Field(default_factory=dict)
    reveals: tuple[Reveal, ...] = ()
    at: At | None = None
    member: str | None = None
    """Column that names the member of a session; a row of another member is never ours (law.md K-3)."""
    owners: Literal["single", "shared"] = "single"
    party: str | None = None
    """Column that says whose each row of a shared record is: in another's row every field marked ``unless_subject`` is
    struck, whatever stands there, and in the subject's own none (AG-7)."""
    withhold_when: tuple[Withhold, ...] = ()
    secrecy: bool | None = None
    purposes: tuple[str, ...] = ()
    retention: tuple[str, ...] = ()
    """Rules of ``dsr.law.RETENTIONS``."""
    recipients: tuple[str, ...] = ()
    """Keys of the inventory's ``recipients``."""
    sources: tuple[str, ...] = ()
    """Kinds of source, in the words that part 12 of the book prints: ご本人, ご利用の端末, 信用情報機関 …"""
    fields: dict[str, FieldRule]
    glob: str | None = None
    index: bool = False
    """Lake: may be found through the home's side index, once ``dsr index build`` has been run."""
    line: str | None = None
    encoding: str | None = None
    page: dict[str, Any] | None = None
    table: str = ""
    """Table that a writer changes; by default the only one of ``fetch``."""
    keep: tuple[Keep, ...] = ()
    alive: Alive | None = None
    deidentify: dict[str, str | None] = Field(default_factory=dict)
    """Column → what stands there instead, where the record itself must stay (a line of a log); empty: it goes whole."""
    use_stop: dict[str, str | int] = Field(default_factory=dict)
    """Column → value that switches offers off (a list of addressees)."""
    provision_stop: dict[str, str | int] = Field(default_factory=dict)
    """Column → value that ends its being given to third parties or published; without it the owner is told to."""
    protects: StrictBool = False
    """A record here means that nobody may learn where the person is (支援措置, AG-7)."""
    opt_out: StrictBool = False
    """Whether it is given by opt-out (APPI 27(2)): stopped whenever the person says so."""
    printed: str = ""
    """What has been given out in print and cannot be recalled (T-10)."""
    provision: Provision | None = None
    """Of a register of statutory records (row 22): only a request for these records is about it."""
    voucher: StrictBool = False
    """A voucher or book: never changed in silence, only annotated or issued anew (EBOOK)."""
    notes: str = ""
    """Of vouchers the dataset of the same system that holds their notes, or (its own name) those issued anew. Each
    names the old record. Without it nobody but the owner sees a note, and the letter says so."""

    @model_validator(mode="before")
    @classmethod
    def _one_way(cls, value: Any) -> Any:
        if isinstance(value, dict) and "ways" not in value and "locate" in value:
            value = dict(value)
            value["ways"] = [{"by": value.pop("by", PERSON), "locate": value.pop("locate")}]
        return value

    @model_validator(mode="after")
    def _dated(self) -> Dataset:
        """What ``at`` and ``reveals`` say of a column need not be said twice: 1777248000 is no day for a reader."""
        told = [(self.at.column, self.at.form, self.at.zone)] if self.at else []
        told += [(column, r.form, r.zone) for r in self.reveals for column in (r.start, r.to) if column]
        forms = {
            column: self.fields[column].model_copy(update={"form": form, "zone": zone})
            for column, form, zone in told
            if form in IN_DIGITS and column in self.fields and self.fields[column].form is None
        }
        return self.model_copy(update={"fields": {**self.fields, **forms}}) if forms else self

    @model_validator(mode="after")
    def _whole(self) -> Dataset:
        if not self.key:
            raise ValueError("key is empty; name the columns that make a record unique")
        if not self.ways:
            raise ValueError("has no way in; give locate and by, or ways")
        for word in self.evidence:
            if word not in EVIDENCE:
                raise ValueError(f"evidence {word!r} is unknown; use {', '.join(EVIDENCE)}")
        missing = [column for column in self.key if column not in self.fields]
        if missing:
            raise ValueError(f"key column {missing[0]!r} is not among the fields; declare it with a label")
        named = {*self.deidentify, *self.use_stop, *self.provision_stop, *self.planned_by()}
        named |= {self.party} if self.party else set()
        unknown = sorted(named - set(self.fields))
        if unknown:
            raise ValueError(f"party, alive, keep or a measure names {as_id(unknown[0])!r}, which is no declared field")
        if self.provision and (apart := self.provision.columns.union(self.key) ^ set(self.fields)):
            raise ValueError(f"provision and fields differ in {as_id(min(apart))!r}; a record says its items, no more")
        for name, rule in self.fields.items():
            for mask in rule.mask:
                unknown = sorted(mask.when.columns - set(self.fields)) if mask.when else []
                if unknown:
                    raise ValueError(f"fields.{name}.mask.when names {unknown[0]!r}, which is no declared field")
        return self

    def planned_by(self) -> frozenset[str]:
        """Columns that say what lives and how long what must stay; an erasure is planned by them."""
        named = [column for keep in self.keep for column in (keep.start, keep.contracted, *keep.fields)]
        conditions = [keep.when for keep in self.keep]
        if self.alive:
            named += [*self.alive.by, *self.alive.gives, self.alive.until]
            conditions.append(self.alive.when)
        return frozenset(filter(None, named)).union(*(when.columns for when in conditions if when))

    @property
    def id(self) -> str:
        return f"{self.system}.{self.name}"

    @cached_property
    def declaration(self) -> str:
        """Digest of all that decides which rows are found and whose they are."""
        words = ("label", "label_en", "chapter", "purposes", "retention", "recipients", "sources", "row", "index",
                 "table", "keep", "alive", "deidentify", "use_stop", "provision_stop", "opt_out", "printed", "voucher",
                 "notes", *(() if self.provision else ("provision",)))  # fmt: skip
        silent: dict[str, Any] = {**dict.fromkeys(words, True), "fields": {"__all__": {"label_en"}}}
        told = self.model_dump(mode="json", by_alias=True, exclude=silent)
        return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(way.by for way in self.ways)

    def free_text_fields(self) -> tuple[str, ...]:
        return tuple(name for name, rule in self.fields.items() if rule.free_text)


class System(Shape):
    """``nature``: own · entrusted (we are processor) · joint · neutral (interconnect, wheeling) · excluded."""

    name: str
    label: str
    label_en: str = ""
    store: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    """sql · lake · http · logs · manual, or a kind that an installed package brings (entry point ``dsr.stores``)."""
    url: str = Field("", repr=False)
    token: str = Field("", repr=False)
    glob: str | None = None
    line: str | None = None
    encoding: str = "utf-8"
    writes: Literal["work_order", "direct"] = "work_order"
    nature: Literal["own", "entrusted", "joint", "neutral", "excluded"] = "own"
    secrecy: bool = False
    desk: str = ""
    """Whom to ask instead, where the data is not ours to decide on."""
    not_personal: dict[str, str] = Field(default_factory=dict)
    """Tables of the store that hold nothing personal, each with its reason; any other undeclared table is drift."""
    due_days: int = 5
    """Business days in which a person answers a search order (manual)."""
    order_days: int = 10
    """Business days in which the owner carries out a work order."""
    survey_url: str = Field("", repr=False)
    """The survey's own read-only way in; by default ``url``."""
    canary: tuple[str, ...] = Field((), repr=False)
    """Planted values that every survey of this system must find, or it says nothing."""
    backup_days: int | None = None
    """Days after which no backup holds what is erased today; None: nobody said, and no L3 is ever claimed."""
    dataset: dict[str, Dataset] = Field(default_factory=dict)

    def seen_with(self, other: System) -> bool:
        """Whether one independent look sees both: they are one store."""
        return bool(self.url) and (self.store, self.url, self.survey_url) == (other.store, other.url, other.survey_url)

    @model_validator(mode="before")
    @classmethod
    def _name_datasets(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("dataset"), dict):
            named = {
                name: {**body, "system": value.get("name"), "name": name} if isinstance(body, dict) else body
                for name, body in value["dataset"].items()
            }
            value = {**value, "dataset": named}
        return value

    @model_validator(mode="after")
    def _noted(self) -> System:
        for dataset in self.dataset.values():
            if dataset.notes and (not dataset.voucher or dataset.notes not in self.dataset):
                raise ValueError(f"{dataset.name}.notes is for a voucher, and names a dataset of the same system")
        return self


class Fee(Shape):
    """As published (APPI 32(1), 38): ``yen`` for each ``per``, within ``days``; ``way`` of payment."""

    yen: Annotated[int, Field(gt=0)]
    per: str = "ご請求1件"
    way: str
    days: Annotated[int, Field(gt=0)] = 14
    refund_when_absent: bool = True


class Company(Shape):
    """Who answers: the controller's particulars that every letter must carry (APPI 32(1); documents.md §1)."""

    name: str
    address: str = ""
    representative: str = ""
    desk: str = ""
    complaint_desk: str = ""
    accredited_body: str = ""
    document_sign: str = ""
    """Stands before the number of a letter: み個情 → み個情第2026-000001号."""
    procedure: str = ""
    """Of requests, as published (APPI 32(1)(iii))."""
    security_measures: str = ""
    """As published (Order 10(i))."""
    member_site: str = ""
    """Where members see and change their own data on screen."""
    desks: dict[str, str] = Field(default_factory=dict)
    """Right → whom to ask instead, for what is no request of ours: sender_identification."""
    closing_days: tuple[str, ...] = ("12-29", "12-30", "12-31", "01-01", "01-02", "01-03")
    area_code: str = ""
    fiscal_year_end: Annotated[str, Field(pattern=r"^[0-9]{2}-[0-9]{2}$")] = "03-31"
    return_months: int = 2
    """Months from the year's end to the tax return; 3 with the usual extension."""
    loss_years: tuple[date, ...] = ()
    """First days of fiscal years whose loss is carried forward (TAX26-3)."""
    subsidiary_books: Literal["keep", "drop"] = "keep"
    """Whether lines of the customer ledger fall under CO432-10Y [verify]."""
    cooling_off_hours: Annotated[int, Field(ge=0)] | None = None
    """Between approval and the first effect; unset: 24 in a production home, else none (EN-33)."""
    fees: dict[Literal["purpose_notice", "disclosure", "record_disclosure"], Fee] = Field(default_factory=dict)
    """None unless written; of other rights there can be none (F-1)."""
    cure_days: int = 14
    """Within which what is missing of a request should come [policy]."""
    complaint_days: Annotated[int, Field(ge=0)] = 60
    """After an answer, in which package and working data are still there [policy]."""
    escalate_days: Annotated[int, Field(ge=1)] = 3
    """Business days of delay after which an approver is told of it too [policy]."""


Secret = Annotated[str, Field(pattern=r"^(env|file):.+$")]
"""Never in the inventory itself: where to find it (``value_of``)."""
PurposeKind = Literal["core", "claims", "safety", "improve", "offer", "other"]


class Inventory(Shape):
    company: Company = Company(name="当社")
    purposes: dict[str, str] = Field(default_factory=dict)
    """Published purposes: number → text."""
    recipients: dict[str, str] = Field(default_factory=dict)
    """Processors and others to whom data is given: key → who, and for what work."""
    english: dict[str, str] = Field(default_factory=dict)
    """Gloss of any other text of this file that papers print: company, desks, purposes, recipients, sources."""
    purpose_kinds: dict[str, PurposeKind] = Field(default_factory=dict)
    """Number → kind (estate.md §4); a purpose without one counts as core: what is not known to have ended has not."""
    partner: dict[str, Partner] = Field(default_factory=dict)
    notify: dict[Literal["handler", "approver", "technician"], tuple[Secret, ...]] = Field(default_factory=dict)
    """Role → where its reminders go: URLs of apprise, each ``env:NAME`` or ``file:NAME``."""
    system: dict[str, System]
    folder: Path = Field(Path(), exclude=True)
    digest: str = Field("", exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _name_systems(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("system"), dict):
            named = {n: {**body, "name": n} if isinstance(body, dict) else body for n, body in value["system"].items()}
            value = {**value, "system": named}
        if isinstance(value, dict) and isinstance(value.get("partner"), dict):
            keyed = {k: {**body, "key": k} if isinstance(body, dict) else body for k, body in value["partner"].items()}
            value = {**value, "partner": keyed}
        return value

    @model_validator(mode="after")
    def _known(self) -> Inventory:
        """A purpose, rule or recipient that stands nowhere would be printed as a bare code."""
        for dataset in self.datasets():
            for words, known, where in (
                (dataset.purposes, self.purposes, "[purposes]"),
                (dataset.recipients, self.recipients, "[recipients]"),
            ):
                unknown = sorted(set(words) - set(known))
                if unknown and known:
                    raise ValueError(f"{dataset.id} names {as_id(unknown[0])!r}, which is not in {where}")
        return self

    @property
    def abroad(self) -> list[Partner]:
        return [partner for partner in self.partner.values() if partner.country]

    def is_given(self, dataset: Dataset) -> bool:
        """To third parties, or to the public."""
        held = (one.datasets for one in self.partner.values() if one.kind == "recipient")
        return bool(dataset.provision_stop) or any(dataset.id in names for names in held)

    def datasets(self) -> Iterator[Dataset]:
        for system in self.system.values():
            yield from system.dataset.values()

    @cached_property
    def declaration(self) -> str:
        """As ``Dataset.declaration``, of all; an address or a token may change and what was found still holds."""
        return hashlib.sha256("".join(d.id + d.declaration for d in self.datasets()).encode()).hexdigest()

    def ordered(self, by_dataset: Mapping[str, T]) -> dict[str, T]:
        """Entries by dataset id in the order of the inventory; what nobody declared comes last."""
        declared = [dataset.id for dataset in self.datasets() if dataset.id in by_dataset]
        return {name: by_dataset[name] for name in [*declared, *sorted(set(by_dataset) - set(declared))]}

    def dataset(self, dataset_id: str) -> Dataset:
        system, _, name = dataset_id.partition(".")
        try:
            return self.system[system].dataset[name]
        except KeyError:
            raise BadInput("dataset", f"no dataset {dataset_id} in the inventory", "use <system>.<dataset>") from None

    def system_of(self, dataset: Dataset) -> System:
        return self.system[dataset.system]

    def is_secret(self, dataset: Dataset) -> bool:
        """Secrecy of communications (law.md T-13)."""
        return self.system_of(dataset).secrecy if dataset.secrecy is None else dataset.secrecy

    def place(self, written: str) -> str:
        """A path or glob of the inventory, relative ones from the inventory's own folder."""
        return str(self.folder / written)  # an absolute path stays what it is


_RELATIVE_SQLITE = re.compile(r"(sqlite(?:\+\w+)?):///(?!/|:memory:)(.+)", re.DOTALL)


def value_of(written: str, field: str, environment: Mapping[str, str], folder: Path) -> str:
    """``env:NAME`` from the environment, ``file:NAME`` the stripped text of a file in ``folder``, else as written.

    A relative ``sqlite:///company.db`` is resolved from ``folder``, the inventory's own. Raises BadInput.
    """
    value = written
    if written.startswith("env:"):
        name = written.removeprefix("env:")
        if name not in environment:
            raise BadInput(field, f"the environment has no {name}", f"set {name}, or write the value itself")
        value = environment[name]
    elif written.startswith("file:"):
        name = written.removeprefix("file:")
        try:
            value = (folder / name).read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError):
            raise BadInput(
                field, f"cannot read the file {name}", "put it beside inventory.toml, readable to us"
            ) from None
    relative = _RELATIVE_SQLITE.fullmatch(value)
    return f"{relative[1]}:///{folder.resolve() / relative[2]}" if relative else value


def read_inventory(path: Path) -> Inventory:
    """Raises BadInput naming the field."""
    try:
        raw = path.read_bytes()
        document = tomllib.loads(raw.decode("utf-8"))
    except FileNotFoundError:
        raise BadInput("inventory", f"no file {path.name}", "check the path") from None
    except UnicodeDecodeError:
        raise BadInput("inventory", "is not UTF-8", "save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput("inventory", f"is not TOML: {error}", "mend the syntax there") from None
    inventory = shaped(Inventory, document, "inventory")
    return inventory.model_copy(update={"folder": path.resolve().parent, "digest": hashlib.sha256(raw).hexdigest()})


__all__ = ["PERSON", "TOKYO", "Dataset", "Inventory", "System", "read_inventory", "value_of"]
