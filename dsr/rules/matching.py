"""Whose row it is: match, review or no, from evidence and never from a score (names.md 9).

The rules are the tables WORDS, NAMES and OUTCOMES; a judgement holds their words and no value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Literal

from dsr.days import Interval, whole_days
from dsr.names.addresses import compare, read_address
from dsr.names.birthdays import birthday, is_typing_error, read_day, two_digit_days
from dsr.names.kana import is_cut_of, is_kana
from dsr.names.letters import Name, given, read_name, wildcard_agrees, without_accents
from dsr.names.numbers import mail_key, read_phone
from dsr.names.person import Person, has_kana, has_loose_kana, mentions


class Answer(StrEnum):
    MATCH = "match"
    REVIEW = "review"
    NO = "no"


@dataclass(frozen=True)
class Judgement:
    """Coded words only, those of WORDS; JSON-able by ``as_json``."""

    answer: Answer
    strong: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    against: tuple[str, ...] = ()

    @property
    def another(self) -> bool:
        """Something lies against it that only another person's row can hold."""
        return any(WORDS[word] == "hard" for word in self.against)

    def as_json(self) -> dict[str, Any]:
        return {"answer": self.answer.value, "strong": [*self.strong], "weak": [*self.weak], "against": [*self.against]}


Weight = Literal["strong", "weak", "band", "soft", "grave", "hard"]
"""``band``: weak, and nothing but a person may turn it into a match · ``soft``: explainable (moved, typing error) ·
``grave``: explainable (married) only beside two strong agreements · ``hard``: another person's."""

WORDS: dict[str, Weight] = {
    "name": "strong",               # folded kanji and kana_key both equal
    "name_kanji": "weak",           # one of them
    "name_kana": "weak",
    "name_partial": "weak",         # middle name left out, accents lost
    "name_wildcard": "band",        # 〓 □ ? ＊, よし田
    "kana_loose": "band",
    "kana_cut": "band",             # a bank's field ends early
    "name_in_company": "band",      # SC-2: person attribute of a corporate record
    "born_on": "strong",
    "born_on_month": "weak",        # only year and month are written
    "born_on_two_digits": "band",   # the column does not say era or western
    "address": "strong",            # to number and room
    "address_building": "weak",
    "phone": "strong",              # E.164 equal, tenure overlaps, not shared
    "phone_former": "weak",         # no dates on the row, and the person's tenure is over
    "phone_completed": "band",      # area code filled in
    "phone_shared": "band",
    "mail": "strong",               # equal and verified by the store
    "mail_unverified": "weak",
    "stated": "weak",               # found by an identifier the requester merely stated
    "mention": "band",
    "deceased": "hard",
    "born_on_differs": "hard",
    "born_on_typing": "soft",
    "tenure_apart": "hard",
    "room_differs": "hard",
    "household_differs": "soft",    # 〇〇方
    "address_differs": "soft",
    "kanji_differs": "soft",
    "kana_differs": "soft",
    "name_differs": "grave",
}

MARKS = frozenset({"mail_verified", "phone_shared", "alone_there"})
"""What only the caller can know of a row. ``alone_there``: no other person of that name key lives at that address."""

Agreement = Literal["equal", "loose", "cut", "wild", "partial", "differs", "none"]
NAMES: dict[tuple[Agreement, Agreement], tuple[str, ...]] = {  # (kanji, kana); "none": not there to compare
    ("equal", "equal"): ("name",),
    ("equal", "loose"): ("name_kanji", "kana_loose"),
    ("equal", "cut"): ("name_kanji", "kana_cut"),
    ("equal", "differs"): ("name_kanji", "kana_differs"),
    ("equal", "none"): ("name_kanji",),
    ("wild", "equal"): ("name_wildcard", "name_kana"),
    ("wild", "loose"): ("name_wildcard", "kana_loose"),
    ("wild", "cut"): ("name_wildcard", "kana_cut"),
    ("wild", "differs"): ("name_wildcard", "kana_differs"),
    ("wild", "none"): ("name_wildcard",),
    ("partial", "equal"): ("name_partial", "name_kana"),
    ("partial", "loose"): ("name_partial", "kana_loose"),
    ("partial", "cut"): ("name_partial", "kana_cut"),
    ("partial", "differs"): ("name_partial", "kana_differs"),
    ("partial", "none"): ("name_partial",),
    ("differs", "equal"): ("name_kana", "kanji_differs"),
    ("differs", "loose"): ("kana_loose", "kanji_differs"),
    ("differs", "cut"): ("kana_cut", "kanji_differs"),
    ("differs", "differs"): ("name_differs",),
    ("differs", "none"): ("name_differs",),
    ("none", "equal"): ("name_kana",),
    ("none", "loose"): ("kana_loose",),
    ("none", "cut"): ("kana_cut",),
    ("none", "differs"): ("name_differs",),
    ("none", "none"): (),
}


@dataclass(frozen=True)
class _Pieces:
    """What an outcome looks at: counts of agreements, and which weights lie against."""

    strong: int
    weak: int
    band: bool
    against: frozenset[str]
    household: bool  # what agrees is shared by all who live there, twins too


OUTCOMES: tuple[tuple[str, Callable[[_Pieces], bool], Answer], ...] = (  # the first that holds
    ("hard contradiction", lambda p: "hard" in p.against, Answer.NO),
    ("another name, less than two strong", lambda p: "grave" in p.against and p.strong < 2, Answer.NO),
    ("two strong, none against", lambda p: p.strong > 1 and not (p.against or p.band or p.household), Answer.MATCH),
    ("two strong, explainable", lambda p: p.strong > 1, Answer.REVIEW),
    ("one strong and weak ones", lambda p: p.strong == 1 and p.weak > 0, Answer.REVIEW),
    ("unsure beside another", lambda p: p.band and p.strong + p.weak > 1, Answer.REVIEW),
    ("otherwise", lambda p: True, Answer.NO),
)

TRUSTED: tuple[tuple[str, Answer], ...] = (  # the first word that lies against; a payer's or an old name does not
    ("deceased", Answer.NO),
    ("born_on_differs", Answer.NO),
    ("born_on_typing", Answer.REVIEW),
)


def judge(
    person: Person, evidence: Mapping[str, Any], *, trusted: bool, stated: bool = False, at: date | None = None,
    during: Interval | None = None, marks: frozenset[str] = frozenset(), area_code: str = "",
) -> Judgement:
    """Judge one located row by its evidence as stored (keys of ``dsr.inventory.EVIDENCE``; NULL and defaults are none).

    ``trusted``: hit by an identifier that a matched record revealed. ``stated``: hit by one the requester stated.
    ``at``: the day the request arrived. ``during``: when the row's contact held. ``marks``: see MARKS.
    ``area_code``: that of the contract, for numbers written without one.
    """
    words = list(_weigh(person, evidence, _Row(at, during, marks, area_code)))
    if stated and not trusted:
        words.append("stated")
    if trusted:
        return _judgement(next((answer for word, answer in TRUSTED if word in words), Answer.MATCH), words)
    mentioned = bool(given(evidence.get("mention"))) and mentions(person, str(evidence["mention"]))
    answer = _outcome(words, marks)
    if mentioned:
        # The row's own name and birth date are its customer's; the note may still speak of our person.
        words.append("mention")
        answer = Answer.REVIEW if answer is Answer.NO else answer
    return _judgement(answer, words)


def _outcome(words: list[str], marks: frozenset[str]) -> Answer:
    weights = [WORDS[word] for word in words]
    strong = [word for word in words if WORDS[word] == "strong"]
    pieces = _Pieces(
        strong=len(strong),
        weak=sum(weight in ("weak", "band") for weight in weights),
        band="band" in weights,
        against=frozenset(weights) & {"soft", "grave", "hard"},
        household=_shared_at_home(set(strong), set(words)) and "alone_there" not in marks,
    )
    if "room_differs" in words and "born_on" in words and len(strong) > 1:
        return Answer.REVIEW  # who agrees in birth date and another strong piece has moved within the house
    return next(answer for _, holds, answer in OUTCOMES if holds(pieces))


def _shared_at_home(strong: set[str], words: set[str]) -> bool:
    """Name and address alone are a father's and a son's; without any name, all but a verified mail is a twin's."""
    named = words & {"name", "name_kanji", "name_kana"}
    return strong == {"name", "address"} or not (named or {"born_on", "mail"} <= strong)


def _judgement(answer: Answer, words: list[str]) -> Judgement:
    def of(*weights: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(word for word in words if WORDS[word] in weights))

    return Judgement(answer, of("strong"), of("weak", "band"), of("soft", "grave", "hard"))


@dataclass(frozen=True)
class _Row:
    at: date | None
    during: Interval | None
    marks: frozenset[str]
    area_code: str


def _weigh(person: Person, evidence: Mapping[str, Any], row: _Row) -> Iterator[str]:
    died_on = birthday(evidence.get("died_on"))
    if died_on and (row.at is None or died_on < row.at):
        yield "deceased"
    yield from _name(person, given(evidence.get("name")), given(evidence.get("kana")))
    yield from _born_on(person, evidence.get("born_on"))
    yield from _address(person, given(evidence.get("address")))
    yield from _phone(person, given(evidence.get("phone")), row)
    yield from _mail(person, given(evidence.get("mail")), row)


def _name(person: Person, name: str, kana: str) -> tuple[str, ...]:
    if name and is_kana(name):
        name, kana = "", kana or name
    read = read_name(name)
    if read.company and not any(own.company for own in person.name_keys):
        inside = any(own.key and own.key in read.key for own in person.name_keys)
        return ("name_in_company",) if inside else ("name_differs",)
    return NAMES[_kanji_agreement(person, read), _kana_agreement(person, kana)]


def _script(text: str) -> str:
    return "kana" if is_kana(text) else "latin" if all(ord(letter) < 0x250 for letter in text) else "kanji"


def _kanji_agreement(person: Person, read: Name) -> Agreement:
    script = _script(read.key)
    same_script = [own for own in person.name_keys if _script(own.key) == script]
    if not read.key or not same_script:
        return "none"  # John Smith beside 山田 (本名, 通称) says nothing either way
    found: Agreement = "differs"
    for own in same_script:
        if own.key == read.key or (len(read.words) > 1 and own.words == read.words):
            return "equal"
        if wildcard_agrees(own.key, read.key):
            found = "wild"
        elif _is_partly(own, read):
            found = "partial"
        elif found == "differs" and read.key in own.words:
            found = "none"  # a family name alone
    return found


def _is_partly(one: Name, other: Name) -> bool:
    """A middle name or the accents are missing."""
    shorter, longer = sorted((frozenset(map(without_accents, name.words)) for name in (one, other)), key=len)
    return (len(shorter) > 1 and shorter <= longer) or without_accents(one.key) == without_accents(other.key)


def _kana_agreement(person: Person, kana: str) -> Agreement:
    if not kana or not person.kana:
        return "none"
    if has_kana(person, kana):
        return "equal"
    if has_loose_kana(person, kana):
        return "loose"
    return "cut" if any(is_cut_of(kana, own) for own in person.kana) else "differs"


def _born_on(person: Person, value: object) -> Iterator[str]:
    read, own = read_day(value), person.born_on
    if own is None:
        return
    if read is None:
        if own in two_digit_days(value):
            yield "born_on_two_digits"
    elif read.date is None:
        same = read.year == own.year and read.month in (None, own.month)
        if not same:
            yield "born_on_differs"
        elif read.month:
            yield "born_on_month"
    elif read.date == own:
        yield "born_on"
    else:
        yield "born_on_typing" if is_typing_error(read.date, own) else "born_on_differs"


_ADDRESS: tuple[tuple[str, tuple[str, ...]], ...] = (  # best first: of several addresses one that agrees is enough
    ("same", ("address",)),
    ("building", ("address_building",)),
    ("room_differs", ("room_differs",)),
    ("household_differs", ("household_differs",)),
    ("unknown", ()),
    ("different", ("address_differs",)),
)


def _address(person: Person, value: str) -> tuple[str, ...]:
    if not value or not person.address_keys:
        return ()
    stored = read_address(value)
    levels = {compare(stored, own) for own in person.address_keys}
    return next(words for level, words in _ADDRESS if level in levels)


def _phone(person: Person, value: str, row: _Row) -> Iterator[str]:
    read = read_phone(value, row.area_code) if value else None
    if read is None or read.identifies_nobody:
        return
    held = [interval for number, interval in person.phones if number == read.e164]
    if not held:
        return
    when = row.during if row.during is not None else whole_days(row.at, row.at) if row.at else None
    overlaps = when is None or any(not interval.meet(when).empty for interval in held)
    if read.completed:
        yield "phone_completed"
    elif not overlaps:
        yield "tenure_apart" if row.during is not None else "phone_former"
    else:
        yield "phone_shared" if "phone_shared" in row.marks else "phone"


def _mail(person: Person, value: str, row: _Row) -> Iterator[str]:
    key = mail_key(value) if value else None
    if key is None:
        return
    own = [mail_key(mail) or "" for mail in person.mails]
    if key in own:
        yield "mail" if "mail_verified" in row.marks else "mail_unverified"
    elif key.casefold() in (mail.casefold() for mail in own):
        yield "mail_unverified"
