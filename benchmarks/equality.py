"""Whether another way of building made the same rows as the models did."""

from __future__ import annotations

import argparse
import sys
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


def differences(lake: Path, other: Path) -> list[str]:
    """Compare each table of a lake that dbt built with the same table of another build, row for row.

    Args:
        lake: the lake's database.
        other: a DuckDB database, or a folder with a folder of Parquet files for each table.

    Returns:
        For each table that is not the same, which one it is and how many rows differ.
    """
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{lake}' as lake (read_only)")
        if other.is_file():
            # Under its own name, by which views in it name their tables.
            connection.execute(f"attach '{other}' as {other.stem} (read_only)")
        return [
            difference
            for table in TABLES
            if (difference := _difference(connection, table, _relation(other, table))) is not None
        ]


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


def main() -> None:
    """Compare as the command line says; differences are printed and make the exit code 1."""
    parser = argparse.ArgumentParser(description="Compare two builds of the same raw files, row for row.")
    parser.add_argument("lake", type=Path, help="the database that dbt built")
    parser.add_argument("other", type=Path, help="a DuckDB database, or a folder of Parquet files for each table")
    asked = parser.parse_args()
    if unequal := differences(asked.lake, asked.other):
        sys.exit("\n".join(unequal))


if __name__ == "__main__":
    main()
