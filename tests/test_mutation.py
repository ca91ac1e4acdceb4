"""The mutator is itself tried: it changes one thing at a time, and the tests notice a few guards that it takes away.

The whole of it takes an hour: ``python -m tests.mutation``.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation import CHOSEN, GUARDED, Mutant, mutants, mutated, source_of

SAMPLE = (
    ("dsr.journal", "_drop_torn_end(path, handle)", "_drop_torn_end() left out"),
    ("dsr.suppression", "if at is None:", "the guard never fires"),
    ("dsr.rules.erasures", "if not item.reason:", "the guard never fires"),
    ("dsr.rules.retention", "begun >= TEN_YEARS", "GtE → Gt"),
    ("dsr.rules.correcting", "if dataset.voucher:", "the guard never fires"),
    ("dsr.rules.correcting", "name not in dataset.key", "and ↔ or"),
)
"""Module, what stands in the line, what is done to it."""
RUN = """
import json, sys
from tests.mutation import GUARDED, Mutant, ended, warm
warm()
todo = [Mutant(module, number) for module, number in json.loads(sys.argv[1])]
print(json.dumps([[m.module, m.number, status] for m, status in ended([(m, GUARDED[m.module]) for m in todo])]))
"""


def mutant_at(module: str, fragment: str, what: str) -> Mutant:
    lines = source_of(module).splitlines()
    found = [one for one in mutants(module) if one.what == what and fragment in lines[one.line - 1]]
    assert len(found) == 1, f"{module}: {fragment} is not one place any more; choose another for the sample"
    return found[0]


def test_a_guard_that_is_taken_away_is_noticed_and_where_nothing_is_nothing_is() -> None:
    chosen = [("dsr.suppression", -1), *((one.module, one.number) for one in (mutant_at(*place) for place in SAMPLE))]
    run = subprocess.run([sys.executable, "-c", RUN, json.dumps(chosen)], capture_output=True, text=True, check=True)
    told = {(module, number): status for module, number, status in json.loads(run.stdout.splitlines()[-1])}
    assert told == {one: 0 if one[1] < 0 else pytest.ExitCode.TESTS_FAILED for one in chosen}


@pytest.mark.parametrize("module", ["dsr.journal", "dsr.rules.correcting"])
def test_every_mutant_is_one_change_and_no_other_mutants(module: str) -> None:
    source = source_of(module)
    plain = ast.unparse(ast.parse(source))
    every = [ast.unparse(mutated(source, one.number)[0]) for one in mutants(module)]
    assert ast.unparse(mutated(source, -1)[0]) == plain
    assert len({plain, *every}) == 1 + len(every) > 20
    for one in every:  # of whole lines, none comes and only the one of a guard or a call may go
        assert abs(len(one.splitlines()) - len(plain.splitlines())) <= 1


def test_what_is_imported_is_the_mutant_and_the_disk_is_as_it_was() -> None:
    before = source_of("dsr.suppression")
    number = mutant_at("dsr.suppression", "if at is None:", "the guard never fires").number
    asked = (
        "from tests import mutation; mutation.install(); import inspect, dsr.suppression as s; print(s.__spec__.loader)"
    )
    run = subprocess.run(
        [sys.executable, "-c", asked], env={CHOSEN: f"dsr.suppression:{number}", "PYTHONPATH": str(Path.cwd())},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "mutation.Loader" in run.stdout
    assert source_of("dsr.suppression") == before


def test_the_table_names_modules_and_tests_that_there_are() -> None:
    for module, (file, *_) in GUARDED.items():
        assert any(True for _ in mutants(module)), module
        assert Path(file).is_file(), file
