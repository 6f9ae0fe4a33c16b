"""Where a target's models go, and what a target asks of the environment."""

from __future__ import annotations

import json

import pytest
from lakes import WITH_ARTIFACTS, Lake

pytestmark = pytest.mark.server


def schemas(lake: Lake, target: str, **environment: str) -> set[str]:
    lake.dbt("parse", "--target", target, environment=WITH_ARTIFACTS | environment)
    nodes = json.loads((lake.target / "manifest.json").read_text())["nodes"].values()
    return {node["schema"] for node in nodes if node["resource_type"] == "model"}


def test_zones_keep_their_names_in_production(lake: Lake) -> None:
    assert schemas(lake, "prod", DATALAKE_BUCKET="bucket") == {"curated_db", "analytics_db"}


def test_sandbox_of_a_person_holds_every_model(lake: Lake) -> None:
    assert schemas(lake, "dev", DATALAKE_BUCKET="bucket", DATALAKE_USER="ada") == {"sandbox_ada"}


def test_missing_fact_of_the_account_is_named(lake: Lake) -> None:
    said = lake.dbt_command("parse", "--target", "prod", fails=True)
    assert "Env var required but not provided: 'DATALAKE_BUCKET'" in said
    assert "Traceback" not in said
