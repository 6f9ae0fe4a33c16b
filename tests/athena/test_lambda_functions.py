"""The Lambda functions on the real engine: arrivals are entered in the ledger, and queries answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from athena_lakes import BUCKET, AthenaLake
from aws_lambda_powertools.utilities.typing import LambdaContext
from lakes import PROJECT
from lambda_events import TEST_EVENT, Context, event_of_event_bridge, notification, queue_event

from datalake import arrivals, handler

DAY = "year=2024/month=01/day=15/"
ORDER = json.dumps(
    dict.fromkeys(("order_id", "customer_id", "product_id", "quantity", "price", "discount", "created_at"), "1")
).encode()


@pytest.fixture
def lake(athena_lake: AthenaLake, monkeypatch: pytest.MonkeyPatch) -> Iterator[AthenaLake]:
    """An empty lake, and functions whose settings name it."""
    settings = {
        **athena_lake.bench.environment,
        "DATALAKE_SOURCES": str(PROJECT / "models" / "raw"),
        "RAW_DATA_BUCKET": BUCKET,
        "ATHENA_RESULTS_BUCKET": BUCKET,
        "GLUE_DATABASE": "curated_db",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    arrivals._lake.cache_clear()
    handler._client.cache_clear()
    yield athena_lake
    arrivals._lake.cache_clear()
    handler._client.cache_clear()


def take(*bodies: dict[str, Any]) -> dict[str, Any]:
    return arrivals.handle(queue_event(bodies), cast(LambdaContext, Context()))


def query(sql: str, context: Context | None = None, **arguments: Any) -> tuple[int, dict[str, Any]]:
    event = {"action": "query", "sql": sql, **arguments}
    answer = handler.handle(event, cast(LambdaContext, context or Context()))
    return answer["statusCode"], json.loads(answer["body"])


def test_arrivals_are_entered_once_and_what_failed_comes_again(lake: AthenaLake) -> None:
    sound, odd, gone = (f"raw/orders/{DAY}{name}.json" for name in ("sound", "it's + odd é", "gone"))
    broken = "raw/returns/r.json"
    lake.store.put(sound, ORDER)
    lake.store.put(odd, ORDER)
    lake.store.put(broken, ORDER)
    bodies = [
        TEST_EVENT,
        notification(BUCKET, sound, odd, broken),
        event_of_event_bridge(BUCKET, sound),
        event_of_event_bridge(BUCKET, gone),
    ]
    told = take(*bodies)
    assert told.pop("failed")["m4"].startswith(f"{gone} has arrived and is gone now.")
    assert told == {
        "batchItemFailures": [{"itemIdentifier": "m4"}],
        "files": 3,
        "rows": 3,
        "broken": {broken: "No source YAML declares the data set returns."},
        "known": 0,
        "landed": [],
        "removed": [],
        "ignored": 0,
    }
    assert take(notification(BUCKET, odd, sound, broken))["known"] == 3
    assert lake.rows("select file_id, file, state from curated_db.raw_files order by file_id") == [
        (1, odd, "sound"),
        (2, sound, "sound"),
        (3, broken, "broken"),
    ]
    assert lake.keys("errors/") == ["errors/returns/r.json"]


def test_query_is_answered_with_values_that_json_holds_exactly(lake: AthenaLake) -> None:
    status, body = query(
        "select cast(1.10 as decimal(10, 2)) as price, 9007199254740993 as big, date '2024-02-29' as day, "
        "timestamp '2024-01-15 10:00:00.123' as at, true as sound, cast(null as varchar) as nothing, nan() as none, "
        "array[1, 2] as list, x'ff' as bytes"
    )
    assert (status, body) == (
        200,
        {
            "results": [
                {
                    "price": "1.10",
                    "big": 9007199254740993,
                    "day": "2024-02-29",
                    "at": "2024-01-15T10:00:00.123000",
                    "sound": True,
                    "nothing": None,
                    "none": "nan",
                    "list": ["1", "2"],
                    "bytes": "ff",
                }
            ],
            "truncated": False,
        },
    )


def test_table_without_a_database_is_that_of_the_setting(lake: AthenaLake) -> None:
    lake.ledger.create()
    assert query("select count(*) as files from raw_files") == (200, {"results": [{"files": 0}], "truncated": False})


def test_answer_ends_at_the_row_cap_and_says_so(lake: AthenaLake) -> None:
    numbers = "select n from unnest(sequence(1, 3)) as t (n) order by n"
    assert query(numbers, maxRows=2) == (200, {"results": [{"n": 1}, {"n": 2}], "truncated": True})
    assert query(numbers, maxRows=3)[1]["truncated"] is False


def test_answer_ends_before_it_is_longer_than_lambda_lets_it_be(lake: AthenaLake) -> None:
    wide = "select n, rpad('', 300000, 'é\"') as text from unnest(sequence(1, 5)) as t (n)"
    event = {"action": "query", "sql": wide}
    answer = handler.handle(event, cast(LambdaContext, Context()))
    body = json.loads(answer["body"])
    assert (body["truncated"], 0 < len(body["results"]) < 5) == (True, True)
    assert len(json.dumps(answer)) < 6_000_000


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select nothing_of_this_name", "nothing_of_this_name"),
        ("select * from no_such_db.no_such_table", "no_such_db"),
        ("select cast('a' as integer) as a", "Cannot cast 'a'"),
        ("select 1 as a, 2 as a", "more than one column a; name them apart"),
    ],
)
def test_statement_that_athena_refuses_is_the_callers_mistake(lake: AthenaLake, sql: str, reason: str) -> None:
    status, body = query(sql)
    assert (status, body["field"]) == (400, "sql")
    assert reason in body["reason"]


def test_query_that_outlasts_the_function_is_cancelled_and_a_failure(lake: AthenaLake) -> None:
    numbers = "unnest(sequence(1, 10000))"
    long = (
        f"select count(*) as n from {numbers} as a (x), {numbers} as b (y), {numbers} as c (z) where x * y % 7 = z % 5"
    )
    status, body = query(long, Context(remaining_ms=5_100))
    assert (status, body["error"]) == (500, "QueryTimeoutError")
    (last, *_) = lake.bench.client("athena").list_query_executions(WorkGroup="analytics-team")["QueryExecutionIds"]
    found = lake.bench.client("athena").get_query_execution(QueryExecutionId=last)["QueryExecution"]
    assert found["Status"]["State"] == "CANCELLED"
