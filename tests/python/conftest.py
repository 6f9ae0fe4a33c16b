"""Fixtures that several tests share."""

from pathlib import Path

import pytest
from lakes import Lake


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=1, help="what random tests start from")
    parser.addoption("--folders", type=int, default=200, help="dirty folders in test_nothing_lost.py")
    parser.addoption("--only-folder", type=int, help="the number of the one dirty folder that is built")
    parser.addoption("--histories", type=int, default=60, help="simulated databases in test_change_log.py")
    parser.addoption("--kills", type=int, default=30, help="runs that test_killed_runs.py kills")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return Lake(tmp_path / "lake")


@pytest.fixture(scope="session")
def example_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake of `make build`: the example quarter, landed, checked and built. Tests leave it as it is."""
    lake = Lake(tmp_path_factory.mktemp("example") / "lake")
    lake.run("datalake", "example")
    lake.check()
    lake.build()
    return lake
