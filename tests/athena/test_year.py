"""A year of orders on Athena: the first load, one more day, what they read, and the maintenance after."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import year
from athena_lakes import DECLARED, FEW_DAYS, NOW, AthenaLake
from lakes import PROJECT, Lake

from athena_bench.bench import Bench
from datalake.ledger import check

DAYS = 365


@dataclass(frozen=True)
class Year:
    """The lake after one more day, and what both runs read: bytes by model; the folders listed under raw/."""

    lake: AthenaLake
    full: dict[str, int]
    one_day: dict[str, int]
    listed: set[str]


@contextmanager
def requests_of(bench: Bench) -> Iterator[list[str]]:
    """Give a list that fills with the paths of the requests to the bench."""
    paths: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if isinstance(record.args, tuple) and len(record.args) == 4:
                paths.append(str(record.args[1]))

    logger, handler = logging.getLogger("athena_bench.server"), Kept()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield paths
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.fixture(scope="module")
def built(athena_bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Year:
    athena_bench.reset()
    lake = AthenaLake(athena_bench, tmp_path_factory.mktemp("year"))
    for key, body in year.reference_files():
        lake.store.put(key, body)
    for day in range(DAYS):
        lake.store.put(*year.orders_of(day))
    check(lake.store, lake.ledger, DECLARED, NOW)
    # The tests of all data run in test_lake_answers_from_what_is_deployed.
    lake.dbt("build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test", variables=FEW_DAYS)
    full = read_by_models(lake)

    lake.store.put(*year.orders_of(DAYS))
    check(lake.store, lake.ledger, DECLARED, NOW + timedelta(days=1))
    with requests_of(athena_bench) as requests:
        lake.dbt("run", variables=FEW_DAYS)
    return Year(lake, full, read_by_models(lake), set(listed_raw_folders(requests)))


def read_by_models(lake: AthenaLake) -> dict[str, int]:
    """Return the bytes that the last run's models read, as `datalake cost` counts them."""
    target = Lake(lake.folder).target
    report = json.loads(lake.datalake("cost", "--json", "--target-path", str(target)))
    return {row["name"]: row["scanned"] for row in report["items"] if row["kind"] == "model"}


def listed_raw_folders(requests: list[str]) -> Iterator[str]:
    for request in requests:
        for prefix in parse_qs(urlsplit(request).query).get("prefix", []):
            if prefix.startswith("raw/"):
                yield prefix


def test_first_load_writes_more_than_100_partitions(built: Year) -> None:
    days = built.lake.rows("select count(distinct order_date), count(*) from curated_db.orders")
    assert days == [(DAYS + 1, (DAYS + 1) * year.ORDERS_A_DAY)]


def test_every_row_is_explained(built: Year) -> None:
    assert built.lake.rows("select * from curated_db.reconciliation where unexplained_rows <> 0") == []


def test_reference_query_reads_only_january(built: Year) -> None:
    sql = (PROJECT / "analyses" / "top_customers.sql").read_text()
    sql = re.sub(r"\{\{ ref\('orders'\) \}\}", "curated_db.orders", sql)
    asked = built.lake.athena.run(sql)
    (january,) = built.lake.rows(
        'select sum(file_size_in_bytes) from curated_db."orders$files" '
        "where partition.order_date_day between date '2024-01-01' and date '2024-01-31'"
    )
    assert 0 < asked["Statistics"]["DataScannedInBytes"] <= january[0]


def test_one_more_day_lists_only_the_folder_that_arrived(built: Year) -> None:
    arrived = year.orders_of(DAYS)[0].rpartition("/hour=")[0]
    assert {folder.rstrip("/").partition("/hour=")[0] for folder in built.listed} == {arrived}


def test_one_more_day_reads_little_of_what_a_first_load_reads(built: Year) -> None:
    assert 0 < sum(built.one_day.values()) <= 0.03 * sum(built.full.values())


def test_rules_cost_about_one_scan_of_their_tables(built: Year) -> None:
    """Uniqueness reads the keys once more, of which there is nothing smaller in these small files than the file."""
    incoming, curated = (scanned_whole(built.lake, table) for table in ("orders_parsed", "orders"))
    assert built.full["order_tallies"] <= 1.1 * (incoming + curated)
    assert built.full["quality_results"] <= 1.1 * curated


def test_quality_report_is_of_what_athena_holds(built: Year) -> None:
    broken = built.lake.rows("select rule from analytics_db.quality_results where stage = 'curated' and not passed")
    told = json.loads(built.lake.datalake("quality", "report", "--json", fails=bool(broken)))
    assert told["passed"] == (not broken)
    assert {(violation["rule"],) for violation in told["violations"]} == set(broken)


def test_newest_files_are_fresh_and_the_catalog_is_written(built: Year) -> None:
    built.lake.dbt("source", "freshness", "--select", "source:raw_db.orders", fails=True)  # of the year 2024
    built.lake.dbt("docs", "generate")
    catalog = json.loads((Lake(built.lake.folder).target / "catalog.json").read_text())
    columns = catalog["nodes"]["model.datalake.orders"]["columns"]
    assert columns["total"]["type"] == "decimal(10,2)"


def test_maintenance_leaves_fewer_files_and_snapshots_and_the_same_rows(built: Year) -> None:
    lake = built.lake
    tables = ("orders", "orders_parsed", "model_progress", "raw_files")
    before = {table: shape_of(lake, table) for table in tables}
    for table in tables:
        lake.athena.run(f"alter table curated_db.{table} set tblproperties ('vacuum_max_snapshot_age_seconds' = '1')")
    lake.dbt("run-operation", "maintain_tables")
    for table in tables:
        after = shape_of(lake, table)
        assert after["content"] == before[table]["content"]
        assert int(after["files"]) <= int(before[table]["files"]), table
        assert int(after["snapshots"]) < int(before[table]["snapshots"]), table
    assert shape_of(lake, "orders_parsed")["files"] == "1"


def scanned_whole(lake: AthenaLake, table: str) -> int:
    columns = ", ".join(f"max({name})" for name in columns_of(lake, table))
    return int(lake.athena.run(f"select {columns} from curated_db.{table}")["Statistics"]["DataScannedInBytes"])


def columns_of(lake: AthenaLake, table: str) -> list[str]:
    return [str(name).strip() for (name,) in lake.rows(f"show columns in curated_db.{table}")]


def shape_of(lake: AthenaLake, table: str) -> dict[str, str]:
    """Return how many files and snapshots a table has, and a sum over all its rows."""
    name = f'curated_db."{table}${{}}"'
    asked = {
        "files": f"select count(*) from {name.format('files')}",
        "snapshots": f"select count(*) from {name.format('snapshots')}",
        "content": f"select to_hex(checksum(row({', '.join(columns_of(lake, table))}))) from curated_db.{table}",
    }
    return {what: str(lake.rows(sql)[0][0]) for what, sql in asked.items()}
