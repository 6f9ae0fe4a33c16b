"""Lakes on the bench for tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from lakes import raw_table

from athena_bench.bench import Bench
from datalake.athena import Athena, TextRow
from datalake.athena_ledger import AthenaLedger
from datalake.ledger import Checked, check
from datalake.storage import S3Store

BUCKET = "company-datalake-ci"
WORKGROUP = "datalake-dbt"
NOW = datetime(2024, 1, 20, 3, tzinfo=UTC)
TABLES = {
    "orders": raw_table("orders", "json", "order_id", "price", "updated_at", optional=["updated_at"]),
    "products": raw_table("products", "csv", "id", "name"),
}


@dataclass(frozen=True)
class AthenaLake:
    """A lake in the bench's bucket."""

    bench: Bench

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
            "DATALAKE_TARGET": "ci",
            "DATALAKE_BUCKET": BUCKET,
            "DATALAKE_WORKGROUP": WORKGROUP,
        }

    def check(self, now: datetime = NOW) -> Checked:
        return check(self.store, self.ledger, TABLES, now)

    def rows(self, sql: str) -> list[TextRow]:
        return list(self.athena.ask(sql).rows)

    def keys(self, prefix: str) -> list[str]:
        return [found.key for found in self.store.list(prefix)]
