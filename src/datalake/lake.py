"""The local lake: a root folder and the DuckDB database in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from datalake.errors import DatalakeError, LakeBusyError, LakeRootError
from datalake.storage import FolderStore

DATABASE = "lake.duckdb"


def default_root() -> Path:
    """Return the folder that `DATALAKE_ROOT` names, by default `lake/`."""
    return Path(os.environ.get("DATALAKE_ROOT") or "lake")


def refusal(path: Path, error: duckdb.IOException) -> DatalakeError:
    """Return what to tell a person where DuckDB can't open the lake's database."""
    if "Could not set lock" in str(error):
        return LakeBusyError(f"Another process has {path} open. Wait for its end, or close the shell that holds it.")
    return LakeRootError(f"{path} can't be opened: {error}")


@contextmanager
def open_lake(store: FolderStore, read_only: bool = False, create: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the lake's database; times are UTC.

    Args:
        store: the lake.
        read_only: open it for reading.
        create: make the database where there is none, unless it is opened for reading.

    Raises:
        LakeRootError: there is no database, and none is made.
        LakeBusyError: another process has it open.
    """
    path = store.root / DATABASE
    if (read_only or not create) and not path.exists():
        raise LakeRootError(f"There is no lake in {store.root} yet. Run `datalake check`, then `dbt build`.")
    try:
        connection = duckdb.connect(str(path), read_only=read_only)
    except duckdb.IOException as error:
        raise refusal(path, error) from error
    try:
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()
