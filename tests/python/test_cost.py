"""What a run of dbt costs on Athena, from the workgroup's history."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from datalake.cost import MB, TB, Item, Report, Run, bill, billed_bytes, read_run
from datalake.errors import CostError

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import QueryExecutionTypeDef

STARTED = datetime(2024, 1, 20, 3, tzinfo=UTC)
ORDERS = "model.datalake.orders"
UNIQUE = "test.datalake.unique_orders_order_id.fed79b3a6e"
RUN = Run(
    invocation_id="this-run",
    adapter="athena",
    started_at=STARTED,
    ended_at=STARTED + timedelta(minutes=10),
    names={ORDERS: "orders", UNIQUE: "unique_orders_order_id"},
    last_scanned={ORDERS: 0, UNIQUE: 0},
)


def execution(
    scanned: int = 0,
    node: str | None = ORDERS,
    run: str = "this-run",
    query: str | None = None,
    state: Any = "SUCCEEDED",
    kind: Any = "DML",
    subkind: str = "SELECT",
    reused: bool = False,
    after: timedelta = timedelta(minutes=1),
) -> QueryExecutionTypeDef:
    """Return an execution as BatchGetQueryExecution describes it, with dbt-athena's comment before the statement."""
    fields = {"app": "dbt", "target": "prod", "invocation_id": run, "node_id": node or ""}
    return {
        "QueryExecutionId": "b5a0bf61-6e2b-4d4a-9f5d-6e4a1a4c3c10",
        "Query": query or f"-- /* {json.dumps(fields)} */\nselect 1",
        "StatementType": kind,
        "SubstatementType": subkind,
        "Status": {"State": state, "SubmissionDateTime": STARTED + after},
        "Statistics": {
            "DataScannedInBytes": scanned,
            "ResultReuseInformation": {"ReusedPreviousResult": reused},
        },
        "WorkGroup": "datalake-dbt",
    }


def figures(report: Report) -> list[tuple[str, str, int, int]]:
    return [(item.kind, item.name, item.statements, item.scanned) for item in report.items]


def test_all_statements_of_a_node_count() -> None:
    """An incremental model makes a table of what is new (CTAS), then merges it."""
    report = bill(
        RUN,
        [
            execution(300 * MB, subkind="MERGE"),
            execution(700 * MB, kind="DDL", subkind="CREATE_TABLE_AS_SELECT"),
            execution(20 * MB, UNIQUE),
        ],
    )
    assert figures(report) == [
        ("model", "orders", 2, 1000 * MB),
        ("test", "unique_orders_order_id", 1, 20 * MB),
    ]
    assert (report.total.statements, report.total.scanned) == (3, 1020 * MB)


def test_five_dollars_are_a_tb_of_two_to_the_forty_bytes() -> None:
    assert bill(RUN, [execution(TB)]).total.dollars == 5.0


@pytest.mark.parametrize(
    ("paid", "case"),
    [
        (10 * MB, {"scanned": 1}),
        (10 * MB, {"scanned": 0}),
        (10 * MB, {"scanned": 10 * MB}),
        (11 * MB, {"scanned": 10 * MB + 1}),
        (12 * MB, {"scanned": 12 * MB, "kind": "DDL", "subkind": "CREATE_TABLE_AS_SELECT"}),
        (10 * MB, {"scanned": 0, "kind": "DDL", "subkind": "CREATE_TABLE_AS_SELECT"}),
        (0, {"scanned": 0, "kind": "DDL", "subkind": "CREATE_TABLE"}),
        (0, {"scanned": 0, "kind": "UTILITY", "subkind": "SHOW_TABLES"}),
        (0, {"scanned": 50 * MB, "state": "FAILED"}),
        (50 * MB, {"scanned": 50 * MB, "state": "CANCELLED"}),
        (0, {"scanned": 0, "state": "CANCELLED"}),
        (0, {"scanned": 0, "reused": True}),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_statement_is_billed_as_athena_bills_it(paid: int, case: dict[str, Any]) -> None:
    assert billed_bytes(execution(**case)) == paid


def test_each_statement_has_its_own_least_price() -> None:
    report = bill(RUN, [execution(1), execution(1)])
    assert report.total.billed == 20 * MB
    assert report.total.scanned == 2


def test_statements_of_hooks_are_a_line_of_their_own() -> None:
    report = bill(RUN, [execution(5, None), execution(3), execution(7, None)])
    assert figures(report) == [("model", "orders", 1, 3), ("hooks", "hooks and run-operations", 2, 12)]
    assert report.total.scanned == 15


def test_statements_of_other_runs_do_not_count() -> None:
    report = bill(RUN, [execution(5, run="another"), execution(3)])
    assert report.total.scanned == 3
    assert report.unnamed.statements == 0


def test_statements_that_name_no_run_are_told_but_not_added() -> None:
    optimize = 'optimize "curated_db"."orders" rewrite data using bin_pack'
    report = bill(
        RUN,
        [
            execution(5, query=optimize),
            execution(7, query="select 1 /* {} */"),
            execution(11, query="/* not dbt's {} */ select 1"),
            execution(100, query="select 1", after=timedelta(minutes=11)),
            execution(100, query="select 1", after=timedelta(minutes=-1)),
            execution(3),
        ],
    )
    assert (report.unnamed.statements, report.unnamed.scanned) == (3, 23)
    assert report.total.scanned == 3


def test_node_that_the_project_no_longer_has_keeps_its_id() -> None:
    assert figures(bill(RUN, [execution(3, "model.datalake.gone")])) == [("model", "model.datalake.gone", 1, 3)]


def test_dearest_node_of_a_kind_comes_first_and_kinds_are_summed() -> None:
    report = bill(RUN, [execution(1, "model.datalake.a"), execution(2), execution(9, UNIQUE)])
    assert [item.name for item in report.items] == ["orders", "model.datalake.a", "unique_orders_order_id"]
    assert [(kind.kind, kind.scanned) for kind in report.kinds] == [("model", 3), ("test", 9)]


def test_node_whose_statements_the_history_lacks_is_named() -> None:
    run = Run(**{**vars(RUN), "last_scanned": {ORDERS: 10, UNIQUE: 4}})
    assert bill(run, [execution(9), execution(1), execution(3, UNIQUE)]).incomplete == (UNIQUE,)


def test_history_without_the_run_is_refused_with_what_to_do() -> None:
    with pytest.raises(CostError) as refused:
        bill(RUN, [execution(run="another")])
    assert str(refused.value) == (
        "The workgroup's history has no statement of the run this-run, begun 2024-01-20 03:00 UTC. "
        "Set DATALAKE_WORKGROUP and AWS_REGION as in that run; Athena forgets after 45 days."
    )


def test_report_as_json_holds_every_figure() -> None:
    report = json.loads(json.dumps(bill(RUN, [execution(MB * 11)]).as_dict()))
    assert report["total"] == vars(Item("total", "all", 1, 11 * MB, 11 * MB, 11 * MB / TB * 5))
    assert [item["name"] for item in report["items"]] == ["orders"]


def artifacts(folder: Path, results: object, manifest: object) -> Path:
    (folder / "run_results.json").write_text(json.dumps(results))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


RESULTS: dict[str, Any] = {
    "metadata": {
        "generated_at": "2024-01-20T03:10:00.000000Z",
        "invocation_id": "this-run",
        "invocation_started_at": "2024-01-20T03:00:00.000000Z",
    },
    "results": [
        {"unique_id": ORDERS, "adapter_response": {"code": "OK", "data_scanned_in_bytes": 7}},
        {"unique_id": UNIQUE, "adapter_response": {}},
    ],
}
MANIFEST: dict[str, Any] = {
    "metadata": {"adapter_type": "athena"},
    "nodes": {ORDERS: {"name": "orders"}, UNIQUE: {"name": "unique_orders_order_id"}},
    "sources": {},
    "unit_tests": {},
}


def test_run_is_read_from_what_dbt_wrote(tmp_path: Path) -> None:
    assert read_run(artifacts(tmp_path, RESULTS, MANIFEST)) == Run(
        **{**vars(RUN), "last_scanned": {ORDERS: 7, UNIQUE: 0}}
    )


def test_missing_results_are_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CostError, match="Run `dbt build`, or name dbt's folder with --target-path"):
        read_run(tmp_path)


def test_results_cut_off_are_told_with_what_to_do(tmp_path: Path) -> None:
    artifacts(tmp_path, RESULTS, MANIFEST)
    (tmp_path / "run_results.json").write_text(json.dumps(RESULTS)[:-9])
    with pytest.raises(CostError, match="is not whole JSON"):
        read_run(tmp_path)


def test_results_of_another_dbt_are_told_apart(tmp_path: Path) -> None:
    artifacts(tmp_path, {"metadata": {}, "results": []}, MANIFEST)
    with pytest.raises(CostError, match="have no 'invocation_id'; were they written by"):
        read_run(tmp_path)
