"""The subject as compiled from a request: keys to compare with, and every written form a store may hold of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice, permutations, product

import jaconv

from dsr.days import Interval
from dsr.identity import Identifier
from dsr.names.addresses import Address, address_forms, compare, read_address
from dsr.names.birthdays import birthday, day_forms
from dsr.names.kana import bank_kana, is_kana, kana_key, kana_loose, kana_words
from dsr.names.letters import SAME_KEY, Name, fold, given, read_name, same_name, spelled, without_accents
from dsr.names.numbers import mail_key, phone_forms, read_phone
from dsr.request import Request

MOST_SPELLINGS = 64
_SELECTOR = re.compile(r"[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_OLD_KANA = {"ジ": "ヂ", "ヂ": "ジ", "ズ": "ヅ", "ヅ": "ズ", "ヰ": "イ", "ヱ": "エ", "ヲ": "オ", "ヴ": "ブ"}
_SPACES = ("", " ", "\u3000")


@dataclass(frozen=True)
class Person:
    """All aliases are searched (names.md N-4). ``phones`` are (E.164, the interval stated for it)."""

    names: tuple[str, ...] = field(repr=False)
    kana: tuple[str, ...] = field(default=(), repr=False)
    born_on: date | None = field(default=None, repr=False)
    addresses: tuple[str, ...] = field(default=(), repr=False)
    phones: tuple[tuple[str, Interval], ...] = field(default=(), repr=False)
    mails: tuple[str, ...] = field(default=(), repr=False)
    name_keys: tuple[Name, ...] = field(default=(), repr=False)
    address_keys: tuple[Address, ...] = field(default=(), repr=False)
    stated_phones: tuple[str, ...] = field(default=(), repr=False)
    """E.164 of every phone stated, one that identifies nobody (0800) too: to strike it from a note, never to match."""

    @classmethod
    def of(cls, request: Request) -> Person:
        subject = request.subject
        return cls.compiled(
            names=(subject.name, *request.former_names), kana=(subject.kana,), born_on=subject.born_on,
            addresses=subject.addresses, identifiers=request.identifiers(),
        )

    @classmethod
    def compiled(
        cls, *, names: Iterable[str], kana: Iterable[str] = (), born_on: object = None,
        addresses: Iterable[str] = (), identifiers: Iterable[Identifier] = (),
    ) -> Person:
        """Blank and unreadable parts are left out; a name in kana alone is also a reading."""
        stated = tuple(name for name in names if given(name))
        identifiers = tuple(identifiers)
        phones = [(read_phone(i.value), i.interval) for i in identifiers if i.kind == "phone"]
        places = tuple(address for address in addresses if given(address))
        return cls(
            names=stated,
            kana=tuple(dict.fromkeys([k for k in kana if given(k)] + [name for name in stated if is_kana(name)])),
            born_on=birthday(born_on),
            addresses=places,
            phones=tuple((phone.e164, held) for phone, held in phones if phone and not phone.identifies_nobody),
            mails=tuple(i.value for i in identifiers if i.kind == "mail" and mail_key(i.value)),
            name_keys=tuple(map(read_name, stated)),
            address_keys=tuple(map(read_address, places)),
            stated_phones=tuple(phone.e164 for phone, _ in phones if phone),
        )


    def reached_at(self, phones: Iterable[str], mails: Iterable[str]) -> Person:
        """The same person with these phones and mails and no others."""
        numbers = [Identifier("phone", value) for value in phones] + [Identifier("mail", value) for value in mails]
        only = Person.compiled(names=self.names, identifiers=numbers)
        return replace(self, phones=only.phones, mails=only.mails)


def _spellings(text: str, alternatives: Callable[[str], str | tuple[str, ...]]) -> Iterator[str]:
    """At most MOST_SPELLINGS: the text itself, each single change, then the product."""
    choices = [tuple(dict.fromkeys((letter, *alternatives(letter)))) for letter in text]
    singles = (text[:at] + other + text[at + 1 :] for at, letters in enumerate(choices) for other in letters[1:])
    rest = ("".join(letters) for letters in product(*choices))
    found = dict.fromkeys([text, *islice(singles, MOST_SPELLINGS - 1)])
    for spelling in islice(rest, MOST_SPELLINGS * 4):
        if len(found) >= MOST_SPELLINGS:
            break
        found.setdefault(spelling)
    return iter(found)


def _other_letters(letter: str) -> tuple[str, ...]:
    """Letters of the same key; what an old system holds in place of one that cp932 lacks (names.md 8)."""
    others = SAME_KEY.get(letter, ())
    return others if letter.isspace() or letter.encode("cp932", "ignore") else (*others, "〓", "?", "？", "□")


def _spaced(text: str) -> list[str]:
    """With each separator; where none is written, at every place: a guess good for finding and never printed."""
    words = [word for word in re.split(r"[\s・]+", text) if word]
    if "・" in text:  # a foreign name: its order is free too
        return [s.join(order) for order in islice(permutations(words), 24) for s in (*_SPACES, "・")]
    if len(words) > 1:
        return [separator.join(words) for separator in _SPACES]
    whole = "".join(words)
    return [whole] + [whole[:at] + s + whole[at:] for at in range(1, len(whole)) for s in _SPACES if s]


def _name_forms(name: str) -> Iterator[str]:
    plain = _SELECTOR.sub("", name).strip()
    if plain.isascii() or not re.search(r"[^\x00-\u024f]", plain):
        yield from _latin_forms(plain)
        return
    yield name
    if is_kana(name):
        yield from _kana_forms(name)
    lost = _SELECTOR.sub("?", name).strip()
    others = [name.strip(), lost, unicodedata.normalize("NFKC", plain)]
    for spelling in dict.fromkeys([*_spellings(plain, _other_letters), *others]):
        for form in _spaced(spelling):
            space = next((s for s in _SPACES[1:] if s in form), "")
            yield from (form, form + "様", *([form + space + "様"] if space else [form + " 様", form + "\u3000様"]))


def _latin_forms(name: str) -> Iterator[str]:
    words = name.replace(",", " ").split()
    for spelled_words in dict.fromkeys((tuple(words), tuple(map(without_accents, words)))):
        for order in islice(permutations(spelled_words), 24):
            for form in (" ".join(order), "\u3000".join(order), "".join(order), f"{order[0]}, {' '.join(order[1:])}"):
                for cased in dict.fromkeys((form, form.upper(), form.lower(), form.title())):
                    yield from (cased, str(jaconv.h2z(cased, kana=False, ascii=True, digit=True)))


def _loose_letters(letter: str) -> str:
    voiced, clear = unicodedata.normalize("NFC", letter + "\u3099"), unicodedata.normalize("NFD", letter)[0]
    return clear if clear != letter else voiced if len(voiced) == 1 and letter != "ウ" else ""


def _kana_forms(kana: str) -> Iterator[str]:
    katakana = jaconv.hira2kata(spelled(kana)).strip()
    others = ((at, _loose_letters(letter)) for at, letter in enumerate(katakana) if at)
    loose = (katakana[:at] + other + katakana[at + 1 :] for at, other in others if other)
    for spelling in dict.fromkeys([*islice(_spellings(katakana, lambda c: _OLD_KANA.get(c, "")), 16), *loose]):
        for form in _spaced(spelling):
            large = jaconv.hira2kata(jaconv.h2z(bank_kana(form)))
            for full in dict.fromkeys((form, large)):
                half = str(jaconv.z2h(full, kana=True, ascii=True, digit=True))
                yield from (full, unicodedata.normalize("NFD", full), jaconv.kata2hira(full))
                yield from (half, half.replace(" ", "\u3000"))
            yield from (bank_kana(form), form + " 様", form + "様")
    yield kana


def written_forms(person: Person) -> dict[str, tuple[str, ...]]:
    """``:name_forms`` and its like of a locate: what a store may hold of this person, never a match by itself."""
    def each(forms: Iterable[Iterable[str]]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(form for group in forms for form in group if form))

    return {
        "name_forms": each(map(_name_forms, person.names)),
        "kana_forms": each(map(_kana_forms, person.kana)),
        "born_on_forms": day_forms(person.born_on) if person.born_on else (),
        "address_forms": each(map(address_forms, person.addresses)),
        "phone_forms": each(phone_forms(number) for number, _ in person.phones),
        "mail_forms": each((mail, mail_key(mail) or "", mail.lower()) for mail in person.mails),
    }


def has_name(person: Person, value: str) -> bool:
    return any(same_name(name, value) for name in person.names) or (is_kana(value) and has_kana(person, value))


def is_named(person: Person, text: str) -> bool:
    """Whether the text is the person's name, or their family name alone."""
    key = read_name(text).key
    return has_name(person, text) or (len(key) > 1 and any(key in own.words for own in person.name_keys))


def has_kana(person: Person, value: str) -> bool:
    """Order is free from two words on; a company's reading (ｶ) is nobody's."""
    key, words = kana_key(value), kana_words(value)
    return bool(key) and not read_name(value).company and any(
        key == kana_key(kana) or (len(words) > 1 and words == kana_words(kana)) for kana in person.kana
    )


def has_loose_kana(person: Person, value: str) -> bool:
    return any(kana_loose(value) == kana_loose(kana) for kana in person.kana)


def has_phone(person: Person, value: str) -> bool:
    read = read_phone(value)
    return read is not None and not read.completed and any(read.e164 == number for number, _ in person.phones)


def has_mail(person: Person, value: str) -> bool:
    return any(mail_key(value) == mail_key(mail) for mail in person.mails) and mail_key(value) is not None


def _has_address(person: Person, value: str) -> bool:
    stored = read_address(value)
    return any(compare(stored, address) == "same" for address in person.address_keys)


def _is_born_on(person: Person, value: str) -> bool:
    return person.born_on is not None and birthday(value) == person.born_on


_IS_OWN: dict[str, Callable[[Person, str], bool]] = {
    "name": has_name, "kana": has_kana, "phone": has_phone, "mail": has_mail,
    "address": _has_address, "born_on": _is_born_on,
}


def same_person_value(person: Person, kind: str, value: object) -> bool:
    """Whether a stored name, kana, phone, mail, address or born_on is the subject's own (``unless_subject``).

    Narrow: doubt is False, and the value is struck. A blank is nobody's and so True. Raises KeyError for another kind.
    """
    is_own = _IS_OWN[kind]
    text = given(value)
    return not text or is_own(person, text)


def mentions(person: Person, text: str) -> bool:
    """Whether free text names the person: name or reading in any spelling, phone or mail."""
    plain = spelled(text)
    squeezed = re.sub(r"[\s・,]+", "", fold(plain.casefold()))
    if any(len(name.key) > 1 and name.key in fold(squeezed) for name in person.name_keys):
        return True
    reading = kana_key(plain)
    if any(len(key) > 3 and key in reading for key in map(kana_key, person.kana)):
        return True
    if any(mail.casefold() in plain.casefold() for mail in person.mails):
        return True
    return any(has_phone(person, found) for found in re.findall(r"[+(]?\d[\d()\s‐-―−ー-]{7,18}\d", plain))
