"""What the README tells a newcomer: its commands run, and its output is what they print."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from lakes import BIN, PROJECT, Lake

pytestmark = pytest.mark.server

README = (PROJECT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
OUTPUT = re.findall(r"```text\n(.*?)```", README, re.DOTALL)[0]
LINKS = re.findall(r"\]\((?!http)([^)#]+)", README)


def words(line: str) -> str:
    return " ".join(line.split())


@pytest.fixture(scope="module")
def readers_lake(example_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake that a reader may write to."""
    root = tmp_path_factory.mktemp("reader") / "lake"
    shutil.copytree(example_lake.root, root)
    return Lake(root)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0])
def test_commands_run(block: str, readers_lake: Lake, tmp_path: Path) -> None:
    # `make test` is what runs this test, so that here it only says what it would do.
    script = block.replace("make test", "make --dry-run test").replace("/path/to/a/folder", str(tmp_path))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=PROJECT,
        env=readers_lake.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_program_lands_a_record(tmp_path: Path) -> None:
    (program,) = (each for each in PROGRAMS if "boto3" not in each)
    printed = run_program(program.replace("/path/to/a/folder", str(tmp_path)))
    (landed,) = (tmp_path / "raw" / "orders").rglob("*.json.gz")
    assert printed == f"{(landed.relative_to(tmp_path).as_posix(),)}\n"


def run_program(program: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a program of the README in the project's folder and return what it prints."""
    done = subprocess.run(
        [BIN / "python", "-c", program],
        cwd=PROJECT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


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
