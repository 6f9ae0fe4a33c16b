"""What the README tells a newcomer: its commands run, and its output is what they print."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from lakes import PROJECT, Lake

pytestmark = pytest.mark.server

README = (PROJECT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
BUILD, *OTHER_BLOCKS = BLOCKS
OUTPUT = re.findall(r"```text\n(.*?)```", README, re.DOTALL)[0]
LINKS = re.findall(r"\]\((?!http)([^)#]+)", README)


def words(line: str) -> str:
    return " ".join(line.split())


@pytest.fixture(scope="module")
def readers_lake(example_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake that a reader may write to."""
    root = tmp_path_factory.mktemp("reader") / "lake"
    shutil.copytree(example_lake.root, root, ignore=shutil.ignore_patterns("raw"))
    shutil.copytree(example_lake.root / "raw", root / "raw", copy_function=os.link)  # raw files are never changed
    return Lake(root)


def run(lake: Lake, script: str) -> str:
    return lake.run("bash", "-euo", "pipefail", "-c", script)


@pytest.mark.parametrize("block", OTHER_BLOCKS, ids=lambda block: block.splitlines()[0])
def test_commands_run(block: str, readers_lake: Lake, tmp_path: Path) -> None:
    run(readers_lake, block.replace("/path/to/a/folder", str(tmp_path)))


def test_build_runs_and_changes_nothing_where_nothing_is_new(readers_lake: Lake, example_lake: Lake) -> None:
    # `make test` is what runs this test, so that here it only says what it would do.
    said = run(readers_lake, BUILD.replace("make test", "make --dry-run test"))
    assert "Landed 0 records in 0 new files" in said
    assert "Checked 0 new files" in said
    assert readers_lake.checksums() == example_lake.checksums()


def test_program_lands_a_record(tmp_path: Path) -> None:
    (program,) = (each for each in PROGRAMS if "boto3" not in each)
    printed = Lake(tmp_path).run("python", "-c", program.replace("/path/to/a/folder", str(tmp_path)))
    (landed,) = (tmp_path / "raw" / "orders").rglob("*.json.gz")
    assert printed == f"{(landed.relative_to(tmp_path).as_posix(),)}\n"


def test_output_is_what_the_summary_prints(example_lake: Lake) -> None:
    printed = example_lake.datalake("summary", "--results", str(example_lake.target / "run_results.json"))
    lines = {words(line) for line in printed.splitlines()}
    told = [words(line) for line in OUTPUT.splitlines() if re.search(r"\w", line)]
    tables = [line for line in told if not line.startswith(("Landed", "Checked"))]
    assert len(tables) > 8
    assert [line for line in tables if line not in lines] == []


@pytest.mark.parametrize("link", LINKS)
def test_link_leads_somewhere(link: str) -> None:
    assert (PROJECT / link).exists()
