"""What a requester asks, as it arrived (public_face.md REQUEST.json), and the papers of proof, review and decision."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from dsr.days import ALWAYS, TOKYO, Interval, whole_days
from dsr.errors import BadInput, as_id
from dsr.identity import STATED, Identifier
from dsr.names.birthdays import birthday
from dsr.shapes import Day, Instant, Shape, Text, Words, shaped

Right = Literal[
    "purpose_notice",
    "disclosure",
    "record_disclosure",
    "correction",
    "addition",
    "content_deletion",
    "use_stop",
    "erasure",
    "provision_stop",
    "optout_provision_stop",
    "foreign_measures",
    "published_matters",
    "marketing_stop",
    "listing_stop",
    "complaint",
    "self_service",
    "sender_identification",
    "other",
]
Channel = Literal["post", "counter", "phone", "web", "email", "fax", "other"]
IDENTIFIER_KINDS = (
    "customer_no",
    "contract_no",
    "line_no",
    "phone",
    "mail",
    "billing_no",
    "member_id",
    "cookie_id",
    "ticket_no",
    "supply_point_no",
    "meter_no",
    "inquiry_no",
    "invoice_no",
)
"""Kinds that a letter may state in any company; an inventory adds its own."""


def _ordered(first: date | None, last: date | None, name: str) -> None:
    if first and last and last < first:
        raise ValueError(f"'to' is before 'from' in {name}; swap them or correct one")


class Stated(Shape):
    """An identifier the requester states; days are whole and inclusive."""

    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    value: Annotated[Words, Field(repr=False)]
    first: Day | None = Field(None, alias="from")
    last: Day | None = Field(None, alias="to")

    @model_validator(mode="after")
    def _days(self) -> Stated:
        _ordered(self.first, self.last, "the identifier")
        return self

    def identifier(self) -> Identifier:
        return Identifier(self.kind, self.value, whole_days(self.first, self.last), STATED)


class Subject(Shape):
    name: Annotated[Words, Field(repr=False)]
    kana: Annotated[Text, Field(repr=False)] = ""
    born_on: Annotated[Day | None, Field(repr=False)] = None
    addresses: Annotated[tuple[Text, ...], Field(max_length=50, repr=False)] = ()
    identifiers: Annotated[tuple[Stated, ...], Field(max_length=200)] = ()


class Agent(Shape):
    kind: Literal["statutory", "mandated"]
    name: Annotated[Words, Field(repr=False)]
    relation: Text = ""
    receives_answer: StrictBool = False
    address: Annotated[Text, Field(repr=False)] = ""


class Received(Shape):
    at: Instant
    channel: Channel


class Scope(Shape):
    """``None`` is everything. Days whole and inclusive, Asia/Tokyo."""

    systems: tuple[Text, ...] | None = None
    first: Day | None = Field(None, alias="from")
    last: Day | None = Field(None, alias="to")

    @model_validator(mode="after")
    def _days(self) -> Scope:
        _ordered(self.first, self.last, "scope")
        return self

    @property
    def interval(self) -> Interval:
        return whole_days(self.first, self.last, TOKYO) if self.first or self.last else ALWAYS


class Answer(Shape):
    method: Literal["electronic", "paper", "other"] = "electronic"
    language: Literal["ja", "en"] = "ja"


class Correction(Shape):
    """``field``: the kind of the field in question (``user.address``); ``dataset``: only there; null: everywhere."""

    field: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,59}$")]
    wrong: Annotated[Text, Field(repr=False)] = ""
    right: Annotated[Text, Field(repr=False)]
    evidence: Text = ""
    dataset: Text | None = None
    record: Text | None = None
    """Where the person saw it: ``<system>.<dataset>/<record no>``; every copy is looked for all the same."""

    @model_validator(mode="before")
    @classmethod
    def _numbers_as_text(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        numbers = {k: str(v) for k, v in value.items() if k in ("wrong", "right") and isinstance(v, int)}
        return {**value, **numbers}


class Part(Shape):
    """One more right that the same letter exercises, with its own ground, correction and scope (law.md §3)."""

    right: Right
    ground: Text | None = None
    correction: Correction | None = None
    scope: Scope = Scope()


class Request(Shape):
    right: Right
    subject: Subject
    former_names: Annotated[tuple[Text, ...], Field(max_length=50, repr=False)] = ()
    agent: Agent | None = None
    received: Received
    scope: Scope = Scope()
    answer: Answer = Answer()
    correction: Correction | None = None
    ground: Text | None = None
    asks_existence: StrictBool = False
    """It also asks of what may not be known (whether the police inquired, SC-7): answered alike for everybody."""
    parts: Annotated[tuple[Part, ...], Field(max_length=20)] = ()
    """What the letter asks for besides; each becomes a case of its own."""

    @model_validator(mode="after")
    def _says_what_is_wrong(self) -> Request:
        if self.right in ("correction", "addition") and self.correction is None:
            raise ValueError("correction is missing; give field, wrong, right and evidence")
        return self

    def identifiers(self) -> tuple[Identifier, ...]:
        return tuple(stated.identifier() for stated in self.subject.identifiers)


def parted(document: object, now: datetime) -> tuple[tuple[Request, dict[str, Any]], ...]:
    """A letter as the requests that it holds, each with its document, the first as it stands. Raises BadInput."""
    first = read_request(document, now)
    whole = dict(document) if isinstance(document, dict) else {}
    parts = whole.pop("parts", None) or ()
    documents = [whole, *({**whole, "ground": None, "correction": None, "scope": {}, **part} for part in parts)]
    read = [first.model_copy(update={"parts": ()})]
    for number, part in enumerate(documents[1:]):
        try:
            read.append(read_request(part, now))
        except BadInput as error:
            raise in_part(number + 1, error) from None
    return tuple(zip(read, documents, strict=True))


def in_part(number: int, error: BadInput) -> BadInput:
    """The same, said of a part of the letter; the first, 0, is the request itself."""
    return BadInput(f"parts.{number - 1}.{error.field}", error.problem, error.fix) if number else error


def read_request(document: object, now: datetime) -> Request:
    """Shape and plausibility of a request that arrived by ``now``. Raises BadInput."""
    request = shaped(Request, document, "request")
    today = now.astimezone(TOKYO).date()
    if request.subject.born_on and request.subject.born_on > today:
        raise BadInput("subject.born_on", "is in the future", "check the year; give null when it is not known")
    if request.received.at > now:
        raise BadInput("received.at", "is in the future", "give the moment the letter arrived")
    if request.received.at.year < 1900:  # the day in Tokyo of year 1 is outside the calendar
        raise BadInput("received.at", "is too long ago", "check the year")
    return request


def _printed(value: object) -> object:
    """As it stands on the paper: 平成35年 was printed when nobody knew of 令和, and reads 2023 (ID-6)."""
    day = birthday(re.sub(r"[(（][^)）]*[)）]|まで|有効", "", value)) if isinstance(value, str) else value
    if not isinstance(day, date):
        raise ValueError("is no day; write it as printed: 2026-11-02 or 平成35年3月12日")
    return day


PrintedDay = Annotated[date, BeforeValidator(_printed)]


class Document(Shape):
    """A proof document: type and last digits, never the document (law.md ID-7)."""

    type: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]
    last_digits: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{0,4}$")] = ""
    seen_on: Day
    expires_on: PrintedDay | None = None
    issued_on: PrintedDay | None = None
    """Of a certificate that counts for a while only."""
    name: Literal["match", "differs", "absent"]
    birth: Literal["match", "differs", "absent"]
    address: Literal["match", "differs", "absent"]


class AgentProof(Shape):
    """What proved the agent's authority, and the agent's own identity."""

    documents: tuple[Document, ...]
    authority: Literal["family_register", "residence_record", "guardianship_register", "mandate"]
    names_this_request: StrictBool = False
    shows_authority: StrictBool = True
    """False: what was shown says that somebody else has it (AG-4)."""


class Proof(Shape):
    method: Literal["counter", "post", "online", "phone", "jpki"]
    documents: tuple[Document, ...]
    agent: AgentProof | None = None
    copies_destroyed_on: Day | None = None


class NoteReview(Shape):
    """Spans ``[field, start, end, ground]`` count code points of the stored text, end exclusive."""

    strike: tuple[tuple[str, int, int, str], ...] = ()
    release: StrictBool = True


class Review(Shape):
    """Identity by candidate ``<system>.<dataset>/<record no>``; notes by dataset and record no."""

    identity: dict[str, Literal["same", "other"]] = Field(default_factory=dict, repr=False)
    notes: dict[str, dict[str, NoteReview]] = Field(default_factory=dict, repr=False)


Outcome = Literal[
    "full",
    "partial",
    "refused",
    "not_held",
    "not_our_authority",
    "redirected",
    "existence_neutral",
    "out_of_scope",
    "corrected",
    "correction_declined",
    "use_stopped",
    "erased",
    "deidentified",
    "provision_stopped",
    "kept_until",
    "alternative_measure",
    "stop_declined",
    "procedure_refused",
    "withdrawn",
    "misdirected",
    "unreachable",
    "not_asked",
    "under_review",
]


class Item(Shape):
    outcome: Outcome
    ground: str | None = None
    measure: Literal["erase", "deidentify", "use_stop", "keep", "annotate_or_reissue"] | None = None
    until: Day | None = None
    reason: Text = ""


class Investigated(Shape):
    """What was looked into before content is called true or untrue (APPI 34(2)); ``value``: what is true."""

    how: Words
    result: Literal["untrue", "true", "opinion", "purpose", "other_law"]
    value: Annotated[Text, Field(repr=False)] = ""


class Procedure(Shape):
    """A cure that failed (APPI 37); the person reads the reason."""

    ground: Words
    reason: Annotated[Words, Field(repr=False)]


class Decision(Shape):
    """Per dataset ``<system>.<dataset>``; ``records`` names single records as ``<system>.<dataset>/<record no>``."""

    datasets: dict[str, Item]
    records: dict[str, Item] = Field(default_factory=dict)
    investigated: Investigated | None = None
    """Of a correction: without it nothing is decided."""
    answer: Annotated[tuple[Words, ...], Field(max_length=20, repr=False)] = ()
    """Paragraphs of a letter that only an officer can write: the answer to a complaint."""
    desk: Annotated[Text, Field(repr=False)] = ""
    """Of a letter that is no request: whom to ask instead, if it may be named."""
    given: Annotated[dict[str, Words | Literal[True]], Field(repr=False)] = Field(default_factory=dict)
    """What a ground needs before it is used (law.md §5): a memo in words, or that it was done."""
    procedure: Procedure | None = None


class EnvelopeCheck(Shape):
    """宛先照合: a second officer compares person, address, case number and seal (documents.md §3)."""

    person: Literal["match", "mismatch"]
    address: Literal["match", "mismatch"]
    case_no: Literal["match", "mismatch"]
    seal: Literal["intact", "broken"]

    @property
    def passed(self) -> bool:
        return (self.person, self.address, self.case_no, self.seal) == ("match", "match", "match", "intact")


class Dispatch(Shape):
    """One act: the envelope check (a second officer), the sending, its receipt, its return, or the destruction of what
    came back and was held in vain (documents.md §3, ``delivery_record``)."""

    envelope_check: EnvelopeCheck | None = None
    channel: Literal["registered_post", "addressee_only_post", "download", "counter"] | None = None
    sent_on: Day | None = None
    tracking_no: Annotated[Text, Field(repr=False)] = ""
    expires_on: Day | None = None
    """Of a download."""
    password_by: Literal["post", "phone", "counter"] | None = None
    """Of a download: never the way that the package takes."""
    delivered_on: Day | None = None
    returned_on: Day | None = None
    return_reason: Literal["addressee_unknown", "lapsed", "refused"] | None = None
    seal: Literal["intact", "broken"] | None = None
    destroyed_on: Day | None = None

    @model_validator(mode="after")
    def _one_act(self) -> Dispatch:
        acts = [self.envelope_check, self.channel, self.delivered_on, self.returned_on, self.destroyed_on]
        if sum(act is not None for act in acts) != 1:
            raise ValueError(
                "give exactly one of envelope_check, channel (with sent_on), delivered_on, returned_on (with "
                "return_reason and seal), destroyed_on"
            )
        for act, field, fix in (
            (self.channel, "sent_on", "give the day it was handed over"),
            (self.returned_on, "return_reason", "say why it came back"),
            (self.returned_on, "seal", "say whether it came back unopened"),
        ):
            if act and getattr(self, field) is None:
                raise ValueError(f"{field} is missing; {fix}")
        if (self.channel == "download") != (self.password_by is not None):
            raise ValueError("password_by belongs to a download, and to nothing else; the password goes another way")
        return self


class Invitation(Shape):
    """Where and when recordings can be listened to (documents.md §2, ``listening_invitation``). ``muted``: each place
    that will not be heard, with why, in words that say nothing of what it holds."""

    place: Words
    hours: Words
    bring: Words
    until: Day
    muted: Annotated[tuple[Words, ...], Field(max_length=50)] = ()


class AddressProof(Shape):
    """A new address, and what proved it (ID-8: 住民票 or 戸籍の附票, JPKI; never the old one)."""

    address: Annotated[Words, Field(repr=False)]
    documents: Annotated[tuple[Document, ...], Field(min_length=1)]


class IncidentReport(Shape):
    """A package that reached somebody else, or was lost, as far as it is known (law.md L-1, L-2)."""

    known_at: Instant
    kind: Literal["misdelivery", "loss", "theft"]
    persons: Annotated[int, Field(strict=True, ge=1)]
    read: Literal["unread", "read", "unknown"]
    recovered_on: Day | None = None
    categories: tuple[Literal["sensitive", "financial", "malicious"], ...] = ()
    cause: Annotated[Words, Field(repr=False)]
    secondary_harm: Annotated[Words, Field(repr=False)]
    other: Annotated[Text, Field(repr=False)] = ""


class AuthorityReport(Shape):
    """A report that was made to an authority: which, on what day, to whom, and what came back."""

    report: Words
    reported_on: Day
    to: Words
    answer: Text = ""


class SearchAnswer(Shape):
    """An officer's answer to the search order of a ``manual`` system: every declared field of every record found."""

    searched_on: Day
    datasets: dict[str, tuple[dict[str, str | int | None], ...]] = Field(repr=False)
    searched_by: Text = ""


Count = Annotated[int, Field(strict=True, ge=0)]


class KeptRecords(Shape):
    """Records that the owner or partner keeps, under which rule of its own or ours, and until when."""

    rule: Words
    until: Day
    records: Count


class DatasetAnswer(Shape):
    """``found``: records of the order that were there; what is neither ``done`` nor ``kept`` is still ``open``."""

    found: Count
    done: Count
    kept: tuple[KeptRecords, ...] = ()
    issued: Annotated[dict[str, Words], Field(repr=False)] = Field(default_factory=dict)
    """Of vouchers: record no. → number of the note, or of the voucher issued anew (EBOOK)."""
    note: Annotated[Text, Field(repr=False)] = ""

    @model_validator(mode="after")
    def _accounted(self) -> DatasetAnswer:
        if self.open < 0:
            raise ValueError(
                f"done and kept are {-self.open} more than found; found counts all records of the order that were there"
            )
        return self

    @property
    def open(self) -> int:
        return self.found - self.done - sum(one.records for one in self.kept)


class OrderAnswer(Shape):
    """What an owner or partner answers to a work order (documents.md ``processor_report``): counts, never values.

    It is asked for and never believed: our own survey decides (traps.md T05).
    """

    done_on: Day
    done_by: Words
    datasets: Annotated[dict[str, DatasetAnswer], Field(min_length=1)]
    sub_processors: tuple[Words, ...] = ()
    corrects: Annotated[Text, Field(repr=False)] = ""
    """Why an earlier answer was wrong: this one stands in its place, and both stay in the log."""


class Statement(Shape):
    """申立書: what a person says of a record whose correction was declined, paragraph by paragraph; kept beside it."""

    received_on: Day
    text: Annotated[tuple[Words, ...], Field(min_length=1, max_length=100, repr=False)]


class OthersAnswer(Shape):
    """Who runs the store says why other people's rows changed between two looks: ordinary business, and which."""

    explained_by: Annotated[Words, Field(repr=False)]
    how: Annotated[Words, Field(repr=False)]


class RewriteAnswer(Shape):
    """What a DBA says of a PostgreSQL database: the day on which each copy of the deleted rows was gone (limits.md §5).

    Tables are checked against the catalogue; WAL, archive and replicas are the DBA's word, with its day.
    """

    done_by: Words
    tables_on: Day
    wal_on: Day
    archive_on: Day
    replicas_on: Day

    @property
    def days(self) -> dict[str, date]:
        return {name: getattr(self, name) for name in ("tables_on", "wal_on", "archive_on", "replicas_on")}


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Written = Annotated[Words, BeforeValidator(_as_text)]
"""A number as somebody wrote it, in quotes or not."""


class IngestRow(Shape):
    """A row that is about to be taken in: by which numbers it is somebody's, and when it happened."""

    dataset: Words
    identifiers: Annotated[dict[str, Written], Field(min_length=1, repr=False)]
    at: Instant | None
    """null only of a dataset whose rows do not say when they happened."""


def read_order_answer(document: object, ordered: Collection[str], issued_on: date, now: datetime) -> OrderAnswer:
    """The answer to an order for the datasets ``ordered``, issued on ``issued_on``. Raises BadInput."""
    answer = shaped(OrderAnswer, document, "answer")
    if answer.done_on > now.astimezone(TOKYO).date():
        raise BadInput("done_on", "is in the future", "give the day on which it was finished")
    if answer.done_on < issued_on:
        raise BadInput("done_on", "is before the order was issued", "check the day, and that it answers this order")
    for name in sorted(set(ordered) - set(answer.datasets)):
        raise BadInput(f"datasets.{name}", "is missing", "answer for every dataset of the order, 0 for none")
    for name in sorted(set(answer.datasets) - set(ordered)):
        raise BadInput(f"datasets.{as_id(name)}", "was not ordered", f"answer for {', '.join(sorted(ordered))}")
    return answer
