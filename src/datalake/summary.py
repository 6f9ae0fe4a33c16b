"""What stands in the lake after a build: the figures of the closing summary."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import duckdb

from datalake.errors import DatalakeError

ZONES = ("curated_db", "analytics_db")


@dataclass(frozen=True)
class TableSize:
    """A table's schema, name and number of rows."""

    schema: str
    name: str
    rows: int


@dataclass(frozen=True)
class Rejected:
    """How many rows (or files) of a data set are in the quarantine for a reason."""

    dataset: str
    reason: str
    rows: int


@dataclass(frozen=True)
class Accounted:
    """A row of the reconciliation."""

    dataset: str
    raw: int
    curated: int
    superseded: int
    deleted: int
    quarantined: int
    unexplained: int


@dataclass(frozen=True)
class Summary:
    """The state of the lake, and the tests of the last `dbt build` by status."""

    tables: tuple[TableSize, ...]
    rejected: tuple[Rejected, ...]
    accounted: tuple[Accounted, ...]
    tests: Counter[str]


def summarize(connection: duckdb.DuckDBPyConnection, run_results: Path) -> Summary:
    """Count what the lake holds.

    Args:
        connection: the lake's database.
        run_results: dbt's `target/run_results.json`; no tests are counted where it is missing, half written or of
            a command that runs none.

    Raises:
        DatalakeError: the models were not built yet.
    """
    tables = [
        TableSize(schema, name, _count(connection, schema, name))
        for schema, name in connection.execute(
            "select schema_name, table_name from duckdb_tables() where schema_name in $zones "
            "and table_name not like '%\\_parsed' escape '\\' "
            "and table_name not in "
            "('model_progress', 'touched_orders', 'order_tallies', 'repeated_orders', 'customer_versions') "
            "order by schema_name desc, table_name",
            {"zones": list(ZONES)},
        ).fetchall()
    ]
    try:
        rejected = connection.execute(
            "select dataset, reasons, count(*) from curated_db.quarantine group by all order by 3 desc, 1, 2"
        ).fetchall()
        accounted = connection.execute(
            "select dataset, raw_rows, curated_rows, superseded_rows, deleted_rows, quarantined_rows, "
            "unexplained_rows from curated_db.reconciliation order by raw_rows desc, dataset"
        ).fetchall()
    except duckdb.CatalogException as error:
        raise DatalakeError("The lake's models are not built yet. Run `dbt build`, or `make build`.") from error
    return Summary(
        tables=tuple(tables),
        rejected=tuple(Rejected(*row) for row in rejected),
        accounted=tuple(Accounted(*row) for row in accounted),
        tests=_tests(run_results),
    )


def _count(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> int:
    row = connection.execute(f'select count(*) from "{schema}"."{name}"').fetchone()
    return int(row[0]) if row else 0


def _tests(run_results: Path) -> Counter[str]:
    if not run_results.exists():
        return Counter()
    try:
        artifact = json.loads(run_results.read_text(encoding="utf-8"))
    except json.JSONDecodeError:  # a dbt that was killed while it wrote them
        return Counter()
    if artifact["args"].get("which") not in ("build", "test"):
        return Counter()
    return Counter(result["status"] for result in artifact["results"] if result["unique_id"].startswith("test."))
