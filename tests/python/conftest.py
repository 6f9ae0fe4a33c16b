"""Fixtures that several tests share."""

from pathlib import Path

import pytest
from lakes import Lake


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
