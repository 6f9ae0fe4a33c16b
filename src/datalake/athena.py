"""Statements on Amazon Athena: start one, await its end, read what it answers."""

from __future__ import annotations

import csv
import io
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from datalake.cost import DOLLARS_PER_TB, TB, billed_bytes
from datalake.errors import QueryFailedError, QueryTimeoutError, ValueOfTypeError
from datalake.storage import S3Client
from datalake.values import Reader, reader

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import (
        ColumnInfoTypeDef,
        QueryExecutionContextTypeDef,
        QueryExecutionTypeDef,
        RowTypeDef,
    )

Value = Any
"""What `datalake.values.reader` makes of a cell; None for NULL."""

QUERY_TIMEOUT = timedelta(minutes=10)

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0
"""In seconds. A question about a statement's state counts against the account's rate of requests."""

_USER = 2
"""Athena's category of an error that the statement itself is to blame for."""


@dataclass(frozen=True)
class Column:
    """A column of an answer: its name, and its type as the engine names it, e.g. `bigint` or `decimal(10,2)`."""

    name: str
    type: str


@dataclass(frozen=True)
class Answer:
    """What a statement answers.

    Attributes:
        columns: its columns.
        rows: its rows, fetched page by page as they are taken.
        execution: what Athena tells of the run.
    """

    columns: tuple[Column, ...]
    rows: Iterator[tuple[Value, ...]]
    execution: QueryExecutionTypeDef

    @property
    def scanned_bytes(self) -> int:
        """The bytes that it read."""
        return self.execution["Statistics"].get("DataScannedInBytes", 0)

    @property
    def dollars(self) -> float:
        """What it costs."""
        return billed_bytes(self.execution) / TB * DOLLARS_PER_TB

    @property
    def seconds(self) -> float:
        """How long it took, its wait in the queue included."""
        return self.execution["Statistics"].get("TotalExecutionTimeInMillis", 0) / 1000

    @property
    def is_reused(self) -> bool:
        """Whether it is the answer of an earlier statement."""
        return self.execution["Statistics"].get("ResultReuseInformation", {}).get("ReusedPreviousResult", False)


class Athena:
    """A workgroup of Athena that runs statements."""

    def __init__(
        self,
        client: AthenaClient,
        s3: S3Client,
        workgroup: str,
        results: str,
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        database: str | None = None,
    ) -> None:
        """Name the workgroup.

        Args:
            client: boto3's client of Athena.
            s3: boto3's client of S3, which reads results.
            workgroup: where the statements run.
            results: the folder `s3://.../` for results, where the workgroup does not set its own.
            wait: passes that many seconds.
            clock: tells seconds that pass, from any start.
            database: where tables are that a statement names without one.
        """
        self._client = client
        self._s3 = s3
        self._workgroup = workgroup
        self._results = results
        self._wait = wait
        self._clock = clock
        self._context: QueryExecutionContextTypeDef = {"Database": database} if database else {}

    def run(self, sql: str, timeout: timedelta | None = None, reuse: timedelta | None = None) -> QueryExecutionTypeDef:
        """Run one statement and return its execution once it succeeded; it is stopped where the wait is broken off.

        Args:
            sql: the statement.
            timeout: how long it may take; by default as long as Athena lets it.
            reuse: how old an answer to the same query may be to be given again, in whole minutes; by default none is.

        Raises:
            QueryFailedError: Athena refused it, it failed or was cancelled.
            QueryTimeoutError: it took longer than it may, and was cancelled.
        """
        again: Any = (
            {
                "ResultReuseConfiguration": {
                    "ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": reuse // timedelta(minutes=1)}
                }
            }
            if reuse
            else {}
        )
        try:
            started = self._client.start_query_execution(
                QueryString=sql,
                WorkGroup=self._workgroup,
                QueryExecutionContext=self._context,
                ResultConfiguration={"OutputLocation": self._results},
                **again,
            )
        except self._client.exceptions.InvalidRequestException as error:
            raise QueryFailedError(
                f"Athena refused the statement: {_message(error)}",
                is_callers=error.response.get("AthenaErrorCode") == "MALFORMED_QUERY",
            ) from error
        try:
            return self._end_of(started["QueryExecutionId"], timeout)
        except QueryFailedError:
            raise
        except BaseException:  # also Ctrl-C: what runs on is paid for
            with suppress(BotoCoreError, ClientError):
                self._client.stop_query_execution(QueryExecutionId=started["QueryExecutionId"])
            raise

    def query(
        self,
        sql: str,
        timeout: timedelta | None = QUERY_TIMEOUT,
        reuse: timedelta | None = None,
        types: Mapping[str, str] | None = None,
    ) -> Answer:
        """Run a statement and return its answer as Python values.

        Athena does not tell what is in an array, a map or a row: it stays text there, unless `types` says what it is.
        Where such a text holds a comma, a bracket or a `=`, cast the column to JSON, which comes back exact.

        Args:
            sql: the statement.
            timeout: how long it may take.
            reuse: how old an answer to the same query may be to be given again, in whole minutes; by default none is.
            types: the type of a nested column by its name, e.g. `{"tags": "array(integer)"}`.

        Raises:
            QueryFailedError: Athena refused it, it failed or was cancelled.
            QueryTimeoutError: it took longer than it may, and was cancelled.
            ValueOfTypeError: while rows are taken: a text is not of its column's type, or Python has no such value.
        """
        execution = self.run(sql, timeout, reuse)
        pages = iter(
            self._client.get_paginator("get_query_results").paginate(QueryExecutionId=execution["QueryExecutionId"])
        )
        first = next(pages)["ResultSet"]
        columns = tuple(map(_column, first["ResultSetMetadata"]["ColumnInfo"]))
        readers = [_reader_of(column, types or {}) for column in columns]

        def rows() -> Iterator[tuple[Value, ...]]:
            for row in first["Rows"][1 if _has_header(execution) else 0 :]:
                yield _values(row, columns, readers)
            for page in pages:
                for row in page["ResultSet"]["Rows"]:
                    yield _values(row, columns, readers)

        return Answer(columns, rows(), execution)

    def read_result(self, sql: str) -> Iterator[tuple[str, ...]]:
        """Run a query and yield its rows from the CSV file of its result, which has no pages of 1,000 rows.

        NULL and an empty text are both an empty text there.

        Raises:
            QueryFailedError: Athena refused it, it failed or was cancelled.
        """
        location = self.run(sql)["ResultConfiguration"]["OutputLocation"]
        bucket, _, key = location.removeprefix("s3://").partition("/")
        body = self._s3.get_object(Bucket=bucket, Key=key)["Body"]
        with io.TextIOWrapper(io.BufferedReader(body), encoding="utf-8", newline="") as text:
            records = csv.reader(text, strict=True)
            next(records)
            yield from map(tuple, records)

    def _end_of(self, execution_id: str, timeout: timedelta | None) -> QueryExecutionTypeDef:
        seconds = _FIRST_WAIT
        until = self._clock() + timeout.total_seconds() if timeout is not None else math.inf
        while True:
            execution = self._client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
            status = execution["Status"]
            match status["State"]:
                case "SUCCEEDED":
                    return execution
                case "FAILED" | "CANCELLED":
                    reason = status.get("StateChangeReason") or f"it is {status['State'].lower()}, for no given reason"
                    raise QueryFailedError(
                        f"The statement did not succeed on Athena: {reason}",
                        is_callers=status.get("AthenaError", {}).get("ErrorCategory") == _USER,
                    )
            left = until - self._clock()
            if timeout is not None and left <= 0:
                raise QueryTimeoutError(
                    f"The statement took longer than {timeout.total_seconds():g} seconds and was cancelled. "
                    "Ask for fewer partitions, or allow more time."
                )
            # Not all at the same moments, where many wait.
            self._wait(min(seconds * random.uniform(0.5, 1), left))
            seconds = min(seconds * 1.5, _LONGEST_WAIT)


def _column(info: ColumnInfoTypeDef) -> Column:
    type_ = info["Type"]
    return Column(info["Name"], f"decimal({info['Precision']},{info['Scale']})" if type_ == "decimal" else type_)


def _reader_of(column: Column, types: Mapping[str, str]) -> Reader:
    try:
        return reader(types.get(column.name, column.type))
    except ValueError as error:
        raise ValueOfTypeError(f"The type given for the column {column.name} can't be used: {error}.") from error


def _values(row: RowTypeDef, columns: Sequence[Column], readers: Sequence[Reader]) -> tuple[Value, ...]:
    return tuple(
        None if (text := cell.get("VarCharValue")) is None else _value(text, column, read)
        for cell, column, read in zip(row["Data"], columns, readers, strict=True)
    )


def _value(text: str, column: Column, read: Reader) -> Value:
    try:
        return read(text)
    except (ValueError, ArithmeticError, LookupError) as error:
        raise ValueOfTypeError(
            f"The column {column.name} holds {text!r}, which can't be read as {column.type}: {error}. "
            f"Select it as text, or cast({column.name} as json)."
        ) from error


def _has_header(execution: QueryExecutionTypeDef) -> bool:
    """Tell whether the first row of an answer names its columns; that of DDL, SHOW and EXPLAIN is an answer already."""
    return execution.get("StatementType") == "DML" and execution.get("SubstatementType") != "EXPLAIN"


def _message(error: ClientError) -> str:
    return str(error.response["Error"].get("Message", error))
