"""Files of a lake or of logs: those of the declared globs, and all that lies beside them, decoded.

What lies beside (a rotated or temporary file, a copy with another ending) is a place of its own, read by what its
first bytes say it is. A file of another system's is left to that system's survey.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

from connectors.survey import bucket, contents
from connectors.survey.contents import Member
from connectors.survey.look import Look, Part, Unread
from connectors.survey.marks import Marks
from connectors.survey.reach import Reach
from dsr.errors import ConnectorUnavailable, as_id
from dsr.inventory import Dataset, System
from dsr.plan import Level, Sought

_LEFT_BY_US = ".dsr-"


@dataclass(frozen=True)
class Shelf:
    """Where the files lie: ``root`` stands before every declared path."""

    filesystem: Any
    root: str
    here: bool

    def pattern(self, written: str) -> str:
        return "/".join(part for part in (self.root, written) if part)

    def listed(self, folder: str, deep: bool) -> list[fs.FileInfo]:
        found = self.filesystem.get_file_info(fs.FileSelector(folder, recursive=deep, allow_not_found=True))
        return [info for info in found if info.type == fs.FileType.File]


def fixed(pattern: str) -> str:
    """The folders of a pattern before its first wildcard."""
    parts = pattern.split("/")
    wild = next((at for at, part in enumerate(parts) if set(part) & set("*?[")), len(parts) - 1)
    return "/".join(parts[:wild]) or "/"


def fits(path: str, pattern: str) -> bool:
    """``*`` within a folder, ``**`` over any number of them; hidden names only where they are written so."""
    told = "/".join(".*" if part == "**" else _segment(part) for part in pattern.split("/"))
    return re.fullmatch(told.replace("/.*/", "/(?:.*/)?"), path) is not None


def _segment(part: str) -> str:
    written = translate(part).removeprefix("(?s:").removesuffix(r")\Z").replace(".*", "[^/]*")
    return written if part.startswith(".") else rf"(?!\.){written}"


class Files:
    """Alike for lake and logs; a subclass says how a declared file is read."""

    def __init__(self, reach: Reach, marks: Marks) -> None:
        self._reach, self._marks = reach, marks
        self._linked: set[str] = set()
        self._leftovers: set[str] = set()

    # -- which files -------------------------------------------------------------------------------------------

    def _shelf(self) -> Shelf:
        if self._reach.system.url or self._reach.system.survey_url:
            return Shelf(*bucket.opened(self._reach), here=False)
        return Shelf(fs.LocalFileSystem(), "", here=True)

    def _patterns(self, shelf: Shelf, system: System) -> list[tuple[str, Dataset]]:
        told = [(dataset.glob or system.glob, dataset) for dataset in system.dataset.values()]
        place = self._reach.inventory.place if shelf.here else str
        return [(shelf.pattern(place(written)), dataset) for written, dataset in told if written]

    def _found(self, shelf: Shelf) -> Iterator[tuple[fs.FileInfo, list[Dataset]]]:
        """Declared files first: what they held is then known of those beside them."""
        patterns = self._patterns(shelf, self._reach.system)
        home = str(self._reach.inventory.folder)
        folders = sorted({fixed(pattern) for pattern, _ in patterns})
        infos = {info.path: info for folder in folders for info in shelf.listed(folder, folder != home)}
        if not infos:
            raise ConnectorUnavailable(self._reach.system.name, None, "no file lies in the declared folders")
        told = [(info, [dataset for pattern, dataset in patterns if fits(path, pattern)])
                for path, info in sorted(infos.items()) if not self._is_anothers(shelf, path)]  # fmt: skip
        yield from sorted(told, key=lambda each: not each[1])

    def _is_anothers(self, shelf: Shelf, path: str) -> bool:
        others = [system for system in self._reach.inventory.system.values() if system.name != self._reach.system.name]
        if any(system.store == "sql" and system.url.endswith("/" + Path(path).name) for system in others):
            return True
        return any(fits(path, pattern) for system in others if system.url == self._reach.system.url
                   for pattern, _ in self._patterns(shelf, system))  # fmt: skip

    # -- what they hold ----------------------------------------------------------------------------------------

    def parts(self, sought: Sequence[Sought], before: Mapping[str, Any] | None) -> Iterator[Part | Unread]:
        shelf = self._shelf()
        self._begin(sought, before)
        for info, datasets in self._found(shelf):
            member = Member(shelf.filesystem, info.path, info.base_name)
            if shelf.here and Path(info.path).stat().st_nlink > 1:
                self._linked.add(self._shown(info))
            if not datasets:
                self._leftovers.add(self._shown(info))
            yield from self._decoded(member, datasets, self._shown(info))

    def _decoded(self, member: Member, datasets: Sequence[Dataset], shown: str) -> Iterator[Part | Unread]:
        try:
            file = self._marks.of(member.path)[:16]
            for part in self._declared(member, datasets) if datasets else self._other(member, shown):
                yield replace(part, file=file)
            yield contents.about(member, datasets[0].name if datasets else shown)
        except contents.BROKEN as error:
            yield Unread(shown, f"cannot be decoded ({type(error).__name__})")
        except OSError as error:
            if error.errno is not None or "AWS" in str(error):
                raise
            yield Unread(shown, "cannot be decoded (damaged)")  # pyarrow's word for bytes that do not unpack

    def _shown(self, info: fs.FileInfo) -> str:
        """A file's name may hold a person's number; then it is told by a mark."""
        name = info.base_name
        return name if as_id(name.lstrip("._")) != "…" else f"file-{self._marks.of(info.path)[:8]}"

    def _begin(self, sought: Sequence[Sought], before: Mapping[str, Any] | None) -> None:
        self._linked, self._leftovers = set(), set()

    def _declared(self, member: Member, datasets: Sequence[Dataset]) -> Iterator[Part]:
        raise NotImplementedError

    def _other(self, member: Member, place: str) -> Iterator[Part]:
        """By its first bytes, whatever its name says."""
        datasets = tuple(self._reach.datasets().values())
        if member.begins() == contents.PARQUET:
            yield from contents.parquet(member, place, (), datasets)
        else:
            for raw in contents.lines(member):
                yield self._loose(raw, place)

    def _loose(self, raw: pa.Array, place: str) -> Part:
        return Part(place, pa.table({"line": raw}))

    # -- afterwards --------------------------------------------------------------------------------------------

    def memory(self) -> dict[str, Any]:
        return {"linked": len(self._linked)}

    def also(self, sought: Sequence[Sought]) -> Sequence[str]:
        return ()

    def level(self, look: Look, before: Mapping[str, Any]) -> tuple[Level, dict[str, Any]]:
        """L2 where nothing else can hold the bytes: no second name of a file, then or now, nothing of ours left behind.

        An object store may keep versions that nobody sees here.
        """
        ours = sum(name.startswith(_LEFT_BY_US) for name in self._leftovers)
        told = {"linked": len(self._linked), "linked_before": before["linked"], "ours_left": ours,
                "local": self._shelf().here}  # fmt: skip
        clean = told["local"] and not (told["linked"] or told["linked_before"] or ours)
        return "L2" if clean else "L1", told


class LakeFiles(Files):
    def _declared(self, member: Member, datasets: Sequence[Dataset]) -> Iterator[Part]:
        yield from contents.parquet(member, datasets[0].name, tuple(datasets), ())


class LogFiles(Files):
    """A record is ``<file without endings>:<line>``. When lines are removed the numbers of those after them change.

    So the look before remembers how many lines each file had, and a mark of each line that is to go: afterwards lines
    are numbered as they were, and a line that should be gone is known by its mark wherever it stands.
    """

    def _begin(self, sought: Sequence[Sought], before: Mapping[str, Any] | None) -> None:
        super()._begin(sought, before)
        self._numbering = contents.Numbering(self._marks, self._reach.datasets(), sought, before)

    def memory(self) -> dict[str, Any]:
        return {**super().memory(), **self._numbering.memory()}

    def _declared(self, member: Member, datasets: Sequence[Dataset]) -> Iterator[Part]:
        (dataset,) = datasets[:1]
        encoding = dataset.encoding or self._reach.system.encoding
        pattern = re.compile(dataset.line or self._reach.system.line or "(?!)")
        reading = self._numbering.of(member, dataset)
        for raw in contents.lines(member):
            yield from reading.parts(raw, pattern, encoding)

    def _loose(self, raw: pa.Array, place: str) -> Part:
        """A line that should be gone is known in any file."""
        keys = self._numbering.copies(raw)
        copies = tuple(self._reach.datasets()[name] for name in keys)
        return Part(place, pa.table({"line": raw}), (), copies, keys)
