"""Queries and DDL through plain boto3 on the real engine."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest
from asked import ask, must, wait
from botocore.exceptions import ClientError

from athena_bench.bench import Bench


@pytest.fixture
def shop(athena_bench: Bench, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a database of the test's own."""
    name = f"shop_{abs(hash(request.node.nodeid))}"
    must(athena_bench, f"create schema {name}")
    yield name
    must(athena_bench, f"drop schema {name} cascade")


def iceberg(shop: str, table: str, query: str, more: str = "") -> str:
    location = f"s3://athena-bench/{shop}/{table}"
    return (
        f"create table {shop}.{table} with (table_type = 'iceberg', is_external = false, "
        f"location = '{location}', format = 'parquet'{more}) as {query}"
    )


def test_values_are_written_as_athena_writes_them(athena_bench: Bench) -> None:
    asked = must(
        athena_bench,
        "select 1.5, 1e10, 1/0.0, cast(1.5 as decimal(10, 2)), cast(0.1 as real), true, null, x'6865', "
        "date '2024-02-29', timestamp '2024-01-01 10:00:00', timestamp '2024-01-01 10:00:00.123456', "
        "array[1, null], map(array['a'], array[1.5]), "
        "cast(row(1, 'x') as row(a integer, b varchar)), json '{\"a\": [1]}', 'it''s'",
    )
    assert asked.rows[1] == [
        "1.5", "1.0E10", "Infinity", "1.50", "0.1", "true", None, "68 65", "2024-02-29",
        "2024-01-01 10:00:00", "2024-01-01 10:00:00.123456", "[1, null]", "{a=1.5}",
        "{a=1, b=x}", '{"a":[1]}', "it's",
    ]  # fmt: skip
    assert asked.types[:7] == ["double", "double", "double", "decimal", "float", "boolean", "unknown"]


def test_rows_come_in_pages_with_the_header_in_the_first(athena_bench: Bench) -> None:
    athena = athena_bench.client("athena")
    asked = must(athena_bench, "select n from unnest(sequence(1, 2500)) as t (n)")
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=asked.execution["QueryExecutionId"])
    rows = [[row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]] for page in pages]
    assert [len(page) for page in rows] == [1000, 1000, 501]
    assert rows[0][0] == "n"
    assert sorted(int(n) for page in rows for n in page if n != "n") == list(range(1, 2501))


def test_results_are_kept_in_s3(athena_bench: Bench) -> None:
    asked = must(athena_bench, "select 'a\"b' as x, cast(null as varchar) as y, '' as z")
    bucket, _, key = asked.execution["ResultConfiguration"]["OutputLocation"].removeprefix("s3://").partition("/")
    body = athena_bench.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    assert body == '"x","y","z"\n"a""b",,""\n'


def test_failed_query_says_why(athena_bench: Bench) -> None:
    asked = ask(athena_bench, "select nope from (values 1) as t (a)")
    assert asked.state == "FAILED"
    assert asked.reason == (
        "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved or requester is not authorized to access "
        "requested resources"
    )
    error = asked.execution["Status"]["AthenaError"]
    assert (error["ErrorCategory"], error["ErrorType"]) == (2, 1006)
    with pytest.raises(ClientError, match="Query did not finish successfully"):
        athena_bench.client("athena").get_query_results(QueryExecutionId=asked.execution["QueryExecutionId"])


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select 1; select 2", "Only one sql statement is allowed"),
        ("set session a = 1", "mismatched input 'SET'"),
        (f"select '{'x' * 262_144}'", "longer than 262144 bytes"),
    ],
)
def test_what_athena_does_not_take_is_refused_at_once(athena_bench: Bench, sql: str, says: str) -> None:
    with pytest.raises(ClientError, match=says):
        ask(athena_bench, sql)


def test_unknown_workgroup_is_refused(athena_bench: Bench) -> None:
    with pytest.raises(ClientError, match="WorkGroup nobody is not found"):
        ask(athena_bench, "select 1", WorkGroup="nobody")


def test_iceberg_table_is_written_changed_and_dropped_with_its_files(athena_bench: Bench, shop: str) -> None:
    made = must(athena_bench, iceberg(shop, "t", "select 1 as id, cast('a' as varchar) as name"))
    assert made.results is not None
    assert made.results["UpdateCount"] == 1
    for sql, count in (
        (f"insert into {shop}.t values (2, 'b'), (3, 'c')", 2),
        (f"update {shop}.t set name = 'z' where id = 2", 1),
        (f"delete from {shop}.t where id = 1", 1),
        (f"merge into {shop}.t as t using (values (3, 'm'), (4, 'n')) as s (id, name) on t.id = s.id "
         "when matched then update set name = s.name when not matched then insert values (s.id, s.name)", 2),
    ):  # fmt: skip
        changed = must(athena_bench, sql)
        assert changed.results is not None
        assert changed.results["UpdateCount"] == count, sql
    must(athena_bench, f"alter table {shop}.t add columns (extra string)")
    rows = must(athena_bench, f"select id, name, extra from {shop}.t order by id").rows
    assert rows[1:] == [["2", "z", None], ["3", "m", None], ["4", "n", None]]
    glue = athena_bench.client("glue").get_table(DatabaseName=shop, Name="t")["Table"]
    assert [column["Name"] for column in glue["StorageDescriptor"]["Columns"]] == ["id", "name", "extra"]
    must(athena_bench, f"drop table {shop}.t")
    left = athena_bench.client("s3").list_objects_v2(Bucket="athena-bench", Prefix=f"{shop}/t/")
    assert left["KeyCount"] == 0


def test_more_than_100_open_partitions_are_refused(athena_bench: Bench, shop: str) -> None:
    query = "select n from unnest(sequence(1, {})) as t (n)"
    more = ", partitioning = array['n']"
    assert "TOO_MANY_OPEN_PARTITIONS" in ask(athena_bench, iceberg(shop, "wide", query.format(101), more)).reason
    must(athena_bench, iceberg(shop, "fits", query.format(100), more))


def test_timestamps_have_the_precision_of_the_table_format(athena_bench: Bench, shop: str) -> None:
    query = "select cast('2024-01-01 10:00:00' as timestamp({})) as at"
    asked = ask(athena_bench, iceberg(shop, "t", query.format(3)))
    assert 'Timestamp precision (3) not supported for Iceberg. Use "timestamp(6)" instead' in asked.reason
    must(athena_bench, iceberg(shop, "t", query.format(6)))
    assert ask(athena_bench, f"create table {shop}.h as {query.format(6)}").state == "FAILED"
    must(athena_bench, f"create table {shop}.h as {query.format(3)}")


def test_scanned_bytes_are_those_of_the_partitions_read(athena_bench: Bench, shop: str) -> None:
    query = (
        "select n, n % 10 as part, to_hex(sha256(to_utf8(cast(n as varchar)))) as text "
        "from unnest(sequence(1, 10000)) as t (n)"
    )
    must(athena_bench, iceberg(shop, "t", query, ", partitioning = array['part']"))
    whole = must(athena_bench, f"select max(text) from {shop}.t").scanned
    tenth = must(athena_bench, f"select max(text) from {shop}.t where part = 3").scanned
    assert 0 < tenth < whole / 8


def test_query_over_the_workgroups_limit_is_cancelled_and_billed(athena_bench: Bench, shop: str) -> None:
    numbers = "unnest(sequence(1, 10000)) as a (x) cross join unnest(sequence(1, 30)) as b (y)"
    must(
        athena_bench,
        iceberg(shop, "t", f"select sha512(to_utf8(cast(x * 100 + y as varchar))) as noise from {numbers}"),
    )
    many = "(select n from unnest(sequence(1, 200)) as b (n))"
    lowest = 10_000_000
    athena_bench.client("athena").create_work_group(
        Name=shop, Configuration={"BytesScannedCutoffPerQuery": lowest, "EnforceWorkGroupConfiguration": True}
    )
    assert must(athena_bench, f"select count(*) from {shop}.t", WorkGroup=shop).rows[1] == ["300000"]
    quick = f"select max(noise) from {shop}.t"
    slow = f"select max(sha512(sha512(noise || to_utf8(cast(n as varchar))))) from {many} cross join {shop}.t"
    for query in (quick, slow):  # the engine itself stops the second only
        asked = ask(athena_bench, query, WorkGroup=shop)
        assert (asked.state, asked.reason) == ("CANCELLED", "Bytes scanned limit was exceeded")
        assert asked.scanned > lowest


def test_csv_table_is_read_through_its_serde(athena_bench: Bench, shop: str) -> None:
    s3 = athena_bench.client("s3")
    s3.put_object(Bucket="athena-bench", Key=f"{shop}/csv/a.csv", Body=b'id,name\n1,"x, y"\n2,\n')
    must(
        athena_bench,
        f"create external table `{shop}`.`csv` (`id` string, `name` string) "
        "row format serde 'org.apache.hadoop.hive.serde2.OpenCSVSerde' "
        f"location 's3://athena-bench/{shop}/csv/' tblproperties ('skip.header.line.count' = '1')",
    )
    assert must(athena_bench, f"select * from {shop}.csv").rows[1:] == [["1", "x, y"], ["2", ""]]


def test_projected_partitions_need_no_partition_in_glue(athena_bench: Bench, shop: str) -> None:
    s3 = athena_bench.client("s3")
    for day in ("01", "02"):
        key = f"{shop}/raw/year=2024/month=01/day={day}/hour=10/a.json"
        s3.put_object(Bucket="athena-bench", Key=key, Body=f'{{"id": "{day}"}}\n'.encode())
    must(
        athena_bench,
        f"create external table {shop}.raw (id string) partitioned by (arrived string) "
        "row format serde 'org.openx.data.jsonserde.JsonSerDe' "
        f"location 's3://athena-bench/{shop}/raw/' tblproperties ("
        "'projection.enabled' = 'true', 'projection.arrived.type' = 'date', "
        "'projection.arrived.format' = '''year=''yyyy''/month=''MM''/day=''dd', "
        "'projection.arrived.range' = 'year=2024/month=01/day=01,NOW', "
        f"'storage.location.template' = 's3://athena-bench/{shop}/raw/${{arrived}}/')",
    )
    asked = must(athena_bench, f"select id, arrived from {shop}.raw where arrived = 'year=2024/month=01/day=02'")
    assert asked.rows[1:] == [["02", "year=2024/month=01/day=02"]]


def test_projection_enumerates_numbers_and_finds_times_with_colons(athena_bench: Bench, shop: str) -> None:
    s3 = athena_bench.client("s3")
    for number, second in ((10, "01"), (40, "02")):
        key = f"{shop}/p/size={number}/at=2024-01-01 00:00:{second}/a.csv"
        s3.put_object(Bucket="athena-bench", Key=key, Body=b"a\n")
    must(
        athena_bench,
        f"create external table {shop}.p (line string) partitioned by (size bigint, at timestamp) "
        f"row format delimited fields terminated by '|' location 's3://athena-bench/{shop}/p/' tblproperties ("
        "'projection.enabled' = 'true', 'projection.size.type' = 'enum', 'projection.size.values' = '10,40,70', "
        "'projection.at.type' = 'date', 'projection.at.format' = 'yyyy-MM-dd HH:mm:ss', "
        "'projection.at.interval' = '1', 'projection.at.interval.unit' = 'SECONDS', "
        "'projection.at.range' = '2024-01-01 00:00:00,2024-01-01 00:00:09')",
    )
    found = must(athena_bench, f"select size, second(at) from {shop}.p order by size").rows[1:]
    assert found == [["10", "1"], ["40", "2"]]
    kept = athena_bench.client("glue").get_table(DatabaseName=shop, Name="p")["Table"]["Parameters"]
    assert kept["projection.size.values"] == "10,40,70"


def test_columns_of_iceberg_tables_tell_their_fields(athena_bench: Bench, shop: str) -> None:
    must(athena_bench, iceberg(shop, "t", "select 1 as a, 'x' as b"))
    must(athena_bench, f"alter table {shop}.t drop column a")
    must(athena_bench, f"alter table {shop}.t add columns (c int)")
    columns = athena_bench.client("glue").get_table(DatabaseName=shop, Name="t")["Table"]["StorageDescriptor"][
        "Columns"
    ]
    told = [
        (column["Name"], *(column["Parameters"][f"iceberg.field.{part}"] for part in ("id", "current", "optional")))
        for column in columns
    ]
    assert told == [("b", "2", "true", "true"), ("c", "3", "true", "true")]


def test_show_tells_tables_from_views_behind_a_comment(athena_bench: Bench, shop: str) -> None:
    must(athena_bench, iceberg(shop, "t", "select 1 as id"))
    must(athena_bench, f"create view {shop}.v as select id from {shop}.t")
    assert must(athena_bench, f"-- dbt\nshow views in {shop}").rows == [["v"]]
    assert must(athena_bench, f"-- dbt\nshow tables in {shop}").rows == [["t"], ["v"]]
    assert ask(athena_bench, f"create view {shop}.v as select 2 as id").state == "FAILED"


@pytest.mark.stricter
def test_columns_are_changed_with_their_comments_or_the_change_is_refused(athena_bench: Bench, shop: str) -> None:
    must(athena_bench, iceberg(shop, "t", "select 1 as id"))
    must(athena_bench, f"alter table {shop}.t change column id number bigint comment 'its number'")
    (column,) = athena_bench.client("glue").get_table(DatabaseName=shop, Name="t")["Table"]["StorageDescriptor"][
        "Columns"
    ]
    assert (column["Name"], column["Type"], column.get("Comment")) == ("number", "bigint", "its number")
    must(athena_bench, f"create table {shop}.h as select 1 as id")
    assert "has no column nope" in ask(athena_bench, f"alter table {shop}.h change column nope x int").reason
    compressed = ask(athena_bench, f"alter table {shop}.t set tblproperties ('write_compression' = 'zstd')")
    assert "write_compression" in compressed.reason


def test_properties_of_a_database_are_added_to_what_it_has(athena_bench: Bench) -> None:
    must(athena_bench, "create database kept comment 'of a test' with dbproperties ('a' = '1', 'b' = '1')")
    must(athena_bench, "alter database kept set dbproperties ('b' = '2', 'c' = '3')")
    found = athena_bench.client("glue").get_database(Name="kept")["Database"]
    assert (found["Description"], found["Parameters"]) == ("of a test", {"a": "1", "b": "2", "c": "3"})
    must(athena_bench, "drop database kept")
    assert "kept" in ask(athena_bench, "alter database kept set dbproperties ('a' = '1')").reason


def test_database_with_tables_is_dropped_with_cascade_only(athena_bench: Bench, shop: str) -> None:
    must(athena_bench, f"create schema {shop}_full")
    must(athena_bench, f"create table {shop}_full.h as select 1 as id")
    assert "Use CASCADE" in ask(athena_bench, f"drop schema {shop}_full").reason
    must(athena_bench, f"drop schema {shop}_full cascade")
    must(athena_bench, f"drop schema if exists {shop}_full")


def test_view_shows_its_columns_in_glue(athena_bench: Bench, shop: str) -> None:
    must(athena_bench, f"create or replace view {shop}.v as select 1 as id, cast('x' as varchar) as name, 0.5 as share")
    glue = athena_bench.client("glue").get_table(DatabaseName=shop, Name="v")["Table"]
    columns = [(column["Name"], column["Type"]) for column in glue["StorageDescriptor"]["Columns"]]
    assert columns == [("id", "int"), ("name", "string"), ("share", "double")]
    assert must(athena_bench, f"select * from {shop}.v").rows[1:] == [["1", "x", "0.5"]]


def test_unload_writes_files_and_leaves_no_table(athena_bench: Bench, shop: str) -> None:
    must(athena_bench, f"unload (select 1 as a) to 's3://athena-bench/{shop}/out/' with (format = 'json')", shop)
    assert athena_bench.client("s3").list_objects_v2(Bucket="athena-bench", Prefix=f"{shop}/out/")["KeyCount"] == 1
    assert must(athena_bench, f"show tables in {shop}").rows == []


@pytest.mark.parametrize("wanted", ["asc", "desc"])
def test_unloaded_rows_are_in_the_order_of_the_query(athena_bench: Bench, shop: str, wanted: str) -> None:
    place = f"{shop}/{wanted}/"
    rows = "select n from (values 3, 1, 2) as t (n)"
    must(
        athena_bench, f"unload ({rows} order by n {wanted}) to 's3://athena-bench/{place}' with (format = 'JSON')", shop
    )
    s3 = athena_bench.client("s3")
    (file,) = s3.list_objects_v2(Bucket="athena-bench", Prefix=place)["Contents"]
    lines = gzip.decompress(s3.get_object(Bucket="athena-bench", Key=file["Key"])["Body"].read()).split()
    assert [json.loads(line)["n"] for line in lines] == sorted([1, 2, 3], reverse=wanted == "desc")


def test_optimize_and_vacuum_leave_fewer_files_and_the_same_rows(athena_bench: Bench, shop: str) -> None:
    more = ", vacuum_max_snapshot_age_seconds = 1"
    must(athena_bench, iceberg(shop, "t", "select 0 as n", more))
    for n in range(1, 4):
        must(athena_bench, f"insert into {shop}.t values {n}")
    files = f'select count(*) from "{shop}"."t$files"'
    snapshots = f'select count(*) from "{shop}"."t$snapshots"'
    assert must(athena_bench, files).rows[1] == ["4"]
    must(athena_bench, f"optimize {shop}.t rewrite data using bin_pack")
    assert must(athena_bench, files).rows[1] == ["1"]
    # Snapshots older than a second go: by the time of the last, the first is.
    must(athena_bench, f"select count(*) from {shop}.t")
    must(athena_bench, f"vacuum {shop}.t")
    assert int(must(athena_bench, snapshots).rows[1][0] or 0) < 5
    assert must(athena_bench, f"select n from {shop}.t order by n").rows[1:] == [["0"], ["1"], ["2"], ["3"]]


def test_only_one_of_two_conflicting_commits_wins(athena_bench: Bench, shop: str) -> None:
    must(athena_bench, iceberg(shop, "t", "select n, 0 as v from unnest(sequence(1, 1000)) as t (n)"))
    athena = athena_bench.client("athena")
    ids = [
        athena.start_query_execution(
            QueryString=f"update {shop}.t set v = v + 1",
            ResultConfiguration={"OutputLocation": "s3://athena-bench/results/"},
        )["QueryExecutionId"]
        for _ in range(4)
    ]
    ended = [wait(athena, id_) for id_ in ids]
    won = [one for one in ended if one["Status"]["State"] == "SUCCEEDED"]
    lost = [one["Status"]["AthenaError"] for one in ended if one["Status"]["State"] == "FAILED"]
    assert len(won) + len(lost) == 4
    assert {error["ErrorType"] for error in lost} <= {233}
    assert must(athena_bench, f"select distinct v from {shop}.t").rows[1:] == [[str(len(won))]]


def test_stopped_query_is_cancelled(athena_bench: Bench) -> None:
    athena = athena_bench.client("athena")
    numbers = "unnest(sequence(1, 10000))"
    id_ = athena.start_query_execution(
        QueryString=f"select count(*) from {numbers} as a (x) cross join {numbers} as b (y) "
        f"cross join {numbers} as c (z) where x * y * z % 7 = 1",
        ResultConfiguration={"OutputLocation": "s3://athena-bench/results/"},
    )["QueryExecutionId"]
    athena.stop_query_execution(QueryExecutionId=id_)
    assert wait(athena, id_)["Status"]["State"] == "CANCELLED"


def test_same_request_token_gives_the_same_execution(athena_bench: Bench) -> None:
    token = "once-and-no-more-than-that-please-012"
    first = must(athena_bench, "select 1", ClientRequestToken=token)
    second = must(athena_bench, "select 1", ClientRequestToken=token)
    assert first.execution["QueryExecutionId"] == second.execution["QueryExecutionId"]


def test_parameters_take_the_place_of_question_marks(athena_bench: Bench) -> None:
    assert must(athena_bench, "select ? || ?", ExecutionParameters=["'a?'", "'b'"]).rows[1] == ["a?b"]


def test_log_shows_each_statement_as_received_and_as_run(athena_bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "athena_bench"):
        must(athena_bench, "select 1.5 as logged")
    (line,) = [record.getMessage() for record in caplog.records if "logged" in record.getMessage()]
    assert "received: select 1.5 as logged" in line
    assert "ran: select 1.5e0 as logged" in line
