"""A pytest plugin: `pytest_plugins = ["athena_bench.fixture"]` gives the fixture `athena_bench`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from athena_bench.bench import Bench


@pytest.fixture(scope="session")
def athena_bench() -> Iterator[Bench]:
    """A bench for the whole run, started when the first test asks for it."""
    with Bench() as bench:
        yield bench
