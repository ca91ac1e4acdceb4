"""The fixture ``killer``: plans carried out in processes that are really killed, at any point of a writer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Killer = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session", name="killer")
def running_killer() -> Iterator[Killer]:
    """Called with what ``tests.killed_writes`` reads; one program for all, whose children are the victims."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.killed_writes"], cwd=Path(__file__).parent.parent, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as program:  # fmt: skip
        assert program.stdin and program.stdout

        def kill(**told: Any) -> dict[str, Any]:
            assert program.stdin and program.stdout
            program.stdin.write(json.dumps({"environment": {}, "values": None, **told}) + "\n")
            program.stdin.flush()
            answer: dict[str, Any] = json.loads(program.stdout.readline())
            return answer

        yield kill
        program.stdin.close()
