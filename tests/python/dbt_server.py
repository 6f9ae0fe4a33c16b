"""Runs of dbt and `datalake` that share what costs most: imports, what `warm_dbt` makes, and a project once parsed.

A server process, started with the first run, has the first two and never opens a database. Each run is a fork of it:
a process of its own, with its own environment and folder, that can be killed. It runs the command's own entry point;
dbt takes the parsed project from a cache where only the lake's root is another: the root is in no parsed relation, it
is read when a model runs. The cache outlives the session.
"""

from __future__ import annotations

import functools
import hashlib
import json
import multiprocessing
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

PRELOADED = (
    *("__main__", "dbt.adapters.athena", "dbt.adapters.duckdb", "dbt.task.build", "datalake.cli", "pandas"),
    "warm_dbt",
)
"""What runs need; importing it takes seconds."""

PROJECT = Path(__file__).parents[2]
CACHE = PROJECT / "target" / "parsed"
MOST_KEPT = 50
"""Parsed projects, of 2 MB each."""

DECIDE_THE_MANIFEST = ("--vars", "--target", "--profile", "--profiles-dir", "--project-dir")
NO_PART_OF_THE_MANIFEST = ("DATALAKE_ROOT", "DBT_WRITE_JSON", "DBT_TARGET_PATH", "DBT_LOG_PATH")
PROJECT_FOLDERS = ("models", "macros", "tests", "seeds", "analyses")


@dataclass(frozen=True)
class Run:
    """A run of a command in a process of its own."""

    process: ForkServerProcess
    output: Path

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process.is_alive()

    def kill(self) -> None:
        """End it with SIGKILL, in whatever it is doing, and wait for its end."""
        self.process.kill()
        self.process.join()

    def wait(self) -> int:
        """Wait for its end; return its exit code, negative for the signal that killed it."""
        self.process.join()
        assert self.process.exitcode is not None
        return self.process.exitcode

    def printed(self) -> str:
        """Return what it has printed so far."""
        return self.output.read_text() if self.output.exists() else ""


def start_dbt(arguments: Sequence[str], environment: Mapping[str, str], folder: Path, output: Path) -> Run:
    """Start dbt with these arguments, in this folder; what it prints goes to the file `output`."""
    output.unlink(missing_ok=True)
    return Run(start_process(_run, list(arguments), dict(environment), folder, output), output)


def start_datalake(arguments: Sequence[str], environment: Mapping[str, str], folder: Path, output: Path) -> Run:
    """Start `datalake` with these arguments, in this folder; what it prints goes to the file `output`."""
    output.unlink(missing_ok=True)
    return Run(start_process(_run_datalake, list(arguments), dict(environment), folder, output), output)


def start_process(work: Callable[..., None], *arguments: object) -> ForkServerProcess:
    """Start a function in a fork of the server; its module must be one that `import` finds."""
    process = _server().Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


@functools.cache
def _server() -> ForkServerContext:
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(list(PRELOADED))
    # It looks for modules where this process does only if it is told so.
    with patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):
        forkserver.ensure_running()
    return server


def _run(arguments: list[str], environment: dict[str, str], folder: Path, output: Path) -> None:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import cli

    _enter(environment, folder, output)
    manifest = None if arguments[0] == "parse" else _manifest(arguments)
    try:
        cli(arguments, prog_name="dbt", obj={"manifest": manifest, "callbacks": []})
    finally:
        # A fork ends without the clean-up of a process that was started; the database is closed as dbt would.
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


def _run_datalake(arguments: list[str], environment: dict[str, str], folder: Path, output: Path) -> None:
    from datalake.cli import main

    _enter(environment, folder, output)
    sys.argv = ["datalake", *arguments]
    main()


def _enter(environment: Mapping[str, str], folder: Path, output: Path) -> None:
    _print_to(output)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)


def _print_to(output: Path) -> None:
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(file, stream.fileno())
    os.close(file)


def _manifest(arguments: list[str]) -> Manifest | None:
    """Return the parsed project, or None where it can't be parsed: dbt then says why when it runs."""
    from dbt.contracts.graph.manifest import Manifest

    options = _options(arguments)
    kept = CACHE / f"{_state_of_the_project(options)}.pickle"
    try:
        os.utime(kept)  # the one that is used last stays longest
        public = pickle.loads(kept.read_bytes())
    except FileNotFoundError:
        public = _parsed(options)
        if public is not None:
            _keep(public, kept)
    return None if public is None else Manifest(**public)


def _parsed(options: dict[str, str]) -> dict[str, Any] | None:
    """Parse the project, and return the fields of its manifest."""
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    with tempfile.TemporaryDirectory() as target:
        places = ["--target-path", target, "--log-path", target]
        decisive = [part for option in options.items() for part in option]
        result = dbtRunner().invoke(["parse", "--log-level", "none", "--log-level-file", "none", *places, *decisive])
    if not isinstance(result.result, Manifest):
        return None
    # Manifest's own pickling mixes up its fields; the private ones are made again when they are needed.
    return {field.name: getattr(result.result, field.name) for field in fields(Manifest) if field.name[0] != "_"}


def _keep(public: dict[str, Any], kept: Path) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=CACHE, suffix=".new", delete=False) as new:
        new.write(pickle.dumps(public))
    Path(new.name).replace(kept)
    for old in sorted(CACHE.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)[MOST_KEPT:]:
        old.unlink(missing_ok=True)


def _options(arguments: list[str]) -> dict[str, str]:
    """Return the options that are given as `--name value`."""
    return {name: value for name, value in pairwise(arguments) if name in DECIDE_THE_MANIFEST}


def _state_of_the_project(options: dict[str, str]) -> str:
    """Return a name for everything that the parsed project depends on."""
    project = Path(options.get("--project-dir", ".")).resolve()
    profiles = Path(options.get("--profiles-dir") or os.environ.get("DBT_PROFILES_DIR") or ".")
    files = [project / "dbt_project.yml", PROJECT / "requirements.lock", profiles / "profiles.yml"]
    for folder in PROJECT_FOLDERS:
        files += sorted(
            path for path in (project / folder).rglob("*") if path.suffix in (".sql", ".yml", ".md", ".csv")
        )
    facts = [
        str(project),
        options,
        {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(("DATALAKE_", "DBT_", "AWS_REGION")) and name not in NO_PART_OF_THE_MANIFEST
        },
        [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files if path.exists()],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
