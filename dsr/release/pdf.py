"""A PDF as one would read it to find what was struck: text twice, each object, attachment and earlier revision."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import threading
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pikepdf
import pypdfium2  # type: ignore[import-untyped, unused-ignore]

from dsr.release.finding import Finding
from dsr.release.pages import Drawn, Id, Reader, Unreadable
from dsr.release.readings import text_of
from dsr.release.search import Place, Search

DEEPEST = 5
LARGEST = 1 << 28
"""Bytes that one stream or member may become."""
TURN = 40
"""Letters on either side of a page's end that are read as one: what is broken there is one again."""
_PDFIUM = threading.RLock()  # it keeps state of its own and is not for two threads
_STRING = re.compile(rb"\(|(?<!<)<[0-9A-Fa-f]")
_NAME = re.compile(rb"/[^\s/<>\[\]()]+")
_END = re.compile(rb"%%EOF[\r\n]*")
_BODY = re.compile(rb"(?<!end)stream\r?\n(.*?)endstream", re.DOTALL)
_ROLES: tuple[tuple[str, str], ...] = (
    ("/StructElem", "structure"), ("/Annot", "annotation"), ("/Metadata", "metadata"), ("/Filespec", "attachment"),
    ("/EmbeddedFile", "attachment"), ("/OCG", "layer"), ("/Font", "font"), ("/FontDescriptor", "font"),
    ("/Page", "page"), ("/Catalog", "catalogue"), ("/Form", "form"),
)  # fmt: skip
_KEYS = frozenset({
    "/Title", "/Author", "/Subject", "/Keywords", "/Creator", "/Producer", "/ActualText", "/Alt", "/E", "/T", "/TU",
    "/TM", "/V", "/DV", "/Contents", "/Dest", "/Dests", "/D", "/Names", "/Limits", "/Nums", "/ID", "/Lang", "/URI",
    "/JS", "/F", "/UF", "/Desc", "/Name", "/RC", "/Subj",
})  # fmt: skip
"""Keys that may be named; any other may itself be a value."""


def look_through(search: Search, file: str, pdf: bytes, checked: Collection[bytes] = ()) -> None:
    """Hand everything that ``pdf`` says to ``search``. ``checked``: SHA-256 of files of the package read elsewhere."""
    _Scan(search, file, frozenset(checked), "", 0).whole(pdf)


@dataclass(frozen=True)
class _Scan:
    search: Search
    file: str
    checked: frozenset[bytes]
    where: str
    depth: int

    def place(self, kind: str, words: str) -> Place:
        return Place(self.file, "attachment" if self.depth else kind, self.where + words)

    def unreadable(self, words: str) -> None:
        self.search.unreadable(self.file, self.where + words)

    def inside(self, where: str, deeper: int = 0) -> _Scan:
        return _Scan(self.search, self.file, self.checked, f"{self.where}{where}, ", self.depth + deeper)

    def whole(self, pdf: bytes) -> None:
        """The document as it stands, and as it stood at the end of each earlier revision."""
        ends = [found.end() for found in _END.finditer(pdf)]
        for number, end in enumerate(ends[:-1], start=1):
            _Document(self.inside(f"revision {number}"), pdf[:end]).read()
        _Document(self, pdf).read()
        rest = pdf[ends[-1] :] if ends else b""
        if rest.strip():
            self.search.octets(self.place("stream", "after the end"), rest)

    # -- attachments ----------------------------------------------------------------------------------------------

    def attached(self, raw: bytes, words: str) -> None:
        """A text, a PDF, or a container of such; anything else nobody can read."""
        if hashlib.sha256(raw).digest() in self.checked:
            return
        inner = self.inside(words, 1)
        text = text_of(raw)
        if inner.depth > DEEPEST:
            self.unreadable(f"{words}: files within files without end")
        elif b"%PDF-" in raw[:1024]:
            inner.whole(raw)
        elif text is not None:
            self.search.octets(Place(self.file, "attachment", self.where + words), raw)
        else:
            inner.unpacked(raw)

    def unpacked(self, raw: bytes) -> None:
        try:
            for number, member in enumerate(_members(raw), start=1):
                self.attached(member, f"member {number}")
        except (zipfile.BadZipFile, OSError, EOFError, zlib.error, RuntimeError, ValueError, NotImplementedError):
            self.unreadable("a file that is no text, PDF, ZIP or gzip")


def _members(raw: bytes) -> Iterator[bytes]:
    if raw.startswith(b"\x1f\x8b"):
        with gzip.open(io.BytesIO(raw)) as opened:
            yield _limited(opened.read(LARGEST + 1))
        return
    with zipfile.ZipFile(io.BytesIO(raw)) as opened:
        for info in opened.infolist():
            yield info.filename.encode()
            yield info.comment
            if not info.is_dir():
                with opened.open(info) as member:
                    yield _limited(member.read(LARGEST + 1))


def _limited(raw: bytes) -> bytes:
    if len(raw) > LARGEST:
        raise ValueError("larger than can be read")
    return raw


@dataclass
class _Document:
    """One revision."""

    scan: _Scan
    raw: bytes = field(repr=False)
    reader: Reader = field(default_factory=Reader)
    _seen: set[bytes] = field(default_factory=set, repr=False)

    def read(self) -> None:
        try:
            with pikepdf.open(io.BytesIO(self.raw), attempt_recovery=False) as pdf:
                if pdf.is_encrypted:
                    self.scan.unreadable("the document is encrypted")
                    return
                for part in pdf.trailer.get("/ID", []):
                    self.scan.search.account_for(bytes(part))
                self._by_pdfium(len(pdf.pages))
                before = ""
                for number, page in enumerate(pdf.pages, start=1):
                    text = self._drawn(self.reader.page(page.obj), f"page {number}")
                    turned = f"{before[-TURN:]}\n{text[:TURN]}" if before else ""
                    self.scan.search.text(self.scan.place("page", f"page {number} from the one before"), turned)
                    before = text
                shown = {page.obj.objgen for page in pdf.pages}
                for thing in pdf.objects:
                    self._object(thing, thing.objgen in shown)
                self._thing(pdf.trailer, "trailer", "/Info")
                self._letters()
        except (pikepdf.PdfError, pikepdf.PasswordError):
            self.scan.unreadable("the document does not open")
        self._between()

    # -- pages ----------------------------------------------------------------------------------------------------

    def _by_pdfium(self, pages: int) -> None:
        with _PDFIUM:
            try:
                document = pypdfium2.PdfDocument(self.raw)
            except pypdfium2.PdfiumError:
                self.scan.unreadable("PDFium does not open it")
                return
            try:
                for number in range(pages):
                    page = document[number]
                    text = page.get_textpage()
                    self.scan.search.text(self.scan.place("page", f"page {number + 1}"), text.get_text_range())
                    text.close()
                    page.close()
            except (pypdfium2.PdfiumError, IndexError):
                self.scan.unreadable("a page that PDFium does not read")
            finally:
                document.close()

    def _drawn(self, drawn: Iterable[Drawn], words: str) -> str:
        """The text that one reads on from page to page."""
        texts: list[str] = []
        read: list[str] = []
        place, marked = self.scan.place("page", words), self.scan.place("string", f"{words} (marked content)")
        try:
            for text, strings, beside in drawn:
                self.scan.search.alone(place, text)
                texts.append(text)
                read += [text] if text and not beside else []
                for string in strings:
                    self._string(string, marked)
        except Unreadable as error:
            self.scan.unreadable(f"{words}: {error}")
        self.scan.search.text(place, "\n".join(texts))
        return "\n".join(read)

    def _letters(self) -> None:
        """A value that was only measured leaves its letters in the font (pdf.md §6)."""
        for (number, _), font in self.reader.fonts.items():
            try:
                if font.unused():
                    words = f"{self.scan.where}object {number} (font)"
                    self.scan.search.found.append(Finding(self.scan.file, words, "letters"))
            except Unreadable as error:
                self.scan.unreadable(f"object {number}: {error}")

    # -- objects --------------------------------------------------------------------------------------------------

    def _object(self, thing: Any, shown: bool) -> None:
        if isinstance(thing, pikepdf.Stream):
            words = f"object {thing.objgen[0]}{_role(thing)}"
            self._stream(thing, words)
            self._thing(thing, words, "")
        elif self._may_say(thing.unparse(resolved=True)):
            words = f"object {thing.objgen[0]}{_role(thing)}"
            self._thing(thing, words, "")
            if not shown and isinstance(thing, pikepdf.Dictionary) and thing.get("/Type") == "/Page":
                self._drawn(self.reader.page(thing), f"{words} out of sight")

    def _may_say(self, written: bytes) -> bool:
        """A string, or a name that was not met yet. A book has an object for each cell of its tables, most without."""
        says = _STRING.search(written) or b"/Page " in written
        return bool(says) or not self._seen.issuperset(_NAME.findall(written))

    def _stream(self, stream: pikepdf.Stream, words: str) -> None:
        if stream.get("/Subtype") == "/Image" or "/F" in stream:
            self.scan.unreadable(f"{words}: a picture or a file outside")
            return
        try:
            raw = stream.read_bytes()
        except pikepdf.PdfError:
            self.scan.unreadable(f"{words}: a stream that cannot be decoded")
            return
        if stream.get("/Type") == "/EmbeddedFile":
            self._once(raw, lambda: self.scan.attached(raw, words))
            return
        self._once(raw, lambda: self.scan.search.octets(self.scan.place("stream", words), raw))
        if stream.get("/Subtype") == "/Form" or "/PatternType" in stream:
            self._drawn(self.reader.form(stream), words)

    def _once(self, raw: bytes, look: Callable[[], None]) -> None:
        digest = hashlib.sha256(raw.rstrip(b"\r\n")).digest()
        if digest not in self._seen:
            self._seen.add(digest)
            look()

    def _thing(self, thing: Any, words: str, key: str) -> None:
        """Strings, names and numbers of an object; what it refers to is an object of its own."""
        if isinstance(thing, pikepdf.String):
            self._string(thing, self.scan.place("string", words + (f" {key}" if key in _KEYS else "")))
        elif isinstance(thing, pikepdf.Name):
            self._name(str(thing), words)
        elif isinstance(thing, pikepdf.Dictionary | pikepdf.Stream):
            for name, value in thing.items():
                self._name(name, words)
                if not getattr(value, "is_indirect", False):
                    self._thing(value, words, name)
        elif isinstance(thing, pikepdf.Array):
            for value in thing:
                if not getattr(value, "is_indirect", False):
                    self._thing(value, words, key)

    def _string(self, string: pikepdf.String, place: Place) -> None:
        raw = bytes(string)
        if raw in self._seen:
            return
        self._seen.add(raw)
        self.scan.search.text(place, str(string))
        if not raw.isascii():
            self.scan.search.octets(place, raw)

    def _name(self, name: str, words: str) -> None:
        coded = name.encode()
        if coded not in self._seen:
            self._seen.add(coded)
            self.scan.search.text(self.scan.place("string", f"{words} (name)"), name[1:], loose=False)

    # -- what is in no table of objects -----------------------------------------------------------------------------

    def _between(self) -> None:
        """Bytes between the streams, and streams that nothing points to."""
        self.scan.search.octets(self.scan.place("stream", "between the objects"), _BODY.sub(b"\n", self.raw))
        for found in _BODY.finditer(self.raw):
            place, raw = self.scan.place("stream", f"bytes from {found.start(1)}"), found[1]
            with suppress(zlib.error):
                raw = zlib.decompressobj().decompress(raw, LARGEST)
            self._once(raw, lambda raw=raw, place=place: self.scan.search.octets(place, raw))  # type: ignore[misc]


def _role(thing: Any) -> str:
    if not isinstance(thing, pikepdf.Dictionary | pikepdf.Stream):
        return ""
    if "/Title" in thing and "/Parent" in thing:
        return " (outline)"
    kinds = (thing.get("/Type"), thing.get("/Subtype"))
    return next((f" ({role})" for kind, role in _ROLES if kind in kinds), "")


__all__ = ["Id", "look_through"]
