"""The files of a package, made into a folder of the vault: data, book, letter, manifest. Records nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from typing import Any

import pyarrow as pa

from dsr.case import Case
from dsr.documents.book import draw_book
from dsr.documents.letter import draw_letter
from dsr.documents.readme import readme
from dsr.engine import papers, reviewing, stated, volumes
from dsr.engine.office import Hold
from dsr.inventory import Dataset
from dsr.package import Digested, Sink, manifest, read_batches, types_of, write_csv, write_json
from dsr.rules import courses, proposing

FOLDER = "package/"


class Draft(Hold):
    """A case seen as if its proposal were decided."""

    @property
    def case(self) -> Case:
        case = super().case
        items = case.facts.get("items") or case.facts["proposal"]
        outcome = proposing.outcome_of_case(items, case.facts.get("whole", ""))
        return replace(case, facts={**case.facts, "items": items, "decision_outcome": outcome})


def to_write(hold: Hold) -> list[str]:
    """Datasets whose rows go out; none where a letter alone is the answer."""
    if hold.case.facts.get(courses.FAILED) or not courses.of(hold.case.right).shows:
        return []
    return [name for name, item in hold.case.facts["items"].items() if item["outcome"] in ("full", "partial")]


def data_files(hold: Hold, folder: str, dataset_id: str) -> list[dict[str, Any]]:
    """CSV and JSON of one dataset, the same rows; their path, sha256 and size."""
    dataset = stated.beside(hold, hold.office.inventory.dataset(dataset_id))
    label = papers.label_of(hold.office.inventory, dataset).ja
    path = f"data/{dataset_id}"
    with hold.vault.reader(reviewing.file_of(hold, dataset.id)) as source:
        types = types_of(dataset, read_batches(source))
    return [
        _write(hold, folder, dataset, f"{path}.csv", lambda batches, out: write_csv(dataset, batches, out)),
        _write(hold, folder, dataset, f"{path}.json",
               lambda batches, out: write_json(dataset, label, types, batches, out)),
    ]


def _write(
    hold: Hold, folder: str, dataset: Dataset, path: str, writing: Callable[[Iterable[pa.RecordBatch], Sink], None]
) -> dict[str, Any]:
    with hold.vault.reader(reviewing.file_of(hold, dataset.id)) as source, hold.vault.writer(folder + path) as out:
        sink = Digested(out)
        writing(read_batches(source), sink)
    return {"path": path, "sha256": sink.sha256, "size": sink.size}


def book_file(hold: Hold, folder: str, cited: Mapping[str, Any]) -> dict[str, Any]:
    book = papers.book(hold, cited)
    return papers.draw(hold, "disclosure_book", f"{folder}disclosure.pdf", lambda out: draw_book(book, out))


def volume_files(hold: Hold, folder: str, cited: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Volumes of a book on paper; none for most."""
    return volumes.draw_all(hold, folder, dict(cited))


def readme_file(hold: Hold, folder: str, cited: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    day = date.fromisoformat(cited["issued_on"])
    with hold.vault.writer(f"{folder}README.txt") as out:
        sink = Digested(out)
        sink.write(readme(papers.party(hold), hold.case_no, day, names, hold.request.answer.language))
    return {"path": f"{folder}README.txt", "sha256": sink.sha256, "size": sink.size}


def letter_file(
    hold: Hold, folder: str, cited: Mapping[str, Any], files: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    letter = papers.letter(hold, cited, files)
    return papers.draw(hold, letter.kind, f"{folder}decision.pdf", lambda out: draw_letter(letter, out))


def manifest_file(hold: Hold, folder: str, cited: Mapping[str, Any], files: list[dict[str, Any]]) -> dict[str, Any]:
    datasets = [_entry(hold, name, ended) for name, ended in papers.outward(hold).items()]
    content = manifest(hold.case_no, hold.case.law_version, f"dsr {version('dsr')}", files, datasets,
                       papers.redaction_counts(hold), cited["head"])  # fmt: skip
    with hold.vault.writer(f"{folder}manifest.json") as out:
        sink = Digested(out)
        sink.write(content)
    return {"path": f"{folder}manifest.json", "sha256": sink.sha256, "size": sink.size}


def _entry(hold: Hold, name: str, ended: Mapping[str, Any]) -> dict[str, Any]:
    """Outward status and counts; no values."""
    shown, dataset = ended["status"] == "found", hold.office.inventory.dataset(name)
    dataset = stated.beside(hold, dataset) if shown else dataset
    columns = {key: rule.label for key, rule in dataset.fields.items()}
    entry = {"dataset": name, "label": dataset.label, **ended, "columns": columns}
    if shown and name in hold.case.facts["drafts"]:
        draft = hold.case.facts["drafts"][name]
        entry |= {"shown": draft["rows"], "masked_rows": draft["masked_rows"], "withheld_rows": papers.withheld(draft),
                  "under_review": draft["unread"], "statements": draft.get("statements", 0)}  # fmt: skip
    return entry


def listing(entry: Mapping[str, Any], folder: str = FOLDER) -> dict[str, Any]:
    """A document as the letter and the manifest list it."""
    return {"path": str(entry["path"]).removeprefix(folder), "sha256": entry["sha256"], "size": entry["size"]}
