"""A pull request's build reads the lake of ci, writes to a database of its own, and can be dropped whole."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from athena_lakes import BUCKET, DECLARED, NOW, AthenaLake
from lakes import Lake

from datalake.ledger import check

ON_CI = ("orders_parsed", "touched_orders", "orders", "order_tallies", "daily_sales", "product_metrics")
FOLDER = "raw/orders/year=2024/month=01/day=15/hour={hour}/orders.json"
ORDERS = {
    "10": ["A|c1|2024-01-15|2", "B|c2|2024-01-15|3", "C|c3|2024-01-15|not a number"],
    "11": ["A|c1|2024-01-14|5", "D|c1|2024-01-14|1"],
}
"""By hour: order, customer, date and price."""


def lines(orders: list[str]) -> bytes:
    names = ("order_id", "customer_id", "created_at", "price")
    records = [dict(zip(names, order.split("|"), strict=True)) for order in orders]
    return "".join(
        json.dumps(
            {
                **record,
                "created_at": f"{record['created_at']}T10:00:00Z",
                "product_id": "p",
                "quantity": 1,
                "discount": 0,
            }
        )
        + "\n"
        for record in records
    ).encode()


@pytest.fixture
def ci(athena_lake: AthenaLake) -> AthenaLake:
    """The lake of ci, as far as orders go, as another version of daily_sales built it."""
    for hour, orders in ORDERS.items():
        athena_lake.store.put(FOLDER.format(hour=hour), lines(orders))
    check(athena_lake.store, athena_lake.ledger, DECLARED, NOW)
    athena_lake.dbt("run", "--select", *ON_CI)
    manifest = json.loads((athena_lake.folder / "target" / "manifest.json").read_text())
    manifest["nodes"]["model.datalake.daily_sales"]["raw_code"] += "\n-- another version"
    athena_lake.store.put("state/manifest.json", json.dumps(manifest).encode())
    athena_lake.store.put("pr_70/another/pull-request", b"")
    return athena_lake


def make(ci: AthenaLake, folder: Path, *arguments: str) -> str:
    """Run make in the project's folder for the pull request 7, as the workflows do."""
    places = {"DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "logs")}
    return Lake(folder).run("make", "--silent", *arguments, "PULL_REQUEST=7", environment={**ci.environment, **places})


def beside(ci: AthenaLake) -> tuple[dict[str, str], set[str]]:
    """Return what is not of the pull request: each object with its bytes' tag, and the databases."""
    pages = ci.bench.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    objects = {found["Key"]: found["ETag"] for page in pages for found in page.get("Contents", ())}
    databases = {found["Name"] for found in ci.bench.client("glue").get_databases()["DatabaseList"]}
    return (
        {key: tag for key, tag in objects.items() if not key.startswith(("pr_7/", "query-results/"))},
        databases - {"pr_7"},
    )


def tables(ci: AthenaLake) -> set[str]:
    return {found["Name"] for found in ci.bench.client("glue").get_tables(DatabaseName="pr_7")["TableList"]}


def test_build_of_what_changes_reads_the_lake_of_ci_and_writes_beside_it(ci: AthenaLake, tmp_path: Path) -> None:
    before = beside(ci)

    # Its tallies tell by the progress of orders, which it does not build, how many rows came in.
    selected = "touched_orders order_tallies state:modified+"
    make(ci, tmp_path / "slim", "slim-build", f"SELECT={selected}", f"STATE={tmp_path / 'main'}")
    assert tables(ci) == {"daily_sales", "model_progress", "order_tallies", "touched_orders"}
    for database, table in (("curated_db", "order_tallies"), ("analytics_db", "daily_sales")):
        of_ci = ci.rows(f"select * from {database}.{table}")
        assert Counter(ci.rows(f"select * from pr_7.{table}")) == Counter(of_ci)
        assert of_ci != []
    assert beside(ci) == before

    said = make(ci, tmp_path / "slim", "slim-drop")
    assert said.startswith("Dropped pr_7: 4 tables, ")
    assert ci.keys("pr_7/") == []
    databases = {found["Name"] for found in ci.bench.client("glue").get_databases()["DatabaseList"]}
    assert "pr_7" not in databases
    assert beside(ci) == before


@pytest.mark.parametrize("named", ["0", "-7", "curated_db", "7 curated_db"])
def test_other_database_cannot_be_dropped(named: str, tmp_path: Path) -> None:
    environment = {"PULL_REQUEST": named, "DATALAKE_BUCKET": BUCKET}
    said = Lake(tmp_path).run("make", "--silent", "slim-drop", fails=True, environment=environment)
    assert "datalake pull-request drop [OPTIONS] {number}" in said
