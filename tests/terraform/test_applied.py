"""The stack is applied on the emulator, the lake works on what is made, and all of it can be removed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import shop
from athena_lakes import DECLARED
from aws_lambda_powertools.utilities.typing import LambdaContext
from daily_run import Workflow
from lakes import PROJECT, Lake
from lambda_events import Context
from roles import assumed
from stack import NOT_MADE, NOT_TOLD_BACK, Applied, Plan

from athena_bench.bench import Bench
from datalake import handler
from datalake.athena import Athena
from datalake.errors import QueryFailedError

OF_GLUE = {
    "DatabaseName",
    "CreateTime",
    "UpdateTime",
    "VersionId",
    "CreatedBy",
    "CatalogId",
    "IsRegisteredWithLakeFormation",
}
"""Members of a table that whoever makes it does not say."""


def test_list_names_only_what_the_stack_has(planned: Plan) -> None:
    types = {block.split(".")[0] for block in planned.needs}
    assert {*NOT_MADE, *NOT_TOLD_BACK} - types == set()


def test_everything_is_made_but_what_the_list_names(applied: Applied, planned: Plan) -> None:
    left_out = {re.sub(r"\[.*", "", address) for address in planned.resources if address not in applied.state}
    assert {block.split(".")[0] for block in left_out} == set(NOT_MADE)


def test_second_plan_changes_nothing(applied: Applied) -> None:
    applied.stack.plan("-detailed-exitcode", *applied.targets)  # which is a failure where there is a change


def test_raw_tables_are_those_that_dbt_makes(applied: Applied, emulator: Bench, tmp_path: Path) -> None:
    glue = emulator.client("glue")
    of_terraform = tables(glue, "raw_db")
    assert set(of_terraform) >= set(DECLARED)

    environment = applied.stack.outputs()["environment"]
    target = ("--target", environment["DATALAKE_TARGET"], "--threads", "8")
    for name in of_terraform:
        glue.delete_table(DatabaseName="raw_db", Name=name)
    try:
        Lake(tmp_path).dbt_command(
            *("run-operation", "create_raw_views", *target),
            environment={**emulator.environment, **environment, "DATALAKE_POLL_SECONDS": "0.05"},
        )
        of_dbt = tables(glue, "raw_db")
    finally:  # what is applied stays Terraform's
        for name in tables(glue, "raw_db"):
            glue.delete_table(DatabaseName="raw_db", Name=name)
        for table in of_terraform.values():
            glue.create_table(DatabaseName="raw_db", TableInput=table)
    assert of_dbt == of_terraform


def test_lake_answers_from_what_is_deployed(
    applied: Applied, emulator: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files and a request of the API come in, the daily run builds the tables, an analyst asks the named query."""
    deployed = applied.stack.outputs()
    s3, athena, glue = (emulator.client(service) for service in ("s3", "athena", "glue"))

    for key, body in shop.files():
        s3.put_object(Bucket=deployed["bucket"], Key=key, Body=body)
    request = {"action": "ingest", "dataset": "orders", "records": [shop.correction()]}
    assert ask_api(applied, emulator, monkeypatch, request)["statusCode"] == 200

    ran = Workflow(emulator, "datalake-daily", tmp_path).run()
    deployed_work = [*of(applied.state, "aws_glue_job"), *of(applied.state, "aws_glue_crawler")]
    assert sorted(ran) == sorted(values["name"] for values in deployed_work)

    (query,) = of(applied.state, "aws_athena_named_query")
    asked = Athena(athena, s3, deployed["workgroups"]["analysts"], f"s3://{deployed['bucket']}/elsewhere/")
    answer = asked.query(query["query"])
    assert [[str(value) for value in row] for row in answer.rows] == shop.top_customers()
    place = answer.execution["ResultConfiguration"]["OutputLocation"]
    assert place.startswith(f"s3://{deployed['results_bucket']}/athena-results/")

    found = {database: tables(glue, database) for database in ("raw_db", "curated_db", "analytics_db")}
    for table in (table for of_database in found.values() for table in of_database.values()):
        if table["TableType"] != "VIRTUAL_VIEW":
            assert table["StorageDescriptor"]["Location"].startswith(f"s3://{deployed['bucket']}/"), table["Name"]
    grants = list(granted(applied.built))
    assert grants
    for database, name, columns in grants:
        assert columns <= {column["Name"] for column in found[database][name]["StorageDescriptor"]["Columns"]}, name

    columns = {column["Name"] for column in found["curated_db"]["customers"]["StorageDescriptor"]["Columns"]}
    for_analysts = next(columns for _, name, columns in grants if name == "customers" and "segment" in columns)
    assert columns_read(emulator, deployed, "engineer") == columns > for_analysts
    with pytest.raises(QueryFailedError, match="no accessible columns"):
        columns_read(emulator, deployed, "analyst")
    emulator.client("lakeformation").grant_permissions(
        Principal={"DataLakePrincipalIdentifier": deployed["roles"]["analyst"]},
        Resource={
            "TableWithColumns": {
                "DatabaseName": "curated_db",
                "Name": "customers",
                "ColumnNames": sorted(for_analysts),
            }
        },
        Permissions=["SELECT"],
    )
    assert columns_read(emulator, deployed, "analyst") == for_analysts


def test_destroy_leaves_nothing(applied: Applied, emulator: Bench) -> None:
    """The last test of the file: later ones would find nothing.

    Databases go with the tables in them, as Glue deletes those too; files stay, and keep a bucket from being destroyed.
    """
    use(emulator, applied.stack.outputs())
    s3 = emulator.client("s3")
    buckets = [values["bucket"] for values in of(applied.state, "aws_s3_bucket")]
    assert not any(values["force_destroy"] for values in of(applied.state, "aws_s3_bucket"))
    for bucket in buckets:  # or what empties one would be logged in another
        s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    for bucket in buckets:
        empty(s3, bucket)
    applied.stack.apply("-destroy")
    assert applied.stack.resources() == []
    assert [found["Name"] for found in emulator.client("glue").get_databases()["DatabaseList"]] == ["default"]


def columns_read(emulator: Bench, deployed: dict[str, Any], role: str) -> set[str]:
    """The columns of the customers that a deployed role reads."""
    session = assumed(emulator, deployed["roles"][role])
    athena, s3 = (session.client(service, endpoint_url=emulator.url) for service in ("athena", "s3"))
    asked = Athena(athena, s3, deployed["workgroups"]["analysts"], f"s3://{deployed['bucket']}/elsewhere/")
    return {column.name for column in asked.query("select * from curated_db.customers limit 1").columns}


def use(emulator: Bench, deployed: dict[str, Any]) -> None:
    """Leave a table, a raw file and queries in the history, as a lake has them that was in use."""
    athena, s3 = emulator.client("athena"), emulator.client("s3")
    s3.put_object(Bucket=deployed["bucket"], Key="raw/orders/a.json", Body=b"{}")
    for workgroup in deployed["workgroups"].values():
        Athena(athena, s3, workgroup, f"s3://{deployed['bucket']}/query-results/").run(
            f"create external table if not exists curated_db.in_use (a int) location 's3://{deployed['bucket']}/in_use/'"
        )


def of(resources: Mapping[str, dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The values of each resource of a type."""
    return [values for address, values in resources.items() if address.startswith(f"{kind}.")]


def tables(glue: Any, database: str) -> dict[str, dict[str, Any]]:
    """The tables of a database by name, as they can be made again: without what Glue enters, and what is empty."""
    pages = glue.get_paginator("get_tables").paginate(DatabaseName=database)
    return {
        table["Name"]: filled({key: value for key, value in table.items() if key not in OF_GLUE})
        for page in pages
        for table in page["TableList"]
    }


def filled(value: Any) -> Any:
    """A value of JSON without members that are empty, at any depth."""
    if isinstance(value, list):
        return [filled(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: filled(member) for key, member in value.items() if member not in ("", [], {})}


def granted(plan: Plan) -> Iterator[tuple[str, str, set[str]]]:
    """Yield database, table and columns that a grant of Lake Formation, or a tag, names."""
    for address, values in plan.resources.items():
        if address.startswith("aws_lakeformation_"):
            for named in [*(values.get("table") or []), *(values.get("table_with_columns") or [])]:
                if named.get("name"):
                    yield named["database_name"], named["name"], set(named.get("column_names") or [])


def ask_api(
    applied: Applied, emulator: Bench, monkeypatch: pytest.MonkeyPatch, request: dict[str, Any]
) -> dict[str, Any]:
    """Ask the deployed function `api`, with the settings that it is deployed with, and return its answer."""
    (function,) = (
        each for each in of(applied.state, "aws_lambda_function") if each["handler"] == "datalake.handler.handle"
    )
    (environment,) = function["environment"]
    settings = {
        **emulator.environment,
        **environment["variables"],
        "DATALAKE_SOURCES": str(PROJECT / "models" / "raw"),  # which the function's zip has beside its code
    }
    with monkeypatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        handler._client.cache_clear()
        answer = handler.handle(request, cast(LambdaContext, Context()))
    handler._client.cache_clear()
    return answer


def empty(s3: Any, bucket: str) -> None:
    """Remove every version of every object; a bucket that holds something is not destroyed."""
    s3.delete_bucket_policy(Bucket=bucket)  # raw/ is append-only
    while True:  # page by page from the beginning, as each page is gone when the next one is asked for
        page = s3.list_object_versions(Bucket=bucket)
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if not found:
            return
        objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
        s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
