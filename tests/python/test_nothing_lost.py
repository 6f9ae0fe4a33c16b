"""Nothing is lost: dirty folders by the hundred, and every table as plain Python computes it from the same files.

`pytest tests/python/test_nothing_lost.py --folders 1000 --seed 7` proves more of them; `--only-folder 17` takes one.
"""

from __future__ import annotations

import gzip
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dirt
import pytest
from lakes import PROJECT, Lake, Row
from reference import Table, expected_tables
from reference_rows import is_sound

pytestmark = pytest.mark.server

FOLDERS_PER_LAKE = 200
MODELS = sorted(path.stem for path in (PROJECT / "models").rglob("*.sql"))
SHOWN_ROWS = 5


@dataclass(frozen=True)
class CrowdedLake:
    """Many dirty folders of a seed in one lake, built arrival by arrival."""

    lake: Lake
    seed: int

    def explain(self, difference: str) -> str:
        """Return a difference with how to see each folder that it names alone."""
        numbers = sorted({int(number) for number in re.findall(r"\bk(\d+)-", difference)})
        alone = [f"--seed {self.seed} --only-folder {number}" for number in numbers] or [f"--seed {self.seed}"]
        return "\n".join([difference, "Alone: pytest tests/python/test_nothing_lost.py", *alone])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "crowded_lake" not in metafunc.fixturenames:
        return
    only = metafunc.config.getoption("only_folder")
    folders = range(metafunc.config.getoption("folders")) if only is None else range(only, only + 1)
    lakes = [folders[start : start + FOLDERS_PER_LAKE] for start in range(0, len(folders), FOLDERS_PER_LAKE)]
    names = [f"folders {numbers[0]} to {numbers[-1]}" for numbers in lakes]
    metafunc.parametrize("crowded_lake", lakes, ids=names, indirect=True, scope="module")


@pytest.fixture(scope="module")
def crowded_lake(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CrowdedLake:
    """The folders' first arrivals, checked and built; then their second ones; and so on.

    Between the first and the last, each run leaves some models out, so that they fall behind the others.
    """
    seed = request.config.getoption("seed")
    # A folder alone is built in the order of the lake that it shared.
    chance = random.Random(f"{seed} in lake {request.param[0] // FOLDERS_PER_LAKE}")
    lake = Lake(tmp_path_factory.mktemp("crowded") / "lake")
    cases = [dirt.make_case(seed, number) for number in request.param]
    for number in range(dirt.MOST_ARRIVALS):
        for case in cases:
            for key, body in _nth_arrival(case, number).items():
                lake.put(key, body)
        lake.check()
        left_out = chance.sample(MODELS, len(MODELS) // 3) if 0 < number < dirt.MOST_ARRIVALS - 1 else []
        lake.dbt("run", *(["--exclude", *left_out] if left_out else []))
    return CrowdedLake(lake, seed)


def _nth_arrival(case: dirt.Case, number: int) -> dirt.Files:
    return case.arrivals[number] if number < len(case.arrivals) else {}


def test_every_table_is_what_the_files_say(crowded_lake: CrowdedLake) -> None:
    expected = expected_tables(crowded_lake.lake.root)
    found = {name: _rows_of(crowded_lake.lake, name, table) for name, table in expected.items()}
    difference = _difference({name: table.rows for name, table in expected.items()}, found)
    assert not difference, crowded_lake.explain(difference)


def test_no_row_is_unexplained(crowded_lake: CrowdedLake) -> None:
    assert crowded_lake.lake.rows("from curated_db.reconciliation where unexplained_rows <> 0") == []


def test_full_refresh_equals_the_arrivals_one_by_one(crowded_lake: CrowdedLake) -> None:
    increments = crowded_lake.lake.content()
    crowded_lake.lake.dbt("run", "--full-refresh")
    difference = _difference(increments, crowded_lake.lake.content())
    assert not difference, crowded_lake.explain(difference)


def _rows_of(lake: Lake, name: str, table: Table) -> list[Row]:
    return lake.rows(f"select {', '.join(table.columns)} from {name}")


def _difference(expected: Mapping[str, Iterable[Row]], found: Mapping[str, Iterable[Row]]) -> str:
    """Return the tables that are not the same, with the first of their missing and unexpected rows."""
    lines = []
    for name in sorted({*expected, *found}):
        wanted, had = Counter(expected.get(name, ())), Counter(found.get(name, ()))
        missing, unexpected = sorted((wanted - had).elements(), key=repr), sorted((had - wanted).elements(), key=repr)
        if missing or unexpected:
            lines.append(f"{name}: {len(missing)} rows are missing, {len(unexpected)} are unexpected")
            lines += [f"  missing    {row!r}" for row in missing[:SHOWN_ROWS]]
            lines += [f"  unexpected {row!r}" for row in unexpected[:SHOWN_ROWS]]
    return "\n".join(lines)


ROWS_PER_FILE = 100_000
FILES_OF = {"orders": 7, "users": 3}


@pytest.fixture(scope="module")
def large_lake(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Lake, dict[str, list[str]]]:
    """A million dirty rows, built; and the broken ones among them by data set."""
    lake = Lake(tmp_path_factory.mktemp("large") / "lake")
    chance = random.Random(request.config.getoption("seed"))
    broken: dict[str, list[str]] = {}
    for dataset, files in FILES_OF.items():
        templates = dirt.dirty_lines(chance, dataset, 1000)
        broken_templates = [template for template in templates if not is_sound(dataset, template)]
        broken[dataset] = []
        for number in range(files):
            keys = [f"{dataset}-{number}-{row}" for row in range(ROWS_PER_FILE // len(templates))]
            body = "".join(f"{template.replace(dirt.KEY, key)}\n" for key in keys for template in templates)
            broken[dataset] += [template.replace(dirt.KEY, key) for key in keys for template in broken_templates]
            key = f"raw/{dataset}/year=2024/month=01/day=15/hour={number:02}/{dataset}.json.gz"
            lake.put(key, gzip.compress(body.encode(), compresslevel=1))
    lake.check()
    lake.dbt("run", "--select", "+reconciliation", "+quarantine")
    return lake, broken


@pytest.mark.parametrize("dataset", FILES_OF)
def test_each_of_a_million_dirty_rows_is_explained(large_lake: tuple[Lake, dict[str, list[str]]], dataset: str) -> None:
    lake, broken = large_lake
    assert lake.rows(
        "select raw_rows, quarantined_rows, unexplained_rows from curated_db.reconciliation "
        f"where dataset = '{dataset}'"
    ) == [(FILES_OF[dataset] * ROWS_PER_FILE, len(broken[dataset]), 0)]


@pytest.mark.parametrize("dataset", FILES_OF)
def test_quarantine_keeps_each_broken_text_as_it_arrived(
    large_lake: tuple[Lake, dict[str, list[str]]], dataset: str
) -> None:
    lake, broken = large_lake
    kept = lake.rows(f"select raw_record from curated_db.quarantine where dataset = '{dataset}'")
    difference = _difference({dataset: [(line,) for line in broken[dataset]]}, {dataset: kept})
    assert not difference, difference
