"""The notebook's cells, run one after the other as a kernel does, on tables of the bench."""

from __future__ import annotations

import json
from typing import Any

import pytest
from athena_lakes import AthenaLake
from lakes import PROJECT

TABLES = {
    "daily_sales": """
        select order_date, order_count, revenue
        from (values (date '2024-01-15', bigint '2', decimal '10.50'), (date '2024-01-16', 1, decimal '2.00'),
            (date '2024-01-22', 1, decimal '4.00')) as t(order_date, order_count, revenue)
    """,
    "fct_orders": """
        select product_key, customer_key, customer_id, quantity, total
        from (values ('p1', 'c1-1', 'c1', 2, decimal '10.50'), ('p2', 'c1-1', 'c1', 1, decimal '2.00'),
            ('p2', '(unknown)', 'c9', 3, decimal '4.00')) as t(product_key, customer_key, customer_id, quantity, total)
    """,
    "dim_product": "select * from (values ('p1', 'Food'), ('p2', 'Drinks')) as t(product_key, department)",
    "dim_customer": """
        select * from (values ('c1-1', 'loyal', 'North'), ('(unknown)', null, null)) as t(customer_key, segment, region)
    """,
}


def test_cells_of_the_notebook_answer(athena_lake: AthenaLake, monkeypatch: pytest.MonkeyPatch) -> None:
    athena_lake.athena.run("create database analytics_db")
    for name, sql in TABLES.items():
        location = athena_lake.store.uri(f"analytics_db/{name}/")
        athena_lake.athena.run(
            f"create table analytics_db.{name} with (table_type = 'iceberg', is_external = false, "
            f"location = '{location}', format = 'parquet') as {sql}"
        )
    for variable, value in athena_lake.bench.environment.items():
        monkeypatch.setenv(variable, value)

    kernel: dict[str, Any] = {}
    for cell in json.loads((PROJECT / "notebooks" / "analytics.ipynb").read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"the cell {cell['id']}", "exec"), kernel)

    assert kernel["weeks"].values.tolist() == [["2024-01-15", 3, 12.5], ["2024-01-22", 1, 4.0]]
    assert kernel["departments"].values.tolist() == [["Food", 10.5, 2], ["Drinks", 6.0, 4]]
    assert sorted(kernel["segments"].fillna("").values.tolist()) == [["", "", 1, 4.0], ["loyal", "North", 1, 12.5]]
    with pytest.raises(RuntimeError, match="nowhere"):
        kernel["ask"]("select * from nowhere")
