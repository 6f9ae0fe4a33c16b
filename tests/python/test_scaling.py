"""docs/scaling.md says what benchmarks/scaling.py computes, and the ledger's simulation runs, with fewer files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmark_script import benchmark
from lakes import PROJECT

DOCUMENT = (PROJECT / "docs" / "scaling.md").read_text(encoding="utf-8")
SCALING = benchmark("scaling")


@pytest.mark.parametrize("table", SCALING.TABLES, ids=["facts", "demands", "growth", "dollars", "limits"])
def test_table_of_the_document_is_the_computed_one(table: str) -> None:
    assert table in DOCUMENT


def test_each_limit_says_where_it_stands() -> None:
    for limit in SCALING.LIMITS:
        assert limit.source.startswith("https://docs.aws.amazon.com/") or (PROJECT / limit.source).exists()


@pytest.mark.parametrize(
    ("file", "setting"),
    [
        ("workflow.tf", "timeout                = {JOB}"),
        ("ingestion_lambda.tf", "arrivals_timeout = {FUNCTION}"),
        ("ingestion_lambda.tf", "batch_size                         = {BATCH}"),
        ("ingestion_lambda.tf", "maximum_batching_window_in_seconds = {WINDOW}"),
        ("ingestion_lambda.tf", "maximum_concurrency = {AT_ONCE}"),
    ],
)
def test_settings_of_the_stack_are_those_that_are_computed_with(file: str, setting: str) -> None:
    stack = (PROJECT / "terraform" / "aws" / "data-lake" / file).read_text(encoding="utf-8")
    figures = {name: getattr(SCALING, name) for name in ("JOB", "FUNCTION", "BATCH", "WINDOW", "AT_ONCE")}
    wanted = setting.format(**{name: getattr(figure, "figure", figure) for name, figure in figures.items()})
    assert re.sub(r"\s+", " ", wanted) in re.sub(r"\s+", " ", stack)


def test_simulation_runs(tmp_path: Path) -> None:
    """All work on a ledger of 20,000 files, in this process; that each finds what it must, it asserts itself."""
    simulation = benchmark("ledger_at_scale")
    files = 20_000
    simulation.fill(tmp_path, files)
    for name in simulation.WORKS:
        simulation.measure(tmp_path, files, name, repeats=1)
    assert 20 < sum(simulation.bytes_of_entries().values()) < 60


def test_work_leaves_the_simulated_ledger_as_it_was(tmp_path: Path) -> None:
    """A measurement that is repeated starts from the same ledger."""
    simulation = benchmark("ledger_at_scale")
    simulation.fill(tmp_path, 1_000)
    before = (tmp_path / "lake.duckdb").stat().st_size
    simulation.measure(tmp_path, 1_000, "arrivals", repeats=3)
    assert (tmp_path / "lake.duckdb").stat().st_size == before
