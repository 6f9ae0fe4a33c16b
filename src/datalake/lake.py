"""The local lake: a root folder and the DuckDB database in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from datalake.errors import LakeBusyError, LakeRootError
from datalake.storage import FolderStore

DATABASE = "lake.duckdb"


def default_root() -> Path:
    """Return the folder that `DATALAKE_ROOT` names, by default `lake/`."""
    return Path(os.environ.get("DATALAKE_ROOT") or "lake")


@contextmanager
def open_lake(store: FolderStore, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the lake's database; times are UTC.

    Raises:
        LakeRootError: there is no database to read.
        LakeBusyError: another process has it open.
    """
    path = store.root / DATABASE
    if read_only and not path.exists():
        raise LakeRootError(f"There is no lake in {store.root} yet. Run `datalake check`, then `dbt build`.")
    try:
        connection = duckdb.connect(str(path), read_only=read_only)
    except duckdb.IOException as error:
        if "Could not set lock" in str(error):
            raise LakeBusyError(
                f"Another process has {path} open. Wait for its end, or close the shell that holds it."
            ) from error
        raise LakeRootError(f"{path} can't be opened: {error}") from error
    try:
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()
