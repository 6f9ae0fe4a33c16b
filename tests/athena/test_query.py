"""Queries through the library and the command line, on the real engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from athena_lakes import WORKGROUP, AthenaLake
from test_commands import run

from athena_bench.bench import Bench
from datalake.athena import Athena, Column
from datalake.errors import QueryFailedError, QueryTimeoutError, ValueOfTypeError

VALUES = """
select
    true as boolean,
    cast(9223372036854775807 as bigint) as bigint,
    cast(1.10 as decimal(10, 2)) as decimal,
    1e0 / 3 as double,
    '' as empty,
    cast(null as varchar) as nothing,
    date '2024-02-29' as date,
    timestamp '2024-01-15 10:00:00.123' as timestamp,
    timestamp '2024-01-15 10:00:00.123 Europe/Vienna' as at,
    array[1, null] as array,
    map(array['a'], array[array[1.5]]) as map,
    cast(row('Ann, B.', row(date '2000-01-02')) as row(name varchar, born row(day date))) as row,
    cast(array[cast(row('Ann, [B]=') as row(name varchar))] as json) as json
"""


@pytest.fixture
def athena(athena_bench: Bench) -> Athena:
    return athena_of(athena_bench)


def athena_of(bench: Bench, **arguments: Any) -> Athena:
    return Athena(bench.client("athena"), bench.client("s3"), WORKGROUP, "s3://athena-bench/results/", **arguments)


def test_values_have_the_types_of_their_columns(athena: Athena) -> None:
    answer = athena.query(VALUES, types={"array": "array(integer)", "map": "map(varchar, array(decimal(2,1)))"})
    (row,) = answer.rows
    found = dict(zip([column.name for column in answer.columns], row, strict=True))
    assert found.pop("at").isoformat() == "2024-01-15T10:00:00.123000+01:00"
    # The engine writes a comma as it separates by one: what is in this row can't be told apart.
    assert found.pop("row") == "{name=Ann, B., born={day=2000-01-02}}"
    assert found == {
        "boolean": True,
        "bigint": 9223372036854775807,
        "decimal": Decimal("1.10"),
        "double": 1 / 3,
        "empty": "",
        "nothing": None,
        "date": date(2024, 2, 29),
        "timestamp": datetime(2024, 1, 15, 10, 0, 0, 123000),
        "array": [1, None],
        "map": {"a": [Decimal("1.5")]},
        "json": [{"name": "Ann, [B]="}],
    }
    assert [type(value) for value in row[:3]] == [bool, int, Decimal]
    assert answer.columns[2] == Column("decimal", "decimal(10,2)")


def test_all_pages_are_read(athena: Athena) -> None:
    sql = "select a * 1000 + b as n from unnest(sequence(0, 2)) as x(a) cross join unnest(sequence(0, 999)) as y(b)"
    assert sorted(athena.query(sql).rows) == [(number,) for number in range(3000)]


def test_first_line_of_show_and_explain_is_part_of_the_answer(athena: Athena) -> None:
    assert ("default",) in list(athena.query("show databases").rows)
    assert next(athena.query("explain select 1").rows) == ("Query Plan",)


def test_value_that_python_has_no_like_of_is_told_by_its_column(athena: Athena) -> None:
    answer = athena.query("select date '12024-01-01' as late")
    with pytest.raises(ValueOfTypeError, match=r"^The column late holds '\+?12024-01-01', which can't be read as date"):
        list(answer.rows)
    with pytest.raises(ValueOfTypeError, match=r"^The type given for the column a can't be used: 'array\(' is no type"):
        athena.query("select array[1] as a", types={"a": "array("})


@pytest.mark.parametrize(("sql", "is_callers"), [("select nothing", True), ("selec 1", True), ("select 1 / 0", True)])
def test_failure_says_whether_the_statement_is_to_blame(athena: Athena, sql: str, is_callers: bool) -> None:
    with pytest.raises(QueryFailedError) as failure:
        athena.query(sql)
    assert failure.value.is_callers == is_callers


def test_missing_workgroup_is_not_the_statements_fault(athena_bench: Bench) -> None:
    athena = Athena(athena_bench.client("athena"), athena_bench.client("s3"), "nowhere", "s3://athena-bench/results/")
    with pytest.raises(QueryFailedError, match="WorkGroup nowhere is not found") as failure:
        athena.query("select 1")
    assert not failure.value.is_callers


LONG = (
    "select count(*) from unnest(sequence(1, 10000)) as a(x) cross join unnest(sequence(1, 10000)) as b(y) "
    "cross join unnest(sequence(1, 10000)) as c(z) where x * y % 7 = 3 and sin(x) > 0"
)


def states(bench: Bench) -> Iterator[str]:
    client = bench.client("athena")
    ids = client.list_query_executions(WorkGroup=WORKGROUP)["QueryExecutionIds"]
    for execution in client.batch_get_query_execution(QueryExecutionIds=ids[:50])["QueryExecutions"]:
        yield execution["Status"]["State"]


def test_query_over_its_time_is_cancelled(athena_bench: Bench) -> None:
    athena_bench.reset()
    passed = 0.0
    waits: list[float] = []

    def wait(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        waits.append(seconds)

    athena = athena_of(athena_bench, wait=wait, clock=lambda: passed)
    with pytest.raises(QueryTimeoutError, match=r"^The statement took longer than 60 seconds and was cancelled\."):
        athena.query(LONG, timeout=timedelta(seconds=60))
    assert list(states(athena_bench)) == ["CANCELLED"]
    assert sum(waits) == pytest.approx(60)
    assert max(waits) <= 5
    assert waits[0] <= 0.1 < waits[-2]  # the last one is what was left


def test_query_whose_wait_is_broken_off_is_cancelled(athena_bench: Bench) -> None:
    athena_bench.reset()

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        athena_of(athena_bench, wait=interrupted).query(LONG)
    assert list(states(athena_bench)) == ["CANCELLED"]


def test_earlier_answer_is_given_again_for_nothing(athena_lake: AthenaLake) -> None:
    athena = athena_lake.athena
    athena.run("create database numbers")
    location = athena_lake.store.uri("numbers/")
    athena.run(
        "create table numbers.n with (table_type = 'iceberg', is_external = false, "
        f"location = '{location}', format = 'parquet') as select 41 as n"
    )
    sql = "select sum(n) as n from numbers.n"
    first = athena.query(sql, reuse=timedelta(minutes=5))
    again = athena.query(sql, reuse=timedelta(minutes=5))
    anew = athena.query(sql)
    assert [(list(each.rows), each.is_reused) for each in (first, again, anew)] == [
        ([(41,)], False),
        ([(41,)], True),
        ([(41,)], False),
    ]
    assert first.scanned_bytes == anew.scanned_bytes > 0 == again.scanned_bytes
    assert first.dollars == pytest.approx(10 / 1024**2 * 5)  # 10 MB at the least
    assert again.dollars == 0
    assert first.seconds > 0


ORDERS = """
select *
from (values (1, 'Ann', decimal '1.50'), (2, '', null), (3, null, decimal '2.25')) as t(id, name, price)
order by id
"""


def test_rows_are_printed_as_csv_json_and_a_table(athena_lake: AthenaLake) -> None:
    said = run(athena_lake, "query", ORDERS, "--format", "csv")
    assert said.splitlines()[:4] == ['"id","name","price"', '"1","Ann","1.50"', '"2","",', '"3",,"2.25"']
    assert said.splitlines()[4].startswith("Scanned 0 bytes for 0.0")
    said = run(athena_lake, "query", ORDERS, "--format", "json")
    assert json.loads(said.rpartition("]")[0] + "]") == [
        {"id": 1, "name": "Ann", "price": "1.50"},
        {"id": 2, "name": "", "price": None},
        {"id": 3, "name": None, "price": "2.25"},
    ]
    assert "NULL" in run(athena_lake, "query", ORDERS, "--reuse", "5")
