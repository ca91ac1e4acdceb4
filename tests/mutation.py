"""Takes each guard away in turn and sees whether the suite notices: ``python -m tests.mutation [--every N] [MODULE …]``.

A mutant is one small change of one module, made while it is imported (nothing on the disk changes): a guard that never
fires, a comparison turned, ``and`` for ``or``, an effect's journal line left out. The tests named beside the module run
against it; a mutant that they pass survives, and is printed with its line.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType
from typing import Any

CHOSEN = "DSR_MUTANT"
GUARDED: dict[str, tuple[str, ...]] = {
    "dsr.journal": ("tests/test_journal.py",),
    "dsr.suppression": ("tests/test_suppression.py",),
    "dsr.rules.erasures": ("tests/test_erasures.py",),
    "dsr.rules.correcting": ("tests/test_correcting.py",),
    "dsr.rules.retention": ("tests/test_retention.py",),
    "dsr.rules.planning": ("tests/test_planning.py",),
    "dsr.engine.effects": ("tests/test_effects.py",),
    "dsr.documents.certificate": ("tests/test_stop_papers.py",),
    "connectors.survey.sql": ("tests/test_survey.py",),
    "connectors.survey.lake": ("tests/test_survey.py",),
    "connectors.survey.logs": ("tests/test_survey.py",),
    "connectors.survey.http": ("tests/test_survey.py",),
    "connectors.stores.swap": ("tests/test_write_files.py",),
}
"""Modules whose guards are taken away → the tests that must notice."""
TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
EFFECTS = frozenset({"intend", "done", "append", "fsync", "_sync", "record", "sweep"})
"""Calls that are left out where they stand as a statement of their own."""


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
        leaves = isinstance(node.body[-1], ast.Raise | ast.Return | ast.Continue)
        if leaves and self._mine(node, "the guard never fires"):
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

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        self.generic_visit(node)
        called = node.value.func if isinstance(node.value, ast.Call) else None
        name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
        if name in EFFECTS and self._mine(node, f"{name}() left out"):
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


def mutants(module: str) -> Iterator[tuple[int, int, str]]:
    """Number, line and kind of each."""
    spec = importlib.util.find_spec(module)
    assert spec and isinstance(spec.loader, importlib.machinery.SourceFileLoader)
    source = spec.loader.get_source(module) or ""
    for number in range(mutated(source, -1)[1].seen):
        _, mutator = mutated(source, number)
        yield number, mutator.line, mutator.what


def survives(module: str, number: int) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *GUARDED[module]]
    ran = subprocess.run(command, env={**os.environ, CHOSEN: f"{module}:{number}"}, capture_output=True, timeout=600)
    return ran.returncode == 0


def main(arguments: Sequence[str]) -> int:
    every = int(arguments[arguments.index("--every") + 1]) if "--every" in arguments else 1
    named = [word for word in arguments if word in GUARDED] or list(GUARDED)
    total = killed = 0
    with ThreadPoolExecutor(2) as pool:
        for module in named:
            some = list(mutants(module))[::every]
            ended = list(pool.map(lambda one, m=module: survives(m, one[0]), some))  # type: ignore[misc]
            total, killed = total + len(some), killed + ended.count(False)
            print(f"{module}: {ended.count(False)} of {len(some)} noticed", flush=True)
            for (_, line, what), alive in zip(some, ended, strict=True):
                if alive:
                    print(f"  survived: line {line}: {what}", flush=True)
    print(f"{killed} of {total} mutants noticed")
    return 0 if killed == total else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
