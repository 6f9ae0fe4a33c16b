"""The bench: the server with AWS's APIs, and the engine behind its Athena."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3

from athena_bench import connections, work_group
from athena_bench.catalog import Catalog
from athena_bench.engine import Engine
from athena_bench.faults import VARIABLE, Faults
from athena_bench.glue import Glue
from athena_bench.guard import Guard
from athena_bench.lake_formation import LakeFormation
from athena_bench.metadata import Metadata
from athena_bench.prepared import PreparedStatements
from athena_bench.queries import Queries
from athena_bench.result_files import ResultFiles
from athena_bench.rights import Rights
from athena_bench.rulesets import Rulesets
from athena_bench.run import Runner
from athena_bench.server import ATHENA, Server

DEFAULT_BUCKET = "athena-bench"


class Bench:
    """A local Athena, from `start` to `stop`; a context manager.

    Args:
        port: of the AWS APIs; 0 takes a free one.
        region: of all calls.
        buckets: that exist from the start; results of a workgroup without a place of its own go to the first.
        workgroups: that exist from the start beside `primary`.
        heap: the largest size of the engine's heap.
        aot_output: see `Engine`.
    """

    def __init__(
        self,
        port: int = 0,
        region: str = "us-east-1",
        buckets: Sequence[str] = (DEFAULT_BUCKET,),
        workgroups: Sequence[str] = (),
        heap: str = "2G",
        aot_output: Path | None = None,
    ) -> None:
        self.region = region
        self.buckets = tuple(buckets)
        self.workgroups = tuple(workgroups)
        self.server = Server(port=port, region=region)
        lake_formation = LakeFormation(self.server)
        self._guard = Guard(lake_formation, region, self._work_group_of)
        self.server.guard, self.server.guard_object = self._guard, self._guard.check_object
        Glue(self.server, lake_formation.forget)
        connections.register(self.server)
        Rulesets(self.server)
        work_group.register(self.server, self._forget_work_group)
        self.server.register(ATHENA, Metadata(self.server.ask).operations)
        self._prepared = PreparedStatements()
        self.server.register(ATHENA, self._prepared.operations, self._prepared.reset)
        self.heap = heap
        self._aot_output = aot_output
        self.engine: Engine | None = None
        self._queries: Queries | None = None

    @property
    def url(self) -> str:
        """The endpoint of all AWS APIs."""
        return self.server.url

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that point boto3, and what is built on it, at the bench."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
        }

    @property
    def faults(self) -> Faults:
        """Faults on demand: `bench.faults.add("throttle:AmazonAthena.StartQueryExecution:2")`."""
        return self.server.faults

    def client(self, service: str) -> Any:  # noqa: ANN401 - clients have no type of their own
        """Return a boto3 client of the bench."""
        create: Any = boto3.client
        return create(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id="bench",
            aws_secret_access_key="bench",
        )

    def __enter__(self) -> Bench:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start server and engine, and return when a query can be asked.

        Raises:
            PartsError: the engine can't be installed.
            EngineError: it does not start.
            FaultError: $ATHENA_BENCH_FAULTS holds no faults.
            OSError: the port is taken.
        """
        self.server.start()
        try:
            self.engine = Engine(self.url, self.region, self.heap, self._aot_output)
            self.engine.start()
            self.server.on_kill(self.engine.kill)
            self.server.faults.add(os.environ.get(VARIABLE, ""))
            rights = Rights(self.engine, Catalog(self.server.call), self._guard)
            runner = Runner(self.engine, Catalog(self.server.ask), self._prepared, rights)
            self._queries = Queries(runner, self.server.call, ResultFiles(self.server.put_object))
            self.server.register(ATHENA, self._queries.operations, self._queries.reset)
            self._furnish()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop engine and server; nothing where they don't run."""
        if self._queries is not None:
            self._queries.close()
            self._queries = None
        if self.engine is not None:
            self.engine.stop()
            self.engine = None
        self.server.stop()

    def reset(self) -> None:
        """Forget all state, and make the first buckets, workgroups and the database `default` again."""
        self.server.reset()
        self._furnish()

    def _forget_work_group(self, name: str) -> None:
        self._prepared.forget(name)
        if self._queries is not None:
            self._queries.forget(name)

    def _work_group_of(self, execution: str) -> str | None:
        return self._queries.work_group_of(execution) if self._queries else None

    def _furnish(self) -> None:
        s3 = self.client("s3")
        for bucket in self.buckets:
            s3.create_bucket(Bucket=bucket)
        athena = self.client("athena")
        results = {"ResultConfiguration": {"OutputLocation": f"s3://{self.buckets[0]}/query-results/"}}
        for workgroup in self.workgroups:
            athena.create_work_group(Name=workgroup, Configuration=results | {"EnforceWorkGroupConfiguration": False})
        self.server.ask("AWSGlue.CreateDatabase", {"DatabaseInput": {"Name": "default"}})
