"""Who is asking: whether what was shown proves requester and agent, and what must be cured (ID-1..7, AG-1..6).

Only results of a check come in (match, differs, absent), never a document. The office's errors in recording raise
BadInput; what the requester can cure comes back as a defect, with words for the letter. Nothing is asked for that the
strength of the right does not need: a paper that does not count is no defect beside others that suffice. Whether a
minor can judge alone (AG-5) is not judged here, for PROOF.json does not say it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from dsr import law
from dsr.days import day_of
from dsr.errors import BadInput
from dsr.request import Agent, AgentProof, Document, Proof, Request

LOGIN, CONTRACT, HISTORY = 1, 2, 3
"""Strength by data (ID-4): member self-service; contract data; call history, location, ID images."""

_NEEDED = {"complaint": 0, "published_matters": 0, "sender_identification": 0, "other": 0, "self_service": LOGIN,
           "marketing_stop": LOGIN, "optout_provision_stop": LOGIN, "listing_stop": LOGIN}  # fmt: skip
_AUTHORITIES = {
    "statutory": ("family_register", "residence_record", "guardianship_register"),
    "mandated": ("mandate",),
}
_LIMITED_GUARDIANS = ("保佐", "補助", "curator", "assistant")
ADULT = 18  # Civ 4


@dataclass(frozen=True)
class Defect:
    """``field`` is the dotted path into PROOF.json; the words name the paper, never what stands in it."""

    code: str
    field: str
    words_ja: str
    words_en: str


def shown(proof: Proof) -> tuple[Document, ...]:
    """Papers of the person and of who acts for them."""
    agent = proof.agent
    return (*proof.documents, *(agent.documents if agent else ()))


def copied(proof: Proof) -> bool:
    """Whether copies of papers lie here until they are returned or destroyed (ID-7)."""
    return proof.method in ("post", "counter") and bool(shown(proof)) and proof.copies_destroyed_on is None


@dataclass(frozen=True)
class Assessment:
    """``strength``: what the proof reaches; below HISTORY, secrecy data goes by addressee-only post (ID-4).

    ``address``: whether the address that is answered to is proved, where the right needs one (ID-8).
    """

    proved: bool
    defects: tuple[Defect, ...] = ()
    strength: int = 0
    address: bool = True


def needs_none(request: Request) -> bool:
    """Nothing of anybody is in the answer; only where an agent speaks for somebody in a complaint is that looked at."""
    return _NEEDED.get(request.right) == 0 and (request.agent is None or request.right != "complaint")


def assess(request: Request, proof: Proof, today: date) -> Assessment:
    """Whether identity and, for an agent, authority are proved.

    Raises BadInput for an unknown document type (with the list), a check dated in the future, the back of a My Number
    card (which is never recorded, ID-5), and an agent's proof where the request names no agent.
    """
    _recorded_right(request, proof, today)
    needed = _NEEDED.get(request.right, CONTRACT)
    photo_counts_more = proof.method == "counter"
    own = _Papers(proof.documents, "documents", photo_counts_more)
    agents = _Papers(proof.agent.documents if proof.agent else (), "agent.documents", photo_counts_more)
    if request.agent is None:
        defects = list(own.defects(needed, birth=request.subject.born_on is not None, address=needed >= CONTRACT))
        if request.identifiers() and all(one.kind == "cookie_id" for one in request.identifiers()) and defects:
            defects.insert(0, _defect("only_a_browser", "subject.identifiers"))  # K-1: no right, and an opt-out
        strength = own.strength
    else:
        defects = [*own.differences(), *_agent_defects(request, request.agent, proof.agent, own, agents)]
        strength = agents.strength
    return Assessment(not defects, tuple(defects), strength, needed < CONTRACT or _reaches(request.agent, own, agents))


def _reaches(agent: Agent | None, own: _Papers, agents: _Papers) -> bool:
    """Of who gets the answer. A register shows the address of both: of a parent or guardian either paper will do."""
    if agent and agent.receives_answer:
        return agents.at_address
    return own.at_address or (agent is not None and agent.kind == "statutory" and agents.at_address)


def unread(proof: Proof) -> int:
    """Papers that must be masked or sent back unread: the backs of My Number cards (ID-5)."""
    return sum(law.proof_document(one.type).refused for _, one in _shown(proof))


def _shown(proof: Proof) -> list[tuple[str, Document]]:
    """Each document with its field."""
    shown = [(f"documents.{n}", document) for n, document in enumerate(proof.documents)]
    of_agent = enumerate(proof.agent.documents) if proof.agent else ()
    return [*shown, *((f"agent.documents.{n}", document) for n, document in of_agent)]


def _recorded_right(request: Request, proof: Proof, today: date) -> None:
    if proof.agent and not request.agent:
        raise BadInput("agent", "the request names no agent", "leave it null, or open the request with its agent")
    if proof.copies_destroyed_on and proof.copies_destroyed_on > today:
        raise BadInput("copies_destroyed_on", "is in the future", "record it when it is done")
    for field, document in _shown(proof):
        if law.proof_document(document.type).refused:
            fix = "mask it or send it back unread, and record the front only"
            raise BadInput(f"{field}.type", "the back of the card is never recorded", fix)
        if document.seen_on > today:
            raise BadInput(f"{field}.seen_on", "is in the future", "give the day the document was seen")


def _defect(code: str, field: str, document: law.ProofDocument | None = None) -> Defect:
    labels = (document.label, document.label_en) if document else ()
    return Defect(code, field, *law.defect_words(code, *labels))


def counts(paper: Document) -> bool:
    """On the day it was shown."""
    return not _why_not(paper, law.proof_document(paper.type))


_NAMED = {"not_accepted": "type", "expired": "expires_on"}


def _why_not(paper: Document, row: law.ProofDocument) -> str:
    """Why a paper does not count, as a defect; empty for one that does (ID-6)."""
    if not row.counts_on(paper.seen_on):
        return "not_accepted"
    in_time = row.counts_on(paper.seen_on, paper.issued_on) and paper.seen_on <= (paper.expires_on or date.max)
    return "" if in_time else "expired"


@dataclass(frozen=True)
class _Papers:
    """The documents shown by one person, and what they prove together."""

    documents: Sequence[Document]
    place: str
    photo_counts_more: bool

    def each(self) -> Iterator[tuple[str, Document, law.ProofDocument]]:
        for n, document in enumerate(self.documents):
            yield f"{self.place}.{n}", document, law.proof_document(document.type)

    def _counting(self) -> list[tuple[str, Document, law.ProofDocument]]:
        return [(at, paper, row) for at, paper, row in self.each() if row.strength and not _why_not(paper, row)]

    @property
    def strength(self) -> int:
        """The strongest paper, and one more for a second of another type; a photo at the counter is the strongest."""
        counting = {row.id: row for _, paper, row in self._counting() if paper.name == "match"}.values()
        single = [HISTORY if row.photo and self.photo_counts_more else row.strength for row in counting]
        return min(HISTORY, max(single) + (len(single) > 1)) if single else 0

    def differences(self, *, address: bool = True) -> Iterator[Defect]:
        """Of papers that contradict the request."""
        for at, paper, row in self.each():
            if _why_not(paper, row):
                continue
            if paper.name == "differs":
                yield _defect("name_differs", f"{at}.name", row)
            if paper.birth == "differs":
                yield _defect("birth_differs", f"{at}.birth", row)
            # ID-8: a paper that proves the present address outweighs an older one.
            if paper.address == "differs" and address and not self._address_proved():
                yield _defect("address_differs", f"{at}.address", row)

    @property
    def at_address(self) -> bool:
        return any(paper.name == paper.address == "match" for _, paper, _ in self._counting())

    def _address_proved(self) -> bool:
        return any(row.proves_address and paper.name == paper.address == "match" for _, paper, row in self._counting())

    def defects(self, needed: int, *, birth: bool, address: bool) -> Iterator[Defect]:
        """All that keeps these papers from proving a person to the strength ``needed``."""
        if not needed:
            return
        lacking = [*self.differences(address=address), *self._lacking(needed, birth, address)]
        if lacking:  # only then is a paper that does not count one that is missing
            dead = [(at, why, row) for at, paper, row in self.each() if (why := _why_not(paper, row))]
            lacking = [defect for defect in lacking if not dead or defect.code != "no_document"]
            yield from (_defect(why, f"{at}.{_NAMED[why]}", row) for at, why, row in dead)
        yield from lacking

    def _lacking(self, needed: int, birth: bool, address: bool) -> Iterator[Defect]:
        counting = self._counting()
        if not counting:
            yield _defect("no_document", self.place)
            return
        wanted: dict[Literal["name", "birth", "address"], bool] = {"name": True, "birth": birth, "address": address}
        for part, asked in wanted.items():
            # Means of registration are checked against the register, whose address is the one we answer to (ID-8).
            registered = part == "address" and any(row.registered for _, _, row in counting)
            if asked and not registered and {getattr(paper, part) for _, paper, _ in counting} == {"absent"}:
                yield _defect(f"{part}_absent", f"{self.place}.0.{part}", counting[0][2])
        if 0 < self.strength < needed:
            yield _defect("second_document", self.place, counting[0][2])


def _agent_defects(
    request: Request, agent: Agent, shown: AgentProof | None, own: _Papers, agents: _Papers
) -> Iterator[Defect]:
    if shown is None:
        yield _defect("agent_proof_missing", "agent")
        return
    # The agent's own address matters only where the answer goes there (AG-6, DC-7); the birth date is not asked.
    needed = min(CONTRACT, _NEEDED.get(request.right) or CONTRACT)
    yield from agents.defects(needed, birth=False, address=agent.receives_answer)
    yield from _authority_defects(request, agent, shown)
    asked_on = day_of(request.received.at)
    for at, paper, row in agents.each():
        if paper.type == shown.authority and not (
            paper.seen_on >= asked_on and row.counts_on(paper.seen_on, paper.issued_on)
        ):
            yield _defect("agent_authority_stale", f"{at}.seen_on", row)  # AG-4: the state on the day of asking
    # AG-2, ID-2: any one sign that the mandate is the person's own; no particular paper is demanded.
    if shown.authority == "mandate" and not own.strength:
        yield _defect("mandate_unconfirmed", "documents")


def _authority_defects(request: Request, agent: Agent, shown: AgentProof) -> Iterator[Defect]:
    """Whether the paper shown gives this agent this authority (AG-1..AG-3)."""
    if agent.kind == "statutory" and any(word in agent.relation.lower() for word in _LIMITED_GUARDIANS):
        # AG-3: outside Order 13(1); a power listed in the register, or a mandate, each naming this request.
        if shown.authority not in ("guardianship_register", "mandate") or not shown.names_this_request:
            yield _defect("agent_power_not_listed", "agent.authority")
    elif shown.authority not in _AUTHORITIES[agent.kind]:
        yield _defect("agent_authority", "agent.authority")
    elif not shown.shows_authority:
        yield _defect("agent_without_authority", "agent.shows_authority")  # AG-4: the other parent, or nobody yet
    elif shown.authority == "mandate" and not shown.names_this_request:
        yield _defect("mandate_general", "agent.names_this_request")
    elif shown.authority in ("family_register", "residence_record"):
        born_on, asked_on = request.subject.born_on, day_of(request.received.at)
        if born_on is None:
            yield _defect("agent_birth_unknown", "subject.born_on")
        elif _age(born_on, asked_on) >= ADULT:
            yield _defect("agent_adult", "agent.authority")


def for_a_minor(request: Request) -> bool:
    """Asked by a statutory representative of a minor, whose communications are the minor's own secret (T-6)."""
    born_on, agent = request.subject.born_on, request.agent
    minor = born_on is None or _age(born_on, day_of(request.received.at)) < ADULT
    return agent is not None and agent.kind == "statutory" and minor


def _age(born_on: date, day: date) -> int:
    return day.year - born_on.year - ((day.month, day.day) < (born_on.month, born_on.day))
