"""Asks the bench as a plain boto3 script would."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

_PAUSE = threading.Event()


class Asking(Protocol):
    """Who asks: the bench itself, as its administrator, or a role that has clients of its own."""

    @property
    def buckets(self) -> Sequence[str]: ...

    def client(self, service: str) -> Any: ...


@dataclass(frozen=True)
class Asked:
    """An ended query execution."""

    execution: dict[str, Any]
    results: dict[str, Any] | None

    @property
    def state(self) -> str:
        return str(self.execution["Status"]["State"])

    @property
    def reason(self) -> str:
        return str(self.execution["Status"].get("StateChangeReason", ""))

    @property
    def rows(self) -> list[list[str | None]]:
        """All lines of the first page, the header of a query among them."""
        assert self.results is not None, self.reason
        return [[datum.get("VarCharValue") for datum in row["Data"]] for row in self.results["ResultSet"]["Rows"]]

    @property
    def types(self) -> list[str]:
        assert self.results is not None, self.reason
        return [column["Type"] for column in self.results["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]]

    @property
    def scanned(self) -> int:
        return int(self.execution["Statistics"]["DataScannedInBytes"])


def wait(athena: Any, id_: str) -> dict[str, Any]:
    """Return the execution when it has ended."""
    while True:
        execution: dict[str, Any] = athena.get_query_execution(QueryExecutionId=id_)["QueryExecution"]
        if execution["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
            return execution
        _PAUSE.wait(0.02)


def ask(bench: Asking, sql: str, database: str = "default", **more: Any) -> Asked:
    """Run a statement to its end, whatever that is."""
    athena = bench.client("athena")
    id_ = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": database, "Catalog": "awsdatacatalog"},
        **({"ResultConfiguration": {"OutputLocation": f"s3://{bench.buckets[0]}/results/"}} | more),
    )["QueryExecutionId"]
    execution = wait(athena, id_)
    ended_well = execution["Status"]["State"] == "SUCCEEDED"
    return Asked(execution, athena.get_query_results(QueryExecutionId=id_) if ended_well else None)


def must(bench: Asking, sql: str, database: str = "default", **more: Any) -> Asked:
    """Run a statement that must succeed."""
    asked = ask(bench, sql, database, **more)
    assert asked.state == "SUCCEEDED", asked.reason
    return asked
