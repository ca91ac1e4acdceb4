"""Canaries: each way in which a masked value is known to leave with a package, planted, is seen, named and stopped.

Each is planted twice: once with a masked value, once with another of the same form that nobody masked. The second passes.
"""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import date
from typing import Any

import pikepdf
import pyarrow as pa
import pytest
from pikepdf import Array, Dictionary, Name, String

from dsr.documents.archival import PROFILES
from dsr.documents.sheet import drawing
from dsr.documents.style import BODY, CELL
from dsr.errors import CheckFailed
from dsr.inventory import Dataset
from dsr.names.person import Person
from dsr.package import types_of, write_csv, write_json
from dsr.release import rows
from dsr.release.finding import KINDS, Finding
from dsr.release.forbidden import Column, Forbidden
from dsr.release.judging import Batch, hidden, judge, lawful, may_hide
from dsr.release.pdf import look_through
from dsr.release.search import Place, Search, Seen, my_numbers
from dsr.release.standards import standards
from dsr.release.wordings import printed
from dsr.request import NoteReview
from dsr.rules import redaction
from dsr.rules.redaction import Whose, redact
from tests.test_documents import LETTER, book, drawn, table

NUMBER, OTHER = "090-8765-4321", "090-8765-4322"
PERSON, ELSE = "譚 嗣同太郎", "譚 嗣同次郎"
MASKED = (NUMBER, PERSON, "0312345678", "Z-hidden@mail.example", "1234567", "PIN9")


def forbidden(*values: str) -> Forbidden:
    stored = pa.array([None, *(values or MASKED)], pa.string())
    return Forbidden(lambda: [Column("calls.calls", "counterpart_no", 1, stored)])


def looked(pdf: bytes, *values: str, shown: tuple[str, ...] = ()) -> list[Finding]:
    search = Search(forbidden(*values))
    look_through(search, "disclosure.pdf", pdf)
    return search.findings(lambda: [Seen(pa.array(shown, pa.string()))])


@pytest.fixture(scope="module")
def clean() -> bytes:
    """A book as the engine draws it, with rows, masks and kanji."""
    lines = [(f"CD{i:04}", "080-1111-2222" if i % 2 else "（番号不開示）") for i in range(60)]
    return drawn(book(table(*lines, labels=("通話番号", "相手先番号"))))


# -- ways to plant ---------------------------------------------------------------------------------------------------

Plant = Callable[[bytes, str], bytes]


def edited(edit: Callable[[pikepdf.Pdf, str], None]) -> Plant:
    def plant(pdf: bytes, value: str) -> bytes:
        out = io.BytesIO()
        with pikepdf.open(io.BytesIO(pdf)) as opened:
            edit(opened, value)
            opened.save(out, deterministic_id=True)
        return out.getvalue()

    return plant


def drawn_by(draw: Callable[[Any, str], None]) -> Plant:
    """A sheet of the engine's own, its fonts and letters."""

    def plant(_: bytes, value: str) -> bytes:
        out = io.BytesIO()
        with drawing("t", "D1", date(2026, 11, 22), lambda *_: None) as sheet:
            sheet.paragraph("公開する文", BODY, ("t",))
            draw(sheet, value)
            sheet.save(out)
        return out.getvalue()

    return plant


def add(pdf: pikepdf.Pdf, operators: str, page: int = 0) -> None:
    pdf.pages[page].contents_add(operators.encode("latin-1"))


def font(pdf: pikepdf.Pdf) -> str:
    return next(name for name in pdf.pages[0].Resources.Font if name.endswith("+0"))


def says(pdf: pikepdf.Pdf, text: str, x: int = 50, y: int = 50) -> str:
    return f"BT {font(pdf)} 8 Tf 1 0 0 1 {x} {y} Tm ({text}) Tj ET\n"


def under_a_box(pdf: pikepdf.Pdf, value: str) -> None:
    add(pdf, says(pdf, value) + "0 g 40 40 200 20 re f")


def white(pdf: pikepdf.Pdf, value: str) -> None:
    add(pdf, "1 g " + says(pdf, value))


def invisible_beyond_the_page(pdf: pikepdf.Pdf, value: str) -> None:
    add(pdf, "3 Tr " + says(pdf, value, -900, 9000), 1)


def hidden_layer(pdf: pikepdf.Pdf, value: str) -> None:
    layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name=String("下書き")))
    off = Dictionary(OFF=Array([layer]), Order=Array([layer]))
    pdf.Root.OCProperties = Dictionary(OCGs=Array([layer]), D=off)
    pdf.pages[0].Resources.Properties = Dictionary(L0=layer)
    add(pdf, "/OC /L0 BDC " + says(pdf, value) + "EMC")


def broken_over_lines(pdf: pikepdf.Pdf, value: str) -> None:
    add(pdf, says(pdf, value[:7], 50, 60) + says(pdf, value[7:], 50, 50))


def broken_over_cells(pdf: pikepdf.Pdf, value: str) -> None:
    add(pdf, "".join(says(pdf, part, 50 + 40 * n) for n, part in enumerate(value.split("-"))))


def digit_by_digit(pdf: pikepdf.Pdf, value: str) -> None:
    add(pdf, f"BT {font(pdf)} 8 Tf 1 0 0 1 50 50 Tm [{' -400 '.join(f'({digit})' for digit in value)}] TJ ET")


def abroad(pdf: pikepdf.Pdf, value: str) -> None:
    add(pdf, says(pdf, "+81-" + value[1:]))


def last_eight(pdf: pikepdf.Pdf, value: str) -> None:
    add(pdf, says(pdf, f"no. {value[-9:]}"))


def in_a_longer_number(pdf: pikepdf.Pdf, value: str) -> None:
    add(pdf, says(pdf, "77" + value.replace("-", "") + "5551"))


def sha256(pdf: pikepdf.Pdf, value: str) -> None:
    add(pdf, says(pdf, hashlib.sha256(value.replace("-", "").encode()).hexdigest()))


def md5_as_base64(pdf: pikepdf.Pdf, value: str) -> None:
    add(pdf, says(pdf, base64.b64encode(hashlib.md5(value.encode()).digest()).decode()))


def actual_text(pdf: pikepdf.Pdf, value: str) -> None:
    coded = "<FEFF" + value.encode("utf-16-be").hex() + ">"
    add(pdf, f"/Span <</ActualText {coded}>> BDC " + says(pdf, "R-2") + "EMC")


def alternate(pdf: pikepdf.Pdf, value: str) -> None:
    element = pdf.make_indirect(Dictionary(Type=Name.StructElem, S=Name.Figure, Alt=String(value)))
    pdf.Root.StructTreeRoot = pdf.make_indirect(Dictionary(Type=Name.StructTreeRoot, K=element))


def outline(pdf: pikepdf.Pdf, value: str) -> None:
    with pdf.open_outline() as items:
        items.root.append(pikepdf.OutlineItem(f"通話 {value}", 0))


def destination(pdf: pikepdf.Pdf, value: str) -> None:
    names = Array([String(f"call-{value}"), Array([pdf.pages[0].obj, Name.Fit])])
    pdf.Root.Names = Dictionary(Dests=Dictionary(Names=names))


def title(pdf: pikepdf.Pdf, value: str) -> None:
    pdf.docinfo["/Title"] = f"通話 {value}"


def name_of_a_resource(pdf: pikepdf.Pdf, value: str) -> None:
    pdf.pages[0].Resources.ColorSpace = Dictionary({f"/C{value}": Name.DeviceRGB})


def page_label(pdf: pikepdf.Pdf, value: str) -> None:
    pdf.Root.PageLabels = Dictionary(Nums=Array([0, Dictionary(P=String(f"{value}-"))]))


def link(pdf: pikepdf.Pdf, value: str) -> None:
    action = Dictionary(S=Name.URI, URI=String("tel:+81" + value.replace("-", "")[1:]))
    annotation = Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 9, 9]), A=action)
    pdf.pages[0].Annots = Array([pdf.make_indirect(annotation)])


def annotation(pdf: pikepdf.Pdf, value: str) -> None:
    note = Dictionary(Type=Name.Annot, Subtype=Name.Text, Rect=Array([0, 0, 9, 9]), Contents=String(value))
    pdf.pages[0].Annots = Array([pdf.make_indirect(note)])


def a_form(pdf: pikepdf.Pdf, value: str) -> pikepdf.Object:
    form = pdf.make_stream(says(pdf, value).encode(), Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 300, 300]))
    form.Resources = Dictionary(Font=pdf.pages[0].Resources.Font)
    return form


def form_drawn(pdf: pikepdf.Pdf, value: str) -> None:
    pdf.pages[0].Resources.XObject = Dictionary(Fx=a_form(pdf, value))
    add(pdf, "/Fx Do")


def form_never_drawn(pdf: pikepdf.Pdf, value: str) -> None:
    pdf.pages[0].Resources.XObject = Dictionary(Fx=a_form(pdf, value))


def appearance(pdf: pikepdf.Pdf, value: str) -> None:
    look = Dictionary(N=a_form(pdf, value))
    stamp = Dictionary(Type=Name.Annot, Subtype=Name.Stamp, Rect=Array([0, 0, 9, 9]), AP=look)
    pdf.pages[0].Annots = Array([pdf.make_indirect(stamp)])


def page_out_of_sight(pdf: pikepdf.Pdf, value: str) -> None:
    resources = Dictionary(Font=pdf.pages[0].Resources.Font)
    away = Dictionary(Type=Name.Page, Resources=resources, Contents=pdf.make_stream(says(pdf, value).encode()))
    pdf.Root.Spare = pdf.make_indirect(away)


def xmp(pdf: pikepdf.Pdf, value: str) -> None:
    spelled = "".join(f"&#{ord(letter)};" for letter in value)
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    packet = (f"<x:xmpmeta xmlns:x='adobe:ns:meta/'><r:RDF xmlns:r='{rdf}'><r:Description r:about=''"
              f" xmlns:d='http://purl.org/dc/elements/1.1/'><d:source>{spelled}</d:source></r:Description></r:RDF>"
              "</x:xmpmeta>")  # fmt: skip
    pdf.Root.Metadata = pdf.make_stream(packet.encode(), Type=Name.Metadata, Subtype=Name.XML)


def private_stream(coding: Callable[[str], bytes]) -> Callable[[pikepdf.Pdf, str], None]:
    def edit(pdf: pikepdf.Pdf, value: str) -> None:
        pdf.Root.PieceInfo = Dictionary(X=pdf.make_stream(coding(value)))

    return edit


def attached(name: str, content: Callable[[str], bytes]) -> Callable[[pikepdf.Pdf, str], None]:
    def edit(pdf: pikepdf.Pdf, value: str) -> None:
        pdf.attachments[name] = pikepdf.AttachedFileSpec(pdf, content(value))

    return edit


def described(pdf: pikepdf.Pdf, value: str) -> None:
    pdf.attachments["a.csv"] = pikepdf.AttachedFileSpec(pdf, b"no", description=f"通話 {value}")


def named(pdf: pikepdf.Pdf, value: str) -> None:
    pdf.attachments[f"{value}.csv"] = pikepdf.AttachedFileSpec(pdf, b"no")


def in_cells(value: str) -> bytes:
    return ",".join(f'"{part}"' for part in ("1", *value.split("-"), "2")).encode()


def in_mail(value: str) -> bytes:
    return base64.encodebytes(b"x" * 50 + value.encode() + b"y" * 60)


def quoted(value: str) -> bytes:
    return b"".join(b"=%02X" % octet for octet in value.encode())


def tagged(value: str) -> bytes:
    return "".join(f"<b>{letter}</b>" for letter in value).encode()


def zipped(value: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("calls.csv", f"no,counterpart\n1,{value}\n")
    return out.getvalue()


def inner_pdf(value: str) -> bytes:
    return drawn(book(table(("1", value))))


def earlier_revision(pdf: bytes, value: str) -> bytes:
    """The value on a page, then "removed" by an incremental update of its content."""
    leaking = edited(white)(pdf, value)
    with pikepdf.open(io.BytesIO(leaking)) as opened:
        page = opened.pages[0].obj
        page_no, root_no, size = page.objgen[0], opened.Root.objgen[0], int(opened.trailer.Size)
        page.Contents = Array(list(page.Contents)[:-1])
        kept = page.unparse(resolved=True)
    start = leaking.rindex(b"startxref")
    before = int(leaking[start:].split()[1])
    body = b"\n%d 0 obj\n%s\nendobj\n" % (page_no, kept)
    at = len(leaking) + 1
    tail = b"xref\n%d 1\n%010d 00000 n \ntrailer\n<</Size %d/Root %d 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (
        page_no, at, size, root_no, before, len(leaking) + len(body))  # fmt: skip
    return leaking + body + tail


def after_the_end(pdf: bytes, value: str) -> bytes:
    return pdf + f"\n{value}\n".encode()


def _table_of_objects(pdf: bytes) -> int:
    return int(pdf.rpartition(b"startxref\n")[2].split()[0])


def comment_between_objects(pdf: bytes, value: str) -> bytes:
    """Where no table of objects points."""
    at = _table_of_objects(pdf)
    moved = pdf[:at] + f"% {value}\n".encode() + pdf[at:]
    return re.sub(rb"startxref\n(\d+)", lambda found: b"startxref\n%d" % (int(found[1]) + len(moved) - len(pdf)), moved)


def stream_without_an_object(pdf: bytes, value: str) -> bytes:
    import zlib

    at = _table_of_objects(pdf)
    extra = b"stream\n" + zlib.compress(value.encode("utf-16-be")) + b"\nendstream\n"
    moved = pdf[:at] + extra + pdf[at:]
    return re.sub(rb"startxref\n(\d+)", lambda found: b"startxref\n%d" % (int(found[1]) + len(extra)), moved)


def plain_stream_without_an_object(pdf: bytes, value: str) -> bytes:
    at = _table_of_objects(pdf)
    extra = b"stream\n" + value.encode("utf-16-le") + b"\nendstream\n"
    moved = pdf[:at] + extra + pdf[at:]
    return re.sub(rb"startxref\n(\d+)", lambda found: b"startxref\n%d" % (int(found[1]) + len(extra)), moved)


def full_width(sheet: Any, value: str) -> None:
    sheet.paragraph("".join(chr(ord(c) + 0xFEE0) if c.isascii() else c for c in value), BODY, ("t",))


def in_kanji(sheet: Any, value: str) -> None:
    """Letters of a subset font: no search of the bytes finds them."""
    sheet.paragraph(value, BODY, ("t",))


def broken_in_a_cell(sheet: Any, value: str) -> None:
    sheet.paragraph(value, CELL, ("t",), measure=CELL.size * 3)


def broken_over_pages(sheet: Any, value: str) -> None:
    sheet.skip(sheet.left_over - BODY.leading * 1.5)
    sheet.paragraph(value, BODY, ("t",), measure=BODY.size * 3.5)


def measured(sheet: Any, value: str) -> None:
    """Nothing of it is drawn; its letters were asked of the font."""
    for glyph in BODY.hand.spell(value, ("t",)):
        sheet.page.codes.of(glyph.face, glyph.char)


CANARIES: dict[str, tuple[Plant, str, str]] = {
    "black box over text": (edited(under_a_box), "page", "page 1"),
    "white text": (edited(white), "page", "page 1"),
    "text beyond the page": (edited(invisible_beyond_the_page), "page", "page 2"),
    "hidden optional content": (edited(hidden_layer), "page", "page 1"),
    "broken over lines": (edited(broken_over_lines), "page", "page 1"),
    "broken over cells": (edited(broken_over_cells), "page", "page 1"),
    "digit by digit": (edited(digit_by_digit), "page", "page 1"),
    "+81": (edited(abroad), "page", "page 1"),
    "last eight digits": (edited(last_eight), "page", "page 1"),
    "inside a longer number": (edited(in_a_longer_number), "page", "page 1"),
    "full-width digits": (drawn_by(full_width), "page", "page 1"),
    "bare SHA-256": (edited(sha256), "digest", "page 1"),
    "bare MD5 as base64": (edited(md5_as_base64), "digest", "page 1"),
    "ActualText": (edited(actual_text), "string", "page 1 (marked content)"),
    "Alt": (edited(alternate), "string", "(structure) /Alt"),
    "outline": (edited(outline), "string", "(outline) /Title"),
    "destination": (edited(destination), "string", "/Names"),
    "title": (edited(title), "string", "/Title"),
    "name of a resource": (edited(name_of_a_resource), "string", "(name)"),
    "page label": (edited(page_label), "string", "object"),
    "link": (edited(link), "string", "(annotation) /URI"),
    "annotation": (edited(annotation), "string", "(annotation) /Contents"),
    "appearance of an annotation": (edited(appearance), "page", "(form)"),
    "form": (edited(form_drawn), "page", "page 1"),
    "form that nothing draws": (edited(form_never_drawn), "page", "(form)"),
    "page out of sight": (edited(page_out_of_sight), "page", "(page) out of sight"),
    "XMP, spelled as entities": (edited(xmp), "stream", "(metadata)"),
    "CSV attached": (edited(attached("a.csv", lambda v: f"no\n{v}\n".encode())), "attachment", "(attachment)"),
    "JSON attached": (edited(attached("a.json", lambda v: json.dumps({"a": v}).encode())), "attachment", "(attachment)"),
    "UTF-16 attached": (edited(attached("a.txt", lambda v: v.encode("utf-16"))), "attachment", "(attachment)"),
    "PDF attached": (edited(attached("a.pdf", inner_pdf)), "attachment", "(attachment), page"),
    "ZIP attached": (edited(attached("a.zip", zipped)), "attachment", "member 3"),
    "gzip attached": (edited(attached("a.gz", lambda v: gzip.compress(v.encode()))), "attachment", "member 1"),
    "PDF in ZIP attached": (
        edited(attached("a.zip", lambda v: gzip.compress(inner_pdf(v)))), "attachment", "member 1, page"),
    "earlier revision": (earlier_revision, "page", "revision 1, page 1"),
    "after the end": (after_the_end, "stream", "after the end"),
    "comment between objects": (comment_between_objects, "stream", "between the objects"),
    "stream without an object": (stream_without_an_object, "stream", "bytes from"),
    "plain stream without an object": (plain_stream_without_an_object, "stream", "bytes from"),
    "stream in UTF-16-BE": (edited(private_stream(lambda v: b"\0\1" + v.encode("utf-16-be"))), "stream", "object"),
    "stream in UTF-16-LE": (edited(private_stream(lambda v: b"\1" + v.encode("utf-16-le"))), "stream", "object"),
    "stream in hex": (edited(private_stream(lambda v: v.encode().hex().encode())), "stream", "object"),
    "stream in hex, UTF-16": (edited(private_stream(lambda v: v.encode("utf-16-be").hex().upper().encode())), "stream", "object"),
    "stream, percent": (edited(private_stream(lambda v: "".join(f"%{b:02X}" for b in v.encode()).encode())), "stream", "object"),
    "stream, full width cp932": (
        edited(private_stream(lambda v: "".join(chr(ord(c) + 0xFEE0) for c in v).encode("cp932"))), "stream", "object"),
    **{
        f"stream in base64, {lead} before": (
            edited(private_stream(lambda v, n=lead: base64.b64encode(b"." * n + v.encode() + b"."))), "stream", "object")
        for lead in range(3)
    },
    "broken over pages": (drawn_by(broken_over_pages), "page", "page 2 from the one before"),
    "description of an attachment": (edited(described), "string", "(attachment) /Desc"),
    "name of an attached file": (edited(named), "string", "(attachment) /F"),
    "base64 in lines attached": (edited(attached("a.eml", in_mail)), "attachment", "(attachment)"),
    "mail attached": (edited(attached("a.eml", quoted)), "attachment", "(attachment)"),
    "tags attached": (edited(attached("a.html", tagged)), "attachment", "(attachment)"),
    "three cells attached": (
        edited(attached("a.csv", in_cells)), "attachment", "(attachment)"),
    "JSON number attached": (
        edited(attached("a.json", lambda v: b'{"to": %d}' % int(v.replace("-", "")))), "attachment", "(attachment)"),
    "base64 of hex": (edited(private_stream(lambda v: base64.b64encode(v.encode().hex().encode()))), "stream", "object"),
}  # fmt: skip

NAMES: dict[str, tuple[Plant, str, str]] = {
    "text in kanji": (drawn_by(in_kanji), "page", "page 1"),
    "kanji broken over lines": (drawn_by(broken_in_a_cell), "page", "page 1"),
    "kanji broken over pages": (drawn_by(broken_over_pages), "page", "page 2 from the one before"),
    "description of an attachment": (edited(described), "string", "(attachment) /Desc"),
    "mail attached": (edited(attached("a.eml", quoted)), "attachment", "(attachment)"),
    "outline": (edited(outline), "string", "(outline) /Title"),
    "ActualText": (edited(actual_text), "string", "(marked content)"),
    "annotation": (edited(annotation), "string", "(annotation) /Contents"),
    "XMP": (edited(xmp), "stream", "(metadata)"),
    "bare SHA-256": (edited(lambda p, v: add(p, says(p, hashlib.sha256(v.encode()).hexdigest()))), "digest", "page 1"),
    "cp932 attached": (edited(attached("a.csv", lambda v: v.encode("cp932"))), "attachment", "(attachment)"),
    "JSON escapes attached": (edited(attached("a.json", lambda v: json.dumps([v]).encode())), "attachment", "(attachment)"),
    "PDF attached": (edited(attached("a.pdf", inner_pdf)), "attachment", "page"),
    "stream in UTF-16": (edited(private_stream(lambda v: b"\0" + v.encode("utf-16-be") + b"\xff")), "stream", "object"),
    "stream in base64": (edited(private_stream(lambda v: base64.b64encode(v.encode()))), "stream", "object"),
}  # fmt: skip


def stopped(findings: list[Finding], kind: str, place: str) -> bool:
    return any(f.kind == kind and place in f.place and f.cell and f.cell.row == 2 for f in findings)


def test_a_clean_book_and_letter_pass(clean: bytes) -> None:
    assert looked(clean) == []
    assert looked(drawn(LETTER)) == []


@pytest.mark.parametrize("way", CANARIES)
def test_a_masked_number_is_stopped_wherever_it_is_planted(way: str, clean: bytes) -> None:
    plant, kind, place = CANARIES[way]
    findings = looked(plant(clean, NUMBER), NUMBER)
    assert stopped(findings, kind, place), [str(f) for f in findings]
    assert not any(part in str(f) for f in findings for part in (NUMBER, "87654321", "8765-4321"))
    assert looked(plant(clean, OTHER), NUMBER) == []


@pytest.mark.parametrize("way", NAMES)
def test_a_masked_name_is_stopped_wherever_it_is_planted(way: str, clean: bytes) -> None:
    plant, kind, place = NAMES[way]
    findings = looked(plant(clean, PERSON), PERSON)
    assert stopped(findings, kind, place), [str(f) for f in findings]
    assert "嗣同" not in "".join(map(str, findings))
    assert looked(plant(clean, ELSE), PERSON) == []


def test_a_value_that_was_only_measured_leaves_its_letters_and_is_stopped(clean: bytes) -> None:
    """The finding names the font; which value it was nobody can say."""
    (finding,) = looked(drawn_by(measured)(clean, PERSON))
    assert finding.kind == "letters" and "(font)" in finding.place
    assert looked(drawn_by(lambda *_: None)(clean, PERSON)) == []


# -- what nobody can read ------------------------------------------------------------------------------------------


def picture(pdf: pikepdf.Pdf, _: str) -> None:
    image = pdf.make_stream(b"\0", Type=Name.XObject, Subtype=Name.Image, Width=1, Height=1, BitsPerComponent=8)
    image.ColorSpace = Name.DeviceGray
    pdf.pages[0].Resources.XObject = Dictionary(Im=image)


def inline_picture(pdf: pikepdf.Pdf, _: str) -> None:
    add(pdf, "BI /W 1 /H 1 /BPC 8 /CS /G ID a EI")


def letters_without_a_map(pdf: pikepdf.Pdf, _: str) -> None:
    name = font(pdf)
    unmapped = pdf.pages[0].Resources.Font[name].ToUnicode
    unmapped.write(unmapped.read_bytes().replace(b"<30> <0030>", b""))
    add(pdf, says(pdf, "0"))


def filter_that_is_none(pdf: pikepdf.Pdf, _: str) -> None:
    stream = pdf.make_stream(b"x")
    stream.write(b"not deflated", filter=Name.FlateDecode)
    pdf.Root.Spare = stream


def outside_file(pdf: pikepdf.Pdf, _: str) -> None:
    stream = pdf.make_stream(b"")
    stream.F = String("//server/calls.csv")
    pdf.Root.Spare = stream


def locked(pdf: bytes, _: str) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        opened.save(out, encryption=pikepdf.Encryption(owner="o", user=""))
    return out.getvalue()


UNREADABLE: dict[str, tuple[Plant, str]] = {
    "picture": (edited(picture), "a picture"),
    "inline picture": (edited(inline_picture), "page 1: a picture"),
    "letters without a map": (edited(letters_without_a_map), "page 1: a letter"),
    "a stream that cannot be decoded": (edited(filter_that_is_none), "cannot be decoded"),
    "a file outside": (edited(outside_file), "outside"),
    "an attachment of an unknown kind": (edited(attached("a.bin", lambda _: b"\0\1\2\xff" * 9)), "no text, PDF, ZIP or gzip"),
    "a ZIP with a password": (edited(attached("a.zip", lambda _: zipped("x").replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1"))), "no text"),
    "a file in a file in a file …": (
        edited(attached("a.gz", lambda _: gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(
            gzip.compress(b"x")))))))), "without end"),
    "encrypted": (locked, "encrypted"),
    "cut short": (lambda pdf, _: pdf[: len(pdf) // 2], "does not open"),
    "no PDF": (lambda _, __: b"hello", "does not open"),
}  # fmt: skip


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_read_is_a_finding_and_never_passed_over(what: str, clean: bytes) -> None:
    plant, words = UNREADABLE[what]
    findings = looked(plant(clean, ""))
    assert any(f.kind == "unreadable" and words in f.place for f in findings), [str(f) for f in findings]


# -- what is no leak -----------------------------------------------------------------------------------------------


def test_a_number_that_the_package_shows_lawfully_may_stand_in_the_text(clean: bytes) -> None:
    pdf = edited(white)(clean, NUMBER)
    assert looked(pdf, NUMBER)
    for shown in (NUMBER, "09087654321", "/search?tel=+819087654321"):
        assert looked(pdf, NUMBER, shown=(shown,)) == []
    assert looked(pdf, NUMBER, shown=("090-8765-＊＊＊＊", "4321")) != []
    assert looked(edited(outline)(clean, PERSON), PERSON, shown=(f"{PERSON} 様",)) == []


def test_a_released_note_excuses_its_own_sentences_and_no_number_in_it(clean: bytes) -> None:
    """An officer who read a note may have overlooked a number; the same sentence in an unread note is no secret."""
    note = f"折り返し{NUMBER}まで"
    unread = Column("calls.calls", "note", 1, pa.array(["回線の試験を済ませた"]), unread=True)
    search = Search(Forbidden(lambda: [Column("calls.calls", "to", 1, pa.array([NUMBER])), unread]))
    search.note("data/t.csv", "row 1 note", note)
    search.note("data/t.csv", "row 2 note", "回線の試験を済ませた。")
    (finding,) = search.findings(lambda: [Seen(pa.array([note, "回線の試験を済ませた"]), released=True)])
    assert (finding.place, finding.kind) == ("row 1 note", "file")


def test_cells_side_by_side_that_read_as_a_masked_number_are_no_leak(clean: bytes) -> None:
    """0 yen, then the next row's 9087654321."""

    def row(pdf: pikepdf.Pdf, _: str) -> None:
        add(pdf, says(pdf, "0") + says(pdf, "9087654321", 90))

    assert looked(edited(row)(clean, ""), NUMBER, shown=("0", "9087654321")) == []
    assert looked(edited(row)(clean, ""), NUMBER, shown=("0",)) != []


def test_a_short_value_is_found_only_where_it_stands_alone(clean: bytes) -> None:
    assert [f.kind for f in looked(edited(title)(clean, "x"), "PIN9")] == []
    for edit, value in ((white, "PIN9"), (annotation, "pin9"), (white, "4711")):
        assert [f.kind for f in looked(edited(edit)(clean, value), "PIN9", "4711")] != []
        assert looked(edited(edit)(clean, f"at {value} of"), "PIN9", "4711") == []


@pytest.mark.parametrize("value", ["1", "abc", "佐藤"])
def test_a_value_of_fewer_than_four_characters_is_not_looked_for(value: str, clean: bytes) -> None:
    assert len(forbidden(value)) == 0
    assert looked(edited(annotation)(clean, value), value) == []


def test_the_digest_of_a_file_of_the_package_is_no_leak_and_its_attached_copy_was_read(clean: bytes) -> None:
    csv = f"no\n{NUMBER}\n".encode()
    digest = hashlib.sha256(NUMBER.encode()).digest()
    pdf = edited(sha256)(edited(attached("a.csv", lambda _: csv))(clean, ""), NUMBER)
    assert {f.kind for f in looked(pdf, NUMBER)} == {"attachment", "digest"}
    search = Search(forbidden(NUMBER), [hashlib.sha256(NUMBER.replace("-", "").encode()).digest(), digest])
    look_through(search, "f", pdf, [hashlib.sha256(csv).digest()])
    assert search.findings(list) == []


def test_a_stamp_a_coordinate_and_an_offset_are_no_telephone_numbers() -> None:
    search = Search(forbidden("02-6112-2090", "0120-123-456", "01-2345-6789"))
    for text in ("D:20261122090000", "0.0123456789 0 0 1 01.2345 67.89 Td", "x 0.0120123456"):
        search.text(Place("f", "stream", "p"), text, loose=False)
    assert search.findings(list) == []


# -- other ways to write a value, and how much of it is shown ------------------------------------------------------------

ICCID, KANA, STREET = "8981-1000-0000-1234-5678", "サトウ イチロウタ", "福岡県福岡市中央区天神一丁目"


def told(value: str, text: str, *seen: Seen, unread: bool = False, loose: bool = True) -> list[str]:
    """Kinds of what is found in a text of which ``value`` is masked, or only never read."""
    search = Search(Forbidden(lambda: [Column("calls.calls", "to", 1, pa.array([value]), unread)]))
    search.text(Place("f", "page", "p"), text, loose=loose)
    return [finding.kind for finding in search.findings(lambda: seen)]


@pytest.mark.parametrize(("value", "written", "other"), [
    (NUMBER, "090・8765・4321", "090・8765・4322"), (NUMBER, "090の8765の4321", "090の8765の4322"),
    (NUMBER, "090_8765_4321", "090_8765_4322"), (NUMBER, "下八桁は8765-4321です", "下八桁は8765-4322です"),
    (NUMBER, "9087654321", "9087654322"), (NUMBER, "9087654321", "90 8765 4321"), ("9087654321", NUMBER, OTHER),
    (ICCID, "89811000000012345678", "89811000000012345679"), (ICCID.replace("-", ""), ICCID, ICCID[:-1] + "9"),
    (PERSON, "譚・嗣同太郎", "譚・嗣同次郎"), (PERSON, '"譚","嗣同太郎"', '"譚","嗣同次郎"'), (f"{PERSON} 様", PERSON, ELSE),
    ("渡邉 一郎太", "渡辺一郎太", "渡辺二郎太"), ("高橋 花子太", "髙橋　花子太", "髙橋　春子太"),
    (KANA, "さとう いちろうた", "さとう じろうた"), (KANA, "ｻﾄｳ ｲﾁﾛｳﾀ", "ｻﾄｳ ｼﾞﾛｳﾀ"),
    (f"{STREET}9-9", f"{STREET}９－９", "福岡県福岡市中央区大名一丁目9-9"),
])  # fmt: skip
def test_a_value_is_known_however_a_clerk_or_a_spreadsheet_wrote_it(value: str, written: str, other: str) -> None:
    assert told(value, f"<{written}>") == ["page"]
    assert told(value, f"<{other}>") == []


def test_a_street_that_is_shown_excuses_no_house_in_it() -> None:
    """What begins alike for longer than a word is known by."""
    shown = Seen(pa.array([f"{STREET}1-1"]))
    masked = f"{STREET}9-9 コーポ天神"
    assert told(masked, f"{STREET}1-1", shown) == []
    for leaked in (masked, f"{STREET}9-"):
        assert told(masked, leaked, shown) == ["page"]
    both = Forbidden(lambda: [Column("c.c", "to", 1, pa.array([f"{STREET}5-5", masked, f"{STREET}1-2"]))])
    search = Search(both)
    search.text(Place("f", "page", "p"), masked)
    assert [str(f.cell) for f in search.findings(lambda: [shown])] == ["c.c.to row 2"]


def test_what_was_only_never_read_may_stand_in_what_an_officer_released_and_what_is_masked_may_not() -> None:
    usual, other = "お問い合わせの件はご案内済みですので終了", "お問い合わせの件はご案内済みですが再訪"
    for note, unread in ((usual, usual), (usual, other), (f"折り返しは{NUMBER}へ", NUMBER), ("09087654321", NUMBER)):
        released = Seen(pa.array([note, "ほか"]), released=True)
        assert told(unread, note, unread=True) == ["page"]
        assert told(unread, note, released, unread=True) == []
        assert told(unread, f"{note}。{unread}", Seen(pa.array(["ほか"]), released=True), unread=True) == ["page"]
    for note, masked in ((f"折り返しは{NUMBER}へ", NUMBER), ("09087654321", NUMBER), (f"{PERSON}様より", PERSON)):
        assert told(masked, note, Seen(pa.array([note, NUMBER]), released=True)) == ["page"]


@pytest.mark.parametrize("text", [NUMBER, PERSON, f"{STREET}9-9"])
def test_what_is_masked_as_well_as_unread_is_masked(text: str) -> None:
    released, stored = Seen(pa.array([f"{text}まで"]), released=True), pa.array([text])
    masked, unread = Column("c.c", "to", 1, stored), Column("c.c", "note", 1, stored, unread=True)
    for columns, cells in (([masked, unread], {"c.c.to row 1"}), ([unread], set())):
        search = Search(Forbidden(lambda columns=columns: columns))  # type: ignore[misc]
        search.text(Place("f", "page", "p"), text)
        assert {str(f.cell) for f in search.findings(lambda: [released])} == cells


OWN_WORDS = ("保有個人データ開示書", "Contents", "Catalog", "Identity", "generator", "Description")


@pytest.mark.parametrize("word", OWN_WORDS)
def test_a_word_that_the_engine_prints_anyway_stops_nothing(word: str, clean: bytes) -> None:
    """Somebody may be named so; not even when it is masked does it say anything of them."""
    search = Search(forbidden(word))
    look_through(search, "f", clean)
    search.text(Place("f", "page", "p"), word)
    assert search.findings(list) != []
    assert search.findings(lambda: [Seen(pa.array(printed()))]) == []
    assert told(f"{word}太郎", f"{word}太郎", Seen(pa.array(printed()))) == ["page"]


def test_days_beside_hours_are_no_account() -> None:
    assert told("8041607", "R8.04.16 07") == ["page"]
    assert told("8041607", "R8.04.16 07:36:51 275", Seen(pa.array(["275"]))) == []
    assert told("8041607", "R8.04.16 07 8041607", Seen(pa.array(["07"]))) == ["page"]


# -- a million ------------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_numbers_and_words_are_looked_for_and_the_right_cell_is_named(clean: bytes) -> None:
    numbers = pa.array([f"080-{n // 10_000:04}-{n % 10_000:04}" for n in range(100_000)])
    words = pa.array([f"秘密の名{n:05}号" for n in range(12_000)])
    made = Forbidden(lambda: [Column("c.c", "to", 1, numbers), Column("d.d", "name", 1, words)])
    assert len(made) == 112_000
    pdf = edited(annotation)(edited(white)(clean, "080-0007-7777"), "秘密の名11999号")
    search = Search(made)
    look_through(search, "f", pdf)
    found = search.findings(list)
    assert {f.kind for f in found} >= {"page", "string"}
    # The book's own 080-1111-2222 is not among them; neighbours of what was planted are not named.
    assert {str(f.cell) for f in found} == {"c.c.to row 77778", "d.d.name row 12000"}


@pytest.mark.parametrize(("written", "number"), [
    ("１２３４-５６７８-９０１８", "123456789018"), ("個人番号123456789018です", "123456789018"), ("契約番号123456789018です", None), ("マイナンバーは1234 5678 9018", "123456789018"), ("no 123456789018.", None),
    ("番号 1234 5678 9018 を", "123456789018"), ("1234-5678-9018", "123456789018"), ("1234-56789018", None),
    ("123456789017", None), ("2123456789018", None), ("+811234567890", None), ("000000000000", None),
])  # fmt: skip
def test_a_my_number_stands_alone_and_has_its_check_digit(written: str, number: str | None) -> None:
    from dsr.release.readings import level

    assert my_numbers(level(written)) == ([number] if number else [])


def test_a_my_number_in_a_note_stops_and_one_shown_elsewhere_is_none() -> None:
    search = Search(forbidden())
    search.note("data/t.csv", "row 3 note", "お預かりした番号 1234-5678-9018")
    (finding,) = search.findings(list)
    assert (finding.kind, finding.place) == ("my_number", "row 3 note") and "1234" not in str(finding)
    assert search.findings(lambda: [Seen(pa.array(["123456789018"]))]) == []


# -- row by row ----------------------------------------------------------------------------------------------------

CALLS = Dataset.model_validate({
    "system": "calls", "name": "calls", "label": "通話", "key": ["id"], "by": "line_no", "locate": "SELECT",
    "withhold_when": [{"when": "direction = 9", "ground": "APPI-33-2-2"}],
    "fields": {
        "id": {"label": "番号", "kind": "record_no"},
        "to": {"label": "相手先", "kind": "counterpart_number", "mask": [
            {"when": "direction = 2", "as": "withheld_number"}, {"when": "level = 'm'", "as": "last4"}]},
        "direction": {"label": "発着", "kind": "code", "codes": {"1": "発信", "2": "着信"}},
        "level": {"label": "明細", "kind": "code"},
        "account": {"label": "口座", "kind": "payment.account", "mask": "last3"},
        "who": {"label": "担当", "kind": "user.name", "third_party": "always"},
        "note": {"label": "内容", "kind": "text"},
    },
})  # fmt: skip
ROWS = pa.record_batch({
    "id": ["1", "2", "3", "4", "5"],
    "to": [NUMBER, NUMBER, "03-1234-5678", None, "=1+1"],
    "direction": [2, 1, 1, 9, 1],
    "level": ["f", "f", "m", "f", "f"],
    "account": ["1234567", "12", None, "7654321", ""],
    "who": ["佐藤 一郎太", None, "佐藤 一郎太", "別の人です", "佐藤 一郎太"],
    "note": ["山田さんに伝言", None, "まだ読んでいない長い文です。次の文", "", "全部読んだ"],
})  # fmt: skip
NOTES = {"1": NoteReview(strike=(("note", 0, 2, "APPI-33-1-OTHER"),)), "5": NoteReview()}
WHOSE = Whose(Person.compiled(names=["髙橋 花子"]))
Change = Callable[[list[dict[str, str]]], None]


def batches(dataset: Dataset = CALLS, stored: pa.RecordBatch = ROWS) -> list[Batch]:
    return [judge(dataset, stored, 1, WHOSE, NOTES)]


def test_a_column_that_nobody_declared_stops_the_package() -> None:
    """EN-42: of what is declared, text is shown; beside what nobody declared, nothing is."""
    assert redact(CALLS, ROWS, WHOSE, NOTES).rows.num_rows > 0
    with pytest.raises(CheckFailed, match="memo2: a field without a rule"):
        redact(CALLS, ROWS.append_column("memo2", pa.array(["秘密"] * 5)), WHOSE, NOTES)


def written(kind: str, change: Change = lambda rows: None, dataset: Dataset = CALLS, stored: pa.RecordBatch = ROWS) -> bytes:
    shown = redact(dataset, stored, WHOSE, NOTES).rows
    listed = shown.to_pylist()
    change(listed)
    out = io.BytesIO()
    batch = pa.Table.from_pylist(listed, schema=shown.schema).combine_chunks().to_batches()
    write_csv(dataset, batch, out) if kind == "csv" else write_json(dataset, "通話", types_of(dataset, batch), batch, out)
    return out.getvalue()


def checked(kind: str, raw: bytes, dataset: Dataset = CALLS, stored: pa.RecordBatch = ROWS) -> list[Finding]:
    made = batches(dataset, stored)
    search = Search(Forbidden(lambda: [column for batch in made for column in hidden(batch, True)]))
    rows.check_rows(search, dataset, [rows.File(f"data/calls.calls.{kind}", io.BytesIO(raw))], made)
    return search.findings(lambda: [seen for batch in made for seen in lawful(batch)])


KINDS_OF_FILE = ("csv", "json")


@pytest.mark.parametrize("kind", KINDS_OF_FILE)
@pytest.mark.parametrize("number", ["110", "12-3", "0120444444", "+81 3 1234 5678", "１２３４５", "'=1", "-", "=\n1+1", "＝1+1", "'＠x", "\n=1"])
def test_whatever_is_stored_passes_as_the_engine_masks_it(number: str, kind: str) -> None:
    for level in ("m", "f"):
        columns = {**ROWS.to_pydict(), "to": [number] * 5, "level": [level] * 5, "account": [number] * 5}
        stored = pa.record_batch({name: pa.array(column) for name, column in columns.items()})
        assert checked(kind, written(kind, stored=stored), stored=stored) == []


@pytest.mark.parametrize("text", ["=1+1", "=\n1+1", "-\n1", "\n=1", "＝1+1", "＋1+1", "－1+1", "＠SUM(1)", "-1 円"])
def test_no_cell_runs_as_a_formula(text: str) -> None:
    stored = pa.record_batch({**ROWS.to_pydict(), "level": [text, "-5", "f", "1=1", "-"]})
    told = list(csv.DictReader(io.StringIO(written("csv", stored=stored).decode("utf-8-sig"))))
    assert [row["明細"] for row in told] == [f"'{text}", "-5", "f", "-"]


PAID = Dataset.model_validate({
    "system": "bills", "name": "paid", "label": "支払", "key": ["no"], "by": "line_no", "locate": "SELECT",
    "at": {"column": "at"},
    "fields": {"no": "番号", "born": {"label": "生年月日", "kind": "user.born_on"}, "at": {"label": "日時", "kind": "instant"},
               "day": {"label": "日", "kind": "day"}, "yen": {"label": "円", "kind": "amount", "mask": "last4"}},
})  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [
    ("born", "S59.5.17"), ("day", "99999999"), ("at", "2026/05"), ("yen", "99999999999999999999"), ("yen", "1,000"),
])  # fmt: skip
def test_a_type_of_the_json_is_true_of_every_value(name: str, value: str) -> None:
    row = {"_record_no": "1", "no": "1", "born": "1984-05-17", "at": "2026-05-01 09:00:00", "day": "", "yen": "5"}
    told = []
    for more in ({}, {name: value}, {name: value, "_masking": f"{name}:struck:"}):
        batch = pa.RecordBatch.from_pylist([{**row, "_masking": "", **more}])
        out = io.BytesIO()
        write_json(PAID, "支払", types_of(PAID, [batch]), [batch], out)
        told.append(json.loads(out.getvalue()))
    usual = {"no": "text", "born": "date", "at": "datetime", "day": "date", "yen": "integer"}
    assert [one["types"] for one in told] == [usual, {**usual, name: "text"}, usual]
    assert all(one["zone"] == "Asia/Tokyo" for one in told) and told[1]["rows"][0][name] == value


def test_months_sum_amounts_of_any_size() -> None:
    """What is no whole number counts as a row and is in no sum."""
    from dsr.engine import papers

    yen = ["99999999999999999999", "-5", "五", "9" * 5000, "--5", "²"]
    batch = pa.RecordBatch.from_pylist([{"at": "2026-05-01 09:00:00", "yen": text} for text in yen])
    assert list(papers._by_month(PAID, batch, ["yen"])) == [("2026-05", [6, 99999999999999999994])]
    assert [papers._figure("amount", text) for text in yen] == ["99,999,999,999,999,999,999", "△5", *yen[2:]]


@pytest.mark.parametrize("kind", KINDS_OF_FILE)
def test_rows_as_the_engine_masks_them_pass(kind: str) -> None:
    assert checked(kind, written(kind)) == []


def put(row: int, name: str, text: str) -> Change:
    def change(listed: list[dict[str, str]]) -> None:
        listed[row][name] = text

    return change


CELLS: dict[str, tuple[Change, str]] = {
    "a masked number, lawfully shown in the next row": (put(0, "to", NUMBER), "row 1 to"),
    "a mark and the number": (put(0, "to", f"（番号不開示）{NUMBER}"), "row 1 to"),
    "the last four": (put(2, "to", "03-1234-5678"), "row 3 to"),
    "three of the last four": (put(2, "to", "03-1234-567＊＊＊＊"), "row 3 to"),
    "another's prefix": (put(2, "to", "04-1234-＊＊＊＊"), "row 3 to"),
    "the whole account": (put(0, "account", "＊＊＊＊1234567"), "row 1 account"),
    "four of the account": (put(0, "account", "＊＊＊＊4567"), "row 1 account"),
    "a short account whole": (put(1, "account", "＊＊＊＊12"), "row 2 account"),
    "a third person": (put(0, "who", "佐藤 一郎太"), "row 1 who"),
    "nothing where a mark must be": (put(0, "who", ""), "row 1 who"),
    "a struck name": (put(0, "note", "山田さんに伝言"), "row 1 note"),
    "an unread note": (put(2, "note", "まだ読んでいない長い文です。次の文"), "row 3 note"),
    "an open cell of something else": (put(1, "to", "03-1234-5678"), "row 2 to"),
    "a mask that is not listed": (put(0, "_masking", ""), "_masking"),
    "something else in the list of masks": (put(1, "_masking", f"to:last4:{NUMBER}"), "_masking"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS_OF_FILE)
@pytest.mark.parametrize("what", CELLS)
def test_a_masked_cell_holds_its_mark_and_nothing_else(what: str, kind: str) -> None:
    change, place = CELLS[what]
    findings = checked(kind, written(kind, change))
    assert any(f.kind == "cell" and place in f.place for f in findings), [str(f) for f in findings]
    row = re.match(r"row (\d)", place)
    others = [f for f in findings if f.kind == "cell" and row and not f.place.startswith(row[0])]
    assert others == []  # the neighbours are as they were


@pytest.mark.parametrize("kind", KINDS_OF_FILE)
def test_rows_that_are_not_the_cases_are_seen(kind: str) -> None:
    changes: list[Change] = [lambda r: r.pop(), lambda r: r.append(dict(r[0])), lambda r: r.reverse(), put(1, "_record_no", "77")]
    for change in changes:
        assert [f.kind for f in checked(kind, written(kind, change))] == ["rows"]


def test_a_file_that_is_not_of_its_form_is_a_finding() -> None:
    csv, coded = written("csv"), written("json")
    for kind, raw, expected in (
        ("csv", csv.replace("相手先".encode(), "相手".encode()), "rows"),
        ("csv", csv + b"lone\n", "unreadable"),
        ("csv", b"", "unreadable"),
        ("csv", csv + b"\xff\xff", "unreadable"),
        ("json", coded.replace(b'"to":"', b'"to":"03-1234-5678', 1), "file"),
        ("json", coded.replace(b'{"_record_no"', b'{"more":"x","_record_no"', 1), "unreadable"),
        ("json", coded.replace(b'{"_record_no"', b'{"to":"x","_record_no"', 1), "unreadable"),
        ("json", coded[:-5], "rows"),
        ("json", coded.replace(b'"_masking":[', b'"_masking":"x', 1), "unreadable"),
        ("json", coded + NUMBER.encode(), "rows"),
        ("json", b"{}", "rows"),
        ("json", b"", "rows"),
    ):
        assert expected in {f.kind for f in checked(kind, raw)}, (kind, raw[-20:])


def test_a_record_number_made_of_a_masked_field_leaks_it() -> None:
    """The key names the counterpart: the column of record numbers would show what the cell does not."""
    keyed = CALLS.model_copy(update={"key": ("id", "to")})
    for kind in KINDS_OF_FILE:
        findings = checked(kind, written(kind, dataset=keyed), keyed)
        assert any(f.kind == "file" and "_record_no" in f.place for f in findings)


def test_what_is_hidden_is_what_is_masked_struck_unread_or_withheld() -> None:
    found: dict[str, set[str]] = {}
    for column in hidden(batches()[0], shown=True):
        found.setdefault(column.name, set()).update(column.values.drop_null().to_pylist())
    assert found["to"] == {NUMBER, "03-1234-5678"}
    assert found["account"] == {"1234567", "12", "7654321"}
    assert found["who"] == {"佐藤 一郎太", "別の人です"}
    assert [(c.name, c.unread) for c in hidden(batches()[0], shown=True) if c.name == "note"] == [
        ("note", False), ("note", True), ("note", True)]  # fmt: skip
    assert found["note"] == {"山田", "まだ読んでいない長い文です。次の文", "まだ読んでいない長い文です"}
    assert found["id"] == {"4"}
    assert not {"direction", "level"} & set(found)
    whole = {c.name: c.values.drop_null().to_pylist() for c in hidden(batches()[0], shown=False) if c.name != "note"}
    assert whole["id"] == ["1", "2", "3", "4", "5"]
    assert may_hide(CALLS, True) == ["id", "to", "account", "who", "note"]
    plain = CALLS.model_copy(update={"withhold_when": ()})
    assert may_hide(plain, True) == ["to", "account", "who", "note"]


def test_a_fault_of_the_redaction_does_not_hide_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It masks nothing and says so nowhere: the gate worked out by itself what must be masked."""
    monkeypatch.setattr(redaction, "_apply", lambda _word, _ground, shown, _stored, _hit, left, _marked: (shown, left))
    for kind in KINDS_OF_FILE:
        findings = checked(kind, written(kind))
        told = {f.place for f in findings if f.kind == "cell"}
        assert {"row 1 to and 1 more", "row 1 account and 1 more", "row 1 who and 2 more"} < told
        assert not any("direction" in place or "note" in place for place in told)


# -- standards ----------------------------------------------------------------------------------------------------


def test_broken_rules_of_a_standard_are_named_by_id(clean: bytes) -> None:
    """Without its tags it must not pass as accessible; what is drawn passes whole."""
    assert standards("disclosure.pdf", clean, PROFILES) == []
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(clean)) as untagged:
        del untagged.Root.StructTreeRoot, untagged.Root.MarkInfo
        untagged.save(out)
    broken = [f.place for f in standards("disclosure.pdf", out.getvalue(), PROFILES)]
    assert any(place.startswith("3a: PDFA3A-TAGGED") for place in broken)
    assert any(place.startswith("ua1: PDFUA1-") for place in broken)
    assert [f.place for f in standards("f", clean[:900], ("3a",))] == ["3a: ParseError", "syntax"]
    with pytest.raises(ValueError, match="unknown"):
        standards("f", clean, ("4z",))


def test_every_kind_of_finding_has_words_and_no_other_is_made() -> None:
    assert all(words and not words.endswith(".") for words in KINDS.values())
    with pytest.raises(ValueError, match="no kind"):
        Finding("f", "p", "odd")
