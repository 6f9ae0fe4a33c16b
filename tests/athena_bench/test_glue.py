"""The Glue Data Catalog of the bench: what moto lacks or does otherwise than Glue, asked by real boto3 clients."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from clients import Clients, code_of

from athena_bench.glue import MOST_CREATED, MOST_LISTED, Glue
from athena_bench.server import Server

TABLE: Any = {"DatabaseName": "curated", "TableName": "orders"}


@pytest.fixture
def dropped() -> list[tuple[str, str | None]]:
    return []


@pytest.fixture
def server(server: Server, dropped: list[tuple[str, str | None]]) -> Server:
    Glue(server, lambda database, table: dropped.append((database, table)))
    return server


@pytest.fixture
def aws(aws: Clients) -> Clients:
    aws.glue.create_database(DatabaseInput={"Name": "curated"})
    return aws


def create_table(aws: Clients, keys: dict[str, str] | None = None, name: str = "orders") -> None:
    table: Any = {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "StorageDescriptor": {"Columns": [{"Name": "id", "Type": "bigint"}, {"Name": "amount", "Type": "double"}]},
        "Parameters": {"count": "0"},
    }
    if keys is not None:
        table["PartitionKeys"] = [{"Name": key, "Type": type_} for key, type_ in keys.items()]
    aws.glue.create_table(DatabaseName="curated", TableInput=table)


def test_tables_are_found_by_a_text_and_their_database(aws: Clients) -> None:
    aws.glue.create_database(DatabaseInput={"Name": "other"})
    for database, name in (("curated", "orders"), ("curated", "returns"), ("other", "all_orders")):
        aws.glue.create_table(DatabaseName=database, TableInput={"Name": name, "Description": "Of a shop"})

    def found(**request: Any) -> list[str]:
        return [table["Name"] for table in aws.glue.search_tables(**request)["TableList"]]

    assert found(SearchText="Order") == ["orders", "all_orders"]
    assert found(SearchText="shop", Filters=[{"Key": "DatabaseName", "Value": "curated"}]) == ["orders", "returns"]


def test_parameters_come_in_the_order_of_glue(aws: Clients) -> None:
    names = ["compressionType", "classification", "projection.enabled", "typeOfData"]  # as awswrangler's tests have it
    given = dict.fromkeys(sorted(names), "1")
    aws.glue.create_table(DatabaseName="curated", TableInput={"Name": "orders", "Parameters": given})
    assert list(aws.glue.get_table(DatabaseName="curated", Name="orders")["Table"]["Parameters"]) == names


def create_partitions(aws: Clients, *partitions: list[str]) -> None:
    inputs: Any = [
        {"Values": values, "StorageDescriptor": {"Location": f"s3://lake/{'/'.join(values)}/"}, "Parameters": {}}
        for values in partitions
    ]
    assert aws.glue.batch_create_partition(**TABLE, PartitionInputList=inputs).get("Errors", []) == []


def statistics(column: str, distinct: int) -> Any:
    data = {"NumberOfNulls": 0, "NumberOfDistinctValues": distinct}
    return {
        "ColumnName": column,
        "ColumnType": "bigint",
        "AnalyzedTime": 1_700_000_000,
        "StatisticsData": {"Type": "LONG", "LongColumnStatisticsData": data},
    }


def distinct_values(answer: Any) -> dict[str, int]:
    return {
        one["ColumnName"]: one["StatisticsData"]["LongColumnStatisticsData"]["NumberOfDistinctValues"]
        for one in answer["ColumnStatisticsList"]
    }


def values_of(aws: Clients, **request: Any) -> list[list[str]]:
    pages = aws.glue.get_paginator("get_partitions").paginate(**TABLE, **request)
    return sorted(partition["Values"] for partition in pages.build_full_result()["Partitions"])


# Names


def test_names_are_kept_in_lower_case_and_found_in_any(aws: Clients) -> None:
    glue = aws.glue
    glue.create_database(DatabaseInput={"Name": "Analytics"})
    glue.create_table(
        DatabaseName="ANALYTICS",
        TableInput={
            "Name": "Daily",
            "StorageDescriptor": {
                "Columns": [{"Name": "Amount", "Type": "double", "Parameters": {"Name": "Kept"}}],
                "SerdeInfo": {"Name": "Serde", "Parameters": {"Field.Delim": "X"}},
            },
            "PartitionKeys": [{"Name": "Dt", "Type": "string"}],
            "Parameters": {"Owner": "Me"},
        },
    )
    assert [one["Name"] for one in glue.get_databases()["DatabaseList"]] == ["curated", "analytics"]
    table: Any = glue.get_table(DatabaseName="analytics", Name="DAILY")["Table"]
    assert (table["DatabaseName"], table["Name"]) == ("analytics", "daily")
    assert table["StorageDescriptor"]["Columns"] == [
        {"Name": "amount", "Type": "double", "Parameters": {"Name": "Kept"}}
    ]
    assert table["StorageDescriptor"]["SerdeInfo"] == {"Name": "Serde", "Parameters": {"Field.Delim": "X"}}
    assert table["PartitionKeys"] == [{"Name": "dt", "Type": "string"}]
    assert table["Parameters"] == {"Owner": "Me"}
    assert [one["Name"] for one in glue.get_tables(DatabaseName="Analytics")["TableList"]] == ["daily"]

    glue.create_partition(DatabaseName="Analytics", TableName="Daily", PartitionInput={"Values": ["A"]})
    partition = glue.get_partition(DatabaseName="analytics", TableName="daily", PartitionValues=["A"])["Partition"]
    assert (partition["DatabaseName"], partition["TableName"]) == ("analytics", "daily")
    assert glue.batch_delete_table(DatabaseName="Analytics", TablesToDelete=["DAILY"])["Errors"] == []
    assert glue.get_tables(DatabaseName="analytics")["TableList"] == []
    glue.delete_database(Name="Analytics")


# Tables and their versions


def test_table_without_partitions_has_an_empty_list_of_keys(aws: Clients) -> None:
    create_table(aws)
    assert aws.glue.get_table(DatabaseName="curated", Name="orders")["Table"]["PartitionKeys"] == []
    assert aws.glue.get_tables(DatabaseName="curated")["TableList"][0]["PartitionKeys"] == []


def test_update_of_a_version_that_was_replaced_is_refused(aws: Clients) -> None:
    create_table(aws)
    version = aws.glue.get_table(DatabaseName="curated", Name="orders")["Table"]["VersionId"]
    update: Any = {"DatabaseName": "curated", "TableInput": {"Name": "orders", "Description": "first"}}
    aws.glue.update_table(**update, VersionId=version)
    update["TableInput"]["Description"] = "second"
    with pytest.raises(aws.glue.exceptions.ConcurrentModificationException, match="concurrent modifications"):
        aws.glue.update_table(**update, VersionId=version)
    assert aws.glue.get_table(DatabaseName="curated", Name="orders")["Table"]["Description"] == "first"
    aws.glue.update_table(**update)
    assert aws.glue.get_table(DatabaseName="curated", Name="orders")["Table"]["Description"] == "second"


def test_update_of_a_table_that_is_not_there_is_refused(aws: Clients) -> None:
    code = code_of(aws.glue.update_table, DatabaseName="curated", TableInput={"Name": "none"}, VersionId="1")
    assert code == "EntityNotFoundException"


def test_eight_writers_lose_no_increment(aws: Clients) -> None:
    create_table(aws)
    glue = aws.glue
    all_have_read = threading.Barrier(8, timeout=30)

    def increment(_: int) -> int:
        conflicts = 0
        for number in range(5):
            while True:
                table: Any = glue.get_table(DatabaseName="curated", Name="orders")["Table"]
                if number == conflicts == 0:
                    all_have_read.wait()  # so that seven of the first eight updates conflict
                count = int(table["Parameters"]["count"]) + 1
                code = code_of(
                    glue.update_table,
                    DatabaseName="curated",
                    TableInput={"Name": "orders", "Parameters": {"count": str(count)}},
                    VersionId=table["VersionId"],
                    SkipArchive=True,
                )
                if code == "":
                    break
                assert code == "ConcurrentModificationException"
                conflicts += 1
        return conflicts

    with ThreadPoolExecutor(8) as pool:
        conflicts = sum(pool.map(increment, range(8)))
    assert glue.get_table(DatabaseName="curated", Name="orders")["Table"].get("Parameters") == {"count": "40"}
    assert conflicts >= 7
    assert len(glue.get_table_versions(**TABLE)["TableVersions"]) == 1


def test_update_keeps_the_version_before_it_unless_told_not_to(aws: Clients) -> None:
    create_table(aws)
    update: Any = {"DatabaseName": "curated", "TableInput": {"Name": "orders"}}

    def versions() -> list[str]:
        pages = aws.glue.get_paginator("get_table_versions").paginate(**TABLE)
        return sorted(one["VersionId"] for one in pages.build_full_result()["TableVersions"])

    aws.glue.update_table(**update)
    assert versions() == ["1", "2"]
    aws.glue.update_table(**update, SkipArchive=True)
    assert versions() == ["1", "3"]


def test_old_versions_are_deleted_one_by_one_and_in_a_batch(aws: Clients) -> None:
    create_table(aws)
    for _ in range(4):
        aws.glue.update_table(DatabaseName="curated", TableInput={"Name": "orders"})
    aws.glue.delete_table_version(**TABLE, VersionId="1")
    assert code_of(aws.glue.delete_table_version, **TABLE, VersionId="1") == "EntityNotFoundException"
    assert code_of(aws.glue.delete_table_version, **TABLE, VersionId="5") == "InvalidInputException"
    answer = aws.glue.batch_delete_table_version(**TABLE, VersionIds=["1", "2", "3"])
    assert [(one.get("TableName"), one.get("VersionId")) for one in answer["Errors"]] == [("orders", "1")]
    assert [one["VersionId"] for one in aws.glue.get_table_versions(**TABLE)["TableVersions"]] == ["4", "5"]


def test_dropped_tables_and_databases_are_told(aws: Clients, dropped: list[tuple[str, str | None]]) -> None:
    for name in ("a", "b", "c"):
        create_table(aws, name=name)
    aws.glue.delete_table(DatabaseName="curated", Name="a")
    answer = aws.glue.batch_delete_table(DatabaseName="curated", TablesToDelete=["b", "none"])
    assert [(one.get("TableName"), one["ErrorDetail"].get("ErrorCode")) for one in answer["Errors"]] == [
        ("none", "EntityNotFoundException")
    ]
    assert code_of(aws.glue.delete_table, DatabaseName="curated", Name="none") == "EntityNotFoundException"
    aws.glue.delete_database(Name="curated")
    assert dropped == [("curated", "a"), ("curated", "b"), ("curated", None)]


def test_there_are_no_user_defined_functions(aws: Clients) -> None:
    assert aws.glue.get_user_defined_functions(Pattern="*")["UserDefinedFunctions"] == []


# Partitions


@pytest.mark.parametrize(
    ("key_type", "expression", "found"),
    [
        ("string", "(k = '2')", ["2"]),
        ("string", "(k in ('10', '3'))", ["10", "3"]),
        ("string", "((k >= '2'))", ["2", "3"]),
        ("varchar(10)", "((k > '1' AND k < '3') OR (k = '3'))", ["10", "2", "3"]),
        ("char(2)", "(k like '1%')", ["1", "10"]),
        ("int", "(k = 2)", ["2"]),
        ("bigint", "((k > 2 AND k <= 10))", ["10", "3"]),
        ("decimal(10,2)", "k > 2.5", ["10", "3"]),
        ("int", "(k=2) or (k=10)", ["10", "2"]),
        ("int", "k between 2 and 3", ["2", "3"]),
        ("int", "k <> 1 and k not in (2, 3)", ["10"]),
        ("int", "", ["1", "10", "2", "3"]),
    ],
)
def test_partitions_are_filtered_by_the_type_of_their_key(
    aws: Clients, key_type: str, expression: str, found: list[str]
) -> None:
    create_table(aws, {"k": key_type})
    create_partitions(aws, ["1"], ["2"], ["3"], ["10"])
    assert values_of(aws, Expression=expression) == [[value] for value in found]


def test_partitions_are_filtered_by_date_and_another_key(aws: Clients) -> None:
    create_table(aws, {"dt": "date", "status": "string"})
    create_partitions(aws, ["2024-01-01", "paid"], ["2024-01-02", "it's"], ["2024-02-01", "paid"])
    assert values_of(aws, Expression="(dt = '2024-01-01')") == [["2024-01-01", "paid"]]
    assert values_of(aws, Expression="(dt >= '2024-01-02' and status='paid')") == [["2024-02-01", "paid"]]
    assert values_of(aws, Expression="status = 'it''s'", ExcludeColumnSchema=True) == [["2024-01-02", "it's"]]


def test_expression_that_glue_cannot_read_is_refused(aws: Clients) -> None:
    create_table(aws, {"dt": "date"})
    create_partitions(aws, ["2024-01-01"])
    for expression in ("dt ==", "other = 'x'", "dt = 'yesterday'"):
        assert code_of(aws.glue.get_partitions, **TABLE, Expression=expression) == "InvalidInputException"


def test_segments_divide_the_partitions(aws: Clients) -> None:
    create_table(aws, {"k": "int"})
    create_partitions(aws, *([str(number)] for number in range(10)))
    segments = [values_of(aws, Segment={"SegmentNumber": n, "TotalSegments": 3}) for n in range(3)]
    assert sorted(value for segment in segments for value in segment) == [[str(number)] for number in range(10)]
    assert all(segments)


def test_partitions_are_listed_page_by_page(aws: Clients) -> None:
    create_table(aws, {"day": "string"})
    days = [[f"{number:04}"] for number in range(MOST_LISTED + 1)]
    for begin in range(0, len(days), MOST_CREATED):
        create_partitions(aws, *days[begin : begin + MOST_CREATED])
    first: Any = aws.glue.get_partitions(**TABLE)
    assert len(first["Partitions"]) == MOST_LISTED
    assert len(aws.glue.get_partitions(**TABLE, MaxResults=7)["Partitions"]) == 7
    assert values_of(aws) == days


def test_more_partitions_than_a_batch_takes_are_refused(aws: Clients) -> None:
    create_table(aws, {"day": "string"})
    inputs: Any = [{"Values": [str(number)]} for number in range(MOST_CREATED + 1)]
    assert code_of(aws.glue.batch_create_partition, **TABLE, PartitionInputList=inputs) == "ValidationException"
    assert values_of(aws) == []


def test_partitions_are_created_read_changed_and_deleted(aws: Clients) -> None:
    create_table(aws, {"k": "string"})
    create_partitions(aws, ["a"], ["b"])
    answer: Any = aws.glue.batch_create_partition(**TABLE, PartitionInputList=[{"Values": ["a"]}, {"Values": ["c"]}])
    assert [(one["PartitionValues"], one["ErrorDetail"]["ErrorCode"]) for one in answer["Errors"]] == [
        (["a"], "AlreadyExistsException")
    ]
    aws.glue.update_partition(
        **TABLE, PartitionValueList=["a"], PartitionInput={"Values": ["a"], "Parameters": {"x": "1"}}
    )
    got = aws.glue.batch_get_partition(**TABLE, PartitionsToGet=[{"Values": ["a"]}, {"Values": ["none"]}])
    assert [one.get("Parameters") for one in got["Partitions"]] == [{"x": "1"}]
    answer = aws.glue.batch_delete_partition(**TABLE, PartitionsToDelete=[{"Values": ["a"]}, {"Values": ["none"]}])
    assert [(one["PartitionValues"], one["ErrorDetail"]["ErrorCode"]) for one in answer["Errors"]] == [
        (["none"], "EntityNotFoundException")
    ]
    assert values_of(aws) == [["b"], ["c"]]


# Column statistics


def test_column_statistics_of_a_table_are_kept_changed_and_deleted(aws: Clients) -> None:
    create_table(aws)
    glue = aws.glue
    glue.update_column_statistics_for_table(
        **TABLE, ColumnStatisticsList=[statistics("id", 3), statistics("amount", 2)]
    )
    glue.update_column_statistics_for_table(**TABLE, ColumnStatisticsList=[statistics("ID", 4)])
    answer = glue.get_column_statistics_for_table(**TABLE, ColumnNames=["id", "amount", "other"])
    assert distinct_values(answer) == {"id": 4, "amount": 2}
    assert answer["ColumnStatisticsList"][0]["AnalyzedTime"].timestamp() == 1_700_000_000
    assert [one.get("ColumnName") for one in answer["Errors"]] == ["other"]
    glue.delete_column_statistics_for_table(**TABLE, ColumnName="id")
    glue.delete_column_statistics_for_table(**TABLE, ColumnName="id")
    assert distinct_values(glue.get_column_statistics_for_table(**TABLE, ColumnNames=["id", "amount"])) == {"amount": 2}


def test_column_statistics_of_partitions_are_apart(aws: Clients) -> None:
    create_table(aws, {"k": "string"})
    create_partitions(aws, ["a"], ["b"])
    glue = aws.glue
    for value, distinct in (("a", 1), ("b", 2)):
        glue.update_column_statistics_for_partition(
            **TABLE, PartitionValues=[value], ColumnStatisticsList=[statistics("id", distinct)]
        )

    def kept(value: str) -> dict[str, int]:
        answer = glue.get_column_statistics_for_partition(**TABLE, PartitionValues=[value], ColumnNames=["id"])
        return distinct_values(answer)

    assert (kept("a"), kept("b")) == ({"id": 1}, {"id": 2})
    glue.delete_column_statistics_for_partition(**TABLE, PartitionValues=["a"], ColumnName="id")
    assert (kept("a"), kept("b")) == ({}, {"id": 2})
    glue.delete_partition(**TABLE, PartitionValues=["b"])
    create_partitions(aws, ["b"])
    assert kept("b") == {}


@pytest.mark.parametrize("how", ["table", "batch", "database", "reset"])
def test_column_statistics_go_with_their_table(server: Server, aws: Clients, how: str) -> None:
    create_table(aws)
    aws.glue.update_column_statistics_for_table(**TABLE, ColumnStatisticsList=[statistics("id", 3)])
    if how == "table":
        aws.glue.delete_table(DatabaseName="curated", Name="orders")
    elif how == "batch":
        aws.glue.batch_delete_table(DatabaseName="curated", TablesToDelete=["orders"])
    else:
        if how == "database":
            aws.glue.delete_database(Name="curated")
        else:
            server.reset()
        aws.glue.create_database(DatabaseInput={"Name": "curated"})
    create_table(aws)
    assert aws.glue.get_column_statistics_for_table(**TABLE, ColumnNames=["id"])["ColumnStatisticsList"] == []


def test_column_statistics_of_what_is_not_there_are_refused(aws: Clients) -> None:
    request: Any = {"DatabaseName": "curated", "TableName": "none", "ColumnNames": ["id"]}
    assert code_of(aws.glue.get_column_statistics_for_table, **request) == "EntityNotFoundException"
    create_table(aws, {"k": "string"})
    request = {**TABLE, "PartitionValues": ["none"], "ColumnName": "id"}
    assert code_of(aws.glue.delete_column_statistics_for_partition, **request) == "EntityNotFoundException"
