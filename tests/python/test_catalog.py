"""Partitions made known to Glue, on the bench's S3 and Glue without an engine, asked by real boto3 clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from clients import Clients
from lakes import PROJECT

from athena_bench.glue import MOST_LISTED, Glue
from athena_bench.server import GLUE, Server
from datalake.catalog import Outside, Registered, raw_tables, register
from datalake.errors import CatalogError
from datalake.sources import load_sources

BUCKET = "lake"
TABLE = "curated_db.returns"
ROOT = f"s3://{BUCKET}/returns/"
DAYS = "'year='yyyy'/month='MM'/day='dd"
PROJECTED = {
    "projection.enabled": "true",
    "projection.arrived.type": "date",
    "projection.arrived.format": DAYS,
    "projection.arrived.range": "year=2024/month=01/day=10,year=2024/month=02/day=29",
    "projection.arrived.interval": "1",
    "projection.arrived.interval.unit": "DAYS",
    "storage.location.template": ROOT + "${arrived}/",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as server:
        Glue(server)
        yield server


@pytest.fixture
def aws(server: Server) -> Clients:
    server.reset()
    aws = Clients(server)
    aws.s3.create_bucket(Bucket=BUCKET)
    aws.glue.create_database(DatabaseInput={"Name": "curated_db"})
    return aws


def create_table(
    aws: Clients, keys: dict[str, str], parameters: dict[str, str] | None = None, location: str = ROOT
) -> None:
    aws.glue.create_table(
        DatabaseName="curated_db",
        TableInput={
            "Name": "returns",
            "StorageDescriptor": {
                "Columns": [{"Name": "id", "Type": "string"}],
                "Location": location,
                "InputFormat": "parquet-input",
                "SerdeInfo": {"SerializationLibrary": "parquet-serde"},
            },
            "PartitionKeys": [{"Name": name, "Type": type_} for name, type_ in keys.items()],
            "Parameters": parameters or {},
        },
    )


def put(aws: Clients, *keys: str) -> None:
    for key in keys:
        aws.s3.put_object(Bucket=BUCKET, Key=f"returns/{key}", Body=b"rows")


def run(aws: Clients) -> Registered:
    (registered,) = register(aws.glue, aws.s3, [TABLE])
    return registered


def held(aws: Clients) -> dict[tuple[str, ...], str]:
    pages = aws.glue.get_paginator("get_partitions").paginate(DatabaseName="curated_db", TableName="returns")
    return {
        tuple(partition["Values"]): partition["StorageDescriptor"]["Location"]
        for page in pages
        for partition in page["Partitions"]
    }


def outside(registered: Registered) -> dict[str, str]:
    return {each.place.removeprefix(ROOT): each.reason for each in registered.outside}


# Hive's folders


def test_folders_become_partitions_once(aws: Clients) -> None:
    create_table(aws, {"day": "date", "segment": "string"})
    put(aws, "day=2024-01-01/segment=a/1.parquet", "day=2024-01-01/segment=a/2.parquet", "day=2024-01-01/segment=b/x")
    first = run(aws)
    assert first == Registered(
        TABLE, False, (f"{ROOT}day=2024-01-01/segment=a/", f"{ROOT}day=2024-01-01/segment=b/"), 0, ()
    )
    put(aws, "day=2024-01-02/segment=a/1.parquet")
    second = run(aws)
    assert (second.created, second.known) == ((f"{ROOT}day=2024-01-02/segment=a/",), 2)
    assert held(aws) == {
        ("2024-01-01", "a"): f"{ROOT}day=2024-01-01/segment=a/",
        ("2024-01-01", "b"): f"{ROOT}day=2024-01-01/segment=b/",
        ("2024-01-02", "a"): f"{ROOT}day=2024-01-02/segment=a/",
    }


def test_partition_is_read_as_its_table_is(aws: Clients) -> None:
    create_table(aws, {"segment": "string"})
    put(aws, "segment=a/1.parquet")
    run(aws)
    partition = aws.glue.get_partition(DatabaseName="curated_db", TableName="returns", PartitionValues=["a"])
    storage = partition["Partition"]["StorageDescriptor"]
    assert storage["Columns"] == [{"Name": "id", "Type": "string"}]
    assert storage["InputFormat"] == "parquet-input"
    assert storage["SerdeInfo"] == {"SerializationLibrary": "parquet-serde"}


def test_values_are_what_hive_wrote_into_the_folder(aws: Clients) -> None:
    create_table(aws, {"at": "string"})
    put(aws, "at=10%3A30 %2F %25a+b/x", "at=__HIVE_DEFAULT_PARTITION__/x", "at=a=b/x", "at=%zz/x", "at=é/x")
    assert run(aws).outside == ()
    assert held(aws) == {
        ("10:30 / %a+b",): f"{ROOT}at=10%3A30 %2F %25a+b/",
        ("__HIVE_DEFAULT_PARTITION__",): f"{ROOT}at=__HIVE_DEFAULT_PARTITION__/",
        ("a=b",): f"{ROOT}at=a=b/",
        ("%zz",): f"{ROOT}at=%zz/",
        ("é",): f"{ROOT}at=é/",
    }


def test_column_in_capitals_is_found(aws: Clients) -> None:
    """Spark names the folder by the column as it is written, Glue keeps small letters."""
    create_table(aws, {"orderdate": "date"})
    put(aws, "OrderDate=2024-01-01/x")
    assert run(aws).outside == ()
    assert held(aws) == {("2024-01-01",): f"{ROOT}OrderDate=2024-01-01/"}


def test_more_partitions_than_a_batch_and_a_page_hold(aws: Clients) -> None:
    create_table(aws, {"number": "int"})
    known = range(10_000, 10_000 + MOST_LISTED)
    for begin in range(0, MOST_LISTED, 100):
        aws.glue.batch_create_partition(
            DatabaseName="curated_db",
            TableName="returns",
            PartitionInputList=[
                {"Values": [str(n)], "StorageDescriptor": {"Location": f"{ROOT}number={n}"}}
                for n in known[begin : begin + 100]
            ],
        )
    aws.glue.create_partition(
        DatabaseName="curated_db",
        TableName="returns",
        PartitionInput={"Values": ["7"], "StorageDescriptor": {"Location": "s3://lake/moved/"}},
    )
    put(aws, *(f"number={n}/x" for n in range(102)))
    registered = run(aws)
    assert (len(registered.created), registered.known) == (101, 0)
    assert outside(registered) == {"number=7/": "the partition number=7 has another folder, s3://lake/moved/"}
    assert len(held(aws)) == MOST_LISTED + 102


def test_a_listing_takes_a_request_a_folder_not_an_object(aws: Clients) -> None:
    create_table(aws, {"day": "date", "segment": "string"})
    put(aws, *(f"day=2024-01-0{day}/segment={segment}/{n}" for day in (1, 2) for segment in "abc" for n in range(5)))
    requests: list[str] = []
    aws.s3.meta.events.register("before-call.s3.ListObjectsV2", lambda **_: requests.append("list"))
    run(aws)
    assert len(requests) == 3


def test_two_registrars_at_once_make_each_partition_known_once(aws: Clients, server: Server) -> None:
    create_table(aws, {"segment": "string"})
    put(aws, "segment=a/x", "segment=b/x")
    other = Clients(server)
    before: list[Registered] = []

    def come_first(**_: Any) -> None:
        if not before:
            before.append(run(other))

    aws.glue.meta.events.register("before-call.glue.BatchCreatePartition", come_first)
    second = run(aws)
    assert len(before[0].created) == 2
    assert (second.created, second.known) == ((), 2)
    assert len(held(aws)) == 2


def test_killed_registrar_is_started_again(aws: Clients) -> None:
    create_table(aws, {"number": "int"})
    put(aws, *(f"number={n}/x" for n in range(101)))
    batches: list[int] = []

    def kill_at_the_second(**_: Any) -> None:
        batches.append(1)
        if len(batches) == 2:
            raise KeyboardInterrupt

    aws.glue.meta.events.register("before-call.glue.BatchCreatePartition", kill_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        run(aws)
    again = run(aws)
    assert (len(again.created), again.known) == (1, 100)
    assert len(held(aws)) == 101


def test_partition_that_glue_does_not_take_is_named_and_the_others_are_known() -> None:
    with Server() as server:
        server.reset()
        Glue(server)

        def refuse_b(request: dict[str, Any]) -> dict[str, Any]:
            taken = [one for one in request["PartitionInputList"] if one["Values"] != ["b"]]
            answer = server.forward(f"{GLUE}.BatchCreatePartition", request | {"PartitionInputList": taken})
            detail = {"ErrorCode": "ResourceNumberLimitExceededException", "ErrorMessage": "Too many partitions."}
            return {"Errors": [*answer.get("Errors", ()), {"PartitionValues": ["b"], "ErrorDetail": detail}]}

        server.register(GLUE, {"BatchCreatePartition": refuse_b})
        aws = Clients(server)
        aws.s3.create_bucket(Bucket=BUCKET)
        aws.glue.create_database(DatabaseInput={"Name": "curated_db"})
        create_table(aws, {"segment": "string"})
        put(aws, "segment=a/x", "segment=b/x", "segment=c/x")
        with pytest.raises(CatalogError, match=r"did not take 1 partitions of .*: segment=b: Too many partitions\."):
            run(aws)
        assert set(held(aws)) == {("a",), ("c",)}


def test_what_no_query_sees_is_told(aws: Clients) -> None:
    create_table(aws, {"number": "smallint", "day": "date"})
    sound = "number=1/day=2024-01-01/x"
    put(
        aws,
        sound,
        "stray.parquet",
        "number=1/stray.parquet",
        "number=1/other.parquet",
        "segment=1/day=2024-01-01/x",
        "number=1/plain/x",
        "number=one/day=2024-01-01/x",
        "number=40000/day=2024-01-01/x",
        "number=1/day=2024-02-30/x",
        "number=1/day=20240101/x",
        "number=/day=2024-01-01/x",
    )
    registered = run(aws)
    assert outside(registered) == {
        "": "1 files lie beside the folders number=..., as stray.parquet",
        "number=1/": "2 files lie beside the folders day=..., as other.parquet",
        "segment=1/": "a folder here is named number=...",
        "number=1/plain/": "a folder here is named day=...",
        "number=one/day=2024-01-01/": "'one' is no smallint, which number is",
        "number=40000/day=2024-01-01/": "'40000' is no smallint, which number is",
        "number=1/day=2024-02-30/": "'2024-02-30' is no date, which day is",
        "number=1/day=20240101/": "'20240101' is no date, which day is",
        "number=/day=2024-01-01/": "the value of number is empty",
    }
    assert set(held(aws)) == {("1", "2024-01-01")}


def test_what_engines_pass_over_is_not_told(aws: Clients) -> None:
    create_table(aws, {"segment": "string"})
    put(aws, "segment=a/x", "_SUCCESS", "_temporary/0/x", ".hive-staging/x")
    for marker in ("returns/", "returns/segment=a_$folder$"):
        aws.s3.put_object(Bucket=BUCKET, Key=marker, Body=b"")
    assert run(aws).outside == ()


def test_folder_of_a_partition_that_is_elsewhere_is_told(aws: Clients) -> None:
    create_table(aws, {"segment": "string"})
    aws.glue.create_partition(
        DatabaseName="curated_db",
        TableName="returns",
        PartitionInput={"Values": ["a"], "StorageDescriptor": {"Location": "s3://lake/moved/"}},
    )
    put(aws, "segment=a/x", "segment=b:c/x", "segment=b%3Ac/x")
    registered = run(aws)
    assert outside(registered) == {
        "segment=a/": "the partition segment=a has another folder, s3://lake/moved/",
        "segment=b:c/": f"the partition segment=b:c has another folder, {ROOT}segment=b%3Ac/",
    }
    assert len(registered.created) == 1


def test_table_without_a_file_has_no_partition(aws: Clients) -> None:
    create_table(aws, {"segment": "string"})
    assert run(aws) == Registered(TABLE, False, (), 0, ())


# Projected folders


def test_projected_table_needs_nothing_and_folders_outside_are_told(aws: Clients) -> None:
    create_table(aws, {"arrived": "string"}, PROJECTED)
    put(
        aws,
        "year=2024/month=01/day=10/hour=10/a",
        "year=2024/month=02/day=29/b",
        "year=2024/month=01/day=09/hour=10/a",
        "year=2024/month=03/day=01/hour=10/a",
        "year=2024/month=02/day=30/hour=10/a",
        "year=2024/month=1/day=15/a",
        "year=2024/month=01/15/a",
        "2024/month=01/day=15/a",
        "year=2024/month=01/a",
        "_hidden/a",
    )
    registered = run(aws)
    assert (registered.is_projected, registered.created, registered.known) == (True, (), 2)
    range_ = "outside of the projected range, 2024-01-10 to 2024-02-29"
    assert outside(registered) == {
        "year=2024/month=01/day=09/": f"2024-01-09 is {range_}",
        "year=2024/month=03/day=01/": f"2024-03-01 is {range_}",
        "year=2024/month=02/day=30/": "the calendar has no such day",
        "year=2024/month=1/": "a folder here is named month=MM",
        "year=2024/month=01/15/": "a folder here is named day=DD",
        "2024/": "a folder here is named year=YYYY",
        "year=2024/month=01/": "1 files lie beside the folders day=DD, as a",
    }
    assert held(aws) == {}


def test_injected_value_is_any_and_must_be_there(aws: Clients) -> None:
    parameters = PROJECTED | {
        "projection.source.type": "injected",
        "storage.location.template": ROOT + "source=${source}/${arrived}",
    }
    create_table(aws, {"source": "string", "arrived": "string"}, parameters)
    put(aws, "source=web/year=2024/month=01/day=15/a", "year=2024/month=01/day=15/a", "source=/year=2024/x")
    registered = run(aws)
    assert registered.known == 1
    assert outside(registered) == {
        "year=2024/": "a folder here is named source={source}",
        "source=/": "a folder here is named source={source}",
    }


def test_without_a_template_folders_are_named_by_their_keys(aws: Clients) -> None:
    parameters = {name: value for name, value in PROJECTED.items() if not name.startswith("storage")} | {
        "projection.arrived.format": "yyyy-MM-dd",
        "projection.arrived.range": "2024-01-10, 2024-02-29",
    }
    create_table(aws, {"arrived": "string"}, parameters, location=ROOT.rstrip("/"))
    put(aws, "arrived=2024-01-15/a", "2024-01-15/a")
    registered = run(aws)
    assert registered.known == 1
    assert outside(registered) == {"2024-01-15/": "a folder here is named arrived=YYYY-MM-DD"}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"projection.arrived.type": "enum", "projection.arrived.values": "a,b"}, "arrived is projected as enum"),
        ({"projection.arrived.type": "integer"}, "arrived is projected as integer"),
        ({"projection.arrived.type": ""}, "arrived is projected as nothing"),
        ({"projection.arrived.interval": "7"}, "its interval is not a day"),
        ({"projection.arrived.interval.unit": "MONTHS"}, "its interval is not a day"),
        ({"projection.arrived.range": "year=2024/month=01/day=10,NOW"}, "is not two days of its format"),
        ({"projection.arrived.range": "year=2024/month=01/day=10"}, "is not two days of its format"),
        ({"projection.arrived.format": "yyyy-MM-dd HH"}, "is not of yyyy, MM and dd"),
        ({"projection.arrived.format": "yyyy-MM"}, "is not of yyyy, MM and dd"),
        ({"storage.location.template": ROOT + "${day}/"}, "does not name each key once"),
    ],
)
def test_projection_that_cannot_be_told_is_an_error(aws: Clients, changed: dict[str, str], says: str) -> None:
    create_table(aws, {"arrived": "string"}, PROJECTED | changed)
    with pytest.raises(CatalogError, match=says):
        run(aws)


# Which tables


def test_tables_that_have_nothing_to_register_are_named(aws: Clients) -> None:
    for name, says in (("returns", "names no table"), ("curated_db.returns", "no table curated_db.returns")):
        with pytest.raises(CatalogError, match=says):
            register(aws.glue, aws.s3, [name])
    with pytest.raises(CatalogError, match="create_raw_views"):
        register(aws.glue, aws.s3, ["raw_db.orders"])
    create_table(aws, {})
    with pytest.raises(CatalogError, match="no partition columns"):
        run(aws)


def test_iceberg_table_knows_its_files(aws: Clients) -> None:
    create_table(aws, {}, {"table_type": "ICEBERG"})
    with pytest.raises(CatalogError, match="Iceberg"):
        run(aws)


def test_nothing_is_made_known_when_one_of_the_tables_is_missing(aws: Clients) -> None:
    create_table(aws, {"segment": "string"})
    put(aws, "segment=a/x")
    with pytest.raises(CatalogError, match=r"raw_db\.orders"):
        register(aws.glue, aws.s3, [TABLE, "raw_db.orders"])
    assert held(aws) == {}


def test_raw_tables_are_the_typed_ones_and_those_of_lines() -> None:
    names = raw_tables(load_sources(PROJECT / "models" / "raw"))
    assert {"raw_db.orders", "raw_db.orders_lines", "raw_db.products_lines", "raw_db.events"} <= set(names)
    assert "raw_db.events_lines" not in names


def test_a_folder_is_told_by_its_place(aws: Clients) -> None:
    create_table(aws, {"segment": "string"})
    put(aws, f"{quote('é ü')}/x")
    assert run(aws).outside == (Outside(f"{ROOT}{quote('é ü')}/", "a folder here is named segment=..."),)
