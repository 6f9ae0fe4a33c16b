"""Two processes at one lake: the second says so in a sentence and leaves, and the first comes to its end unharmed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbt_server import Run
from lakes import WITH_ARTIFACTS, Lake
from test_dirt import FILES, THRESHOLDS

from datalake.storage import FolderStore

pytestmark = pytest.mark.server

BUILD = ("build", "--exclude-resource-type", "unit_test")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake whose files are checked and not built yet."""
    lake = Lake(tmp_path / "lake")
    for files in FILES:
        for key, body in files.items():
            lake.put(key, body)
    lake.check()
    return lake


@pytest.fixture
def first(lake: Lake) -> Iterator[Run]:
    """A build in the middle of its work, that stands still there until a test lets it go on."""
    build = lake.start_dbt(*BUILD, variables=THRESHOLDS, environment=WITH_ARTIFACTS)
    while " START sql " not in build.printed():
        assert build.is_running, build.printed()
        time.sleep(0.005)
    os.kill(build.pid, signal.SIGSTOP)
    yield build
    build.kill()


def finish(build: Run) -> None:
    os.kill(build.pid, signal.SIGCONT)
    assert build.wait() == 0, build.printed()


def assert_says_that_the_lake_is_open(said: str, lake: Lake) -> None:
    sentence = (
        f"Another process has {lake.root / 'lake.duckdb'} open. Wait for its end, or close the shell that holds it."
    )
    assert said.rstrip().endswith(sentence)
    assert said.count("Another process") == 1
    assert "Traceback" not in said


@pytest.mark.usefixtures("first")
def test_commands_beside_a_build_say_that_the_lake_is_open(lake: Lake) -> None:
    for command in (("check",), ("query", "select 1"), ("summary",)):
        said = lake.datalake(*command, fails=True)
        assert_says_that_the_lake_is_open(said, lake)
        assert len(said.splitlines()) == 1


def test_second_build_says_so_and_leaves_the_first_unharmed(lake: Lake, first: Run) -> None:
    said = lake.dbt(*BUILD, variables=THRESHOLDS, fails=True)
    assert_says_that_the_lake_is_open(said, lake)

    finish(first)
    results = json.loads((lake.target / "run_results.json").read_text())["results"]
    # dbt counts the consumers of the lake (exposures) among the results, where there is nothing to do.
    assert {result["status"] for result in results} == {"success", "pass", "no-op"}
    built = lake.content()
    lake.dbt("run", "--full-refresh", variables=THRESHOLDS)
    assert lake.content() == built


def test_files_can_be_landed_beside_a_build(lake: Lake, first: Run) -> None:
    key = "raw/orders/year=2024/month=01/day=18/hour=10/orders-2024-01-18-10.json"
    assert FolderStore.open(lake.root).put_if_absent(key, b"{}\n")
    finish(first)
    assert lake.rows(f"select * from curated_db.raw_files where file = '{key}'") == []
    assert "Checked 1 new files" in lake.check()
