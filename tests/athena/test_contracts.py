"""A model that makes other columns than its YAML declares is not built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from athena_lakes import WORKGROUP, AthenaLake
from lakes import PROJECT

MODEL = """
    select
        1 as number,
        cast(2 as bigint) as large,
        2.5e0 as ratio,
        cast(1.5 as decimal(10, 2)) as price,
        'a' as text,
        true as flag,
        date '2024-01-01' as day,
        cast('2024-01-01' as timestamp) as moment
"""
DECLARED = {
    "number": "integer",
    "large": "bigint",
    "ratio": "double",
    "price": "decimal(10, 2)",
    "text": "varchar",
    "flag": "boolean",
    "day": "date",
    "moment": "timestamp",
}


def build(lake: AthenaLake, folder: Path, declared: dict[str, str], fails: bool) -> str:
    """Build a project of this one's macros and one model, whose YAML declares columns of these types."""
    (folder / "models").mkdir(parents=True)
    (folder / "macros").symlink_to(PROJECT / "macros")
    (folder / "models" / "made.sql").write_text(MODEL)
    columns = [{"name": name, "data_type": type_} for name, type_ in declared.items()]
    model = {"name": "made", "columns": columns, "config": {"contract": {"enforced": True}, "materialized": "table"}}
    (folder / "models" / "made.yml").write_text(json.dumps({"models": [model]}))
    (folder / "dbt_project.yml").write_text(json.dumps({"name": "datalake", "profile": "datalake"}))
    return lake.dbt("run", "--project-dir", str(folder), fails=fails)


def test_model_of_the_declared_columns_is_built(athena_lake: AthenaLake, tmp_path: Path) -> None:
    """Athena is asked once what the model makes, and not what the YAML says."""
    build(athena_lake, tmp_path / "project", dict(reversed(DECLARED.items())), fails=False)
    athena = athena_lake.bench.client("athena")
    ids = athena.list_query_executions(WorkGroup=WORKGROUP)["QueryExecutionIds"]
    asked = [found["Query"] for found in athena.batch_get_query_execution(QueryExecutionIds=ids)["QueryExecutions"]]
    assert sum("where false" in text for text in asked) == 1
    (database,) = {found["Name"] for found in athena_lake.bench.client("glue").get_databases()["DatabaseList"]} - {
        "default"
    }
    assert athena_lake.rows(f"select number, text from {database}.made") == [(1, "a")]


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (DECLARED | {"number": "varchar"}, "| number      | INTEGER         | VARCHAR       | data type mismatch"),
        (DECLARED | {"another": "date"}, "| another     |                 | DATE          | missing in definition"),
        (
            {name: DECLARED[name] for name in DECLARED if name != "flag"},
            "| flag        | BOOLEAN         |               | missing in contract",
        ),
    ],
    ids=["of another type", "not built", "not declared"],
)
def test_column_that_differs_is_told(
    athena_lake: AthenaLake, tmp_path: Path, declared: dict[str, str], told: str
) -> None:
    said = build(athena_lake, tmp_path / "project", declared, fails=True)
    assert told in said
