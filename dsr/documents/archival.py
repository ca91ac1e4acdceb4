"""Makes what was drawn an accessible file for the archive: PDF/A-3a and PDF/UA-1 (ISO 19005-3, ISO 14289-1).

ReportLab draws pages and embeds fonts; it knows no structure tree, no output intent and no XMP, and ends its streams
in a way the standard forbids (pdf.md 2.1). So what it wrote is read back, completed and written anew with the tree: one
revision, no leftovers, the same bytes for the same content.
"""

from __future__ import annotations

import io
from datetime import date
from functools import cache
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import escape

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream, String

from dsr.documents.packing import File, packed
from dsr.documents.structure import Jump, Structure

PROFILE = Path(__file__).parent / "icc" / "sRGB.icc"
PROFILES = ("3a", "ua1")
"""What every document claims, and what the release gate holds it to."""
PRODUCER = "dsr"
_AS_PRINTED = 4
_TREE = "/StructureTreeRootHere"  # stands in the catalogue until the tree has its number
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
    with pikepdf.open(io.BytesIO(drawn)) as pdf:
        root = pdf.Root
        root.StructTreeRoot = Name(_TREE)
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
        links = [_link(pdf, jump, len(pdf.pages) + number) for number, jump in enumerate(structure.jumps)]
        _information(pdf, title, issued_on)
        _write(pdf, structure, links, out)


def _write(pdf: pikepdf.Pdf, structure: Structure, links: list[int], out: BinaryIO) -> None:
    """ReportLab's objects and ours under their numbers, the structure's after them."""
    pages = [page.obj.objgen[0] for page in pdf.pages]
    held = {found.objgen[0]: found for found in pdf.objects if isinstance(found, Dictionary | Stream | Array)}
    first, root = max(held) + 1, pdf.Root.objgen[0]
    file = File(out, first + structure.count)
    plain: dict[int, bytes] = {}
    for number, found in held.items():
        if isinstance(found, Stream):
            _write_stream(file, number, found)
        else:
            plain[number] = found.unparse(resolved=True)
    plain[root] = plain[root].replace(_TREE.encode(), b"%d 0 R" % first)
    file.plain(plain.items())
    file.plain(enumerate(structure.objects(first, pages, links), start=first))
    file.end(root, pdf.docinfo.objgen[0])


def _write_stream(file: File, number: int, found: Stream) -> None:
    """As it is, unless it would end in a line's end; metadata stays readable, as the standard asks."""
    told = Dictionary({key: value for key, value in found.stream_dict.items() if key not in ("/Length", "/Filter")})
    if told.get("/Type") == Name.Metadata:
        file.stream(number, told.unparse(resolved=True), found.read_bytes())
        return
    told.Filter = Name.FlateDecode
    is_font = "/Length1" in told
    data, length = packed(found.read_bytes(), b"\1" if is_font else b" ")
    if is_font:
        told.Length1 = length
    file.stream(number, told.unparse(resolved=True), data)


def _link(pdf: pikepdf.Pdf, jump: Jump, key: int) -> int:
    """The link as an annotation on its page; its object number."""
    page, target = pdf.pages[jump.page], pdf.pages[jump.to_page]
    link = pdf.make_indirect(Dictionary(
        Type=Name.Annot, Subtype=Name.Link, Rect=Array([round(edge, 2) for edge in jump.area]), F=_AS_PRINTED,
        Border=Array([0, 0, 0]), Contents=String(jump.words), StructParent=key, P=page.obj,
        Dest=Array([target.obj, Name.XYZ, 0, round(jump.to_y, 2), 0]),
    ))
    if Name.Annots not in page:
        page.Annots = Array()
    page.Annots.append(link)
    return int(link.objgen[0])


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
