"""The partition strategies: tables by date, category and hash are written and read by partition."""

from __future__ import annotations

from pathlib import Path

from athena_lakes import AthenaLake
from lakes import PROJECT

PROJECT_FILE = """
name: datalake
profile: datalake
macro-paths: [macros]
model-paths: [models]
flags: {send_anonymous_usage_stats: false}
vars: {lake_root: none}
models: {+materialized: table, +table_type: iceberg, +format: parquet}
"""
STRATEGIES = {
    "by_date": "partition_by_date('day', 'month')",
    "by_category": "partition_by_category('segment')",
    "by_hash": "partition_by_hash('customer', 150)",
}
ROWS = """
    select
        'c' || cast(number as varchar) as customer,
        'segment ' || cast(number % 3 as varchar) as segment,
        date_add('day', number % 366, date '2024-01-01') as day
    from unnest(sequence(1, 2000)) as numbers (number)
"""


def test_tables_by_date_category_and_hash(athena_lake: AthenaLake, tmp_path: Path) -> None:
    """Also by more buckets than a write may open partitions."""
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "macros").symlink_to(PROJECT / "macros")
    (project / "dbt_project.yml").write_text(PROJECT_FILE)
    for name, strategy in STRATEGIES.items():
        config = f"{{{{ config(partitioned_by={strategy}) }}}}"
        (project / "models" / f"{name}.sql").write_text(config + ROWS)
    athena_lake.dbt("run", "--project-dir", str(project))

    assert partitions(athena_lake, "by_date") == 12
    assert partitions(athena_lake, "by_category") == 3
    assert partitions(athena_lake, "by_hash") == 150
    for name in STRATEGIES:
        assert athena_lake.rows(f"select count(*), count(distinct customer) from curated_db.{name}") == [(2000, 2000)]
    whole = scanned(athena_lake, "select max(customer) from curated_db.by_hash")
    assert scanned(athena_lake, "select max(segment) from curated_db.by_hash where customer = 'c7'") < whole / 50
    whole = scanned(athena_lake, "select max(customer) from curated_db.by_category")
    assert (
        scanned(athena_lake, "select max(customer) from curated_db.by_category where segment = 'segment 1'") < whole / 2
    )


def partitions(lake: AthenaLake, table: str) -> int:
    return int(lake.rows(f'select count(*) from curated_db."{table}$partitions"')[0][0])


def scanned(lake: AthenaLake, sql: str) -> int:
    return int(lake.athena.run(sql)["Statistics"]["DataScannedInBytes"])
