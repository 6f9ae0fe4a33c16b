"""The operations of Athena's API that concern the run of a query."""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import Any

from athena_bench.api import MOST_LISTED, invalid, page
from athena_bench.callers import CURRENT
from athena_bench.errors import EngineError, QueryError, RefusedError
from athena_bench.execution import ENDED, Execution, athena_error
from athena_bench.result_files import ResultFiles
from athena_bench.results import column_info, text_of
from athena_bench.run import Run, Runner
from athena_bench.server import ApiError, Operation
from athena_bench.statement import Kind, read

_log = logging.getLogger(__name__)

MAX_QUERY_BYTES = 262_144
MAX_PAGE_ROWS = 1_000
_HELD_SECONDS = 0.25
"""How long the state of a query that has not ended is kept back, in case it ends: clients that ask often cost most."""

_CUT_OFF = "EXCEEDED_SCAN_LIMIT"
"""The engine's name of what ends a query that reads more than it may; Athena counts it among the cancelled."""

_CHECKED = 4096
"""Texts of which it is remembered that the engine can parse them."""


class Queries:
    """Query executions.

    Args:
        runner: runs their statements.
        call: asks another operation, as `call("AmazonAthena.GetWorkGroup", {...})`.
        files: takes their results.
        concurrency: how many run at once; more wait as QUEUED.
    """

    def __init__(
        self,
        runner: Runner,
        call: Callable[[str, dict[str, Any]], dict[str, Any]],
        files: ResultFiles,
        concurrency: int = 8,
    ) -> None:
        self._runner = runner
        self._call = call
        self._files = files
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="query")
        self._lock = threading.Lock()
        self._executions: dict[str, Execution] = {}
        self._by_token: dict[str, Execution] = {}
        self._check_syntax = lru_cache(_CHECKED)(runner.check_syntax)

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
            "GetQueryRuntimeStatistics": self.get_query_runtime_statistics,
        }

    def reset(self) -> None:
        """Cancel what runs and forget all executions."""
        self._forget(lambda execution: True)

    def forget(self, workgroup: str) -> None:
        """Cancel what runs in a workgroup and forget its executions."""
        self._forget(lambda execution: execution.workgroup == workgroup)

    def _forget(self, goes: Callable[[Execution], bool]) -> None:
        with self._lock:
            gone = [execution for execution in self._executions.values() if goes(execution)]
            for execution in gone:
                del self._executions[execution.id]
                self._by_token.pop(str(execution.request.get("ClientRequestToken")), None)
        for execution in gone:
            self._stop(execution)

    def work_group_of(self, id_: str) -> str | None:
        """Return the workgroup of an execution; None where there is none of that id."""
        return self._executions[id_].workgroup if id_ in self._executions else None

    def close(self) -> None:
        """Cancel what runs and start nothing more."""
        self.reset()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def start_query_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        """Check a statement and queue it."""
        text = str(request.get("QueryString", ""))
        if len(text.encode()) > MAX_QUERY_BYTES:
            raise invalid(f"Query string is longer than {MAX_QUERY_BYTES} bytes")
        try:
            statement = read(text)
            self._check_syntax(statement)
        except (RefusedError, QueryError) as error:
            raise invalid(str(error), "MALFORMED_QUERY") from error
        workgroup, settings = self._workgroup(request)
        context = request.get("QueryExecutionContext", {})
        execution = Execution(
            id=str(uuid.uuid4()),
            request=request,
            statement=statement,
            workgroup=workgroup,
            database=str(context.get("Database", "default")).strip('`"').lower(),
            output=_output(request, settings),
            settings=settings,
            submitted=time.time(),
            caller=CURRENT.get(),
        )
        token = request.get("ClientRequestToken")
        with self._lock:
            if token in self._by_token:
                return {"QueryExecutionId": self._same_request(self._by_token[token], request).id}
            if token:
                self._by_token[token] = execution
            self._executions[execution.id] = execution
        if not self._reuse(execution):
            self._pool.submit(self._run, execution)
        return {"QueryExecutionId": execution.id}

    def _same_request(self, earlier: Execution, request: dict[str, Any]) -> Execution:
        if earlier.request != request:
            raise invalid("Idempotent parameters do not match")
        return earlier

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
                    execution.end("SUCCEEDED")
                    return True
        return False

    def get_query_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        """Describe an execution, at its end or in a quarter of a second, whichever is sooner."""
        execution = self._execution(request)
        execution.ended.wait(_HELD_SECONDS)
        return {"QueryExecution": execution.described()}

    def batch_get_query_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        """Describe up to 50 executions; those that are not known are listed apart."""
        known, unknown = [], []
        if len(request["QueryExecutionIds"]) > MOST_LISTED:
            raise invalid(f"A batch takes at most {MOST_LISTED} ids")
        for id_ in request["QueryExecutionIds"]:
            execution = self._executions.get(id_)
            if execution:
                known.append(execution.described())
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
        listed = page("QueryExecutionIds", ids[begin:], {"MaxResults": request.get("MaxResults")})
        # The token is an execution, as newer ones come in before it meanwhile.
        return listed | ({"NextToken": ids[begin + int(listed["NextToken"])]} if "NextToken" in listed else {})

    def get_query_results(self, request: dict[str, Any]) -> dict[str, Any]:
        """Give a page of an execution's rows; the first row of the first page is the header of a query."""
        execution = self._execution(request)
        if execution.state != "SUCCEEDED" or execution.answer is None:
            ended = f"Query did not finish successfully. Final query state: {execution.state}"
            raise invalid(
                ended if execution.state in ENDED else f"Query has not yet finished. Current state: {execution.state}",
                "INVALID_QUERY_EXECUTION_STATE",
            )
        columns = execution.answer.columns
        lines: list[list[str | None]] = execution.rows
        if execution.has_header:
            lines = [[column.name for column in columns], *lines]
        lines = [] if execution.wrote else lines
        asked = page("Rows", lines, request, MAX_PAGE_ROWS)
        written = execution.answer.update_count if execution.wrote else None
        return {
            "ResultSet": {
                "Rows": [
                    {"Data": [{} if value is None else {"VarCharValue": value} for value in row]}
                    for row in asked.pop("Rows")
                ],
                "ResultSetMetadata": {"ColumnInfo": [column_info(column) for column in columns]},
            },
            "UpdateCount": written or 0,
        } | asked

    def stop_query_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        """Cancel an execution; nothing where it has ended."""
        self._stop(self._execution(request))
        return {}

    def get_query_runtime_statistics(self, request: dict[str, Any]) -> dict[str, Any]:
        """Tell the times and the rows of an execution."""
        execution = self._execution(request)
        statistics = execution.statistics()
        timeline = {key: value for key, value in statistics.items() if key.endswith("InMillis")}
        rows = {"InputBytes": execution.input_bytes, "OutputRows": len(execution.rows)}
        return {"QueryRuntimeStatistics": {"Timeline": timeline, "Rows": rows}}

    def _execution(self, request: dict[str, Any]) -> Execution:
        id_ = str(request.get("QueryExecutionId", ""))
        if id_ not in self._executions:
            raise invalid(f"QueryExecution {id_} was not found")
        return self._executions[id_]

    def _stop(self, execution: Execution) -> None:
        with self._lock:
            if execution.state in ENDED:
                return
            cancel = execution.cancel
            execution.end("CANCELLED", "Query was cancelled by user")
        if cancel:
            cancel()

    def _workgroup(self, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        name = str(request.get("WorkGroup", "primary"))
        try:
            workgroup = self._call("AmazonAthena.GetWorkGroup", {"WorkGroup": name})["WorkGroup"]
        except (ApiError, KeyError) as error:
            raise invalid(f"WorkGroup {name} is not found.", "WORKGROUP_NOT_FOUND") from error
        if workgroup.get("State") == "DISABLED":
            raise invalid(f"WorkGroup {name} is disabled.", "WORKGROUP_DISABLED")
        return name, dict(workgroup.get("Configuration") or {})

    def _run(self, execution: Execution) -> None:
        with self._lock:
            if execution.state != "QUEUED":
                return
            execution.state, execution.started = "RUNNING", time.time()
        run = Run(
            id=execution.id,
            statement=execution.statement,
            workgroup=execution.workgroup,
            database=execution.database,
            output=execution.output,
            parameters=tuple(execution.request.get("ExecutionParameters", ())),
            session={"query_max_scan_physical_bytes": f"{execution.cutoff}B"} if execution.cutoff else {},
            on_start=lambda cancel: self._remember_cancel(execution, cancel),
        )
        CURRENT.set(execution.caller)
        try:
            if execution.location:
                self._runner.rights.check_results(execution.location)
            answer = self._runner.run(run)
            execution.answer = replace(answer, rows=[])
            execution.rows = [
                # A line of DESCRIBE is one value for all its columns, with tabs in it.
                [text_of(value, column.signature) for value, column in zip(row, answer.columns, strict=False)]
                for row in answer.rows
            ]
            _check_cutoff(execution, run)
            if execution.location:
                self._files.put(execution)
            if execution.manifest:
                self._files.put_manifest(execution)
            self._finish(execution, run)
        except Exception as error:
            self._finish(execution, run, _as_query_error(execution, error))

    def _remember_cancel(self, execution: Execution, cancel: Callable[[], None]) -> None:
        with self._lock:
            stopped = execution.state == "CANCELLED"
            execution.cancel = None if stopped else cancel
        if stopped:
            cancel()

    def _finish(self, execution: Execution, run: Run, error: QueryError | None = None) -> None:
        state, reason = ("FAILED", str(error)) if error else ("SUCCEEDED", "")
        if error and error.name == _CUT_OFF:
            state, reason, error = "CANCELLED", "Bytes scanned limit was exceeded", None
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
            if execution.state in ENDED:
                return  # cancelled meanwhile
            execution.error = athena_error(error) if error else None
            execution.end(state, reason)


def _as_query_error(execution: Execution, error: Exception) -> QueryError:
    """Return what ended a query as an error of the query."""
    if isinstance(error, QueryError):
        return error
    if isinstance(error, RefusedError):
        return QueryError("NOT_SUPPORTED", "USER_ERROR", str(error))
    if isinstance(error, ApiError):
        return QueryError(error.code, "USER_ERROR", error.message)
    if not isinstance(error, EngineError):
        _log.error("The bench failed on %s", execution.id, exc_info=error)
    return QueryError("GENERIC_INTERNAL_ERROR", "INTERNAL_ERROR", str(error))


def _check_cutoff(execution: Execution, run: Run) -> None:
    """Fail what read more than its workgroup allows; the engine itself lets quick queries pass."""
    if execution.cutoff is not None and run.input_bytes > execution.cutoff:
        raise QueryError(_CUT_OFF, "USER_ERROR", "")


def _output(request: dict[str, Any], settings: dict[str, Any]) -> str:
    """Return where results go: where the workgroup says, if it enforces that or the caller says nothing.

    That is nowhere in S3, and empty, where the workgroup keeps results itself.
    """
    if settings.get("ManagedQueryResultsConfiguration", {}).get("Enabled"):
        return ""
    asked = request.get("ResultConfiguration", {}).get("OutputLocation")
    own = settings.get("ResultConfiguration", {}).get("OutputLocation")
    location = own if own and (settings.get("EnforceWorkGroupConfiguration") or not asked) else asked
    if not location:
        raise invalid(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    if not re.fullmatch(r"s3://[^/]+(/.*)?", location):
        raise invalid(f"outputLocation is not a valid S3 path: {location}")
    return location if location.endswith("/") else f"{location}/"
