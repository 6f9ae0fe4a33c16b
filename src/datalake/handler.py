"""The Lambda function `handle`: ingest records, start a Glue job, ask the lake; each request is answered at once.

A request is a JSON object whose `action` says what to do. It comes in the body of a REST or HTTP API of API Gateway,
or is the event itself where the function is invoked directly. The answer has `statusCode`, `headers` and a JSON `body`:

| status | body |
|---|---|
| 200 | ingest: `message`, `s3Key`, `s3Keys`; process: `message`, `jobRunId`; query: `results`, `truncated` |
| 400 | `error`, `message`, `field`, `reason`: the caller's mistake |
| 500 | `error`, `message`: a failure, whose trace id is in the log and in the header x-trace-id |
"""

from __future__ import annotations

import base64
import json
import os
from datetime import timedelta
from decimal import Decimal
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from datalake import glue_job
from datalake.athena import QUERY_TIMEOUT, Answer, Athena
from datalake.aws import client, errors_told
from datalake.errors import (
    BatchError,
    DatalakeError,
    JobArgumentError,
    JobNotFoundError,
    NotReadOnlyError,
    QueryFailedError,
    RecordError,
    RequestError,
    SourceError,
    ValueOfTypeError,
)
from datalake.ingest import ingest
from datalake.settings import analysts_workgroup, required, sources_folder
from datalake.sources import RawTable, load_sources
from datalake.storage import S3Store
from datalake.values import as_json

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# In ASCII, since a caller may send what UTF-8 lacks.
logger = Logger(service="datalake", json_serializer=partial(json.dumps, default=str))

MOST_ROWS = 10_000

_ANSWER_BYTES = 5_500_000
"""Lambda lets an answer have 6 MB: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

_TO_ANSWER = timedelta(seconds=5)
"""What is left of the function's time when a query is cancelled."""

_LEAST_TIMEOUT = timedelta(seconds=1)

_MOST_EXACT_DIGITS = 18
"""Of an integer that 64 bits hold, whichever it is."""

_CALLERS: dict[type[DatalakeError], str] = {
    RecordError: "records",
    SourceError: "source",
    BatchError: "batch",
    JobNotFoundError: "job",
    JobArgumentError: "token",
    NotReadOnlyError: "sql",
    ValueOfTypeError: "sql",
}
"""The errors that are the caller's mistake, and the field that is wrong then."""

_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]
_Location = Annotated[str, Field(pattern=r"^s3://[^/\s]+/\S*$", max_length=1100)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)


class Ingest(_Request):
    """Land records: `datalake.ingest.ingest`.

    Attributes:
        dataset: the data set.
        records: its records, one or more.
        source: the producer, for a data set with several.
        batch: the batch's name, by which a retry is known; by default the invocation's request id.
    """

    action: Literal["ingest"]
    dataset: _Name
    records: list[Any] = Field(min_length=1)
    source: _Name | None = None
    batch: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")


class Process(_Request):
    """Start a Glue job: `datalake.glue_job.start`.

    Attributes:
        job: the job's name.
        input_path: what it reads, in the bucket of raw data; by default all of it.
        output_path: where it writes, in the bucket of processed data; by default its curated zone.
        token: names the run, by which a retry is known; by default the invocation's request id.
    """

    action: Literal["process"]
    job: str = Field(min_length=1, max_length=255)
    input_path: _Location | None = None
    output_path: _Location | None = None
    token: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")


class Query(_Request):
    """Ask the lake in the analysts' workgroup; the statement may only read.

    Attributes:
        sql: one statement.
        max_rows: the rows after which the answer is cut off.
    """

    action: Literal["query"]
    sql: str = Field(min_length=1, max_length=262_144)  # Athena's limit
    max_rows: int = Field(1000, ge=1, le=MOST_ROWS)


Request = Annotated[Ingest | Process | Query, Field(discriminator="action")]

_REQUEST: TypeAdapter[Ingest | Process | Query] = TypeAdapter(Request)


@logger.inject_lambda_context(clear_state=True)
def handle(event: Any, context: LambdaContext) -> dict[str, Any]:  # noqa: ANN401 - whatever a caller sends
    """Do what a request asks and answer it: the Lambda function.

    Args:
        event: an event of API Gateway, or the request itself.
        context: what Lambda tells of the invocation.
    """
    trace_id = os.environ.get("_X_AMZN_TRACE_ID") or context.aws_request_id
    logger.append_keys(trace_id=trace_id)
    try:
        request = _read(event)
        logger.append_keys(action=request.action)
        with errors_told():
            body = _do(request, context)
    except Exception as error:
        mistake = _mistake(error)
        if mistake:
            # Not the reason, which may quote what is personal.
            logger.warning("The request was refused", field=mistake.field, error=type(error).__name__)
            reason = {"field": mistake.field, "reason": str(mistake)}
            return _answer(400, {"error": "BadRequest", "message": f"{mistake.field}: {mistake}", **reason}, trace_id)
        logger.exception("The request failed")
        return _answer(500, _failure(error, trace_id), trace_id)
    logger.info("The request was done")
    return _answer(200, body, trace_id)


def _answer(status: int, body: dict[str, Any], trace_id: str) -> dict[str, Any]:
    headers = {"content-type": "application/json", "x-trace-id": trace_id}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}


def _mistake(error: Exception) -> RequestError | None:
    """Return an error as the caller's mistake, or None where it is none."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, QueryFailedError) and error.is_callers:
        return RequestError("sql", str(error))
    field = next((field for type_, field in _CALLERS.items() if isinstance(error, type_)), None)
    return RequestError(field, str(error)) if field else None


def _failure(error: Exception, trace_id: str) -> dict[str, str]:
    if isinstance(error, DatalakeError):
        return {"error": type(error).__name__, "message": str(error)}
    return {"error": "InternalError", "message": f"The request failed; the log says why under the trace id {trace_id}."}


def _read(event: object) -> Ingest | Process | Query:
    request = _body_of(event) if isinstance(event, dict) and "requestContext" in event else event
    try:
        return _REQUEST.validate_python(request)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"].startswith("union_tag"):
            raise RequestError("action", "it is none of ingest, process, query") from error
        # The first part is the action; a request that is no object has none.
        field = ".".join(map(str, first["loc"][1:])) or "request"
        raise RequestError(field, first["msg"]) from error


def _body_of(event: dict[str, Any]) -> object:
    """Return the request in an event of API Gateway, its numbers exact."""
    body = event.get("body")
    if not isinstance(body, str):
        raise RequestError("body", "the request has none")
    try:
        text = base64.b64decode(body, validate=True).decode() if event.get("isBase64Encoded") else body
        return json.loads(text, parse_int=_integer, parse_float=_number, parse_constant=_no_number)
    except RecursionError as error:
        raise RequestError("body", "it is nested too deep") from error
    except ValueError as error:
        raise RequestError("body", f"it is not JSON: {error}") from error


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _MOST_EXACT_DIGITS else Decimal(text)


def _number(text: str) -> float | Decimal:
    # Written out, 1e999999999 would fill the memory.
    return float(text) if "e" in text.lower() else Decimal(text)


def _no_number(text: str) -> object:
    raise ValueError(f"{text} is no number")


def _do(request: Ingest | Process | Query, context: LambdaContext) -> dict[str, Any]:
    match request:
        case Ingest():
            return _ingest(request, context)
        case Process():
            return _process(request, context)
        case Query():
            return _query(request, context)


def _ingest(request: Ingest, context: LambdaContext) -> dict[str, Any]:
    tables = _tables()
    if request.dataset not in tables:
        raise RequestError("dataset", f"no source YAML declares {request.dataset}; declared are {', '.join(tables)}")
    done = ingest(
        S3Store(_client("s3"), required("RAW_DATA_BUCKET")),
        tables[request.dataset],
        request.records,
        batch=request.batch or context.aws_request_id,
        source=request.source,
    )
    return {
        "message": f"Landed {done.records} records of {request.dataset} as batch {done.batch}.",
        "s3Key": done.keys[0],
        "s3Keys": list(done.keys),
    }


def _process(request: Process, context: LambdaContext) -> dict[str, Any]:
    paths = {
        "inputPath": (request.input_path, f"s3://{required('RAW_DATA_BUCKET')}/", "raw/"),
        "outputPath": (request.output_path, f"s3://{required('PROCESSED_DATA_BUCKET')}/", "curated_db/"),
    }
    for field, (given, bucket, _) in paths.items():
        if given and not given.startswith(bucket):
            raise RequestError(field, f"it is not in {bucket}")
    input_path, output_path = (given or bucket + zone for given, bucket, zone in paths.values())
    run_id = glue_job.start(
        _client("glue"),
        request.job,
        input_path=input_path,
        output_path=output_path,
        token=request.token or context.aws_request_id,
    )
    return {"message": f"Started the job {request.job}.", "jobRunId": run_id}


def _query(request: Query, context: LambdaContext) -> dict[str, Any]:
    from datalake.read_only import require_read_only  # sqlglot takes a tenth of a second, of use here only

    require_read_only(request.sql)
    athena = Athena(
        _client("athena"),
        _client("s3"),
        analysts_workgroup(),
        f"s3://{required('ATHENA_RESULTS_BUCKET')}/query-results/",
        database=required("GLUE_DATABASE"),
    )
    left = timedelta(milliseconds=context.get_remaining_time_in_millis()) - _TO_ANSWER
    answer = athena.query(request.sql, timeout=max(min(left, QUERY_TIMEOUT), _LEAST_TIMEOUT))
    results, truncated = _results(answer, request.max_rows)
    return {"results": results, "truncated": truncated}


def _results(answer: Answer, max_rows: int) -> tuple[list[dict[str, Any]], bool]:
    """Return the rows as JSON holds them, and whether there are more than the answer may have."""
    names = [column.name for column in answer.columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RequestError("sql", f"it answers more than one column {twice[0]}; name them apart")
    results: list[dict[str, Any]] = []
    size = 0
    for row in islice(answer.rows, max_rows + 1):
        result = dict(zip(names, map(as_json, row), strict=True))
        size += len(json.dumps(json.dumps(result)))  # the body is text within the answer
        if len(results) == max_rows or size > _ANSWER_BYTES:
            return results, True
        results.append(result)
    return results, False


@cache
def _client(service: str) -> Any:  # noqa: ANN401 - the clients have no common type
    """Return boto3's client, made by the first request that needs it and kept for the next ones."""
    return client(service)


@cache
def _tables() -> dict[str, RawTable]:
    return load_sources(sources_folder())
