"""Takes each guard away in turn and sees whether the suite notices: ``python -m tests.mutation [--every N] [MODULE …]``.

A mutant is one small change of one module, made while it is imported (nothing on the disk changes): a guard that never
fires, a comparison turned, ``and`` for ``or``, a call for its effect left out. The tests named beside the module run
against it; a mutant that they pass survives, and is printed with its line. Before that they must pass as they stand.
"""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.machinery
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

CHOSEN = "DSR_MUTANT"
Tests = tuple[str, ...]
PLANNING = ("tests/test_planning.py", "-k", "not million and not the_cast_is")
SURVEY = ("tests/test_survey.py", "-k", "not postgresql and not ticket and not bucket and not planted_record_can_vouch")
FILES = ("tests/test_write_files.py", "-k")
QUICK = "not system_calls and not whole_of_the_sample and not killed_at and not to_write_during"
GUARDED: dict[str, Tests] = {
    "dsr.journal": ("tests/test_journal.py",),
    "dsr.suppression": ("tests/test_suppression.py",),
    "dsr.rules.erasures": ("tests/test_erasures.py",),
    "dsr.rules.correcting": ("tests/test_correcting.py",),
    "dsr.rules.retention": ("tests/test_retention.py",),
    **{f"dsr.rules.{name}": PLANNING for name in ("cover", "living", "sorting", "striking", "planning")},
    "dsr.engine.effects": ("tests/test_effects.py",),
    "dsr.documents.certificate": ("tests/test_stop_papers.py", "-k", "certif or commitment or deepest"),
    **{f"connectors.survey.{name}": SURVEY for name in (
        "words", "sql", "look", "files", "contents", "verdict", "marks", "surveyor", "reach")},
    "connectors.survey.http": ("tests/test_survey.py", "-k", "ticket or planted_record_can_vouch"),
    "connectors.survey.bucket": ("tests/test_survey.py", "-k", "bucket"),
    "connectors.stores.swap": (*FILES, f"{QUICK} and (call_history or mode_owner)"),
    "connectors.stores.lake_write": (*FILES, f"{QUICK} and not web"),
    "connectors.stores.logs_write": (*FILES, f"{QUICK} and not call_history"),
    "connectors.stores.sql_write": ("tests/test_write_rows.py", "-k", "not postgresql and not killed"),
    "connectors.stores.http_write": ("tests/test_write_tickets.py", "-k", "not killed"),
}  # fmt: skip
"""Modules whose guards are taken away → the quickest tests that must notice, as pytest is told them."""
TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
LEAVES = ast.Raise | ast.Return | ast.Continue
WORKERS = 2
UNJUDGED = 70
"""Exit status of a fork in which pytest itself failed: told as a survivor, for nobody noticed."""
LONGEST = 120
"""Seconds; a mutant that keeps its tests busy for longer is noticed."""


@dataclass
class Mutator(ast.NodeTransformer):
    """Counts the places where it can change something, and changes the one numbered ``chosen``."""

    chosen: int = -1
    seen: int = 0
    line: int = 0
    what: str = ""

    def _mine(self, node: Any, what: str) -> bool:
        self.seen += 1
        if self.seen - 1 != self.chosen:
            return False
        self.line, self.what = node.lineno, what
        return True

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        last = node.body[-1]
        tells = isinstance(last, ast.Expr) and isinstance(last.value, ast.Yield)
        if (tells or isinstance(last, LEAVES)) and self._mine(node, "the guard never fires"):
            node.test = ast.copy_location(ast.Constant(False), node.test)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        turned = TURNED.get(type(node.ops[0]))
        if turned and self._mine(node, f"{type(node.ops[0]).__name__} → {turned.__name__}"):
            node.ops[0] = turned()
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        if self._mine(node, "and ↔ or"):
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return node.operand if isinstance(node.op, ast.Not) and self._mine(node, "not left out") else node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        if node.ifs and self._mine(node.iter, "all of them, whatever the condition"):
            node.ifs = []
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Call) and self._mine(node, f"{ast.unparse(node.value.func)}() left out"):
            return ast.copy_location(ast.Pass(), node)
        return node


def mutated(source: str, chosen: int) -> tuple[ast.Module, Mutator]:
    mutator = Mutator(chosen)
    return ast.fix_missing_locations(mutator.visit(ast.parse(source))), mutator


class Finder(importlib.abc.MetaPathFinder):
    """Gives the chosen module's mutant to whoever imports it."""

    def __init__(self, module: str, chosen: int) -> None:
        self._module, self._chosen = module, chosen

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = Loader(fullname, spec.loader.path, self._chosen)
        return spec


class Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, chosen: int) -> None:
        super().__init__(fullname, path)
        self._chosen = chosen

    def get_code(self, fullname: str) -> Any:
        tree, _ = mutated(self.get_source(fullname) or "", self._chosen)
        return compile(tree, self.path, "exec")


def install() -> None:
    """Called by tests/conftest.py before anything of ours is imported."""
    if chosen := os.environ.get(CHOSEN):
        module, _, number = chosen.rpartition(":")
        assert module not in sys.modules, "too late: the module is imported already"
        sys.meta_path.insert(0, Finder(module, int(number)))


# -- the run -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    module: str
    number: int = -1
    line: int = 0
    what: str = "nothing"


def source_of(module: str) -> str:
    return Path(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")


def mutants(module: str) -> Iterator[Mutant]:
    source = source_of(module)
    for number in range(mutated(source, -1)[1].seen):
        _, mutator = mutated(source, number)
        yield Mutant(module, number, mutator.line, mutator.what)


WARM = ("numpy", "pandas", "pyarrow.compute", "pyarrow.parquet", "pyarrow.dataset", "sqlmodel", "alembic.command", "duckdb",
        "psycopg", "httpx", "phonenumbers", "jaconv", "reportlab.pdfgen.canvas", "pikepdf", "sqlglot", "pytest",
        "cryptography.hazmat.primitives.ciphers.aead", "zstandard")  # fmt: skip
"""Others' modules, imported once: every mutant is a fork of a process that has read them, and nothing of ours."""
PLAINLY = ("-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "-o", "timeout=0")
"""pytest-timeout would take the alarm for itself."""


def warm() -> None:
    for name in WARM:
        with suppress(ImportError):
            importlib.import_module(name)


def _begin(mutant: Mutant, tests: Tests, folder: str) -> int:
    """The process id of a fork in which the tests run against the mutant, in a process group of its own."""
    if child := os.fork():
        return child
    os.setsid()
    signal.alarm(LONGEST)  # nobody catches it: it ends the fork
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    os.environ[CHOSEN] = f"{mutant.module}:{mutant.number}"
    status = UNJUDGED
    with suppress(BaseException):
        import pytest

        status = int(pytest.main([*PLAINLY, f"--basetemp={folder}", *tests]))
    os._exit(status)


def ended(todo: Sequence[tuple[Mutant, Tests]], workers: int = WORKERS) -> Iterator[tuple[Mutant, int]]:
    """Each mutant and how its tests ended: 0 passed, so it survives; below 0, the signal that ended them."""
    waiting, running = list(reversed(todo)), dict[int, tuple[Mutant, str]]()
    while waiting or running:
        while waiting and len(running) < workers:
            mutant, tests = waiting.pop()
            folder = tempfile.mkdtemp(prefix="mutant-")
            running[_begin(mutant, tests, folder)] = mutant, folder
        child, status = os.wait()
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # servers that the tests left
        mutant, folder = running.pop(child)
        shutil.rmtree(folder, ignore_errors=True)
        yield mutant, os.waitstatus_to_exitcode(status)


def _told(module: str, every: int) -> tuple[int, int]:
    """Prints what became of the module's mutants; how many were noticed, of how many."""
    tests, begun = GUARDED[module], time.monotonic()
    [(_, plain)] = ended([(Mutant(module), tests)])
    if plain:
        print(f"{module}: its tests end with {plain} though nothing was changed; pytest {' '.join(tests)}", flush=True)
        return 0, 1
    found = list(ended([(mutant, tests) for mutant in list(mutants(module))[::every]]))
    alive = sorted((mutant for mutant, status in found if status in (0, UNJUDGED)), key=lambda mutant: mutant.line)
    late = sum(status == -signal.SIGALRM for _, status in found)
    noticed = len(found) - len(alive)
    print(f"{module}: {noticed} of {len(found)} noticed, {late} by time, {time.monotonic() - begun:.0f} s", flush=True)
    lines = source_of(module).splitlines()
    for one in alive:
        print(f"  {one.number} survived: line {one.line}: {one.what}: {lines[one.line - 1].strip()}", flush=True)
    return noticed, len(found)


def main(arguments: Sequence[str]) -> int:
    every = int(arguments[arguments.index("--every") + 1]) if "--every" in arguments else 1
    named = [word for word in arguments if word in GUARDED] or list(GUARDED)
    warm()
    noticed, total = (sum(column) for column in zip(*(_told(module, every) for module in named), strict=True))
    print(f"{noticed} of {total} mutants noticed")
    return 0 if noticed == total else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
