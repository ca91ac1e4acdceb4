"""Letters made from templates: what an office may word, what is refused, and what is never printed half."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pypdfium2
import pytest
from pdfminer.high_level import extract_text

from dsr.documents import templates
from dsr.documents.content import Frame, Party, Recipient, Words
from dsr.documents.letter import draw_letter
from dsr.documents.wordings import WORDINGS
from dsr.errors import BadInput
from tests.story import Office

PARTY = Party("はまかぜ", "みなと市", "代表", "窓口")
FRAME = Frame("DSR-2026-000001", "disclosure", date(2026, 11, 22), PARTY, Recipient("見本", ""), "見本", "法", ())
OWN = 'title = { ja = "お願い" }\nopening = [{ ja = "%s" }]\ngrid = ["due"]\ntables = ["defects"]\n'


def text_of(pdf: bytes) -> str:
    read = pypdfium2.PdfDocument(pdf)
    return "".join(page.get_textpage().get_text_range() for page in read).replace("\r\n", "")


@pytest.mark.parametrize("kind", templates.kinds())
def test_every_letter_can_be_printed_as_we_propose_it_and_says_all_that_it_must(kind: str) -> None:
    template = templates.kind(kind)
    assert list(templates.problems(kind, template)) == []
    page = io.BytesIO()
    assert draw_letter(templates.letter(kind, template, FRAME, templates.specimen(kind)), page) == 1
    said = text_of(page.getvalue())
    for name, field in template.fields.items():
        told = [column.ja for column in field.columns] or ([field.label.ja] if field.due else [])
        assert all(f"（{label}）" in said for label in told), name
    assert template.title.ja == WORDINGS[kind].ja if kind in WORDINGS else template.title.en


@pytest.mark.parametrize("kind", templates.kinds())
def test_every_sentence_has_its_gloss_with_the_same_fields(kind: str) -> None:
    template = templates.kind(kind)
    for said in (template.title, *template.opening, *template.closing):
        assert said.en, said.ja
        inline = [{word.split("}")[0] for word in text.split("{")[1:]} for text in (said.ja, said.en)]
        assert inline[1] <= inline[0], said.ja


@pytest.mark.parametrize(("own", "place"), [
    (OWN % "{duo}まで", "defect_notice.opening.0.ja"),
    (OWN % "{due", "defect_notice.opening.0.ja"),
    (OWN % "法第37条により", "defect_notice.opening.0.ja"),
    (OWN % "{defects}", "defect_notice.opening.0.ja.defects"),
    (OWN.replace('["due"]', "[]") % "お願いします。", "defect_notice.due"),
    (OWN.replace('["due"]', '["defects"]') % "お願いします。", "defect_notice.grid.defects"),
    (OWN.replace('["defects"]', '["due"]') % "お願いします。", "defect_notice.tables.due"),
    (OWN.replace('["defects"]', "[]") % "お願いします。", "defect_notice.defects"),
    ('title = { ja = " " }\nopening = []', "title.ja"),
    ("title = ", "defect_notice.toml"),
])  # fmt: skip
def test_a_copy_that_cannot_be_printed_is_refused_by_its_place(own: str, place: str) -> None:
    with pytest.raises(BadInput) as caught:
        templates.read("defect_notice", own)
    assert caught.value.field == place


def test_a_value_that_is_due_is_never_left_out_and_one_without_a_place_never_swallowed() -> None:
    template, whole = templates.kind("defect_notice"), templates.specimen("defect_notice")
    for wrong in ({**whole, "due": ""}, {**whole, "defects": []}, {**whole, "amount": "100円"}):
        with pytest.raises(BadInput):
            templates.letter("defect_notice", template, FRAME, wrong)


def test_a_sentence_whose_field_is_empty_is_left_out_and_its_neighbours_stand() -> None:
    template = templates.read(
        "defect_notice", OWN % "お願いします。" + 'closing = [{ ja = "{desk}へ" }, { ja = "以上です。" }]'
    )
    whole = {**templates.specimen("defect_notice"), "desk": ""}
    told = [str(Words(line.ja) if isinstance(line, Words) else line) for line in
            templates.letter("defect_notice", template, FRAME, whole).closing]  # fmt: skip
    assert any("以上です。" in line for line in told)
    assert not any("へ" in line and "{" in line for line in told)
    stays = templates.letter(
        "defect_notice", template, replace(FRAME, language="en"), templates.specimen("defect_notice")
    )
    assert any("（問い合わせ先）へ" in str(line) for line in stays.closing)


def test_what_is_missing_is_asked_for_by_a_letter_in_the_offices_own_words(office: Office, tmp_path: Path) -> None:
    case = office.open("hanako")
    office.ok("templates", "check")
    own = office.home / "templates"
    own.mkdir()
    (own / "defect_notice.toml").write_text(OWN % "{right}について、{due}までにお願いします。", "utf-8")
    office.ok("templates", "check", "--out", str(office.home / "look"))
    assert (office.home / "look" / "defect_notice.pdf").stat().st_size > 1000
    paper = tmp_path / "proof.json"
    paper.write_text(json.dumps({"method": "post", "documents": []}))
    assert office.run("prove", case, "--file", str(paper))[0] == 1
    owed = {work["what"]: work["due"] for work in office.ok("show", case)["work"]}
    assert owed["cure"] == "2026-12-06"
    assert "post:defect_notice.prove-1.pdf" in owed
    office.ok("letters", case, "--out", str(office.home / "posted"))
    said = text_of((office.home / "posted" / "defect_notice.prove-1.pdf").read_bytes())
    assert "令和8年12月6日までにお願いします。" in said
    assert "本人確認書類が添えられていません" in said
    assert not any(work["what"].startswith("post:") for work in office.ok("show", case)["work"])
    (own / "defect_notice.toml").write_text(OWN % "{number}", "utf-8")
    assert office.run("templates", "check")[0] == 1
    before = office.ok("show", case)
    assert office.run("prove", case, "--file", str(paper))[0] == 2
    after = office.ok("show", case)
    assert [before[name] for name in ("state", "documents", "work")] == [
        after[name] for name in ("state", "documents", "work")
    ]


def test_blank_forms_say_all_that_a_request_holds(office: Office, tmp_path: Path) -> None:
    """様式: each field of documents.md §2, in both languages, with room to write; of this company and for its desk."""
    for lang in ("ja", "en"):
        made = office.ok("forms", "--out", str(tmp_path / lang), "--lang", lang)["files"]
        texts = {Path(file).stem: "".join(extract_text(file).split()) for file in made}
        assert set(texts) == {"request_form", "mandate_form", "user_consent_form"}
        assert all("みなと通信電力株式会社御中" in text and "送付先" in text for text in texts.values())
        for words in ("フリガナ", "ご住所", "お電話番号", "生年月日", "お客様番号", "ご請求の種類", "期間", "開示の方法",
                      "根拠となる資料", "理由となる事実", "代理人", "本人確認書類", "マイナンバーカードは表面だけ"):  # fmt: skip
            assert words in texts["request_form"], words
        assert all(words in texts["mandate_form"] for words in ("この請求", "回答の受取り", "署名又は押印"))
        assert all(words in texts["user_consent_form"] for words in ("回線", "期間", "契約者", "確認書類"))
        assert ("Dateofbirth" in texts["request_form"]) is (lang == "en")
    assert office.run("forms", "--out", str(tmp_path / "ja"))[0] == 2, "nothing is written over"
