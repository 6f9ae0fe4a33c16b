"""The commands on Athena, as an operator gives them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from athena_lakes import BUCKET, WORKGROUP, AthenaLake
from lakes import PROJECT, Lake
from test_readme import PROGRAMS

from datalake.cost import read_history

ORDER = (
    b'{"order_id":"A","customer_id":"c","product_id":"p","quantity":1,"price":2,"discount":0,'
    b'"created_at":"2024-01-15T10:00:00Z"}\n'
)
KEY = "raw/orders/year=2024/month=01/day=15/hour=10/a.json"


def run(athena_lake: AthenaLake, *arguments: str, fails: bool = False, **environment: str) -> str:
    """Run `datalake` and return what it prints."""
    said = Lake(athena_lake.folder).datalake(
        *arguments, fails=fails, environment={**athena_lake.environment, **environment}
    )
    assert "Traceback" not in said
    return said


def test_check_and_query(athena_lake: AthenaLake) -> None:
    athena_lake.store.put(KEY, ORDER)
    athena_lake.store.put(f"{KEY}.gz", b"no gzip")
    said = run(athena_lake, "check")
    assert "Checked 2 new files with 2 rows." in said
    assert f"broken {KEY}.gz: Not gzip" in said
    said = run(athena_lake, "query", "select file, rows + 41 as answer, reason from curated_db.raw_files")
    assert "answer" in said
    assert "42" in said
    assert "not_gzip" in said
    assert "NULL" in said


def test_check_of_an_empty_bucket_asks_whether_it_is_the_one(athena_lake: AthenaLake) -> None:
    said = run(athena_lake, "check", "--target", "prod", DATALAKE_TARGET="local")
    assert f"There is no folder raw/ in s3://{BUCKET}; is DATALAKE_BUCKET the one you mean?" in said


@pytest.mark.parametrize("command", [("check",), ("query", "select 1"), ("example",)], ids=lambda command: command[0])
def test_bucket_that_is_not_named_or_not_there_is_told(athena_lake: AthenaLake, command: tuple[str, ...]) -> None:
    said = run(athena_lake, *command, fails=True, DATALAKE_BUCKET="")
    assert said == "datalake: The lake's bucket is not named. Set DATALAKE_BUCKET, or take the target local.\n"
    said = run(athena_lake, *command, fails=True, DATALAKE_BUCKET="nowhere")
    assert said.startswith("datalake: The lake's bucket nowhere can't be used: there is none of that name.")


USER = (
    b'{"user_id":"u1","customer_id":"c1","email":"a@b.c","phone":"1","newsletter":"true",'
    b'"created_at":"2024-01-15T10:00:00Z","updated_at":"2024-01-15T10:00:00Z"}\n'
)


def test_stages_of_the_daily_run_keep_what_dbt_wrote_in_the_bucket(athena_lake: AthenaLake) -> None:
    athena_lake.store.put("raw/users/year=2024/month=01/day=15/hour=10/a.json", USER)
    jobs = (athena_lake.folder / "first", athena_lake.folder / "second")
    for stages, job in zip((("raw", "users"), ("products",)), jobs, strict=True):
        named = (part for stage in stages for part in ("--stage", stage))
        said = run(
            athena_lake,
            "run",
            *named,
            "--run",
            "nightly",
            DBT_TARGET_PATH=str(job),
            DBT_LOG_PATH=str(job),
            DBT_LOG_LEVEL_FILE="debug",
        )
        assert all(f"{stage} done in" in said for stage in stages)
    assert athena_lake.keys("state/") == [
        "state/runs/nightly/manifest.json",
        "state/runs/nightly/partial_parse.msgpack",
        "state/runs/nightly/products/run_results.json",
        "state/runs/nightly/users/run_results.json",
    ]
    assert athena_lake.rows("select user_id from curated_db.users") == [("u1",)]
    parsed_before = ("no changes found, skipping parsing" in (job / "dbt.log").read_text() for job in jobs)
    assert list(parsed_before) == [False, True]


def test_program_of_the_readme_runs(athena_lake: AthenaLake) -> None:
    (program,) = (each for each in PROGRAMS if "boto3" in each)
    printed = Lake(athena_lake.folder).run("python", "-c", program, environment=athena_lake.bench.environment)
    assert printed == "2024-01-15 12.50\n0 bytes, 0.000048 dollars\n"


def test_workgroup_that_is_not_there_is_told(athena_lake: AthenaLake) -> None:
    said = run(athena_lake, "query", "select 1", fails=True, DATALAKE_WORKGROUP="nowhere")
    assert said == "datalake: Athena refused the statement: WorkGroup nowhere is not found.\n"


def test_aws_out_of_reach_is_told_in_a_sentence(athena_lake: AthenaLake) -> None:
    said = run(athena_lake, "cost", "--target-path", "nowhere", fails=True)
    assert (
        said
        == "datalake: There is no nowhere/run_results.json. Run `dbt build`, or name dbt's folder with --target-path.\n"
    )
    said = run(athena_lake, "check", fails=True, AWS_ENDPOINT_URL="http://localhost:9")
    assert said.startswith("datalake: AWS could not do it: Could not connect to the endpoint URL")


def test_query_that_fails_says_why(athena_lake: AthenaLake) -> None:
    assert "Column 'nothing' cannot be resolved" in run(athena_lake, "query", "select nothing", fails=True)


@pytest.mark.parametrize("sql", ["drop table curated_db.raw_files", "explain analyze delete from curated_db.raw_files"])
def test_query_cannot_write(athena_lake: AthenaLake, sql: str) -> None:
    assert "Only one statement that reads may be asked" in run(athena_lake, "query", sql, fails=True)


@pytest.mark.parametrize("command", [("replay", "orders"), ("summary",)], ids=lambda command: command[0])
def test_command_of_the_local_lake_alone_is_refused(athena_lake: AthenaLake, command: tuple[str, ...]) -> None:
    said = run(athena_lake, *command, fails=True)
    assert said.startswith(f"datalake: `datalake {command[0]}` knows the local lake only, not the target ci.")


MODEL = """
{{ config(materialized='incremental', table_type='iceberg', incremental_strategy='merge', unique_key='id') }}
select id, count(*) as files
from (select length(file) as id from curated_db.raw_files)
group by id
"""


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """A dbt project of one incremental model, one test and one hook, with this project's comment on statements."""
    comment = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["query-comment"]
    project = {
        "name": "small",
        "profile": "datalake",
        "query-comment": comment,
        "on-run-start": ["{% do run_query('select count(*), max(file) from curated_db.raw_files') %}"],
    }
    (tmp_path / "dbt_project.yml").write_text(yaml.safe_dump(project))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "lengths.sql").write_text(MODEL)
    (tmp_path / "models" / "lengths.yml").write_text(
        yaml.safe_dump({"models": [{"name": "lengths", "columns": [{"name": "id", "data_tests": ["unique"]}]}]})
    )
    return tmp_path


def test_cost_counts_every_statement_of_a_run(athena_lake: AthenaLake, small_project: Path) -> None:
    athena_lake.store.put(KEY, ORDER)
    run(athena_lake, "check")
    build = ("build", "--project-dir", str(small_project))
    athena_lake.dbt(*build)
    second_run = datetime.now(UTC)
    athena_lake.dbt(*build)
    target = Lake(athena_lake.folder).target

    # Of the bench's time only dbt's statements are in the history; what others saw of it is the proof.
    history = [
        each
        for each in read_history(athena_lake.bench.client("athena"), WORKGROUP, second_run)
        if each["Status"]["SubmissionDateTime"] >= second_run
    ]
    report = json.loads(run(athena_lake, "cost", "--json", "--target-path", str(target)))
    by_kind = {item["kind"]: item for item in report["items"]}
    assert set(by_kind) == {"model", "test", "hooks"}
    assert [item["name"] for item in report["items"]] == ["lengths", "unique_lengths_id", "hooks and run-operations"]
    scanned = sum(each["Statistics"]["DataScannedInBytes"] for each in history)
    assert report["total"]["scanned"] + report["unnamed"]["scanned"] == scanned > 0
    assert report["total"]["statements"] + report["unnamed"]["statements"] == len(history)
    assert report["incomplete"] == []

    results = json.loads((target / "run_results.json").read_text())["results"]
    (of_model,) = (result for result in results if result["unique_id"].startswith("model."))
    # dbt tells the last statement only; the table of new rows was read before.
    assert by_kind["model"]["statements"] >= 2
    assert by_kind["model"]["scanned"] > of_model["adapter_response"]["data_scanned_in_bytes"]

    said = run(athena_lake, "cost", "--target-path", str(target))
    assert "unique_lengths_id" in said
    assert f"{report['total']['scanned']:,}" in said
