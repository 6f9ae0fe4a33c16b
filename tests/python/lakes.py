"""Lakes for tests: a folder of raw files, checked and built by the real commands."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from dbt_server import Run, start_datalake, start_dbt

from datalake.sources import RawTable

PROJECT = Path(__file__).parents[2]
BIN = PROJECT / ".venv" / "bin"

RUN_NUMBERS = itertools.count(1)
"""Runs at the same time print to files of their own."""

WITH_ARTIFACTS = {"DBT_WRITE_JSON": "true"}
"""The environment of a run that leaves manifest.json and run_results.json in its target folder."""

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Lake:
    """A lake in a folder of its own."""

    root: Path

    @property
    def target(self) -> Path:
        return self.root / "target"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DATALAKE_ROOT": str(self.root),
            "DBT_PROFILES_DIR": str(PROJECT / "tests" / "python" / "profiles"),
            # What a run prints tells enough; writing these files takes a good part of its time.
            "DBT_LOG_LEVEL_FILE": "none",
            "DBT_WRITE_JSON": "false",
            "PATH": f"{BIN}:{os.environ['PATH']}",
        }

    def put(self, key: str, body: bytes) -> None:
        """Put a raw file, the way a foreign system would."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def run(self, *command: str, fails: bool = False, environment: dict[str, str] | None = None) -> str:
        """Run a command in the project's folder and return what it prints."""
        done = subprocess.run(
            command,
            cwd=PROJECT,
            env={**self.environment, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def datalake(
        self, *arguments: str, fails: bool = False, environment: Mapping[str, str] | None = None, folder: Path = PROJECT
    ) -> str:
        """Run `datalake` on this lake and return what it prints."""
        environment = {**self.environment, **(environment or {})}
        return self._end(start_datalake(arguments, environment, folder, self._output()), fails)

    def check(self) -> str:
        return self.datalake("check")

    def start_dbt(
        self, *arguments: str, variables: dict[str, Any] | None = None, environment: dict[str, str] | None = None
    ) -> Run:
        """Start dbt on this lake, its artifacts in the lake's folder; the run can be killed."""
        self.root.mkdir(parents=True, exist_ok=True)
        return start_dbt(
            self.dbt_arguments(*arguments, variables=variables),
            {**self.environment, **(environment or {})},
            PROJECT,
            self._output(),
        )

    def dbt(
        self,
        *arguments: str,
        variables: dict[str, Any] | None = None,
        fails: bool = False,
        environment: dict[str, str] | None = None,
    ) -> str:
        """Run dbt on this lake and return what it prints."""
        return self._end(self.start_dbt(*arguments, variables=variables, environment=environment), fails)

    @staticmethod
    def _output() -> Path:
        return Path(tempfile.gettempdir()) / f"printed-{os.getpid()}-{next(RUN_NUMBERS)}.txt"

    @staticmethod
    def _end(run: Run, fails: bool) -> str:
        code = run.wait()
        printed = run.printed()
        run.output.unlink(missing_ok=True)
        assert (code != 0) == fails, printed
        return printed

    def dbt_command(
        self,
        *arguments: str,
        variables: dict[str, Any] | None = None,
        fails: bool = False,
        environment: dict[str, str] | None = None,
    ) -> str:
        """Do what `dbt` does, by the command that a person runs: for tests of it, and for a single run."""
        return self.run(
            "dbt", *self.dbt_arguments(*arguments, variables=variables), fails=fails, environment=environment
        )

    def dbt_arguments(self, *arguments: str, variables: dict[str, Any] | None = None) -> list[str]:
        """Return what to hand to dbt, so that its artifacts lie in the lake's folder."""
        places = ["--target-path", str(self.target), "--log-path", str(self.root / "logs")]
        return [*arguments, *places, "--vars", json.dumps(variables or {})]

    def build(
        self,
        *arguments: str,
        variables: dict[str, Any] | None = None,
        fails: bool = False,
        environment: dict[str, str] | None = None,
    ) -> str:
        """Run `dbt build` without unit tests, which have a test of their own."""
        without = ("--exclude-resource-type", "unit_test")
        return self.dbt("build", *without, *arguments, variables=variables, fails=fails, environment=environment)

    def rows(self, sql: str) -> list[Row]:
        with self._opened() as connection:
            return connection.execute(sql).fetchall()

    def content(self) -> dict[str, list[Row]]:
        """Return every table's and view's rows in an order that does not depend on how they were made.

        model_progress, touched_orders and order_tallies are left out: they say how the lake grew, not what it holds.
        """
        return self._of_each("from {} order by all")

    def content_without_times(self) -> dict[str, list[Row]]:
        """Return what `content` does, without the times at which files were read."""
        return self._of_each("select columns(n -> n not in ('checked_at', 'quarantined_at')) from {} order by all")

    def checksums(self) -> dict[str, Row]:
        """Return what tells large tables and views apart: the number of rows of each and the sum of their hashes."""
        found = self._of_each("select count(*), sum(hash(relation)::hugeint) from {} as relation")
        return {name: row for name, (row,) in found.items()}

    def _of_each(self, sql: str) -> dict[str, list[Row]]:
        """Ask the same of each relation, whose name goes into the brackets."""
        with self._opened() as connection:
            relations = connection.execute(
                "select table_schema, table_name from information_schema.tables "
                "where table_schema in ('curated_db', 'analytics_db') "
                "and table_name not in ('model_progress', 'touched_orders', 'order_tallies') order by all"
            ).fetchall()
            names = [f"{schema}.{name}" for schema, name in relations]
            return {name: connection.execute(sql.format(name)).fetchall() for name in names}

    @contextmanager
    def _opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the database, which takes longer than most of what it is asked."""
        with duckdb.connect(str(self.root / "lake.duckdb"), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            yield connection


TextRow = tuple[str | None, ...]


def text_table(text: str) -> list[TextRow]:
    """Return the rows of a table written down as text, sorted: a line a row, `|` between cells, `-` for NULL."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return _sorted([tuple(None if cell == "-" else cell for cell in line) for line in lines])


def as_text(rows: Sequence[Row]) -> list[TextRow]:
    """Return rows, sorted, with every value as the text that `text_table` would hold."""
    return _sorted([tuple(None if value is None else _text(value) for value in row) for row in rows])


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sorted(rows: list[TextRow]) -> list[TextRow]:
    return sorted(rows, key=lambda row: [(cell is None, cell or "") for cell in row])


def raw_table(
    name: str, file_format: str, *columns: str, optional: Sequence[str] = (), by_source: bool = False
) -> RawTable:
    """Return a declaration as `load_sources` would read it from the YAML."""
    return RawTable.model_validate(
        {
            "name": name,
            "external": {
                "location": f"raw/{name}/",
                "file_format": file_format,
                "partitions": [
                    {"name": partition, "data_type": "string"}
                    for partition in (("source", "arrived") if by_source else ("arrived",))
                ],
            },
            "columns": [
                {"name": column, "data_type": "string", "config": {"meta": {"optional": column in optional}}}
                for column in columns
            ],
        }
    )
