"""Callers, and what IAM and Lake Formation let each of them read, write and see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from asked import Asked, ask, must
from clients import code_of, error_of
from roles import ANALYST, PIPELINE, Role, policy

from athena_bench.bench import Bench

EVERYBODY = {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}
ROWS = "(values (1, 10, 'a@x', 'nl'), (2, 20, 'b@x', 'de'), (3, 30, 'c@x', 'nl')) as t (id, amount, email, country)"
TABLES = ("hive", "iceberg")


def table(name: str, **more: Any) -> dict[str, Any]:
    kind = "TableWithColumns" if more else "Table"
    return {kind: {"DatabaseName": "guarded", "Name": name, **more}}


@pytest.fixture(scope="module")
def guarded(athena_bench: Bench) -> Iterator[Bench]:
    """A database with two tables and a view, which Lake Formation does not leave to IAM."""
    athena_bench.reset()
    must(athena_bench, "create database guarded")
    place = "s3://athena-bench/guarded"
    of_iceberg = f"table_type = 'ICEBERG', is_external = false, location = '{place}/iceberg/'"
    for name, how in (("hive", f"external_location = '{place}/hive/'"), ("iceberg", of_iceberg)):
        must(
            athena_bench,
            f"create table guarded.{name} with ({how}) as select id, amount, cast(email as varchar) as email, "
            f"cast(country as varchar) as country from {ROWS}",
        )
    must(athena_bench, "create view guarded.seen as select id, email from guarded.iceberg")
    lake_formation = athena_bench.client("lakeformation")
    for resource in ({"Database": {"Name": "guarded"}}, *(table(name) for name in (*TABLES, "seen"))):
        lake_formation.revoke_permissions(Principal=EVERYBODY, Resource=resource, Permissions=["ALL"])
    yield athena_bench
    athena_bench.reset()


@pytest.fixture
def analyst(guarded: Bench) -> Iterator[Role]:
    """A role that may ask and read what it is granted; the grants go with the test."""
    role = Role(guarded, "analyst", ANALYST)
    yield role
    lake_formation = guarded.client("lakeformation")
    for kept in lake_formation.list_data_cells_filter()["DataCellsFilters"]:
        names = ("TableCatalogId", "DatabaseName", "TableName", "Name")
        lake_formation.delete_data_cells_filter(**{name: kept[name] for name in names})
    for grant in lake_formation.list_permissions()["PrincipalResourcePermissions"]:
        if grant["Principal"] == role.principal:
            lake_formation.revoke_permissions(
                Principal=grant["Principal"], Resource=grant["Resource"], Permissions=grant["Permissions"]
            )


def refusal(asked: Asked) -> str:
    assert asked.state == "FAILED", asked.rows
    return asked.reason


def rows(role: Role, sql: str) -> list[list[str | None]]:
    return must(role, sql).rows[1:]


# Reading


@pytest.mark.parametrize("name", TABLES)
def test_table_without_a_grant_is_not_read(analyst: Role, name: str) -> None:
    assert "Relation contains no accessible columns" in refusal(ask(analyst, f"select * from guarded.{name}"))
    reason = refusal(ask(analyst, f"select id from guarded.{name}"))
    assert "Insufficient permissions to execute the query. Insufficient Lake Formation permission(s)" in reason


@pytest.mark.parametrize("name", TABLES)
def test_granted_table_is_read(analyst: Role, name: str) -> None:
    analyst.grant(table(name), "SELECT")
    assert rows(analyst, f"select sum(amount), count(email) from guarded.{name}") == [["60", "3"]]


@pytest.mark.parametrize("name", TABLES)
def test_granted_columns_are_all_that_is_there(analyst: Role, name: str) -> None:
    analyst.grant(table(name, ColumnNames=["id", "country"]), "SELECT")
    asked = must(analyst, f"select * from guarded.{name} order by id")
    assert asked.rows[:2] == [["id", "country"], ["1", "nl"]]
    reason = refusal(ask(analyst, f"select id,\n  email from guarded.{name}"))
    assert reason == (
        "COLUMN_NOT_FOUND: line 2:3: Column 'email' cannot be resolved or requester is not authorized to access "
        "requested resources"
    )
    refusal(ask(analyst, f"select count(*) from guarded.{name} where email = 'a@x'"))


def test_excluded_columns_are_not_read(analyst: Role) -> None:
    analyst.grant(table("hive", ColumnWildcard={"ExcludedColumnNames": ["email", "amount"]}), "SELECT")
    assert must(analyst, "select * from guarded.hive limit 0").rows == [["id", "country"]]


def data_filter(bench: Bench, name: str, condition: str, **columns: Any) -> dict[str, Any]:
    """A filter of guarded.iceberg, as a resource of grants."""
    key = {"TableCatalogId": "123456789012", "DatabaseName": "guarded", "TableName": "iceberg", "Name": name}
    given = {**key, "RowFilter": {"FilterExpression": condition}, **(columns or {"ColumnWildcard": {}})}
    bench.client("lakeformation").create_data_cells_filter(TableData=given)
    return {"DataCellsFilter": key}


def test_data_filter_leaves_its_rows(guarded: Bench, analyst: Role) -> None:
    analyst.grant(data_filter(guarded, "dutch", "country = 'nl'"), "SELECT")
    assert rows(analyst, "select id from guarded.iceberg order by id") == [["1"], ["3"]]
    assert rows(analyst, "select count(*) from guarded.iceberg a join guarded.iceberg b on true") == [["4"]]
    assert refusal(ask(analyst, 'select * from guarded."iceberg$files"'))


def test_several_data_filters_show_the_cells_of_each(guarded: Bench, analyst: Role) -> None:
    analyst.grant(data_filter(guarded, "names", "id < 3", ColumnNames=["id", "email"]), "SELECT")
    analyst.grant(data_filter(guarded, "money", "id > 1", ColumnNames=["id", "amount"]), "SELECT")
    expected = [["1", None, "a@x"], ["2", "20", "b@x"], ["3", "30", None]]
    assert rows(analyst, "select * from guarded.iceberg order by id") == expected


def test_tables_made_of_a_filtered_one_hold_what_was_seen(guarded: Bench, analyst: Role) -> None:
    analyst.grant(data_filter(guarded, "german", "country = 'de'", ColumnNames=["id"]), "SELECT")
    pipeline = Role(guarded, "maker", PIPELINE)
    for role in (analyst, pipeline):
        role.grant({"Database": {"Name": "guarded"}}, "CREATE_TABLE")
    pipeline.grant(data_filter(guarded, "dutch", "country = 'nl'", ColumnNames=["id"]), "SELECT")
    assert "glue:CreateTable" in refusal(ask(analyst, "create table guarded.copy as select * from guarded.iceberg"))
    must(pipeline, "create table guarded.copy as select * from guarded.iceberg")
    assert rows(pipeline, "select count(*), max(id) from guarded.copy") == [["2", "3"]]  # made by it, so its own
    to = "s3://athena-bench/guarded/out/"
    must(pipeline, f"unload (select id from guarded.iceberg) to '{to}' with (format = 'parquet')")
    must(guarded, f"create external table guarded.out (id int) stored as parquet location '{to}'")
    assert must(guarded, "select count(*) from guarded.out").rows[1:] == [["2"]]
    for name in ("copy", "out"):
        must(guarded, f"drop table guarded.{name}")


def test_tags_grant_what_bears_them(guarded: Bench, analyst: Role) -> None:
    lake_formation = guarded.client("lakeformation")
    lake_formation.create_lf_tag(TagKey="level", TagValues=["public", "private"])

    def tag(resource: dict[str, Any], value: str) -> None:
        tags = [{"TagKey": "level", "TagValues": [value]}]
        lake_formation.add_lf_tags_to_resource(Resource=resource, LFTags=tags)

    expression = [{"TagKey": "level", "TagValues": ["public"]}]
    for kind, permission in (("TABLE", "SELECT"), ("DATABASE", "DESCRIBE")):
        analyst.grant({"LFTagPolicy": {"ResourceType": kind, "Expression": expression}}, permission)
    refusal(ask(analyst, "select * from guarded.hive"))
    tag({"Database": {"Name": "guarded"}}, "public")
    tag(table("iceberg"), "private")
    tag(table("hive", ColumnNames=["email"]), "private")
    assert must(analyst, "select * from guarded.hive limit 0").rows == [["id", "amount", "country"]]
    refusal(ask(analyst, "select * from guarded.iceberg"))
    lake_formation.delete_lf_tag(TagKey="level")
    refusal(ask(analyst, "select * from guarded.hive"))


def test_view_is_read_with_the_rights_of_who_asks(guarded: Bench, analyst: Role) -> None:
    analyst.grant(table("seen"), "SELECT")
    refusal(ask(analyst, "select * from guarded.seen"))
    analyst.grant(table("iceberg", ColumnNames=["id"]), "SELECT")
    refusal(ask(analyst, "select email from guarded.seen"))
    analyst.grant(table("iceberg"), "SELECT")
    assert rows(analyst, "select max(email) from guarded.seen") == [["c@x"]]


def test_grant_that_is_revoked_is_gone_for_the_next_query(guarded: Bench, analyst: Role) -> None:
    analyst.grant(table("hive"), "SELECT")
    must(analyst, "select id from guarded.hive")
    guarded.client("lakeformation").revoke_permissions(
        Principal=analyst.principal, Resource=table("hive"), Permissions=["SELECT"]
    )
    refusal(ask(analyst, "select id from guarded.hive"))


# What is seen


def test_metadata_is_of_what_is_granted(guarded: Bench, analyst: Role) -> None:
    analyst.grant({"Database": {"Name": "guarded"}}, "DESCRIBE")
    analyst.grant(table("hive", ColumnNames=["id"]), "SELECT")
    analyst.grant(table("iceberg"), "DESCRIBE")
    athena, glue = analyst.client("athena"), analyst.client("glue")
    named = {"CatalogName": "AwsDataCatalog", "DatabaseName": "guarded"}
    listed = athena.list_table_metadata(**named)["TableMetadataList"]
    assert {one["Name"]: len(one["Columns"]) for one in listed} == {"hive": 1, "iceberg": 4}
    assert [
        one["Name"]
        for one in glue.get_table(DatabaseName="guarded", Name="hive")["Table"]["StorageDescriptor"]["Columns"]
    ] == ["id"]
    assert must(analyst, "show tables in guarded").rows == [["hive"], ["iceberg"]]
    assert must(analyst, "describe guarded.hive").rows[0][0].split() == ["id", "int"]  # type: ignore[union-attr]
    columns = (
        "select column_name from information_schema.columns where table_schema = 'guarded' and table_name = 'hive'"
    )
    assert rows(analyst, columns) == [["id"]]
    code, message = error_of(glue.get_table, DatabaseName="guarded", Name="seen")
    assert (code, message) == ("AccessDeniedException", "Insufficient Lake Formation permission(s) on seen")
    assert code_of(athena.get_table_metadata, TableName="seen", **named) == "MetadataException"


def test_other_metadata_of_a_table_shows_no_more_than_its_columns(guarded: Bench, analyst: Role) -> None:
    analyst.grant(table("hive", ColumnNames=["id"]), "SELECT")
    admin, glue = guarded.client("glue"), analyst.client("glue")
    hive = {"DatabaseName": "guarded", "TableName": "hive"}
    statistics = {"DatabaseName": "guarded", "ColumnNames": ["id", "email"]}
    of_longs = {"Type": "LONG", "LongColumnStatisticsData": {"NumberOfNulls": 0, "NumberOfDistinctValues": 3}}
    admin.update_column_statistics_for_table(
        **hive,
        ColumnStatisticsList=[
            {"ColumnName": name, "ColumnType": "int", "AnalyzedTime": 0, "StatisticsData": of_longs}
            for name in ("id", "email")
        ],
    )
    for version in glue.get_table_versions(**hive)["TableVersions"]:
        assert [column["Name"] for column in version["Table"]["StorageDescriptor"]["Columns"]] == ["id"]
    told = glue.get_column_statistics_for_table(**statistics, TableName="hive")["ColumnStatisticsList"]
    assert [one["ColumnName"] for one in told] == ["id"]
    for call in (glue.get_partitions, glue.get_table_versions):
        assert code_of(call, DatabaseName="guarded", TableName="seen") == "AccessDeniedException"
    writer = Role(guarded, "pipeline", PIPELINE).client("glue")  # IAM lets it; Lake Formation does not
    error = error_of(writer.delete_table_version, **hive, VersionId="1")
    assert error == (
        "AccessDeniedException",
        "Insufficient Lake Formation permission(s): Required Alter or Insert on hive",
    )


def test_tables_that_tell_of_a_table_are_for_who_reads_all_of_it(analyst: Role) -> None:
    analyst.grant({"Database": {"Name": "guarded"}}, "CREATE_TABLE")
    analyst.grant(table("iceberg", ColumnNames=["id"]), "SELECT")
    refusal(ask(analyst, 'select * from guarded."iceberg$files"'))
    analyst.grant(table("iceberg"), "SELECT")
    assert rows(analyst, 'select count(*) from guarded."iceberg$files"') == [["1"]]


def test_databases_without_a_grant_are_not_seen(guarded: Bench, analyst: Role) -> None:
    glue = analyst.client("glue")
    assert "guarded" not in [one["Name"] for one in glue.get_databases()["DatabaseList"]]
    assert ["guarded"] not in must(analyst, "show databases").rows
    assert code_of(glue.get_database, Name="guarded") == "AccessDeniedException"
    assert ["guarded"] in must(guarded, "show databases").rows


# Writing


def test_rows_are_written_and_deleted_by_who_may(guarded: Bench, analyst: Role) -> None:
    analyst.grant(table("iceberg"), "SELECT")
    insert = "insert into guarded.iceberg values (4, 40, 'd@x', 'fr')"
    assert "Required Insert on iceberg" in refusal(ask(analyst, insert))
    assert "Required Delete on iceberg" in refusal(ask(analyst, "delete from guarded.iceberg where id = 1"))
    pipeline = Role(guarded, "pipeline", PIPELINE)
    pipeline.grant(table("iceberg"), "SELECT", "INSERT", "DELETE")
    must(pipeline, insert)
    must(pipeline, "update guarded.iceberg set amount = 41 where id = 4")
    must(pipeline, "delete from guarded.iceberg where id = 4")
    assert rows(pipeline, "select count(*) from guarded.iceberg") == [["3"]]


def test_tables_are_changed_and_dropped_by_who_may(guarded: Bench, analyst: Role) -> None:
    analyst.grant(table("hive"), "SELECT", "DESCRIBE")
    for sql in ("drop table guarded.hive", "alter table guarded.hive add columns (more int)"):
        assert "is not authorized to perform: glue:" in refusal(ask(analyst, sql))
    pipeline = Role(guarded, "pipeline", PIPELINE)
    pipeline.grant(table("hive"), "DESCRIBE")
    assert "Required Drop on hive" in refusal(ask(pipeline, "drop table guarded.hive"))
    refusal(ask(pipeline, "create table guarded.mine as select 1 as n"))
    pipeline.grant({"Database": {"Name": "guarded"}}, "CREATE_TABLE")
    must(pipeline, "create external table guarded.mine (n int) location 's3://athena-bench/guarded/mine/'")
    must(pipeline, "alter table guarded.mine add columns (m int)")
    must(pipeline, "drop table guarded.mine")


# IAM alone


def test_what_lake_formation_leaves_open_is_for_iam_to_say(guarded: Bench, analyst: Role) -> None:
    must(guarded, "create database open_to_all location 's3://athena-bench/open/'")
    must(guarded, "create table open_to_all.t with (external_location = 's3://athena-bench/open/t/') as select 1 as n")
    reason = refusal(ask(analyst, "select n from open_to_all.t"))
    assert "is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::athena-bench/open/t/" in reason
    assert rows(Role(guarded, "pipeline", PIPELINE), "select n from open_to_all.t") == [["1"]]
    must(guarded, "drop database open_to_all cascade")


def test_calls_that_no_policy_allows_are_refused(guarded: Bench) -> None:
    narrow = Role(
        guarded, "narrow", {"athena:*": "arn:aws:athena:us-east-1:123456789012:workgroup/narrow", "glue:GetTable": "*"}
    )
    code, message = error_of(narrow.client("athena").start_query_execution, QueryString="select 1")
    assert code == "AccessDeniedException"
    assert message == (
        "User: arn:aws:sts::123456789012:assumed-role/narrow/test is not authorized to perform: "
        "athena:StartQueryExecution on resource: arn:aws:athena:us-east-1:123456789012:workgroup/primary because no "
        "identity-based policy allows the athena:StartQueryExecution action"
    )
    assert code_of(narrow.client("glue").get_databases) == "AccessDeniedException"
    s3 = narrow.client("s3")
    assert code_of(s3.put_object, Bucket="athena-bench", Key="a", Body=b"1") == "AccessDenied"
    assert code_of(s3.list_objects_v2, Bucket="athena-bench") == "AccessDenied"


def test_results_are_written_only_where_the_caller_may(analyst: Role) -> None:
    elsewhere = {"OutputLocation": "s3://athena-bench/elsewhere/"}
    reason = refusal(ask(analyst, "select 1", ResultConfiguration=elsewhere))
    assert "Access denied when writing output to url: s3://athena-bench/elsewhere/" in reason


def test_a_deny_is_stronger_than_an_allow(guarded: Bench) -> None:
    role = Role(guarded, "denied", PIPELINE)
    guarded.client("iam").put_role_policy(
        RoleName="denied",
        PolicyName="deny",
        PolicyDocument=policy({"Effect": "Deny", "Action": "glue:get*", "NotResource": "arn:*:catalog"}),
    )
    assert code_of(role.client("glue").get_database, Name="guarded") == "AccessDeniedException"
    guarded.client("iam").delete_role_policy(RoleName="denied", PolicyName="deny")


def test_lake_formation_is_administered_by_who_its_settings_name(guarded: Bench, analyst: Role) -> None:
    role = Role(guarded, "steward", {"lakeformation:*": "*"})
    lake_formation = role.client("lakeformation")
    grant = {"Principal": analyst.principal, "Resource": table("hive"), "Permissions": ["SELECT"]}
    assert code_of(lake_formation.grant_permissions, **grant) == "AccessDeniedException"
    admin = guarded.client("lakeformation")
    settings = admin.get_data_lake_settings()["DataLakeSettings"]
    admin.put_data_lake_settings(DataLakeSettings={**settings, "DataLakeAdmins": [role.principal]})
    lake_formation.grant_permissions(**grant)
    admin.put_data_lake_settings(DataLakeSettings=settings)
    must(analyst, "select id from guarded.hive")


def test_user_is_known_by_its_access_key(guarded: Bench) -> None:

    iam = guarded.client("iam")
    iam.create_user(UserName="eve")
    key = iam.create_access_key(UserName="eve")["AccessKey"]
    session: Any = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=guarded.region)
    code, message = error_of(session.client("athena", endpoint_url=guarded.url).list_work_groups)
    assert (code, "arn:aws:iam::123456789012:user/eve" in message) == ("AccessDeniedException", True)
