"""Lakes on the bench for tests."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from lakes import PROJECT, WITH_ARTIFACTS, Lake, Row, raw_table

from athena_bench.bench import Bench
from datalake.athena import Athena
from datalake.athena_ledger import AthenaLedger
from datalake.lake import open_lake
from datalake.ledger import Checked, DuckDBLedger, check
from datalake.sources import load_sources
from datalake.storage import FolderStore, S3Store

BUCKET = "company-datalake-ci"
WORKGROUP = "datalake-dbt"
NOW = datetime(2024, 1, 20, 3, tzinfo=UTC)
FEW_DAYS = {"raw_days": "year=2015/month=01/day=01,year=2034/month=12/day=31"}
"""Those of all test data: the engine looks at each day that is projected, several times a query."""
TABLES = {
    "orders": raw_table("orders", "json", "order_id", "price", "updated_at", optional=["updated_at"]),
    "products": raw_table("products", "csv", "id", "name"),
}


@dataclass(frozen=True)
class AthenaLake:
    """A lake in the bench's bucket; what dbt writes on this machine goes to a folder."""

    bench: Bench
    folder: Path

    @cached_property
    def store(self) -> S3Store:
        return S3Store.open(self.bench.client("s3"), BUCKET)

    @cached_property
    def athena(self) -> Athena:
        return Athena(self.bench.client("athena"), self.bench.client("s3"), WORKGROUP, self.store.uri("query-results/"))

    @cached_property
    def ledger(self) -> AthenaLedger:
        return AthenaLedger(self.athena, self.store)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **self.bench.environment,
            **WITH_ARTIFACTS,
            "DATALAKE_TARGET": "ci",
            "DATALAKE_BUCKET": BUCKET,
            "DATALAKE_WORKGROUP": WORKGROUP,
            "DATALAKE_POLL_SECONDS": "0.05",
        }

    def datalake(self, *arguments: str, fails: bool = False) -> str:
        """Run `datalake` on this lake and return what it prints."""
        return Lake(self.folder).datalake(*arguments, fails=fails, environment=self.environment)

    def dbt(self, *arguments: str, variables: dict[str, Any] | None = None, fails: bool = False) -> str:
        """Run dbt on this lake and return what it prints."""
        on_athena = ("--target", "ci", "--threads", "8")
        return Lake(self.folder).dbt(
            *arguments, *on_athena, variables=variables, fails=fails, environment=self.environment
        )

    def check(self, now: datetime = NOW) -> Checked:
        return check(self.store, self.ledger, TABLES, now)

    def rows(self, sql: str) -> list[Row]:
        return list(self.athena.query(sql).rows)

    def keys(self, prefix: str) -> list[str]:
        return [found.key for found in self.store.list(prefix)]


DECLARED = load_sources(PROJECT / "models" / "raw")


@dataclass(frozen=True)
class TwinLakes:
    """The same raw files in a local lake and in one on Athena."""

    local: Lake
    athena: AthenaLake

    def put(self, key: str, body: bytes) -> None:
        self.local.put(key, body)
        self.athena.store.put(key, body)

    def check(self, now: datetime) -> None:
        """Enter what is new in both ledgers, at the same time."""
        store = FolderStore.open(self.local.root)
        with open_lake(store) as connection:
            check(store, DuckDBLedger(connection), DECLARED, now)
        check(self.athena.store, self.athena.ledger, DECLARED, now)

    def dbt(self, *arguments: str) -> None:
        """Run dbt on both, side by side."""
        with ThreadPoolExecutor() as pool:
            runs = [pool.submit(lake.dbt, *arguments, variables=FEW_DAYS) for lake in (self.local, self.athena)]
        for run in runs:
            run.result()

    def content(self) -> tuple[dict[str, Content], dict[str, Content]]:
        """Return every table of both, by name."""
        types = self._local_types()
        local = {name: Content(types[name], rows) for name, rows in self.local.content().items()}
        return local, {name: self._athena_content(name, content) for name, content in local.items()}

    def _local_types(self) -> dict[str, dict[str, str]]:
        types: dict[str, dict[str, str]] = defaultdict(dict)
        for schema, table, column, type_ in self.local.rows(
            "select table_schema, table_name, column_name, data_type from information_schema.columns"
        ):
            types[f"{schema}.{table}"][column] = _HIVE_TYPES.get(type_, type_.lower())
        return types

    def _athena_content(self, name: str, local: Content) -> Content:
        database, _, table = name.partition(".")
        found = self.athena.bench.client("glue").get_table(DatabaseName=database, Name=table)["Table"]
        types = {column["Name"]: column["Type"] for column in found["StorageDescriptor"]["Columns"]}
        columns = ", ".join(f'"{column}"' for column in local.types)
        answer = self.athena.athena.query(f"select {columns} from {name}")
        return Content(types, list(answer.rows))


@dataclass(frozen=True)
class Content:
    """A table: the types of its columns, as Glue names them, and its rows."""

    types: dict[str, str]
    rows: list[Row]


_HIVE_TYPES = {"VARCHAR": "string", "INTEGER": "int"}
