"""The reading order of a document: the structure tree of a tagged PDF (ISO 32000-1 §14.7 and §14.8, ISO 14289-1).

An element is a number. What it is, whose child it is and where its content lies stand in flat arrays while pages are
drawn, so that a cell of a long table costs some dozen bytes; ``objects`` writes them as PDF objects at the end.
Content that belongs to no element (rules, fills, running heads) is an artifact and is not read out.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

ROLES = ("Document", "Sect", "H1", "H2", "H3", "P", "L", "LI", "Lbl", "LBody", "TOC", "TOCI", "Reference", "Link",
         "Table", "TR", "TH", "TD", "Figure", "Span", "Caption")
LEAVES = frozenset({"H1", "H2", "H3", "P", "Lbl", "LBody", "Link", "TH", "TD", "Figure", "Span", "Caption"})
"""Roles that hold content; the others only group."""
COLUMN_HEAD, ROW_HEAD = "/A<</O/Table/Scope/Column>>", "/A<</O/Table/Scope/Row>>"
ENGLISH = "/Lang(en-US)"
ROOT = 0


def pdf_text(text: str) -> str:
    """A PDF string in UTF-16, as hexadecimal digits."""
    return f"<FEFF{text.encode('utf-16-be').hex().upper()}>"


@dataclass(frozen=True)
class Jump:
    """A link: ``area`` on ``page`` (from 0) leads to height ``to_y`` of page ``to_page``; ``words`` say where."""

    element: int
    page: int
    area: tuple[float, float, float, float]
    to_page: int
    to_y: float
    words: str


class Structure:
    def __init__(self) -> None:
        self._roles = array("B")
        self._parents = array("L")
        self._attributes: dict[int, str] = {}
        self._content: list[array[int]] = []  # per page: the element of each piece of marked content
        self.jumps: list[Jump] = []
        self.open("Document", ROOT)
        self.current: int | None = None

    def open(self, role: str, parent: int, attributes: str = "") -> int:
        """A new element, the last child of ``parent`` so far."""
        number = len(self._roles)
        self._roles.append(ROLES.index(role))
        self._parents.append(parent)
        if attributes:
            self._attributes[number] = attributes
        return number

    def role(self, element: int) -> str:
        return ROLES[self._roles[element]]

    @contextmanager
    def within(self, role: str, attributes: str = "", *, parent: int | None = None) -> Iterator[int]:
        """What is drawn inside belongs to a new element: the last child of the current one, or of ``parent``."""
        if parent is None:
            parent = ROOT if self.current is None else self.current
        with self.into(self.open(role, parent, attributes)) as element:
            yield element

    @contextmanager
    def into(self, element: int | None) -> Iterator[int]:
        """What is drawn inside belongs to ``element``; ``None``: to nothing that is read."""
        before, self.current = self.current, element
        try:
            yield ROOT if element is None else element
        finally:
            self.current = before

    def mark(self, page: int, element: int) -> int:
        """A piece of content of ``element`` on ``page`` (from 0): its number there."""
        if self.role(element) not in LEAVES:
            raise AssertionError(f"{self.role(element)} only groups")
        while len(self._content) <= page:
            self._content.append(array("L"))
        pieces = self._content[page]
        pieces.append(element)
        return len(pieces) - 1

    # -- as PDF objects ----------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many objects ``objects`` gives."""
        return 2 + len(self._roles)

    def objects(self, first: int, pages: Sequence[int], links: Sequence[int]) -> Iterator[bytes]:
        """The bodies of the objects ``first``, ``first + 1``, …: tree root, parent tree, then every element.

        ``pages`` are the object numbers of the pages, ``links`` those of the jumps' annotations.
        """
        base = first + 2
        yield (f"<</Type/StructTreeRoot/K[{base + ROOT} 0 R]/ParentTree {first + 1} 0 R"
               f"/ParentTreeNextKey {len(pages) + len(self.jumps)}>>").encode()
        yield self._parent_tree(base, len(pages))
        children: defaultdict[int, list[int]] = defaultdict(list)
        for number in range(1, len(self._parents)):
            children[self._parents[number]].append(number)
        once, more = self._pieces()
        leads = {jump.element: f"<</Type/OBJR/Obj {link} 0 R/Pg {pages[jump.page]} 0 R>>"
                 for jump, link in zip(self.jumps, links, strict=True)}  # fmt: skip
        for number, (role, parent, own) in enumerate(zip(self._roles, self._parents, once, strict=True)):
            said = f"<</S/{ROLES[role]}/P {base + parent if number else first} 0 R{self._attributes.get(number, '')}"
            kids = [f"{base + child} 0 R" for child in children.get(number, ())]
            if number in more:
                kids += [f"<</Type/MCR/Pg {pages[page]} 0 R/MCID {mark}>>" for page, mark in more[number]]
            elif own >= 0:
                said += f"/Pg {pages[own >> 32]} 0 R"
                kids.append(str(own & 0xFFFFFFFF))
            if number in leads:
                kids.append(leads[number])
            yield f"{said}/K[{' '.join(kids)}]>>".encode()

    def _pieces(self) -> tuple[array[int], dict[int, list[tuple[int, int]]]]:
        """Where each element's content lies: page and mark in one number, -1 for none; of those with several, all."""
        once, more = array("q", [-1]) * len(self._roles), dict[int, list[tuple[int, int]]]()
        for page, elements in enumerate(self._content):
            for mark, element in enumerate(elements):
                before = once[element]
                if before >= 0:
                    more.setdefault(element, [(before >> 32, before & 0xFFFFFFFF)]).append((page, mark))
                else:
                    once[element] = page << 32 | mark
        return once, more

    def _parent_tree(self, base: int, pages: int) -> bytes:
        lines = [
            f"{page} [{' '.join(f'{base + element} 0 R' for element in elements)}]"
            for page, elements in enumerate(self._content)
        ]
        lines += [f"{pages + number} {base + jump.element} 0 R" for number, jump in enumerate(self.jumps)]
        return "\n".join(["<</Nums[", *lines, "]>>"]).encode()
