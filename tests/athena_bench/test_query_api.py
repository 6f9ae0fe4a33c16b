"""Result files, lists, tokens, prepared statements and refusals of Athena's API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from asked import Asked, ask, must, wait
from botocore.exceptions import ClientError

from athena_bench.bench import Bench
from athena_bench.engine import Answer

RESULTS = {"OutputLocation": "s3://athena-bench/results/"}


@pytest.fixture
def athena(athena_bench: Bench) -> Any:
    return athena_bench.client("athena")


@pytest.fixture
def books(athena_bench: Bench) -> Iterator[str]:
    must(athena_bench, "create database books")
    yield "books"
    must(athena_bench, "drop database books cascade")


@pytest.fixture
def group(athena: Any) -> Iterator[str]:
    """A workgroup of the test's own, which says where results go."""
    athena.create_work_group(
        Name="readers",
        Configuration={
            "ResultConfiguration": {"OutputLocation": "s3://athena-bench/readers"},
            "EnforceWorkGroupConfiguration": True,
        },
    )
    yield "readers"
    athena.delete_work_group(WorkGroup="readers", RecursiveDeleteOption=True)


def body_of(bench: Bench, location: str) -> str:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    text: str = bench.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    return text


def location_of(asked: Asked) -> str:
    return str(asked.execution["ResultConfiguration"]["OutputLocation"])


def refusal(call: Any, **request: Any) -> tuple[str, str]:
    """Code of the exception, and Athena's code in it."""
    with pytest.raises(ClientError) as raised:
        call(**request)
    return raised.value.response["Error"]["Code"], str(raised.value.response.get("AthenaErrorCode", ""))


# Result files


def test_rows_are_a_csv_and_lines_a_text_each_with_its_metadata(athena_bench: Bench) -> None:
    rows = location_of(must(athena_bench, "select 1 as n, 'a' as t"))
    assert rows.endswith(".csv")
    assert body_of(athena_bench, rows) == '"n","t"\n"1","a"\n'
    lines = location_of(must(athena_bench, "show databases like 'default'"))
    assert lines.endswith(".txt")
    assert body_of(athena_bench, lines) == "default"
    for location in (rows, lines):
        assert '"Name"' in body_of(athena_bench, f"{location}.metadata")


def test_statement_without_rows_leaves_an_empty_text(athena_bench: Bench, books: str) -> None:
    location = location_of(must(athena_bench, f"drop table if exists {books}.none"))
    assert location.endswith(".txt")
    assert body_of(athena_bench, location) == ""


def test_workgroup_that_enforces_its_place_has_results_there(athena_bench: Bench, group: str) -> None:
    asked = must(athena_bench, "select 1", WorkGroup=group, ResultConfiguration=RESULTS)
    assert location_of(asked).startswith("s3://athena-bench/readers/")
    body_of(athena_bench, location_of(asked))


def test_workgroup_that_keeps_results_itself_leaves_nothing_in_s3(athena_bench: Bench, athena: Any) -> None:
    kept = {"ManagedQueryResultsConfiguration": {"Enabled": True}}
    athena.create_work_group(Name="keeping", Configuration=kept)
    id_ = athena.start_query_execution(QueryString="select 1 as n", WorkGroup="keeping")["QueryExecutionId"]
    execution = wait(athena, id_)
    assert execution["ManagedQueryResultsConfiguration"] == {"Enabled": True}
    assert "OutputLocation" not in execution["ResultConfiguration"]
    rows = athena.get_query_results(QueryExecutionId=id_)["ResultSet"]["Rows"]
    assert rows[1] == {"Data": [{"VarCharValue": "1"}]}
    asked = ask(athena_bench, "create table default.no as select 1 as n", WorkGroup="keeping")
    assert "external_location" in asked.reason
    athena.delete_work_group(WorkGroup="keeping", RecursiveDeleteOption=True)


def test_table_made_from_a_query_leaves_its_columns_and_no_rows(athena_bench: Bench, books: str) -> None:
    location = location_of(must(athena_bench, f"create table {books}.made as select 1 as n"))
    bucket, _, key = location.removeprefix("s3://").partition("/")
    found = athena_bench.client("s3").list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]
    assert sorted(one["Key"] for one in found) == [f"{key}-manifest.csv", f"{key}.metadata"]


def test_place_for_results_must_be_given(athena: Any) -> None:
    assert refusal(athena.start_query_execution, QueryString="select 1") == ("InvalidRequestException", "INVALID_INPUT")


def test_query_whose_results_have_no_bucket_fails_and_says_so(athena_bench: Bench) -> None:
    asked = ask(athena_bench, "select 1", ResultConfiguration={"OutputLocation": "s3://nowhere/results/"})
    assert asked.state == "FAILED"
    assert asked.reason.startswith("NoSuchBucket: The specified bucket does not exist: s3://nowhere/results/")


@pytest.mark.parametrize("table_type", ["hive", "iceberg"])
def test_manifest_lists_the_files_that_were_written(athena_bench: Bench, books: str, table_type: str) -> None:
    place = f"s3://athena-bench/books/{table_type}/"
    where = f"external_location = '{place}'" if table_type == "hive" else f"is_external = false, location = '{place}'"
    made = must(athena_bench, f"create table {books}.t with (table_type = '{table_type}', {where}) as select 1 as n")
    added = must(athena_bench, f"insert into {books}.t values 2")
    out = must(
        athena_bench,
        f"unload (select n from {books}.t) to 's3://athena-bench/books/out_{table_type}/' with (format = 'orc')",
    )
    files = []
    for asked in (made, added, out):
        listed = body_of(athena_bench, asked.execution["Statistics"]["DataManifestLocation"]).splitlines()
        assert listed, asked.execution["Query"]
        for file in listed:
            assert body_is_there(athena_bench, file)
        files += listed
    assert len(set(files)) == len(files)
    assert all(file.startswith(place) for file in files[:-1])
    assert "DataManifestLocation" not in must(athena_bench, "select 1").execution["Statistics"]


def body_is_there(bench: Bench, location: str) -> bool:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bool(bench.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"])


def test_table_made_from_a_query_answers_a_column_of_rows(athena_bench: Bench, books: str) -> None:
    results = must(athena_bench, f"create table {books}.made as select 1 as n").results
    assert results is not None
    (column,) = results["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert (column["Name"], column["Type"], results["UpdateCount"]) == ("rows", "bigint", 1)
    assert results["ResultSet"]["Rows"] == []


# Columns and statistics


def test_columns_have_athenas_precision_and_scale(athena_bench: Bench) -> None:
    types = {
        "tinyint": ("tinyint", 3, 0), "smallint": ("smallint", 5, 0), "integer": ("integer", 10, 0),
        "bigint": ("bigint", 19, 0), "real": ("float", 17, 0), "double": ("double", 17, 0),
        "varchar": ("varchar", 2147483647, 0), "varbinary": ("varbinary", 1073741824, 0),
        "decimal(12, 3)": ("decimal", 12, 3),
    }  # fmt: skip
    asked = must(athena_bench, f"select {', '.join(f'cast(null as {type_})' for type_ in types)}")
    assert asked.results is not None
    told = asked.results["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert [(one["Type"], one["Precision"], one["Scale"]) for one in told] == list(types.values())
    assert {one["Nullable"] for one in told} == {"UNKNOWN"}


def test_times_of_a_query_are_told(athena_bench: Bench, athena: Any) -> None:
    execution = must(athena_bench, "select count(*) from unnest(sequence(1, 1000)) as t (n)").execution
    statistics = execution["Statistics"]
    assert statistics["EngineExecutionTimeInMillis"] > 0
    assert statistics["TotalExecutionTimeInMillis"] >= statistics["EngineExecutionTimeInMillis"]
    assert statistics["QueryQueueTimeInMillis"] >= 0
    assert execution["Status"]["CompletionDateTime"] >= execution["Status"]["SubmissionDateTime"]
    told = athena.get_query_runtime_statistics(QueryExecutionId=execution["QueryExecutionId"])
    assert told["QueryRuntimeStatistics"]["Rows"]["OutputRows"] == 1


# Executions


def test_executions_are_listed_newest_first_page_by_page(athena_bench: Bench, athena: Any, group: str) -> None:
    ids = [must(athena_bench, f"select {n}", WorkGroup=group).execution["QueryExecutionId"] for n in range(3)]
    first = athena.list_query_executions(WorkGroup=group, MaxResults=2)
    rest = athena.list_query_executions(WorkGroup=group, MaxResults=2, NextToken=first["NextToken"])
    assert first["QueryExecutionIds"] + rest["QueryExecutionIds"] == ids[::-1]
    assert "NextToken" not in rest


def test_executions_are_told_in_a_batch(athena_bench: Bench, athena: Any) -> None:
    id_ = must(athena_bench, "select 1").execution["QueryExecutionId"]
    told = athena.batch_get_query_execution(QueryExecutionIds=[id_, "unknown"])
    assert [one["QueryExecutionId"] for one in told["QueryExecutions"]] == [id_]
    assert [one["QueryExecutionId"] for one in told["UnprocessedQueryExecutionIds"]] == ["unknown"]


def test_token_is_not_for_another_request(athena_bench: Bench, athena: Any) -> None:
    token = "a-token-that-is-long-enough-to-be-one"
    must(athena_bench, "select 1", ClientRequestToken=token)
    other = refusal(
        athena.start_query_execution, QueryString="select 2", ClientRequestToken=token, ResultConfiguration=RESULTS
    )
    assert other[0] == "InvalidRequestException"


def test_ended_query_is_stopped_without_effect(athena_bench: Bench, athena: Any) -> None:
    id_ = must(athena_bench, "select 1").execution["QueryExecutionId"]
    athena.stop_query_execution(QueryExecutionId=id_)
    assert athena.get_query_execution(QueryExecutionId=id_)["QueryExecution"]["Status"]["State"] == "SUCCEEDED"


def test_query_that_waits_for_others_is_stopped(athena_bench: Bench, athena: Any) -> None:
    numbers = "unnest(sequence(1, 10000))"
    long = f"select count(*) from {numbers} as a (x) cross join {numbers} as b (y) cross join {numbers} as c (z)"
    ids = [
        athena.start_query_execution(QueryString=f"{long} where x + y + z <> {n}", ResultConfiguration=RESULTS)
        for n in range(10)
    ]
    states = [
        athena.get_query_execution(QueryExecutionId=one["QueryExecutionId"])["QueryExecution"]["Status"]["State"]
        for one in ids
    ]
    assert states[-1] == "QUEUED"
    for one in reversed(ids):
        athena.stop_query_execution(QueryExecutionId=one["QueryExecutionId"])
    for one in ids:
        status = athena.get_query_execution(QueryExecutionId=one["QueryExecutionId"])["QueryExecution"]["Status"]
        assert (status["State"], status["StateChangeReason"]) == ("CANCELLED", "Query was cancelled by user")


def test_syntax_error_is_refused_before_anything_runs(athena: Any) -> None:
    for sql, position in (
        ("select 1 form x y", "line 1:15"),
        ("select 1,\n  2 form x y", "line 2:10"),
        ("create table default.t as select 1 form x y", "line 1:41"),
        ("unload (select from) to 's3://athena-bench/out/' with (format = 'json')", "line 1:16"),
        ("insert into t vales (1)", "line 1:15"),
    ):
        with pytest.raises(ClientError) as raised:
            athena.start_query_execution(QueryString=sql, ResultConfiguration=RESULTS)
        response: Any = raised.value.response
        assert response["Error"]["Code"] == "InvalidRequestException", sql
        assert response["AthenaErrorCode"] == "MALFORMED_QUERY", sql
        assert position in response["Error"]["Message"], sql


@pytest.mark.parametrize(
    ("sound", "broken"),
    [("select 1 x", "select 1x"), ("select x'00'", "select x'0z'"), ("select 1", "select 1" + "0" * 20)],
)
def test_syntax_error_is_refused_although_much_the_same_was_not(athena: Any, sound: str, broken: str) -> None:
    athena.start_query_execution(QueryString=sound, ResultConfiguration=RESULTS)
    with pytest.raises(ClientError, match="line 1:"):
        athena.start_query_execution(QueryString=broken, ResultConfiguration=RESULTS)


def test_engine_parses_a_statement_of_one_shape_once(athena_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = athena_bench.engine
    assert engine is not None
    asked: list[str] = []
    run = engine.run

    def told(sql: str, **settings: Any) -> Answer:
        asked.append(sql)
        return run(sql, **settings)

    monkeypatch.setattr(engine, "run", told)
    for number in range(3):
        must(athena_bench, f"select {number}, 'one shape'")
    assert [sql.split()[0].lower() for sql in asked] == ["prepare", *["select"] * 3]


# Prepared statements


def test_prepared_statement_is_made_changed_listed_and_deleted(athena: Any, group: str) -> None:
    for name in ("one", "two", "three"):
        athena.create_prepared_statement(StatementName=name, WorkGroup=group, QueryStatement="select ?")
    twice = refusal(athena.create_prepared_statement, StatementName="one", WorkGroup=group, QueryStatement="select 1")
    assert twice[0] == "InvalidRequestException"
    athena.update_prepared_statement(StatementName="one", WorkGroup=group, QueryStatement="select 1", Description="d")
    told = athena.get_prepared_statement(StatementName="one", WorkGroup=group)["PreparedStatement"]
    assert (told["QueryStatement"], told["Description"], told["WorkGroupName"]) == ("select 1", "d", group)
    first = athena.list_prepared_statements(WorkGroup=group, MaxResults=2)
    rest = athena.list_prepared_statements(WorkGroup=group, MaxResults=2, NextToken=first["NextToken"])
    names = [one["StatementName"] for page in (first, rest) for one in page["PreparedStatements"]]
    assert names == ["one", "three", "two"]
    batch = athena.batch_get_prepared_statement(WorkGroup=group, PreparedStatementNames=["two", "none"])
    assert [one["StatementName"] for one in batch["PreparedStatements"]] == ["two"]
    assert [one["StatementName"] for one in batch["UnprocessedPreparedStatementNames"]] == ["none"]
    athena.delete_prepared_statement(StatementName="one", WorkGroup=group)
    for call in (athena.get_prepared_statement, athena.delete_prepared_statement):
        assert refusal(call, StatementName="one", WorkGroup=group)[0] == "ResourceNotFoundException"


def test_prepared_statement_runs_with_its_parameters(athena_bench: Bench, athena: Any, group: str, books: str) -> None:
    must(athena_bench, "prepare adds from select ? + ? as total, '?' as mark -- ?", WorkGroup=group)
    assert must(athena_bench, "execute adds using 1, abs(-2)", WorkGroup=group).rows == [["total", "mark"], ["3", "?"]]
    assert must(athena_bench, "execute adds", WorkGroup=group, ExecutionParameters=["3", "4"]).rows[1] == ["7", "?"]
    told = athena.get_prepared_statement(StatementName="adds", WorkGroup=group)["PreparedStatement"]
    assert told["QueryStatement"].startswith("select ? + ?")
    must(athena_bench, f"create table {books}.t as select 0 as n")
    must(athena_bench, f"prepare writes from insert into {books}.t values (?)", WorkGroup=group)
    must(athena_bench, "execute writes using 5", WorkGroup=group)
    assert must(athena_bench, f"select max(n) from {books}.t").rows[1] == ["5"]
    must(athena_bench, "deallocate prepare adds", WorkGroup=group)
    assert ask(athena_bench, "execute adds using 1, 2", WorkGroup=group).reason.startswith("NOT_FOUND")
    assert ask(athena_bench, "execute writes using 5").reason.startswith("NOT_FOUND")  # another workgroup


@pytest.mark.parametrize(
    ("value", "found"), [("Utrecht", "b"), ("'Utrecht'", "b"), ("The Hague", "a"), ("O'Ney", "c"), ("lower('X')", "d")]
)
def test_parameter_that_is_no_constant_is_a_text(athena_bench: Bench, value: str, found: str) -> None:
    cities = "(values ('The Hague', 'a'), ('Utrecht', 'b'), ('O''Ney', 'c'), ('x', 'd')) as t (city, id)"
    asked = must(athena_bench, f"select id from {cities} where city = ?", ExecutionParameters=[value])
    assert asked.rows[1:] == [[found]]


# Catalogs, databases and tables


def test_databases_and_tables_are_told(athena_bench: Bench, athena: Any, books: str) -> None:
    must(
        athena_bench,
        f"create external table {books}.lines (line string comment 'as it came') partitioned by (day string) "
        "row format delimited fields terminated by '|' location 's3://athena-bench/books/lines/'",
    )
    must(athena_bench, f"create view {books}.view_of as select 1 as n")
    pages = athena.get_paginator("list_databases").paginate(CatalogName="AwsDataCatalog", MaxResults=1)
    names = [one["Name"] for page in pages for one in page["DatabaseList"]]
    assert {"books", "default"} <= set(names)
    assert names == sorted(names)
    assert athena.get_database(CatalogName="AwsDataCatalog", DatabaseName=books)["Database"]["Name"] == books
    told = athena.get_table_metadata(CatalogName="AwsDataCatalog", DatabaseName=books, TableName="lines")
    table = told["TableMetadata"]
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert table["Columns"] == [{"Name": "line", "Type": "string", "Comment": "as it came"}]
    assert table["PartitionKeys"] == [{"Name": "day", "Type": "string"}]
    assert table["Parameters"]["serde.param.field.delim"] == "|"
    pages = athena.get_paginator("list_table_metadata").paginate(
        CatalogName="AwsDataCatalog", DatabaseName=books, PaginationConfig={"PageSize": 1}
    )
    assert [one["Name"] for page in pages for one in page["TableMetadataList"]] == ["lines", "view_of"]
    found = athena.list_table_metadata(CatalogName="AwsDataCatalog", DatabaseName=books, Expression="view.*")
    assert [one["Name"] for one in found["TableMetadataList"]] == ["view_of"]


def test_what_is_not_in_the_catalog_is_refused(athena: Any) -> None:
    of_glue: Any = {"CatalogName": "AwsDataCatalog"}
    assert refusal(athena.get_database, **of_glue, DatabaseName="none")[0] == "MetadataException"
    assert refusal(athena.list_table_metadata, **of_glue, DatabaseName="none")[0] == "MetadataException"
    nothing = refusal(athena.get_table_metadata, **of_glue, DatabaseName="default", TableName="none")
    assert nothing[0] == "MetadataException"
    assert refusal(athena.list_databases, CatalogName="elsewhere")[0] == "InvalidRequestException"
    assert [one["CatalogName"] for one in athena.list_data_catalogs()["DataCatalogsSummary"]] == ["AwsDataCatalog"]
    assert athena.get_data_catalog(Name="AwsDataCatalog")["DataCatalog"]["Type"] == "GLUE"


# Workgroups and named queries


def test_workgroup_has_tags(athena: Any, group: str) -> None:
    arn = f"arn:aws:athena:us-east-1:123456789012:workgroup/{group}"
    athena.tag_resource(ResourceARN=arn, Tags=[{"Key": "team", "Value": "a"}, {"Key": "cost", "Value": "b"}])
    athena.untag_resource(ResourceARN=arn, TagKeys=["cost"])
    assert athena.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "a"}]


def test_named_queries_are_changed_and_told_in_a_batch(athena: Any, group: str) -> None:
    id_ = athena.create_named_query(Name="n", Database="d", QueryString="select 1", WorkGroup=group)["NamedQueryId"]
    athena.update_named_query(NamedQueryId=id_, Name="m", QueryString="select 2")
    told = athena.batch_get_named_query(NamedQueryIds=[id_, "unknown"])
    assert [(one["Name"], one["QueryString"]) for one in told["NamedQueries"]] == [("m", "select 2")]
    assert [one["NamedQueryId"] for one in told["UnprocessedNamedQueryIds"]] == ["unknown"]
    assert athena.list_named_queries(WorkGroup=group)["NamedQueryIds"] == [id_]


def test_same_answer_is_given_again_only_where_that_is_allowed(athena_bench: Bench, group: str) -> None:
    query = "select cast(uuid() as varchar)"
    reuse: Any = {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 5}}
    first = must(athena_bench, query, WorkGroup=group)
    again = must(athena_bench, query, WorkGroup=group, ResultReuseConfiguration=reuse)
    other = must(athena_bench, query, WorkGroup=group)
    assert again.rows == first.rows != other.rows
    assert again.execution["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"]
    assert again.scanned == 0


# Faults


def test_killed_engine_fails_what_runs_and_comes_back(athena_bench: Bench, athena: Any, books: str) -> None:
    """The first statement after it is one that needs a node at once."""
    properties = "location 's3://athena-bench/copies/' tblproperties ('table_type' = 'iceberg')"
    must(athena_bench, f"create table {books}.copies (isbn bigint, number bigint) {properties}")
    numbers = "unnest(sequence(1, 10000))"
    id_ = athena.start_query_execution(
        QueryString=f"select count(*) from {numbers} as a (x), {numbers} as b (y), {numbers} as c (z)",
        ResultConfiguration=RESULTS,
    )["QueryExecutionId"]
    while athena.get_query_execution(QueryExecutionId=id_)["QueryExecution"]["Status"]["State"] == "QUEUED":
        pass
    athena_bench.faults.add("kill:AmazonAthena.ListWorkGroups")
    athena.list_work_groups()
    status = wait(athena, id_)["Status"]
    assert status["State"] == "FAILED"
    assert (status["AthenaError"]["ErrorCategory"], status["AthenaError"]["Retryable"]) == (1, True)
    must(
        athena_bench,
        f"merge into {books}.copies using (select 1 as isbn, 3 as number) as new on copies.isbn = new.isbn "
        "when not matched then insert (isbn, number) values (new.isbn, new.number)",
    )
    assert must(athena_bench, f"select * from {books}.copies").rows[1] == ["1", "3"]
