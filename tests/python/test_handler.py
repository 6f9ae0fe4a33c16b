"""The Lambda handler: whatever event comes, it answers with 200, 400 or 500, and with 400 for a caller's mistake."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from io import StringIO
from random import Random
from typing import Any, ClassVar, cast

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from lakes import PROJECT
from lambda_events import Context, api_event
from moto import mock_aws

from datalake import handler

RAW = "raw-data"
ORDER = {"order_id": "o1", "price": 2.5}
INGEST: dict[str, Any] = {"action": "ingest", "dataset": "orders", "records": [ORDER]}
PROCESS: dict[str, Any] = {"action": "process", "job": "curate"}
QUERY: dict[str, Any] = {"action": "query", "sql": "select 1 as one"}
EVENTS = 10_000


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """moto's S3, Glue and Athena in this process, its answers to queries being empty."""
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=RAW)
        boto3.client("glue", region_name="us-east-1").create_job(
            Name="curate",
            Role="arn:aws:iam::123456789012:role/glue",
            Command={"Name": "glueetl", "ScriptLocation": "s3://code/curate.py"},
            ExecutionProperty={"MaxConcurrentRuns": 1000},
        )
        boto3.client("athena", region_name="us-east-1").create_work_group(Name="analytics-team")
        handler._client.cache_clear()
        yield
    handler._client.cache_clear()


@pytest.fixture(autouse=True)
def environment(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("DATALAKE_SOURCES", str(PROJECT / "models" / "raw"))
    monkeypatch.setenv("RAW_DATA_BUCKET", RAW)
    monkeypatch.setenv("PROCESSED_DATA_BUCKET", "processed-data")
    monkeypatch.setenv("GLUE_DATABASE", "curated_db")
    monkeypatch.setenv("ATHENA_RESULTS_BUCKET", "results")


@pytest.fixture(autouse=True)
def log() -> Iterator[StringIO]:
    """What the function logs, a JSON object a line."""
    output = handler.logger.registered_handler
    assert isinstance(output, logging.StreamHandler)
    written = StringIO()
    before = output.setStream(written)
    yield written
    output.setStream(before or sys.stdout)


def answer_to(event: Any, context: Context | None = None) -> dict[str, Any]:
    return handler.handle(event, cast(LambdaContext, context or Context()))


def ask(event: Any, context: Context | None = None) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of the answer, once its form is looked at."""
    answer = answer_to(event, context)
    assert set(answer) == {"statusCode", "headers", "body"}
    assert answer["headers"]["content-type"] == "application/json"
    body = json.loads(answer["body"], parse_constant=lambda text: pytest.fail(f"{text} is no JSON"))
    assert isinstance(body, dict)
    match answer["statusCode"]:
        case 400:
            assert set(body) == {"error", "message", "field", "reason"}
            assert body["message"] == f"{body['field']}: {body['reason']}"
        case 500:
            assert set(body) == {"error", "message"}
        case status:
            assert status == 200
    assert all(isinstance(body[name], str) and body[name] for name in body if answer["statusCode"] != 200)
    return answer["statusCode"], body


def refused(event: Any) -> tuple[str, str]:
    """Return the field and the reason of a 400."""
    status, body = ask(event)
    assert status == 400, body
    return body["field"], body["reason"]


def lines(key: str) -> list[bytes]:
    found = boto3.client("s3", region_name="us-east-1").get_object(Bucket=RAW, Key=key)
    return gzip.decompress(found["Body"].read()).splitlines()


def objects() -> int:
    return int(boto3.client("s3", region_name="us-east-1").list_objects_v2(Bucket=RAW)["KeyCount"])


def test_ingest_lands_the_records_and_names_the_object() -> None:
    context = Context()
    status, body = ask(INGEST, context)
    assert status == 200
    assert body["message"] == f"Landed 1 records of orders as batch {context.aws_request_id}."
    assert body["s3Keys"] == [body["s3Key"]]
    assert body["s3Key"].startswith("raw/orders/year=")
    assert [json.loads(line) for line in lines(body["s3Key"])] == [ORDER]


@pytest.mark.parametrize("batch", [None, "night"])
def test_request_that_is_tried_again_writes_nothing_twice(batch: str | None) -> None:
    context = Context()
    first = ask(INGEST | {"batch": batch}, context)
    before = objects()
    assert ask(INGEST | {"batch": batch}, context) == first
    assert objects() == before
    other = ask(INGEST | {"batch": batch})
    assert (other == first) == (batch is not None)


def test_other_records_under_a_batch_are_the_callers_mistake() -> None:
    ask(INGEST | {"batch": "taken"})
    field, reason = refused(INGEST | {"batch": "taken", "records": [ORDER, ORDER]})
    assert field == "batch"
    assert "was ingested at" in reason


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"records": [ORDER, 7]}, "records", "Record 2 is a int, not an object"),
        ({"records": [{"price": 1 << 70}]}, "records", "Record 1 has a value that JSON can't hold"),
        ({"records": [{"price": float("nan")}]}, "records", "Record 1 has a value that JSON can't hold"),
        ({"records": [{"a": "\ud800"}]}, "records", "Record 1 has a value that JSON can't hold"),
        ({"records": []}, "records", "List should have at least 1 item"),
        ({"records": ORDER}, "records", "Input should be a valid list"),
        ({"dataset": "returns"}, "dataset", "no source YAML declares returns; declared are api_events, accounts"),
        ({"dataset": "../orders"}, "dataset", "String should match pattern"),
        ({"dataset": "orders\n"}, "dataset", "String should match pattern"),
        ({"dataset": None}, "dataset", "Input should be a valid string"),
        ({"dataset": "products", "records": [{"x": 1}]}, "records", "Record 1 has the key 'x'"),
        ({"dataset": "api_events"}, "source", "The data set api_events has several producers: name the source"),
        ({"source": "shop"}, "source", "The data set orders has no `source` in its path"),
        ({"source": "Shop/1"}, "source", "String should match pattern"),
        ({"batch": "a/b"}, "batch", "String should match pattern"),
        ({"bucket": "mine"}, "bucket", "Extra inputs are not permitted"),
        ({"action": "delete"}, "action", "it is none of ingest, process, query"),
        ({"action": ["ingest"]}, "action", "it is none of ingest, process, query"),
        ({"action": "\ud800"}, "action", "it is none of ingest, process, query"),
    ],
)
def test_mistake_in_a_request_is_named_by_its_field_and_writes_nothing(
    change: dict[str, Any], field: str, reason: str
) -> None:
    before = objects()
    found = refused(INGEST | change)
    assert found[0] == field
    assert found[1].startswith(reason)
    assert objects() == before


@pytest.mark.parametrize("event", [None, 7, "ingest", [], [INGEST], {}, {"dataset": "orders"}])
def test_event_that_is_no_request_is_refused(event: Any) -> None:
    assert refused(event)[0] in ("action", "request")


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("is_base64", [False, True])
def test_request_comes_in_the_body_of_either_api(version: str, is_base64: bool) -> None:
    text = json.dumps(INGEST)
    body = base64.b64encode(text.encode()).decode() if is_base64 else text
    assert ask(api_event(body, version, is_base64))[0] == 200


@pytest.mark.parametrize(
    ("body", "is_base64"),
    [
        (None, False),
        ("", False),
        ("{", False),
        ("[" * 100_000, False),
        ('{"action": "ingest", "dataset": "orders", "records": [{"price": NaN}]}', False),
        ('{"action": ' + "9" * 5000 + "}", False),
        ("!", True),
        ("/w==", True),
    ],
)
def test_body_that_is_no_json_is_refused(body: str | None, is_base64: bool) -> None:
    assert refused(api_event(body, is_base64=is_base64))[0] in ("body", "action")


def test_numbers_in_a_body_are_landed_to_their_last_digit() -> None:
    numbers = '{"price":2.10,"id":123456789012345678901234567890,"rate":0.1234567890123456789,"far":1e300,"count":-7}'
    status, body = ask(api_event('{"action": "ingest", "dataset": "orders", "records": [' + numbers + "]}"))
    assert (status, lines(body["s3Key"])) == (200, [numbers.replace("1e300", "1e+300").encode()])


@pytest.mark.parametrize("number", ["1e999", "1E999999999", "-1e99999999999999999999"])
def test_number_beyond_all_bounds_is_refused(number: str) -> None:
    text = '{"action": "ingest", "dataset": "orders", "records": [{"price": ' + number + "}]}"
    assert refused(api_event(text))[0] == "records"


def runs() -> list[Any]:
    return list(boto3.client("glue", region_name="us-east-1").get_job_runs(JobName="curate")["JobRuns"])


def test_process_starts_the_job_once_for_a_request_and_names_its_run() -> None:
    context = Context()
    status, body = ask(PROCESS, context)
    assert (status, body["message"]) == (200, "Started the job curate.")
    started = {run["Id"]: run["Arguments"] for run in runs()}
    arguments = started[body["jobRunId"]]
    assert (arguments["--INPUT_PATH"], arguments["--OUTPUT_PATH"]) == (
        "s3://raw-data/raw/",
        "s3://processed-data/curated_db/",
    )
    assert ask(PROCESS, context) == (200, body)
    assert len(runs()) == len(started)
    assert ask(PROCESS)[1]["jobRunId"] != body["jobRunId"]


def test_process_takes_locations_and_a_token() -> None:
    asked = PROCESS | {
        "inputPath": "s3://raw-data/raw/orders/",
        "outputPath": "s3://processed-data/curated/orders/",
        "token": "night",
    }
    status, body = ask(asked)
    assert status == 200
    (arguments,) = [run["Arguments"] for run in runs() if run["Id"] == body["jobRunId"]]
    assert arguments["--INPUT_PATH"] == asked["inputPath"]
    assert arguments["--OUTPUT_PATH"] == asked["outputPath"]
    assert ask(asked) == (200, body)
    assert refused(asked | {"inputPath": "s3://raw-data/raw/users/"})[0] == "token"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"job": "unknown"}, "job"),
        ({"job": ""}, "job"),
        ({"inputPath": "s3://raw-data-of-others/raw/"}, "inputPath"),
        ({"outputPath": "s3://raw-data/raw/"}, "outputPath"),
        ({"outputPath": "/curated"}, "outputPath"),
        ({"token": " "}, "token"),
        ({"input_path": "s3://raw-data/raw/"}, "input_path"),
    ],
)
def test_mistake_in_a_job_is_named_by_its_field_and_starts_nothing(change: dict[str, Any], field: str) -> None:
    before = len(runs())
    assert refused(PROCESS | change)[0] == field
    assert len(runs()) == before


@pytest.mark.parametrize(
    "sql",
    [
        "drop table curated_db.orders",
        "delete from curated_db.orders",
        "select 1; select 2",
        "create table a as select 1",
        "select (",
        "(" * 5_000,
        "",
        "\x00",
        ";",
    ],
)
def test_statement_that_does_more_than_read_is_refused(sql: str) -> None:
    assert refused(QUERY | {"sql": sql})[0] == "sql"


@pytest.mark.parametrize("rows", [0, -1, 10_001, True, "5", 1.5])
def test_row_cap_has_bounds(rows: Any) -> None:
    assert refused(QUERY | {"maxRows": rows})[0] == "maxRows"


@pytest.mark.parametrize(
    ("event", "setting"),
    [
        (INGEST, "RAW_DATA_BUCKET"),
        (PROCESS, "RAW_DATA_BUCKET"),
        (PROCESS, "PROCESSED_DATA_BUCKET"),
        (QUERY, "ATHENA_RESULTS_BUCKET"),
        (QUERY, "GLUE_DATABASE"),
    ],
)
def test_missing_setting_is_a_failure_that_names_it(
    event: dict[str, Any], setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(setting)
    status, body = ask(event)
    assert (status, body["error"]) == (500, "SettingError")
    assert setting in body["message"]


def test_failure_of_aws_is_a_500_whose_trace_id_is_in_the_log(monkeypatch: pytest.MonkeyPatch, log: StringIO) -> None:
    monkeypatch.setenv("RAW_DATA_BUCKET", "no-such-bucket")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
    answer = answer_to(INGEST)
    body = json.loads(answer["body"])
    assert (answer["statusCode"], body["error"]) == (500, "AwsError")
    assert "NoSuchBucket" in body["message"]
    logged = json.loads(log.getvalue().splitlines()[-1])
    assert logged["trace_id"] == answer["headers"]["x-trace-id"] == "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    assert (logged["level"], logged["action"], logged["exception_name"]) == ("ERROR", "ingest", "AwsError")


def test_failure_that_no_one_foresaw_tells_the_caller_no_more_than_where_to_look(
    monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    context = Context()
    tables: dict[str, Any] = {}
    monkeypatch.setattr(handler, "_tables", lambda: tables["a secret"])
    status, body = ask(INGEST, context)
    assert (status, body["error"]) == (500, "InternalError")
    assert "a secret" not in body["message"]
    assert context.aws_request_id in body["message"]
    assert "a secret" in log.getvalue()


def test_log_holds_nothing_that_a_caller_has_sent(log: StringIO) -> None:
    ask(INGEST | {"records": [{"email": "ann@example.com"}]})
    ask(QUERY | {"sql": "select 'ann@example.com'"})
    refused(INGEST | {"dataset": "products", "records": [{"ann@example.com": 1}]})
    logged = log.getvalue()
    assert [json.loads(line)["message"] for line in logged.splitlines()] == [
        "The request was done",
        "The request was done",
        "The request was refused",
    ]
    assert "ann@example.com" not in logged


class Fuzzer:
    """Requests that are whole, changed at random, or not requests at all, in any envelope."""

    # fmt: off
    JUNK: ClassVar[list[Any]] = [
        None, True, False, 0, -1, 1 << 80, 1.5, float("nan"), float("inf"), "", " ", "orders", "ingest", "\x00",
        "\ud800", "é" * 300, "a" * 300, "s3://raw-data/x", "select 1", "drop table a", "--", "/*", "'", "((((",
        "explain", "show", "explain analyze (", "with", "select * from t where \ud800", [], [[]], [None], {},
        {"": None}, {"a": {"b": [1]}}, [{"order_id": "\ud800"}], [{}], [{"order_id": 1 << 80}], [1, {}],
    ]
    FIELDS = (
        "action", "dataset", "records", "source", "batch", "job", "inputPath", "outputPath", "token", "sql", "maxRows",
        "requestContext", "body", "isBase64Encoded", "", "\ud800", "x",
    )
    # fmt: on

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def event(self) -> Any:
        random = self.random
        request = self.request()
        kind = random.random()
        if kind < 0.4:
            return request
        if kind < 0.5:
            return self.junk()
        text = json.dumps(request) if random.random() < 0.9 else str(request)
        if random.random() < 0.2:
            cut = random.randrange(len(text) + 1)
            text = text[:cut] + random.choice(["", "\x00", "é", "]", "}", '"', "1e9999"]) + text[cut + 1 :]
        body: Any = text if random.random() < 0.95 else self.junk()
        if is_base64 := random.random() < 0.3:
            body = base64.b64encode(text.encode(errors="replace")).decode() if random.random() < 0.8 else body
        event = api_event(body, random.choice(["1.0", "2.0"]), is_base64)
        if random.random() < 0.1:
            event[random.choice(list(event))] = self.junk()
        return event

    def request(self) -> Any:
        random = self.random
        # Few are whole: these take a request of AWS, and a start of a job looks through all runs.
        request: dict[str, Any] = deepcopy(random.choices([INGEST, QUERY, PROCESS], [6, 6, 1])[0])
        for _ in range(random.choices([0, 1, 2, 3, 4], [1, 9, 30, 30, 30])[0]):
            if random.random() < 0.2:
                request.pop(random.choice(list(request) or [""]), None)
            else:
                request[random.choice(self.FIELDS)] = self.junk()
        return request

    def junk(self) -> Any:
        return deepcopy(self.random.choice(self.JUNK))


def test_ten_thousand_random_events_get_an_answer_and_no_mistake_of_a_caller_a_500(
    request: pytest.FixtureRequest, log: StringIO
) -> None:
    fuzzer = Fuzzer(request.config.getoption("--seed"))
    statuses: Counter[int] = Counter()
    for _ in range(EVENTS):
        event = fuzzer.event()
        status, body = ask(event)
        statuses[status] += 1
        assert status != 500, (event, body)
    assert statuses[200] > 100
    logged = [json.loads(line) for line in log.getvalue().splitlines()]
    assert len(logged) == EVENTS
    assert all(line["trace_id"] for line in logged)


def test_import_brings_nothing_that_a_cold_start_would_wait_for() -> None:
    """Of what takes long; the figure of a cold start is in docs/operations.md."""
    code = "import datalake.handler, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"boto3", "duckdb", "pyarrow", "pandas", "dbt", "rich", "typer", "sqlglot", "numpy", "moto"}
    assert heavy.isdisjoint(loaded)
