"""Makes what was drawn an accessible file for the archive: PDF/A-3a and PDF/UA-1 (ISO 19005-3, ISO 14289-1).

ReportLab draws pages and embeds fonts; it knows no structure tree, no output intent and no XMP, and ends its streams
in a way the standard forbids (pdf.md 2.1). The tree is appended as objects, then the whole is written anew by pikepdf:
one revision, no leftovers, the same bytes for the same content.
"""

from __future__ import annotations

import io
from datetime import date
from functools import cache
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import escape

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from dsr.documents.structure import Jump, Structure

PROFILE = Path(__file__).parent / "icc" / "sRGB.icc"
PROFILES = ("3a", "ua1")
"""What every document claims, and what the release gate holds it to."""
PRODUCER = "dsr"
_AS_PRINTED = 4
_NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/", "xmp": "http://ns.adobe.com/xap/1.0/",
    "pdf": "http://ns.adobe.com/pdf/1.3/", "pdfaid": "http://www.aiim.org/pdfa/ns/id/",
    "pdfuaid": "http://www.aiim.org/pdfua/ns/id/", "pdfaExtension": "http://www.aiim.org/pdfa/ns/extension/",
    "pdfaSchema": "http://www.aiim.org/pdfa/ns/schema#", "pdfaProperty": "http://www.aiim.org/pdfa/ns/property#",
}
# PDF/A-3 knows no pdfuaid of its own: what it is must be described in the file.
_UA_SCHEMA = """<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:schema>PDF/UA identification schema</pdfaSchema:schema>
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
<pdfaProperty:name>part</pdfaProperty:name><pdfaProperty:valueType>Integer</pdfaProperty:valueType>
<pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:description>Part of ISO 14289 that the file conforms to</pdfaProperty:description>
</rdf:li></rdf:Seq></pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas>"""


def archive(drawn: bytes, structure: Structure, title: str, issued_on: date, language: str, out: BinaryIO) -> None:
    """``drawn``: a PDF as ReportLab wrote it. Days come from the content, so that a repeat gives the same bytes."""
    tagged, first = _with_structure(drawn, structure)
    del drawn
    with pikepdf.open(io.BytesIO(tagged)) as pdf:
        root = pdf.Root
        root.StructTreeRoot = pdf.get_object(first, 0)
        root.MarkInfo = Dictionary(Marked=True)
        root.Lang = String(language)
        root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
        root.PageLabels = Dictionary(Nums=Array([0, Dictionary(S=Name.D)]))
        root.Metadata = _metadata(pdf, title, issued_on, language)
        root.OutputIntents = Array([_intent(pdf)])
        for number, page in enumerate(pdf.pages):
            if Name.Trans in page:  # ReportLab writes an empty one on every page
                del page[Name.Trans]
            page.obj.StructParents = number
            page.obj.Tabs = Name.S
        for number, jump in enumerate(structure.jumps):
            _link(pdf, jump, len(pdf.pages) + number, pdf.get_object(first + 2 + jump.element, 0))
        _information(pdf, title, issued_on)
        pdf.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate, min_version="1.7",
                 compress_streams=True, linearize=False)


def _with_structure(drawn: bytes, structure: Structure) -> tuple[bytes, int]:
    """The file with the structure's objects appended as a further section, and the number of the tree's root."""
    with pikepdf.open(io.BytesIO(drawn)) as pdf:
        pages = [page.obj.objgen[0] for page in pdf.pages]
        first, root = int(pdf.trailer.Size), pdf.Root.objgen[0]
    start = int(drawn.rpartition(b"startxref")[2].split()[0])
    parts, offsets, at = [drawn, b"\n"], [], len(drawn) + 1
    for number, body in enumerate(structure.objects(first, pages), start=first):
        written = b"%d 0 obj\n%b\nendobj\n" % (number, body)
        offsets.append(at)
        at += len(written)
        parts.append(written)
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    parts.append(b"xref\n%d %d\n%b" % (first, len(offsets), entries))
    parts.append(b"trailer\n<</Size %d/Root %d 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n"
                 % (first + len(offsets), root, start, at))  # fmt: skip
    return b"".join(parts), first


def _link(pdf: pikepdf.Pdf, jump: Jump, key: int, element: pikepdf.Object) -> None:
    page, target = pdf.pages[jump.page], pdf.pages[jump.to_page]
    link = pdf.make_indirect(Dictionary(
        Type=Name.Annot, Subtype=Name.Link, Rect=Array([round(edge, 2) for edge in jump.area]), F=_AS_PRINTED,
        Border=Array([0, 0, 0]), Contents=String(jump.words), StructParent=key, P=page.obj,
        Dest=Array([target.obj, Name.XYZ, 0, round(jump.to_y, 2), 0]),
    ))
    if Name.Annots not in page:
        page.Annots = Array()
    page.Annots.append(link)
    element.K.append(Dictionary(Type=Name.OBJR, Obj=link, Pg=page.obj))


def _intent(pdf: pikepdf.Pdf) -> pikepdf.Object:
    profile = pdf.make_stream(_profile(), N=3)
    name = String("sRGB IEC61966-2.1")
    return pdf.make_indirect(Dictionary(Type=Name.OutputIntent, S=Name.GTS_PDFA1, OutputConditionIdentifier=name,
                                        Info=name, DestOutputProfile=profile))


@cache
def _profile() -> bytes:
    return PROFILE.read_bytes()


def _information(pdf: pikepdf.Pdf, title: str, issued_on: date) -> None:
    """The old dictionary says what the XMP says, and no more."""
    day = f"D:{issued_on:%Y%m%d}090000+09'00'"
    for key in list(pdf.docinfo.keys()):
        del pdf.docinfo[key]
    for key, value in (("Title", title), ("Creator", PRODUCER), ("Producer", PRODUCER), ("CreationDate", day),
                       ("ModDate", day)):
        pdf.docinfo[f"/{key}"] = value


def _metadata(pdf: pikepdf.Pdf, title: str, issued_on: date, language: str) -> pikepdf.Object:
    day = f"{issued_on.isoformat()}T09:00:00+09:00"
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items())
    packet = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" {spaces}>
<dc:format>application/pdf</dc:format><dc:language><rdf:Bag><rdf:li>{language}</rdf:li></rdf:Bag></dc:language>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{escape(title)}</rdf:li></rdf:Alt></dc:title>
<xmp:CreatorTool>{PRODUCER}</xmp:CreatorTool><xmp:CreateDate>{day}</xmp:CreateDate><xmp:ModifyDate>{day}</xmp:ModifyDate>
<pdf:Producer>{PRODUCER}</pdf:Producer>
<pdfaid:part>3</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance><pdfuaid:part>1</pdfuaid:part>
{_UA_SCHEMA}
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""
    return pdf.make_stream(packet.encode(), Type=Name.Metadata, Subtype=Name.XML)
