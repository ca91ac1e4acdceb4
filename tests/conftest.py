"""What many tests stand on: the sample company, built once per seed, its HTTP system, and an office on it."""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import mutation

mutation.install()

from connectors import build as building  # noqa: E402
from dsr.engine import office as offices  # noqa: E402
from dsr.inventory import Inventory  # noqa: E402
from flows import cli  # noqa: E402
from flows import home as homes  # noqa: E402
from sample_data.build import build  # noqa: E402 - a mutant must be in its place before anything of ours is imported
from sample_data.serve import Server, serve  # noqa: E402
from tests.connector_fixtures import Postgres, running_postgres  # noqa: E402, F401 - a fixture, one server for all
from tests.killer import running_killer  # noqa: E402, F401 - a fixture
from tests.story import Office  # noqa: E402

LONG = ("disclosure", "edge_cases", "together", "stories", "erasure_luck", "erase_together", "leaks", "kill", "bad_input",
        "erasure", "postgres", "dispatching", "kill_erasure", "flows", "rights", "timing", "year", "volumes",
        "release_office", "write_files", "migrations", "lake_index", "memory", "connect", "english", "store",
        "mutation")  # fmt: skip
"""Files whose stories take long, longest first: begun first, so that both processes end together; and their coverage is
not measured, for the steps that they repeat are measured elsewhere and half of their time would be the measuring."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {f"test_{name}": place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONG)))
    for item in items:
        if item.path.stem in places:
            item.add_marker(pytest.mark.no_cover)


def _for_less(seconds: float) -> None:
    time.sleep(seconds / 50)


@pytest.fixture(scope="session", autouse=True)
def one_process_for_many_commands() -> Iterator[None]:
    """Each command of a story signs in, reads its arguments' shape and the inventory: each is worked out once. What is
    slow on purpose, once for each secret; an inventory, once for each place and content. Nor is a second waited for when
    the ticket system asks for it, with every seventh answer (tests/test_connectors_http.py tells that story)."""
    read, known = homes.read_inventory, dict[tuple[Path, bytes], Inventory]()

    def remembered(path: Path) -> Inventory:
        raw = path.read_bytes() if path.is_file() else b""
        if (path, raw) not in known:
            known[path, raw] = read(path)
        return known[path, raw]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(offices, "secret_matches", functools.cache(offices.secret_matches))
        patch.setattr(cli, "_parser", functools.cache(cli._parser))
        patch.setattr(homes, "read_inventory", remembered)
        patch.setitem(building.connect.__kwdefaults__, "sleep", _for_less)
        yield


@pytest.fixture(scope="session")
def sample_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """The sample company of a seed, its ticket system running; whole: with the systems of a few people only."""
    built: dict[tuple[int, bool], tuple[Path, Server]] = {}

    def of(seed: int, whole: bool = False) -> Path:
        if (seed, whole) not in built:
            out = tmp_path_factory.mktemp(f"sample-{seed}")
            build(out, people=60, calls=4_000, seed=seed, whole=whole)
            built[seed, whole] = (out, serve(out))
        return built[seed, whole][0]

    yield of
    for _, server in built.values():
        server.stop()


@pytest.fixture
def sample(sample_of: Callable[[int], Path]) -> Path:
    return sample_of(1)


@pytest.fixture
def office(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office.set_up(tmp_path / "home", sample, monkeypatch)


@pytest.fixture
def own_office(
    request: pytest.FixtureRequest, sample_of: Callable[[int], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Office]:
    """An office on a company of its own, whose stores a test may change; its ticket system runs on that copy.

    A test may say of which seed.
    """
    company = tmp_path / "company"
    shutil.copytree(sample_of(getattr(request, "param", 1)), company)
    server = serve(company)
    try:
        yield Office.set_up(tmp_path / "home", company, monkeypatch)
    finally:
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Every promise of the store is kept on both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'dsr.db'}"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.database()
