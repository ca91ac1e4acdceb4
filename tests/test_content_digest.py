"""DC-6, EN-41: packed otherwise, a package has other bytes and the same content digest; said otherwise, another."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pikepdf
import pytest
from fontTools.ttLib import TTFont

from dsr.documents import packing
from dsr.release.content import content_digest, content_digests
from tests.story import Office

Spoil = Callable[[pikepdf.Pdf], None]


@pytest.fixture(scope="module")
def case(
    sample_of: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Office, str, Path]]:
    """Kazuo's case before its decision, and its package as a preview: one record, everything else not found."""
    folder = tmp_path_factory.mktemp("content")
    with pytest.MonkeyPatch.context() as patch:
        office = Office.set_up(folder / "home", sample_of(1), patch)
        number = office.collected("kazuo")
        office.ok("preview", number, "--out", str(folder / "package"))
        yield office, number, folder / "package"


@pytest.fixture
def package(case: tuple[Office, str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(case[2], tmp_path / "package"))


def digest(folder: Path) -> str:
    return content_digest(content_digests(folder))


def rewritten(path: Path, spoil: Spoil = lambda pdf: None, **how: object) -> None:
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        spoil(pdf)
        pdf.save(path, **how)  # type: ignore[arg-type]


PACKINGS = [
    {"compress_streams": False, "stream_decode_level": pikepdf.StreamDecodeLevel.all},
    {"object_stream_mode": pikepdf.ObjectStreamMode.disable, "recompress_flate": True},
    {"object_stream_mode": pikepdf.ObjectStreamMode.generate, "linearize": True},
    {"qdf": True, "static_id": True},
]  # fmt: skip


@pytest.mark.parametrize("how", PACKINGS, ids=["unpacked", "no object streams", "linearized", "qdf"])
def test_packed_otherwise_it_says_the_same(package: Path, how: dict[str, object]) -> None:
    before, book = digest(package), package / "disclosure.pdf"
    bytes_before = book.read_bytes()
    rewritten(book, **how)
    assert book.read_bytes() != bytes_before
    assert digest(package) == before


def test_built_by_another_compressor_it_states_other_digests_and_says_the_same(
    case: tuple[Office, str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another platform: the book's bytes differ, so letter and manifest print another digest and size of it."""
    office, number, here = case
    real = zlib.compress
    monkeypatch.setattr(packing.zlib, "compress", lambda data, level: real(data, 1))
    there = tmp_path / "there"
    office.ok("preview", number, "--out", str(there))
    monkeypatch.undo()
    stated = [json.loads((folder / "manifest.json").read_bytes())["files"] for folder in (here, there)]
    book = [next(f for f in files if f["path"] == "disclosure.pdf") for files in stated]
    assert book[0]["sha256"] != book[1]["sha256"] and book[0]["size"] != book[1]["size"]
    assert book[1]["sha256"] == hashlib.sha256((there / "disclosure.pdf").read_bytes()).hexdigest()
    assert content_digests(there) == content_digests(here)
    assert office.ok("content-digest", str(there), officer=None)["digest"] == digest(here)


def test_a_font_cut_otherwise_changes_nothing_that_is_read(package: Path) -> None:
    before, cut = digest(package), []

    def recut(pdf: pikepdf.Pdf) -> None:
        for thing in pdf.objects:
            if isinstance(thing, pikepdf.Dictionary) and "/FontFile2" in thing:
                out = io.BytesIO()
                TTFont(io.BytesIO(thing.FontFile2.read_bytes())).save(out, reorderTables=True)
                cut.append(out.getvalue() != thing.FontFile2.read_bytes())
                thing.FontFile2.write(out.getvalue())
        for thing in pdf.objects:
            if isinstance(thing, pikepdf.Dictionary) and "/BaseFont" in thing:
                thing.BaseFont = pikepdf.Name(f"/ZZZZZZ{str(thing.BaseFont)[7:]}")

    rewritten(package / "disclosure.pdf", recut)
    assert any(cut)
    assert digest(package) == before


# -- one thing at a time that is another -----------------------------------------------------------------------------


def one_letter(pdf: pikepdf.Pdf) -> None:
    """Another letter that the font already draws."""
    pieces = pikepdf.parse_content_stream(pdf.pages[0])
    text = next(i for i, (operands, op) in enumerate(pieces) if str(op) == "Tj" and len(set(bytes(operands[0]))) > 1)
    raw = bytes(pieces[text][0][0])
    first = next(i for i in range(1, len(raw)) if raw[i] != raw[0])
    pieces[text] = ([pikepdf.String(raw[first : first + 1] + raw[1:])], pikepdf.Operator("Tj"))
    pdf.pages[0].Contents = pdf.make_stream(pikepdf.unparse_content_stream(pieces))


def one_reading(pdf: pikepdf.Pdf) -> None:
    """The same ink, read as another letter."""
    for font in pdf.pages[0].Resources.Font.values():
        font.ToUnicode.write(font.ToUnicode.read_bytes().replace(b"> <0032>", b"> <0033>"))  # the 2 of 2026


def elements(pdf: pikepdf.Pdf, role: str) -> list[pikepdf.Object]:
    return [o for o in pdf.objects if isinstance(o, pikepdf.Dictionary) and o.get("/S") == role and "/P" in o]


def one_tag(pdf: pikepdf.Pdf) -> None:
    elements(pdf, "/TD")[0].S = pikepdf.Name.P


def one_language(pdf: pikepdf.Pdf) -> None:
    elements(pdf, "/P")[0].Lang = pikepdf.String("en-US")


def reading_order(pdf: pikepdf.Pdf) -> None:
    row = next(row for row in elements(pdf, "/TR") if len(row.K) > 1)
    row.K = pikepdf.Array([row.K[1], row.K[0], *list(row.K)[2:]])


def two_pages(pdf: pikepdf.Pdf) -> None:
    pdf.pages.append(pdf.pages[0])
    del pdf.pages[0]


def one_link(pdf: pikepdf.Pdf) -> None:
    notes = next(page.Annots for page in pdf.pages if "/Annots" in page)
    notes[0].Dest[0] = pdf.pages[0].obj if notes[0].Dest[0].objgen != pdf.pages[0].objgen else pdf.pages[1].obj


def one_claim(pdf: pikepdf.Pdf) -> None:
    pdf.Root.Metadata.write(pdf.Root.Metadata.read_bytes().replace(b"conformance>A<", b"conformance>B<"))


def one_title(pdf: pikepdf.Pdf) -> None:
    pdf.docinfo["/Title"] = "Another"


def one_bookmark(pdf: pikepdf.Pdf) -> None:
    next(o for o in pdf.objects if isinstance(o, pikepdf.Dictionary) and "/Dest" in o and "/Title" in o).Title = "x"


def one_box(pdf: pikepdf.Pdf) -> None:
    """A fill, as of a mask, is gone from under its text."""
    for page in pdf.pages:
        pieces = [p for p in pikepdf.parse_content_stream(page) if str(p.operator) not in ("re", "f")]
        page.Contents = pdf.make_stream(pikepdf.unparse_content_stream(pieces))


def attached(pdf: pikepdf.Pdf) -> None:
    pdf.attachments["note.txt"] = b"more"


SPOILS = [one_letter, one_reading, one_tag, one_language, reading_order, two_pages, one_link, one_claim, one_title,
          one_bookmark, one_box, attached]  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILS)
def test_one_thing_said_otherwise_is_another_content(package: Path, spoil: Spoil) -> None:
    before = content_digests(package)
    rewritten(package / "disclosure.pdf", spoil)
    after = content_digests(package)
    assert {name for name in before if before[name] != after[name]} >= {"disclosure.pdf"}
    assert content_digest(after) != content_digest(before)


FILES = ("data/service_contracts.users.csv", "data/service_contracts.users.json", "README.txt", "manifest.json")


@pytest.mark.parametrize("name", FILES)
def test_one_byte_of_any_other_file_is_another_content(package: Path, name: str) -> None:
    before, path = digest(package), package / name
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    path.write_bytes(raw) if name != "manifest.json" else path.write_bytes(path.read_bytes() + b"\n")
    assert digest(package) != before


def test_a_file_more_or_less_is_another_content(package: Path) -> None:
    before = digest(package)
    (package / "more.txt").write_bytes(b"")
    assert digest(package) != before
    (package / "more.txt").unlink()
    assert digest(package) == before
    (package / "README.txt").unlink()
    assert digest(package) != before


def test_what_is_no_package_and_what_cannot_be_read_is_said(
    case: tuple[Office, str, Path], package: Path, tmp_path: Path
) -> None:
    office = case[0]
    status, _, errors = office.run("content-digest", str(tmp_path), officer=None)
    assert status == 2 and "manifest.json" in errors
    (package / "disclosure.pdf").write_bytes(b"%PDF-1.7 broken")
    status, _, errors = office.run("content-digest", str(package), officer=None)
    assert status == 1 and "disclosure.pdf" in errors
