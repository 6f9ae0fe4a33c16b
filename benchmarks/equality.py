"""Whether another way of building made the same rows as the models did."""

from __future__ import annotations

from pathlib import Path

import duckdb

CURATED = (
    "orders",
    "users",
    "products",
    "customers",
    "customer_versions",
    "events",
    "quarantine",
    "reconciliation",
)
ANALYTICS = (
    "daily_sales",
    "customer_360",
    "product_metrics",
    "product_performance",
    "quality_results",
    "dim_date",
    "dim_customer",
    "dim_product",
    "fct_orders",
)
TABLES = tuple(f"curated_db.{name}" for name in CURATED) + tuple(f"analytics_db.{name}" for name in ANALYTICS)


BOOKKEEPING = ("file_id", "version_count", "api_version_count", "change_count", "version_number", "is_first")
"""Columns that only increments and the account of every row need; a full refresh another way does without."""


class UnequalError(Exception):
    """Two builds of the same raw files do not hold the same rows."""


def require_equal(lake: Path, other: Path) -> None:
    """Compare each table of a lake that dbt built with the same table of another build, row for row.

    Args:
        lake: the lake's database.
        other: a DuckDB database, or a folder with a folder of Parquet files for each table.

    Raises:
        UnequalError: a table has rows that the other has not; the text says which and how many.
    """
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{lake}' as lake (read_only)")
        if other.is_file():
            # Under its own name, by which views in it name their tables.
            connection.execute(f"attach '{other}' as {other.stem} (read_only)")
        unequal = [
            difference
            for table in TABLES
            if (difference := _difference(connection, table, _relation(other, table))) is not None
        ]
    if unequal:
        raise UnequalError("; ".join(unequal))


def _relation(other: Path, table: str) -> str:
    if other.is_file():
        return f"{other.stem}.{table}"
    return f"read_parquet('{other}/{table}/*.parquet')"


def _difference(connection: duckdb.DuckDBPyConnection, table: str, other: str) -> str | None:
    names = [row[0] for row in connection.execute(f"describe lake.{table}").fetchall()]
    columns = ", ".join(f'"{name}"' for name in names if name not in BOOKKEEPING)
    left, right = f"select {columns} from lake.{table}", f"select {columns} from {other}"
    missing, surplus, rows = connection.execute(
        f"select (select count(*) from ({left} except all {right})),"
        f" (select count(*) from ({right} except all {left})), (select count(*) from lake.{table})"
    ).fetchall()[0]
    if missing or surplus:
        return f"{table}: of {rows:,} rows {missing:,} are missing, {surplus:,} are surplus"
    return None
