"""What a package says, as a digest that is the same wherever the same case was built (DC-6, limits.md §8).

The bytes of a PDF hang on the compressor of a platform and on the library that cut its fonts; what is read, seen,
tagged and linked in it does not. So a PDF is digested by its pages' operators, text as its fonts read it, and by all
that can be reached from its catalogue, in an order of its own; whatever else lies in a package, byte by byte.
Letter and manifest state digests and sizes of the PDFs: the contents that are stated stand in their place. Whether a
file is the one that is stated is another question; sha256sum answers it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError, canonicalize

import pikepdf

from dsr.errors import BadInput, CheckFailed
from dsr.release.pages import Lettering, Unreadable

LETTER, MANIFEST = "decision.pdf", "manifest.json"
_PACKING = frozenset({"/Length", "/Filter", "/DecodeParms"})
_OF_A_PAGE = frozenset({"/Parent", "/Contents", "/Resources"})
_SHOWS = frozenset({"Tj", "TJ", "'", '"'})
_PACKET = re.compile(r"<\?xpacket.*?\?>")
_SUBSET = re.compile(r"^/?[A-Z]{6}\+")


def content_digests(folder: Path) -> dict[str, str]:
    """File of a package → SHA-256 of its content. Raises BadInput for no package, CheckFailed for a broken file."""
    stated = _stated(folder)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    found: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (name == MANIFEST, name == LETTER)):  # what states comes after what is
        raw = (folder / name).read_bytes()
        meant = {path: found[path] for path in stated if path in found}
        if name == MANIFEST:
            found[name] = hashlib.sha256(_meant(raw, stated, meant)).hexdigest()
        elif name.endswith(".pdf"):
            printed = {text: meant[path] for path in meant for text in stated[path]} if name == LETTER else {}
            found[name] = _pdf(folder / name, name, printed)
        else:
            found[name] = hashlib.sha256(raw).hexdigest()
    return {name: found[name] for name in names}


def content_digest(digests: Mapping[str, str]) -> str:
    """One for the whole package: of the lines that ``sha256sum`` would print of such files, in order of name."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _stated(folder: Path) -> dict[str, tuple[str, str]]:
    """PDF → digest and size as letter and manifest print them."""
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        return {f["path"]: (f["sha256"], f"{f['size']:,}") for f in files if f["path"].endswith(".pdf")}
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput("DIR", "holds no manifest.json of a package", "name a folder that dsr package wrote") from None


def _meant(raw: bytes, stated: Mapping[str, tuple[str, str]], meant: Mapping[str, str]) -> bytes:
    for path, content in meant.items():
        entry = rb'"sha256": "%b",\s*"size": [0-9]+' % stated[path][0].encode()
        raw = re.sub(entry, b'"content": "%b"' % content.encode(), raw)
    return raw


def _pdf(path: Path, name: str, printed: Mapping[str, str]) -> str:
    try:
        with pikepdf.open(path, attempt_recovery=False) as pdf:
            return _Content(pdf, printed).digest()
    except (pikepdf.PdfError, Unreadable) as error:
        raise CheckFailed(f"{name}: cannot be read ({type(error).__name__}); write the package out again") from None


class _Content:
    def __init__(self, pdf: pikepdf.Pdf, printed: Mapping[str, str]) -> None:
        self._pdf, self._printed, self._sum = pdf, printed, hashlib.sha256()
        self._pages = {page.obj.objgen: number for number, page in enumerate(pdf.pages)}
        self._met: dict[tuple[int, int], int] = {}
        self._fonts: dict[tuple[int, int], tuple[Lettering, str]] = {}

    def digest(self) -> str:
        for page in self._pdf.pages:
            self._entries(page.obj, _OF_A_PAGE)
            self._entries(page.resources, frozenset({"/Font"}))
            self._operators(page)
        self._entries(self._pdf.Root, frozenset({"/Pages"}))
        self._thing(self._pdf.trailer.get("/Info"))
        return self._sum.hexdigest()

    def _say(self, kind: str, text: str | bytes = b"") -> None:
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        self._sum.update(f"{kind} {len(raw)}:".encode() + raw)

    # -- objects: numbered as they are met ----------------------------------------------------------------------------

    def _thing(self, thing: Any) -> None:
        if isinstance(thing, pikepdf.Dictionary | pikepdf.Array | pikepdf.Stream):
            if thing.is_indirect and self._is_known(thing.objgen):
                return
            self._composed(thing)
        elif isinstance(thing, pikepdf.String):
            self._say("string", bytes(thing))
        else:
            self._say(type(thing).__name__, str(thing))

    def _is_known(self, number: tuple[int, int]) -> bool:
        for kind, known in (("page", self._pages), ("again", self._met)):
            if number in known:
                self._say(kind, str(known[number]))
                return True
        self._met[number] = len(self._met)
        return False

    def _composed(self, thing: Any) -> None:
        if isinstance(thing, pikepdf.Array):
            self._say("array", str(len(thing)))
            for value in thing:
                self._thing(value)
        elif thing.get("/Type") == "/Font":
            self._say("font", _plain_name(thing))
        else:
            self._entries(thing, _PACKING if isinstance(thing, pikepdf.Stream) else frozenset())
            if isinstance(thing, pikepdf.Stream):
                self._say("stream", _claims(thing) if thing.get("/Type") == "/Metadata" else thing.read_bytes())

    def _entries(self, thing: Any, but: frozenset[str]) -> None:
        keys = sorted(set(thing.keys()) - but)
        self._say("entries", str(len(keys)))
        for key in keys:
            self._say("key", key)
            self._thing(thing[key])

    # -- pages: text as it reads, whatever font's part draws it -------------------------------------------------------

    def _operators(self, page: pikepdf.Page) -> None:
        """Where a whole block of text is a digest or size that is printed of another file, that file's content."""
        block: list[tuple[str, Any]] = []
        for said in self._runs(page):
            block.append(said)
            if said == ("operator", "ET"):
                text = "".join(words for kind, words in block if kind == "text")
                block = [("stated", self._printed[text])] if text in self._printed else block
            elif block[0] == ("operator", "BT"):
                continue
            for kind, words in block:
                if kind == "operand":
                    self._thing(words)
                else:
                    self._say(kind, words)
            block = []

    def _runs(self, page: pikepdf.Page) -> Iterator[tuple[str, Any]]:
        """Operators with operands; neighbouring letters of one face and size as one text, with face and size before."""
        fonts: Any = page.resources.get("/Font", {})
        states, run = [("", "")], ("", "")
        for one in pikepdf.parse_content_stream(page):
            operands, name = one.operands, str(one.operator)
            if name == "Tf":
                states[-1] = str(operands[0]), str(operands[1])
            elif name in _SHOWS:
                lettering, face = self._font(fonts, states[-1][0])
                face, text = f"{face} {states[-1][1]}", _read(lettering, operands[-1])
                if run[0] != face:
                    yield from _told(*run)
                run = face, text if run[0] != face else run[1] + text
            else:
                yield from _told(*run)
                run = "", ""
                states = [*states, states[-1]] if name == "q" else states[:-1] or states if name == "Q" else states
                yield "operator", name
                yield from (("operand", operand) for operand in operands)

    def _font(self, fonts: Any, name: str) -> tuple[Lettering, str]:
        if name not in fonts:
            raise Unreadable("text in a font that is not there")
        font = fonts[name]
        return self._fonts.setdefault(font.objgen, (Lettering(font), _plain_name(font)))


def _claims(metadata: Any) -> str:
    """XMP without its packet: a library that copies a file writes it out with other spaces and another end."""
    try:
        return canonicalize(_PACKET.sub("", metadata.read_bytes().decode()), strip_text=True)
    except (ParseError, UnicodeDecodeError):
        raise Unreadable("metadata that are no XML") from None


def _plain_name(font: Any) -> str:
    """Without the mark of its subset, and whether it is embedded."""
    return f"{_SUBSET.sub('', str(font.get('/BaseFont', '')))} {'/FontFile2' in font.get('/FontDescriptor', {})}"


def _read(lettering: Lettering, operand: Any) -> str:
    """Kerned pieces with the distance between them."""
    if isinstance(operand, pikepdf.String):
        return lettering.read(bytes(operand))
    pieces = [lettering.read(bytes(p)) if isinstance(p, pikepdf.String) else f"\0{p}\0" for p in operand]
    return "".join(pieces)


def _told(face: str, text: str) -> Iterator[tuple[str, str]]:
    if text:
        yield from (("face", face), ("text", text))


__all__ = ["content_digest", "content_digests"]
