"""A pytest plugin: `-p athena_bench.fixture` gives the fixture `athena_bench`.

Settings of pytest: `athena_bench_buckets` and `athena_bench_workgroups` list what exists from the start,
`athena_bench_heap` is the largest size of the engine's heap.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from athena_bench.bench import Bench


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the settings."""
    parser.addini(
        "athena_bench_buckets",
        "buckets of the bench",
        type="args",  # type: ignore[maybe-unrecognized-str-typeform]
        default=["athena-bench"],
    )
    parser.addini(
        "athena_bench_workgroups",
        "workgroups of the bench beside primary",
        type="args",  # type: ignore[maybe-unrecognized-str-typeform]
        default=[],
    )
    parser.addini("athena_bench_heap", "the largest size of the engine's heap", default="2G")


@pytest.fixture(scope="session")
def athena_bench(pytestconfig: pytest.Config) -> Iterator[Bench]:
    """A bench for the whole run, started when the first test asks for it."""
    from athena_bench.bench import Bench  # moto takes a second, which a run without such a test has no use for

    buckets, workgroups = (pytestconfig.getini(f"athena_bench_{name}") for name in ("buckets", "workgroups"))
    with Bench(buckets=buckets, workgroups=workgroups, heap=pytestconfig.getini("athena_bench_heap")) as bench:
        yield bench
