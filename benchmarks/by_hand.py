"""Build the lake's tables with the script written by hand, from the raw files that the ledger calls sound."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import duckdb

SCRIPT = Path(__file__).with_name("by_hand.sql")
DATASETS = ("orders", "users", "products", "customers", "events", "api_events")


def build(root: Path, database: Path, *, told: bool = False) -> float:
    """Build every table in a new database and return the seconds that took.

    Args:
        root: the lake's root, with `raw/` and the ledger in `lake.duckdb`.
        database: the database to make.
        told: print each statement's seconds.
    """
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database), config={"threads": 2}) as connection:
        started = time.perf_counter()
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{root}/lake.duckdb' as lake (read_only)")
        _set_variables(connection, root)
        for statement in connection.extract_statements(SCRIPT.read_text(encoding="utf-8")):
            began = time.perf_counter()
            connection.execute(statement)
            if told:
                print(f"{time.perf_counter() - began:7.2f}  {_title(statement.query)}")
        connection.execute("checkpoint")
        return time.perf_counter() - started


def _title(statement: str) -> str:
    return next(line for line in statement.strip().splitlines() if line and not line.startswith("--"))


def _set_variables(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    connection.execute("set variable root = $root", {"root": f"{root}/"})
    for dataset in DATASETS:
        files = connection.execute(
            "select list($root || file order by file_id) from lake.curated_db.raw_files "
            "where dataset = $dataset and state = 'sound' and rows > 0",
            {"root": f"{root}/", "dataset": dataset},
        ).fetchall()[0][0]
        connection.execute(f"set variable {dataset}_files = $files", {"files": files})


def main() -> None:
    """Build as the command line says and print the seconds."""
    parser = argparse.ArgumentParser(description="Build the lake's tables with the script written by hand.")
    parser.add_argument("root", type=Path, help="the lake's root folder")
    parser.add_argument("database", type=Path, help="the database to make")
    parser.add_argument("--told", action="store_true", help="print each statement's seconds")
    asked = parser.parse_args()
    seconds = build(asked.root, asked.database, told=asked.told)
    print(f"{seconds:.3f}")


if __name__ == "__main__":
    main()
