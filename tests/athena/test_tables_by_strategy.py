"""Optimized tables on the bench: each strategy in each format is made, written, read back, and pruned."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from athena_lakes import BUCKET, AthenaLake
from lakes import Row

from athena_bench.bench import Bench
from datalake.catalog import register
from datalake.errors import QueryFailedError
from datalake.optimized_table import (
    ByCategory,
    ByDate,
    ByHash,
    Column,
    Part,
    Strategy,
    TableFormat,
    create_optimized_table,
    derived_column,
)

ROWS = 1_200
SCHEMA = (
    Column("order_id", "string"),
    Column("segment", "string"),
    Column("order_date", "date"),
    Column("end", "struct<user:string>"),
    Column("noise", "string"),
)
FROM_NUMBERS = f"""
    select
        'o' || cast(number as varchar) as order_id,
        'a: /' || cast(number % 3 as varchar) as segment,
        date_add('day', number % 12 * 5, date '2024-01-01') as order_date,
        cast(row(cast(number as varchar)) as row("user" varchar)) as "end",
        to_hex(sha512(to_utf8(cast(number as varchar)))) as noise
    from unnest(sequence(1, {ROWS})) as numbers (number)
"""


def row(number: int) -> dict[str, Any]:
    return {
        "order_id": f"o{number}",
        "segment": f"a: /{number % 3}",
        "order_date": date(2024, 1, 1) + timedelta(days=number % 12 * 5),
        "end": {"user": str(number)},
        "noise": hashlib.sha512(str(number).encode()).hexdigest().upper(),
    }


EXPECTED = sorted((tuple(row(number).values()) for number in range(1, ROWS + 1)), key=str)
STRATEGIES: dict[str, tuple[Strategy, str, int]] = {
    "by_date": (ByDate("order_date", Part.month), "order_date >= date '2024-02-01'", 2),
    "by_category": (ByCategory("segment"), "segment = 'a: /1'", 3),
    "by_hash": (ByHash("order_id", 8), "order_id = 'o7'", 8),
}
"""The strategy, a filter that names one partition, and how many partitions the rows are in."""

# A Hive table of another partition column than the one that is asked for needs to hear of it.
HIVE_FILTERS = {
    "by_date": "order_date_month = '2024-02'",
    "by_hash": f"order_id = 'o7' and order_id_bucket = {ByHash('order_id', 8).bucket_of('o7')}",
}


@dataclass(frozen=True)
class Made:
    """What became of a table: its rows, and the bytes that reading all and one partition scanned."""

    rows: list[Row]
    whole: int
    part: int
    expected_part: int


@pytest.fixture(scope="module")
def lake(athena_bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> AthenaLake:
    athena_bench.reset()
    return AthenaLake(athena_bench, tmp_path_factory.mktemp("optimized"))


@pytest.fixture(scope="module")
def made(lake: AthenaLake) -> Iterator[dict[tuple[str, TableFormat], Made]]:
    """Every strategy in every format, side by side."""
    lake.athena.run("create database if not exists curated_db")  # which all of them would make at the same time
    cases = [(name, table_format) for name in STRATEGIES for table_format in TableFormat]
    with ThreadPoolExecutor(len(cases)) as pool:
        yield dict(zip(cases, pool.map(lambda case: make(lake, *case), cases), strict=True))


def make(lake: AthenaLake, name: str, table_format: TableFormat) -> Made:
    strategy, condition, partitions = STRATEGIES[name]
    table = f"curated_db.{name}_{table_format}"
    location = f"s3://{BUCKET}/{table.replace('.', '/')}/"
    create_optimized_table(lake.athena, table, SCHEMA, strategy, location=location, table_format=table_format)
    if table_format is TableFormat.iceberg:
        lake.athena.run(f"insert into {table} {FROM_NUMBERS}")
    elif name == "by_date":
        insert(lake, table, strategy)
    else:
        export(lake, table, strategy)
        make_known(lake, table, by_statement=name == "by_category", partitions=partitions)
    if table_format is TableFormat.hive:
        condition = HIVE_FILTERS.get(name, condition)
    columns = ", ".join(f'"{column.name}"' for column in SCHEMA)
    rows, whole = read(lake, f"select {columns} from {table}")
    part_rows, part = read(lake, f"select {columns} from {table} where {condition}")
    assert part_rows
    return Made(sorted(rows, key=str), whole, part, whole // partitions)


def insert(lake: AthenaLake, table: str, strategy: Strategy) -> None:
    derived = derived_column(SCHEMA, strategy)
    lake.athena.run(f"insert into {table} select *, {derived.expression} as {derived.name} from ({FROM_NUMBERS})")


def export(lake: AthenaLake, table: str, strategy: Strategy) -> None:
    """Write Parquet in Hive's folders, as any program does that has never heard of Athena."""
    derived = derived_column(SCHEMA, strategy)
    folders: dict[str, list[dict[str, Any]]] = {}
    for each in map(row, range(1, ROWS + 1)):
        value = strategy.bucket_of(each["order_id"]) if isinstance(strategy, ByHash) else each.pop(derived.name)
        folders.setdefault(f"{derived.name}={str(value).replace(':', '%3A').replace('/', '%2F')}", []).append(each)

    def write(folder: str) -> None:
        body = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(folders[folder]), body)
        lake.store.put(f"{table.replace('.', '/')}/{folder}/export.parquet", body.getvalue())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, folders))


def make_known(lake: AthenaLake, table: str, *, by_statement: bool, partitions: int) -> None:
    clients = lake.bench.client("glue"), lake.bench.client("s3")
    if by_statement:
        lake.athena.run(f"msck repair table {table}")
    else:
        (registered,) = register(*clients, [table])
        assert (len(registered.created), registered.outside) == (partitions, ())
    (again,) = register(*clients, [table])
    assert (again.created, again.known, again.outside) == ((), partitions, ())


def read(lake: AthenaLake, sql: str) -> tuple[list[Row], int]:
    answer = lake.athena.query(sql)
    return list(answer.rows), answer.scanned_bytes


@pytest.mark.parametrize("table_format", TableFormat)
@pytest.mark.parametrize("name", STRATEGIES)
def test_table_holds_what_was_written_and_a_filter_reads_one_partition(
    made: dict[tuple[str, TableFormat], Made], name: str, table_format: TableFormat
) -> None:
    table = made[name, table_format]
    assert table.rows == EXPECTED
    assert 0 < table.part < 1.5 * table.expected_part


def test_bucket_is_the_same_on_athena(lake: AthenaLake) -> None:
    strategy = ByHash("v", 1_000)
    for type_, values in (
        ("string", ["", "c7", "it's", "é", "\U0001f600"]),
        ("bigint", [0, -7, 2**62]),
        ("date", [date(2024, 2, 29), date(1, 1, 1)]),
    ):
        expression = derived_column([Column("v", type_), Column("x", "string")], strategy).expression
        written = ", ".join(f"(cast('{str(value).replace(chr(39), chr(39) * 2)}' as {type_}))" for value in values)
        written = written.replace("as string)", "as varchar)")
        (found,) = lake.rows(f"select array_join(array_agg({expression}), ' ') from (values {written}) as t (\"v\")")
        assert sorted(str(found[0]).split()) == sorted(str(strategy.bucket_of(value)) for value in values)


def test_table_that_is_there_is_left_as_it_is(lake: AthenaLake, made: dict[tuple[str, TableFormat], Made]) -> None:
    assert made
    for table_format in TableFormat:
        with pytest.raises(QueryFailedError, match=r"(?i)already.?exists"):
            create_optimized_table(
                lake.athena,
                f"curated_db.by_hash_{table_format}",
                SCHEMA,
                ByCategory("segment"),
                location=f"s3://{BUCKET}/curated_db/another/",
                table_format=table_format,
            )
        location = f"s3://{BUCKET}/curated_db/by_hash_{table_format}"
        storage = lake.bench.client("glue").get_table(DatabaseName="curated_db", Name=f"by_hash_{table_format}")
        assert storage["Table"]["StorageDescriptor"]["Location"].rstrip("/") == location


def test_command_makes_a_table_in_the_lakes_bucket(lake: AthenaLake) -> None:
    said = lake.datalake(
        *("table", "create", "sandbox_ada.returns", "--column", "id:string", "--column", "at:timestamp"),
        *("--by-date", "at", "--part", "month", "--format", "hive"),
    )
    assert f"Made the table sandbox_ada.returns in s3://{BUCKET}/sandbox_ada/returns/." in said
    assert "Its partition column at_month is date_format(\"at\", '%Y-%m')." in said
    lake.store.put("sandbox_ada/returns/at_month=2024-01/a.parquet", b"")
    lake.store.put("sandbox_ada/returns/2024/a.parquet", b"no query sees it")
    said = lake.datalake("register", "sandbox_ada.returns", fails=True)
    assert "sandbox_ada.returns: 1 made known, 0 known before." in said
    assert f"no query sees s3://{BUCKET}/sandbox_ada/returns/2024/: a folder here is named at_month=...." in said
    assert lake.rows("show partitions sandbox_ada.returns") == [("at_month=2024-01",)]
