"""The operations of Athena's API that concern the run of a query; the others are moto's."""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from athena_bench.engine import Answer
from athena_bench.errors import EngineError, QueryError, RefusedError
from athena_bench.results import column_info, csv_of, text_of
from athena_bench.run import Run, Runner
from athena_bench.server import ApiError, Operation
from athena_bench.statement import Kind, Statement, read

_log = logging.getLogger(__name__)

MAX_QUERY_BYTES = 262_144
MAX_PAGE_ROWS = 1_000
ENGINE_VERSION = "Athena engine version 3"

_ICEBERG_ERROR = 233
"""AthenaError's ErrorType of a failed commit, which dbt-athena tries again."""

_CATEGORIES = {"USER_ERROR": 2}

_HELD_SECONDS = 0.25
"""How long the state of a query that has not ended is kept back, in case it ends: clients that ask often cost most."""

_ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})


@dataclass
class Execution:
    """A query execution: what was asked, how far it is, what came of it."""

    id: str
    request: dict[str, Any]
    statement: Statement
    workgroup: str
    database: str
    output: str
    cutoff: int | None
    submitted: float
    state: str = "QUEUED"
    reason: str = ""
    error: dict[str, Any] | None = None
    completed: float = 0.0
    answer: Answer | None = None
    input_bytes: int = 0
    rows: list[list[str | None]] = field(default_factory=list)
    cancel: Callable[[], None] | None = None
    reused: Execution | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def location(self) -> str:
        """Where its results are: `.csv` for rows, `.txt` for the text of a DDL statement."""
        if self.reused:
            return self.reused.location
        return f"{self.output}{self.id}.{'csv' if self.statement.type == 'DML' else 'txt'}"

    def is_same_query(self, other: Execution) -> bool:
        """Tell whether another asks the same, of the same place."""
        return all(
            getattr(self, part) == getattr(other, part) for part in ("statement", "workgroup", "database", "output")
        ) and self.request.get("ExecutionParameters") == other.request.get("ExecutionParameters")


class Api:
    """Query executions.

    Args:
        runner: runs their statements.
        call: asks another operation, as `call("AmazonAthena.GetWorkGroup", {...})`.
        put: writes an object: bucket, key, body.
        concurrency: how many run at once; more wait as QUEUED.
    """

    def __init__(
        self,
        runner: Runner,
        call: Callable[[str, dict[str, Any]], dict[str, Any]],
        put: Callable[[str, str, bytes], None],
        concurrency: int = 8,
    ) -> None:
        self._runner = runner
        self._call = call
        self._put = put
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="query")
        self._lock = threading.Lock()
        self._executions: dict[str, Execution] = {}
        self._by_token: dict[str, str] = {}

    @property
    def operations(self) -> dict[str, Operation]:
        """The functions of the operations by name."""
        return {
            "StartQueryExecution": self.start_query_execution,
            "GetQueryExecution": self.get_query_execution,
            "BatchGetQueryExecution": self.batch_get_query_execution,
            "ListQueryExecutions": self.list_query_executions,
            "GetQueryResults": self.get_query_results,
            "StopQueryExecution": self.stop_query_execution,
        }

    def reset(self) -> None:
        """Cancel what runs and forget all executions."""
        with self._lock:
            executions = list(self._executions.values())
            self._executions.clear()
            self._by_token.clear()
        for execution in executions:
            self._stop(execution)

    def close(self) -> None:
        """Cancel what runs and start nothing more."""
        self.reset()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def start_query_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        """Check a statement and queue it."""
        text = str(request.get("QueryString", ""))
        if len(text.encode()) > MAX_QUERY_BYTES:
            raise _invalid(f"Query string is longer than {MAX_QUERY_BYTES} bytes", "INVALID_INPUT")
        try:
            statement = read(text)
        except RefusedError as error:
            raise _invalid(str(error), "MALFORMED_QUERY") from error
        workgroup, settings = self._workgroup(request)
        context = request.get("QueryExecutionContext", {})
        execution = Execution(
            id=str(uuid.uuid4()),
            request=request,
            statement=statement,
            workgroup=workgroup,
            database=str(context.get("Database", "default")).strip('`"').lower(),
            output=_output(request, settings),
            cutoff=settings.get("BytesScannedCutoffPerQuery"),
            submitted=time.time(),
        )
        token = request.get("ClientRequestToken")
        with self._lock:
            if token in self._by_token:
                return {"QueryExecutionId": self._by_token[token]}
            if token:
                self._by_token[token] = execution.id
            self._executions[execution.id] = execution
        if not self._reuse(execution):
            self._pool.submit(self._run, execution)
        return {"QueryExecutionId": execution.id}

    def _reuse(self, execution: Execution) -> bool:
        """Take over the answer of an earlier query, if the request allows that; return whether there was one."""
        asked = execution.request.get("ResultReuseConfiguration", {}).get("ResultReuseByAgeConfiguration", {})
        if not asked.get("Enabled") or execution.statement.kind is not Kind.SELECT:
            return False
        since = execution.submitted - 60 * int(asked.get("MaxAgeInMinutes", 60))
        with self._lock:
            for earlier in reversed(self._executions.values()):
                if (
                    earlier.state == "SUCCEEDED"
                    and earlier.completed >= since
                    and earlier.reused is None
                    and execution.is_same_query(earlier)
                ):
                    execution.reused, execution.answer, execution.rows = earlier, earlier.answer, earlier.rows
                    self._end(execution, "SUCCEEDED", "")
                    return True
        return False

    def get_query_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        """Describe an execution, at its end or in a quarter of a second, whichever is sooner."""
        execution = self._execution(request)
        execution.ended.wait(_HELD_SECONDS)
        return {"QueryExecution": _described(execution)}

    def batch_get_query_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        """Describe up to 50 executions; those that are not known are listed apart."""
        known, unknown = [], []
        for id_ in request["QueryExecutionIds"]:
            execution = self._executions.get(id_)
            if execution:
                known.append(_described(execution))
            else:
                message = f"QueryExecution {id_} was not found"
                unknown.append({"QueryExecutionId": id_, "ErrorCode": "INVALID_INPUT", "ErrorMessage": message})
        return {"QueryExecutions": known, "UnprocessedQueryExecutionIds": unknown}

    def list_query_executions(self, request: dict[str, Any]) -> dict[str, Any]:
        """List the ids of a workgroup's executions, the newest first."""
        workgroup = request.get("WorkGroup", "primary")
        with self._lock:
            ids = [item.id for item in reversed(self._executions.values()) if item.workgroup == workgroup]
        begin = ids.index(request["NextToken"]) if request.get("NextToken") in ids else 0
        end = begin + int(request.get("MaxResults", 50))
        return {"QueryExecutionIds": ids[begin:end]} | ({"NextToken": ids[end]} if end < len(ids) else {})

    def get_query_results(self, request: dict[str, Any]) -> dict[str, Any]:
        """Give a page of an execution's rows; the first row of the first page is the header of a query."""
        execution = self._execution(request)
        if execution.state != "SUCCEEDED" or execution.answer is None:
            ended = f"Query did not finish successfully. Final query state: {execution.state}"
            raise _invalid(
                ended if execution.state in _ENDED else f"Query has not yet finished. Current state: {execution.state}",
                "INVALID_QUERY_EXECUTION_STATE",
            )
        wanted = int(request.get("MaxResults", MAX_PAGE_ROWS))
        if not 1 <= wanted <= MAX_PAGE_ROWS:
            raise _invalid(f"MaxResults is {wanted}; it must be between 1 and {MAX_PAGE_ROWS}", "INVALID_INPUT")
        columns = execution.answer.columns
        lines: list[list[str | None]] = execution.rows
        if execution.statement.type == "DML" and execution.statement.kind is not Kind.EXPLAIN:
            lines = [[column.name for column in columns], *lines] if _has_rows(execution.statement) else []
        begin = int(request.get("NextToken") or 0)
        page = lines[begin : begin + wanted]
        more = {"NextToken": str(begin + wanted)} if begin + wanted < len(lines) else {}
        written = execution.answer.update_count if execution.answer.update_type else None
        return {
            "ResultSet": {
                "Rows": [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in page],
                "ResultSetMetadata": {"ColumnInfo": [column_info(column) for column in columns]},
            },
            "UpdateCount": written or 0,
        } | more

    def stop_query_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        """Cancel an execution; nothing where it has ended."""
        self._stop(self._execution(request))
        return {}

    def _execution(self, request: dict[str, Any]) -> Execution:
        id_ = str(request.get("QueryExecutionId", ""))
        if id_ not in self._executions:
            raise _invalid(f"QueryExecution {id_} was not found", "INVALID_INPUT")
        return self._executions[id_]

    def _stop(self, execution: Execution) -> None:
        with self._lock:
            if execution.state in _ENDED:
                return
            self._end(execution, "CANCELLED", "Query was cancelled by user")
            cancel = execution.cancel
        if cancel:
            cancel()

    def _workgroup(self, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        name = str(request.get("WorkGroup", "primary"))
        try:
            workgroup = self._call("AmazonAthena.GetWorkGroup", {"WorkGroup": name})["WorkGroup"]
        except (ApiError, KeyError) as error:
            raise _invalid(f"WorkGroup {name} is not found.", "WORKGROUP_NOT_FOUND") from error
        if workgroup.get("State") == "DISABLED":
            raise _invalid(f"WorkGroup {name} is disabled.", "WORKGROUP_DISABLED")
        return name, dict(workgroup.get("Configuration") or {})

    def _run(self, execution: Execution) -> None:
        with self._lock:
            if execution.state != "QUEUED":
                return
            execution.state = "RUNNING"
        run = Run(
            id=execution.id,
            statement=execution.statement,
            database=execution.database,
            output=execution.output,
            parameters=tuple(execution.request.get("ExecutionParameters", ())),
            session={"query_max_scan_physical_bytes": f"{execution.cutoff}B"} if execution.cutoff else {},
            on_start=lambda cancel: self._remember_cancel(execution, cancel),
        )
        try:
            answer = self._runner.run(run)
            rows = [
                [text_of(value, column.signature) for value, column in zip(row, answer.columns, strict=True)]
                for row in answer.rows
            ]
            _check_cutoff(execution, run)
            if not answer.update_type:
                self._put_results(execution, answer, rows)
            self._finish(execution, run, "SUCCEEDED", answer=answer, rows=rows)
        except QueryError as error:
            self._finish(execution, run, "FAILED", _reason(error), _athena_error(error))
        except RefusedError as error:
            refused = QueryError("NOT_SUPPORTED", "USER_ERROR", str(error))
            self._finish(execution, run, "FAILED", _reason(refused), _athena_error(refused))
        except ApiError as error:
            failed = QueryError(error.code, "USER_ERROR", error.message)
            self._finish(execution, run, "FAILED", _reason(failed), _athena_error(failed))
        except Exception as error:
            if not isinstance(error, EngineError):
                _log.exception("The bench failed on %s", execution.id)
            failed = QueryError("GENERIC_INTERNAL_ERROR", "INTERNAL_ERROR", str(error))
            self._finish(execution, run, "FAILED", _reason(failed), _athena_error(failed))

    def _remember_cancel(self, execution: Execution, cancel: Callable[[], None]) -> None:
        with self._lock:
            execution.cancel = cancel
            stopped = execution.state == "CANCELLED"
        if stopped:
            cancel()

    def _put_results(self, execution: Execution, answer: Answer, rows: list[list[str | None]]) -> None:
        bucket, _, key = execution.location.removeprefix("s3://").partition("/")
        if execution.location.endswith(".csv"):
            self._put(bucket, key, csv_of(answer.columns, rows))
            self._put(bucket, f"{key}.metadata", b"")
        else:
            self._put(bucket, key, "\n".join(row[0] or "" for row in rows).encode())

    def _finish(
        self,
        execution: Execution,
        run: Run,
        state: str,
        reason: str = "",
        error: dict[str, Any] | None = None,
        answer: Answer | None = None,
        rows: list[list[str | None]] | None = None,
    ) -> None:
        _log.info(
            "%s %s\nreceived: %s\nran: %s%s",
            execution.id,
            state,
            execution.statement.text,
            "\n     ".join(run.as_run) or "nothing",
            f"\nreason: {reason}" if reason else "",
        )
        with self._lock:
            execution.input_bytes = run.input_bytes
            if execution.state in _ENDED:
                return  # cancelled meanwhile
            execution.answer, execution.rows, execution.error = answer, rows or [], error
            self._end(execution, state, reason)

    def _end(self, execution: Execution, state: str, reason: str) -> None:
        execution.state, execution.reason, execution.completed = state, reason, time.time()
        execution.ended.set()


def _check_cutoff(execution: Execution, run: Run) -> None:
    """Fail what read more than its workgroup allows; the engine itself lets quick queries pass."""
    if execution.cutoff is not None and run.input_bytes > execution.cutoff:
        raise QueryError("EXCEEDED_SCAN_LIMIT", "USER_ERROR", "Bytes scanned limit was exceeded")


def _invalid(message: str, code: str) -> ApiError:
    return ApiError("InvalidRequestException", message, AthenaErrorCode=code)


def _output(request: dict[str, Any], settings: dict[str, Any]) -> str:
    """Return where results go: where the workgroup says, if it enforces that or the caller says nothing."""
    asked = request.get("ResultConfiguration", {}).get("OutputLocation")
    own = settings.get("ResultConfiguration", {}).get("OutputLocation")
    location = own if own and (settings.get("EnforceWorkGroupConfiguration") or not asked) else asked
    if not location:
        raise _invalid(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input.",
            "INVALID_INPUT",
        )
    if not re.fullmatch(r"s3://[^/]+(/.*)?", location):
        raise _invalid(f"outputLocation is not a valid S3 path: {location}", "INVALID_INPUT")
    return location if location.endswith("/") else f"{location}/"


def _has_rows(statement: Statement) -> bool:
    return statement.kind is Kind.SELECT


def _reason(error: QueryError) -> str:
    return f"{error.name}: {error.message}"


def _athena_error(error: QueryError) -> dict[str, Any]:
    iceberg = error.name.startswith("ICEBERG_")
    return {
        "ErrorCategory": _CATEGORIES.get(error.kind, 1),
        "ErrorType": _ICEBERG_ERROR if iceberg else 1000 if error.kind == "USER_ERROR" else 1,
        "Retryable": error.kind != "USER_ERROR",
        "ErrorMessage": _reason(error),
    }


def _described(execution: Execution) -> dict[str, Any]:
    answer = execution.answer or Answer((), [])
    ended = execution.completed or time.time()
    total = max(1, round((ended - execution.submitted) * 1000))
    status: dict[str, Any] = {"State": execution.state, "SubmissionDateTime": execution.submitted}
    if execution.completed:
        status["CompletionDateTime"] = execution.completed
    if execution.reason:
        status["StateChangeReason"] = execution.reason
    if execution.error:
        status["AthenaError"] = execution.error
    return {
        "QueryExecutionId": execution.id,
        "Query": execution.statement.text,
        "StatementType": execution.statement.type,
        "SubstatementType": execution.statement.kind.value,
        "ResultConfiguration": {
            **execution.request.get("ResultConfiguration", {}),
            "OutputLocation": execution.location,
        },
        "QueryExecutionContext": execution.request.get("QueryExecutionContext", {}),
        "WorkGroup": execution.workgroup,
        "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": ENGINE_VERSION},
        "Status": status,
        "Statistics": {
            "EngineExecutionTimeInMillis": answer.execution_millis,
            "DataScannedInBytes": execution.input_bytes,
            "TotalExecutionTimeInMillis": total,
            "QueryQueueTimeInMillis": answer.queued_millis,
            "QueryPlanningTimeInMillis": answer.planning_millis,
            "ServiceProcessingTimeInMillis": 1,
            "ServicePreProcessingTimeInMillis": 1,
            "ResultReuseInformation": {"ReusedPreviousResult": execution.reused is not None},
        },
    } | (
        {"ExecutionParameters": execution.request["ExecutionParameters"]}
        if execution.request.get("ExecutionParameters")
        else {}
    )
