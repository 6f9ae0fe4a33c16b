"""A query execution: what was asked, how far it is, what came of it, and how Athena describes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from athena_bench.callers import ADMINISTRATOR, Caller
from athena_bench.engine import Answer
from athena_bench.errors import QueryError
from athena_bench.statement import Kind, Statement

ENGINE_VERSION = "Athena engine version 3"
ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})

_CATEGORIES = {"USER_ERROR": 2}
_CALLERS = frozenset({"HIVE_PATH_ALREADY_EXISTS"})
"""Errors that the engine lays on what is outside, and Athena on the caller."""

_TYPES = {"ICEBERG_COMMIT_ERROR": 233, "COLUMN_NOT_FOUND": 1006}
"""AthenaError's ErrorType where another than the category's is known; dbt-athena tries again after the first."""

_WRITES_FILES = frozenset({Kind.CREATE_TABLE_AS, Kind.INSERT, Kind.UNLOAD})


@dataclass
class Execution:
    """A query execution.

    Attributes:
        statement: what was asked; `EXECUTE` of a prepared statement stays what it is.
        output: the folder of its results, `s3://bucket/folder/`; empty where the workgroup keeps them itself.
        settings: the configuration of its workgroup when it was asked.
        database: the one of names without one.
        caller: who asked.
        cancel: stops what runs on the engine; None before and after.
        reused: the earlier execution whose answer it gives.
        ended: set when its state will not change any more.
    """

    id: str
    request: dict[str, Any]
    statement: Statement
    workgroup: str
    database: str
    output: str
    settings: dict[str, Any]
    submitted: float
    caller: Caller = ADMINISTRATOR
    state: str = "QUEUED"
    reason: str = ""
    error: dict[str, Any] | None = None
    started: float = 0.0
    completed: float = 0.0
    answer: Answer | None = None
    input_bytes: int = 0
    rows: list[list[str | None]] = field(default_factory=list)
    cancel: Callable[[], None] | None = None
    reused: Execution | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def cutoff(self) -> int | None:
        """The most bytes that it may read."""
        return self.settings.get("BytesScannedCutoffPerQuery")

    @property
    def location(self) -> str:
        """Where its results are, if in S3: `.csv` for rows, `.txt` for texts, bare for what writes files."""
        if self.reused:
            return self.reused.location
        if not self.output:
            return ""
        ending = "" if self.manifest else ".csv" if self.statement.type == "DML" else ".txt"
        return f"{self.output}{self.id}{ending}"

    @property
    def manifest(self) -> str | None:
        """Where the files that it wrote are listed; None for what writes none."""
        has_one = self.output and self.statement.kind in _WRITES_FILES
        return f"{self.output}{self.id}-manifest.csv" if has_one else None

    @property
    def has_header(self) -> bool:
        """Whether its first row is that of the columns' names: that of a query, but not of a plan."""
        return self.statement.type == "DML" and self.statement.kind is not Kind.EXPLAIN

    @property
    def wrote(self) -> bool:
        """Whether what it wrote in a table, and not what it answers, is its result."""
        may_write = self.statement.type == "DML" or self.statement.kind is Kind.CREATE_TABLE_AS
        return may_write and self.answer is not None and self.answer.update_type is not None

    def is_same_query(self, other: Execution) -> bool:
        """Tell whether another asks the same, of the same place."""
        return all(
            getattr(self, part) == getattr(other, part) for part in ("statement", "workgroup", "database", "output")
        ) and self.request.get("ExecutionParameters") == other.request.get("ExecutionParameters")

    def end(self, state: str, reason: str = "") -> None:
        """Enter a state that does not change any more."""
        self.state, self.reason, self.completed = state, reason, time.time()
        self.cancel = None  # it holds the connection to the engine
        self.ended.set()

    def described(self) -> dict[str, Any]:
        """Return it as GetQueryExecution does."""
        asked = self.request
        described = {
            "QueryExecutionId": self.id,
            "Query": self.statement.text,
            "StatementType": self.statement.type,
            "SubstatementType": self.statement.kind.value,
            "ResultConfiguration": asked.get("ResultConfiguration", {})
            | ({"OutputLocation": self.location} if self.location else {}),
            "QueryExecutionContext": asked.get("QueryExecutionContext", {}),
            "WorkGroup": self.workgroup,
            "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": ENGINE_VERSION},
            "Status": self._status(),
            "Statistics": self.statistics(),
            "ResultReuseConfiguration": asked.get(
                "ResultReuseConfiguration", {"ResultReuseByAgeConfiguration": {"Enabled": False}}
            ),
        }
        if not self.output:
            described["ManagedQueryResultsConfiguration"] = {"Enabled": True}
        if asked.get("ExecutionParameters"):
            described["ExecutionParameters"] = asked["ExecutionParameters"]
        return described

    def statistics(self) -> dict[str, Any]:
        """Return its times, in milliseconds, and the bytes that it read."""
        answer = self.answer or Answer((), [])
        ended = self.completed or time.time()
        statistics = {
            "EngineExecutionTimeInMillis": answer.execution_millis,
            "DataScannedInBytes": self.input_bytes,
            "TotalExecutionTimeInMillis": max(1, round((ended - self.submitted) * 1000)),
            "QueryQueueTimeInMillis": max(
                1, round(((self.started or ended) - self.submitted) * 1000) + answer.queued_millis
            ),
            "QueryPlanningTimeInMillis": answer.planning_millis,
            "ServiceProcessingTimeInMillis": 1,
            "ServicePreProcessingTimeInMillis": 1,
            "ResultReuseInformation": {"ReusedPreviousResult": self.reused is not None},
        }
        if self.manifest and self.state == "SUCCEEDED":
            statistics["DataManifestLocation"] = self.manifest
        return statistics

    def _status(self) -> dict[str, Any]:
        status: dict[str, Any] = {"State": self.state, "SubmissionDateTime": self.submitted}
        if self.completed:
            status["CompletionDateTime"] = self.completed
        if self.reason:
            status["StateChangeReason"] = self.reason
        if self.error:
            status["AthenaError"] = self.error
        return status


def athena_error(error: QueryError) -> dict[str, Any]:
    """Return the error of a query as GetQueryExecution tells it."""
    kind = "USER_ERROR" if error.name in _CALLERS else error.kind
    return {
        "ErrorCategory": _CATEGORIES.get(kind, 1),
        "ErrorType": _TYPES.get(error.name, 1000 if kind == "USER_ERROR" else 1),
        "Retryable": kind != "USER_ERROR",
        "ErrorMessage": str(error),
    }
