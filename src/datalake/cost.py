"""What a run of dbt scanned on Athena, and what that costs.

dbt keeps the bytes of a node's last statement only, and an incremental model issues several. So the statements are
taken from the workgroup's history: the comment that dbt begins each with (`query-comment` in dbt_project.yml) names
the run and the node.

Prices: https://aws.amazon.com/athena/pricing/ (SQL queries, on demand, us-east-1).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datalake.errors import CostError

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import QueryExecutionTypeDef

DOLLARS_PER_TB = 5.0
TB = 1 << 40
MB = 1 << 20
LEAST_BILLED = 10 * MB
"""Athena counts a statement's bytes up to the whole MB, and at least these."""

_CLOCKS_APART = timedelta(minutes=5)
"""How far this machine's clock may be from Athena's."""

_COMMENT = re.compile(r"\s*(?:--\s*)?/\*\s*(?P<fields>\{.*?\})\s*\*/")
_KINDS = ("model", "seed", "snapshot", "test", "unit_test", "source", "operation", "hooks")


@dataclass(frozen=True)
class Run:
    """What dbt wrote of its last run.

    Attributes:
        invocation_id: the run's id.
        adapter: the engine, e.g. athena or duckdb.
        started_at: when it began.
        ended_at: when its results were written.
        names: the names of the project's nodes by their ids.
        last_scanned: the bytes that each node's last statement scanned, by its id, as far as dbt kept them.
    """

    invocation_id: str
    adapter: str
    started_at: datetime
    ended_at: datetime
    names: Mapping[str, str]
    last_scanned: Mapping[str, int]


@dataclass(frozen=True)
class Item:
    """A line of the report.

    Attributes:
        kind: model, test, ...; hooks for statements of no node, e.g. `on-run-start` and run-operations.
        name: the node's name.
        statements: how many it issued, failed and retried ones among them.
        scanned: the bytes that they read.
        billed: the bytes that are paid for.
        dollars: their price.
    """

    kind: str
    name: str
    statements: int
    scanned: int
    billed: int
    dollars: float


@dataclass(frozen=True)
class Report:
    """What a run scanned.

    Attributes:
        invocation_id: the run's id.
        items: the nodes and hooks, kind by kind, the dearest first.
        kinds: the sum of each kind.
        total: the sum of all items.
        unnamed: statements of the workgroup in the run's time that name no run: OPTIMIZE, VACUUM, ALTER and DROP,
            which dbt-athena sends without a comment, and those of other people. They are not in the total.
        incomplete: nodes that scanned more, by dbt's own results, than the history holds of them.
    """

    invocation_id: str
    items: tuple[Item, ...]
    kinds: tuple[Item, ...]
    total: Item
    unnamed: Item
    incomplete: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON holds it."""
        return asdict(self)


def read_run(target_path: Path) -> Run:
    """Read what dbt wrote of its last run.

    Args:
        target_path: the folder with `run_results.json` and `manifest.json`.

    Raises:
        CostError: one of them is missing or is not whole.
    """
    results = _artifact(target_path / "run_results.json")
    manifest = _artifact(target_path / "manifest.json")
    try:
        metadata = results["metadata"]
        return Run(
            invocation_id=metadata["invocation_id"],
            adapter=manifest["metadata"]["adapter_type"],
            started_at=datetime.fromisoformat(metadata["invocation_started_at"]),
            ended_at=datetime.fromisoformat(metadata["generated_at"]),
            names={
                unique_id: node["name"]
                for part in ("nodes", "sources", "unit_tests")
                for unique_id, node in manifest[part].items()
            },
            last_scanned={
                result["unique_id"]: result["adapter_response"].get("data_scanned_in_bytes") or 0
                for result in results["results"]
            },
        )
    except KeyError as error:
        raise CostError(f"dbt's results in {target_path} have no {error}; were they written by dbt 1.11?") from error


def read_history(client: AthenaClient, workgroup: str, since: datetime) -> Iterator[QueryExecutionTypeDef]:
    """Yield the executions of a workgroup since then, the newest first; Athena keeps them for 45 days.

    Args:
        client: boto3's client of Athena.
        workgroup: the workgroup.
        since: an aware time.
    """
    for page in client.get_paginator("list_query_executions").paginate(WorkGroup=workgroup):
        if not page.get("QueryExecutionIds"):
            continue
        found = client.batch_get_query_execution(QueryExecutionIds=page["QueryExecutionIds"])["QueryExecutions"]
        yield from (execution for execution in found if _submitted(execution) >= since - _CLOCKS_APART)
        if all(_submitted(execution) < since - _CLOCKS_APART for execution in found):
            return


def bill(run: Run, executions: Iterable[QueryExecutionTypeDef]) -> Report:
    """Sum up what a run's statements scanned.

    Args:
        run: the run.
        executions: the workgroup's statements since its start, those of others among them.

    Raises:
        CostError: none of them is the run's.
    """
    of_nodes: dict[str | None, list[QueryExecutionTypeDef]] = defaultdict(list)
    unnamed: list[QueryExecutionTypeDef] = []
    for execution in executions:
        comment = _comment(execution)
        if comment.get("invocation_id") == run.invocation_id:
            of_nodes[comment.get("node_id") or None].append(execution)
        elif comment.get("app") != "dbt" and run.started_at <= _submitted(execution) <= run.ended_at:
            unnamed.append(execution)
    if not of_nodes:
        raise CostError(
            f"The workgroup's history has no statement of the run {run.invocation_id}, begun {run.started_at:%F %R} "
            "UTC. Set DATALAKE_WORKGROUP and AWS_REGION as in that run; Athena forgets after 45 days."
        )
    items = [
        _item(_kind(unique_id), run.names.get(unique_id or "", unique_id or "hooks and run-operations"), statements)
        for unique_id, statements in of_nodes.items()
    ]
    items.sort(key=lambda item: (_KINDS.index(item.kind), -item.scanned, item.name))
    return Report(
        invocation_id=run.invocation_id,
        items=tuple(items),
        kinds=tuple(
            _sum(kind, "all", [item for item in items if item.kind == kind])
            for kind in dict.fromkeys(item.kind for item in items)
        ),
        total=_sum("total", "all", items),
        unnamed=_item("unnamed", "without the name of a run", unnamed),
        incomplete=tuple(
            sorted(
                unique_id
                for unique_id, last in run.last_scanned.items()
                if last > sum(map(_scanned, of_nodes.get(unique_id, ())))
            )
        ),
    )


def billed_bytes(execution: QueryExecutionTypeDef) -> int:
    """Return the bytes of an execution that are paid for.

    Failed ones are free, and so are DDL and such (SHOW, DESCRIBE) unless they read data, as a CTAS does, which Athena
    counts among DDL. An answer that was reused is free. A cancelled one is billed for what it scanned.
    """
    scanned = _scanned(execution)
    is_query = execution.get("StatementType") == "DML" or execution.get("SubstatementType") == "CREATE_TABLE_AS_SELECT"
    reused = execution.get("Statistics", {}).get("ResultReuseInformation", {}).get("ReusedPreviousResult", False)
    state = execution["Status"]["State"]
    if state == "FAILED" or reused or (scanned == 0 and (state != "SUCCEEDED" or not is_query)):
        return 0
    return max(-(-scanned // MB) * MB, LEAST_BILLED)


def _item(kind: str, name: str, executions: list[QueryExecutionTypeDef]) -> Item:
    billed = sum(map(billed_bytes, executions))
    return Item(kind, name, len(executions), sum(map(_scanned, executions)), billed, billed / TB * DOLLARS_PER_TB)


def _sum(kind: str, name: str, items: list[Item]) -> Item:
    billed = sum(item.billed for item in items)
    return Item(
        kind,
        name,
        sum(item.statements for item in items),
        sum(item.scanned for item in items),
        billed,
        billed / TB * DOLLARS_PER_TB,
    )


def _kind(unique_id: str | None) -> str:
    kind = unique_id.partition(".")[0] if unique_id else "hooks"
    return kind if kind in _KINDS else "hooks"


def _comment(execution: QueryExecutionTypeDef) -> dict[str, Any]:
    """Return the fields of the comment that dbt begins a statement with; none for a statement of someone else."""
    found = _COMMENT.match(execution["Query"])
    try:
        fields = json.loads(found["fields"]) if found else {}
    except json.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _scanned(execution: QueryExecutionTypeDef) -> int:
    return execution.get("Statistics", {}).get("DataScannedInBytes", 0)


def _submitted(execution: QueryExecutionTypeDef) -> datetime:
    return execution["Status"]["SubmissionDateTime"]


def _artifact(path: Path) -> dict[str, Any]:
    try:
        artifact = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CostError(f"There is no {path}. Run `dbt build`, or name dbt's folder with --target-path.") from error
    except json.JSONDecodeError as error:
        raise CostError(f"{path} is not whole JSON: {error}. Run `dbt build` again.") from error
    if not isinstance(artifact, dict):
        raise CostError(f"{path} was not written by dbt. Run `dbt build` again.")
    return artifact
