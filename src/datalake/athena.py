"""Statements on Amazon Athena: start one, await its end, read what it answers."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from datalake.errors import QueryFailedError
from datalake.storage import S3Client

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import QueryExecutionTypeDef, RowTypeDef

TextRow = tuple[str | None, ...]

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 2.0
"""In seconds. A question about a statement's state counts against the account's rate of requests."""


@dataclass(frozen=True)
class Answer:
    """What a statement answers: the names of the columns, and the rows as text; NULL is None."""

    columns: tuple[str, ...]
    rows: Iterator[TextRow]


class Athena:
    """A workgroup of Athena that runs statements, one after the other."""

    def __init__(
        self,
        client: AthenaClient,
        s3: S3Client,
        workgroup: str,
        results: str,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Name the workgroup.

        Args:
            client: boto3's client of Athena.
            s3: boto3's client of S3, which reads results.
            workgroup: where the statements run.
            results: the folder `s3://.../` for results, where the workgroup does not set its own.
            wait: passes that many seconds.
        """
        self._client = client
        self._s3 = s3
        self._workgroup = workgroup
        self._results = results
        self._wait = wait

    def run(self, sql: str) -> QueryExecutionTypeDef:
        """Run one statement and return its execution once it succeeded; it is stopped where the wait is broken off.

        Raises:
            QueryFailedError: Athena refused it, it failed or was cancelled.
        """
        try:
            started = self._client.start_query_execution(
                QueryString=sql,
                WorkGroup=self._workgroup,
                ResultConfiguration={"OutputLocation": self._results},
            )
        except self._client.exceptions.InvalidRequestException as error:
            raise QueryFailedError(f"Athena refused the statement: {_message(error)}") from error
        try:
            return self._end_of(started["QueryExecutionId"])
        except QueryFailedError:
            raise
        except BaseException:  # also Ctrl-C: what runs on is paid for
            self._client.stop_query_execution(QueryExecutionId=started["QueryExecutionId"])
            raise

    def ask(self, sql: str) -> Answer:
        """Run a statement and return its answer; rows are fetched page by page as they are taken.

        Raises:
            QueryFailedError: Athena refused it, it failed or was cancelled.
        """
        execution = self.run(sql)
        pages = iter(
            self._client.get_paginator("get_query_results").paginate(QueryExecutionId=execution["QueryExecutionId"])
        )
        first = next(pages)["ResultSet"]
        columns = tuple(column["Name"] for column in first["ResultSetMetadata"]["ColumnInfo"])

        def rows() -> Iterator[TextRow]:
            yield from map(_cells, first["Rows"][1 if _has_header(execution) else 0 :])
            for page in pages:
                yield from map(_cells, page["ResultSet"]["Rows"])

        return Answer(columns, rows())

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

    def _end_of(self, execution_id: str) -> QueryExecutionTypeDef:
        seconds = _FIRST_WAIT
        while True:
            execution = self._client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
            status = execution["Status"]
            match status["State"]:
                case "SUCCEEDED":
                    return execution
                case "FAILED" | "CANCELLED":
                    reason = status.get("StateChangeReason") or f"it is {status['State'].lower()}, for no given reason"
                    raise QueryFailedError(f"The statement did not succeed on Athena: {reason}")
            self._wait(seconds)
            seconds = min(seconds * 1.5, _LONGEST_WAIT)


def _cells(row: RowTypeDef) -> TextRow:
    return tuple(cell.get("VarCharValue") for cell in row["Data"])


def _has_header(execution: QueryExecutionTypeDef) -> bool:
    """Tell whether the first row of an answer names its columns; that of DDL, SHOW and EXPLAIN is an answer already."""
    return execution.get("StatementType") == "DML" and execution.get("SubstatementType") != "EXPLAIN"


def _message(error: ClientError) -> str:
    return str(error.response["Error"].get("Message", error))
