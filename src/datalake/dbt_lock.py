"""A plugin of dbt-duckdb: where another process has the lake open, dbt says so in a sentence, without a stack trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError

from datalake.lake import refusal


class Plugin(BasePlugin):
    """Opens the database just before dbt does, since dbt prints a stack trace for any error of its own opening."""

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Take the lock, to give it on: dbt's connection shares this one's database."""
        try:
            self._first = duckdb.connect(creds.path, config=config)
        except duckdb.IOException as error:
            raise DbtRuntimeError(str(refusal(Path(creds.path), error))) from error

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Close what `update_connection_config` has opened; dbt's connection keeps the lock."""
        self._first.close()
