"""Fixtures that several tests share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aws_clients import keep_descriptions
from lakes import WITH_ARTIFACTS, Lake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from athena_lakes import AthenaLake
    from clients import Clients

    from athena_bench.bench import Bench
    from athena_bench.server import Server


keep_descriptions()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=1, help="what random tests start from")
    parser.addoption("--folders", type=int, default=200, help="dirty folders in test_nothing_lost.py")
    parser.addoption("--only-folder", type=int, help="the number of the one dirty folder that is built")
    parser.addoption("--histories", type=int, default=60, help="simulated databases in test_change_log.py")
    parser.addoption("--kills", type=int, default=30, help="runs that test_killed_runs.py kills")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave tests on the bench out of a fast run."""
    for item in items:
        if "athena_bench" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.server)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return Lake(tmp_path / "lake")


@pytest.fixture(scope="session")
def example_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake of `make build`: the example quarter, landed, checked and built. Tests leave it as it is."""
    lake = Lake(tmp_path_factory.mktemp("example") / "lake")
    lake.datalake("example")
    lake.check()
    lake.build(environment=WITH_ARTIFACTS)
    return lake


@pytest.fixture
def athena_lake(athena_bench: Bench, tmp_path: Path) -> AthenaLake:
    """An empty lake on the bench."""
    from athena_lakes import AthenaLake  # a run without such a test has no use for it

    athena_bench.reset()
    return AthenaLake(athena_bench, tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    """AWS's APIs without state, and without an engine behind them."""
    from athena_bench.server import Server

    with Server() as server:
        server.reset()
        yield server


@pytest.fixture
def aws(server: Server) -> Clients:
    """Clients of these."""
    from clients import Clients

    return Clients(server)
