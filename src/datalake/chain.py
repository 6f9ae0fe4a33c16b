"""The daily run: the stages of `selectors.yml`, one after the other, stopped at the first that breaks.

What a run leaves under `state/` in the lake says how far it came:

- `state/run.json`: the last run and its stages that are done; `--resume` goes on from there, after a kill too.
- `state/runs/{run}/{stage}/run_results.json` and `state/runs/{run}/manifest.json`: what dbt wrote.
- `state/runs/{run}/partial_parse.msgpack`: the parsed project, so that jobs of one run parse it once.
- `state/manifest.json`: the project as it was last built whole, for `dbt build --select state:modified+ --defer`.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from datalake.errors import ChainError, DatalakeError
from datalake.storage import Store

STATE = "state/"
RAW = "raw"
CHECKS = "checks"
PARSED = "partial_parse.msgpack"
"""dbt's file of the parsed project, which it takes only as far as no file, var or setting has changed since."""

STAGES = (RAW, "orders", "beside_orders", "metrics", CHECKS)
"""The chain. `raw` enters new files in the ledger; the others are selectors of dbt."""

SIDE_BY_SIDE = ("users", "products", "customers", "events")
"""The parts of `beside_orders`, which jobs of their own may run at the same time."""


@dataclass(frozen=True)
class Outcome:
    """What became of a stage.

    Attributes:
        stage: its name.
        counts: how many nodes ended in which of dbt's states; for `raw`, how many files are sound and broken.
        failures: the name of each node that failed, and why.
        seconds: how long it took.
    """

    stage: str
    counts: Counter[str]
    failures: tuple[tuple[str, str], ...]
    seconds: float

    @property
    def is_broken(self) -> bool:
        """Whether the chain stops at it."""
        return bool(self.failures)


@dataclass(frozen=True)
class Progress:
    """How far a run came.

    Attributes:
        run: its name.
        done: its stages that are done.
    """

    run: str
    done: tuple[str, ...]

    @classmethod
    def load(cls, store: Store) -> Progress | None:
        """Return that of the last run, or None where there was none."""
        if not store.exists(_PROGRESS):
            return None
        with store.read(_PROGRESS) as file:
            found = orjson.loads(file.read())
        return cls(found["run"], tuple(found["done"]))

    def save(self, store: Store) -> None:
        """Write it in the place of the one before."""
        store.put(_PROGRESS, orjson.dumps({"run": self.run, "done": self.done}, option=orjson.OPT_INDENT_2))


_PROGRESS = f"{STATE}run.json"

RunStage = Callable[[str, str], Outcome]
"""Runs the stage of that name for the run of that name."""


def new_run(now: datetime) -> str:
    """Return the name of a run that begins now, an aware time."""
    return f"{now.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}"


def run_chain(store: Store, run_stage: RunStage, run: str, resume: bool = False) -> Iterator[Outcome]:
    """Run the stages, and yield what became of each as it ends; the first that breaks is the last.

    Args:
        store: the lake.
        run_stage: runs a stage.
        run: the name of a new run.
        resume: go on with the last run, from its first stage that is not done.

    Raises:
        ChainError: there is nothing to resume.
    """
    progress = Progress(run, ())
    if resume:
        last = Progress.load(store)
        if last is None or set(STAGES) <= set(last.done):
            why = "no run has begun yet" if last is None else f"the last run, {last.run}, is done"
            raise ChainError(f"There is nothing to resume: {why}. Run `datalake run`.")
        progress = last
    progress.save(store)
    for outcome in run_stages([stage for stage in STAGES if stage not in progress.done], progress.run, run_stage):
        if not outcome.is_broken:
            progress = Progress(progress.run, (*progress.done, outcome.stage))
            progress.save(store)
        yield outcome


def run_stages(stages: Sequence[str], run: str, run_stage: RunStage) -> Iterator[Outcome]:
    """Run stages, and yield what became of each as it ends; the first that breaks is the last.

    Args:
        stages: their names.
        run: the run's name.
        run_stage: runs a stage.
    """
    for stage in stages:
        outcome = run_stage(stage, run)
        yield outcome
        if outcome.is_broken:
            return


def timed(stage: str, work: Callable[[], Counter[str]]) -> Outcome:
    """Do a stage's work, which returns its counts; an error of this package is its failure."""
    begun = time.monotonic()
    try:
        counts = work()
    except DatalakeError as error:
        return Outcome(stage, Counter(), ((stage, str(error)),), time.monotonic() - begun)
    return Outcome(stage, counts, (), time.monotonic() - begun)


def run_dbt(store: Store, stage: str, run: str, project: Path, arguments: Sequence[str]) -> Outcome:
    """Run a stage's models, or for `checks` its models and all tests, and keep what dbt wrote of it.

    Args:
        store: the lake.
        stage: a selector of `selectors.yml`.
        run: the run's name.
        project: the dbt project's folder.
        arguments: further ones of dbt, e.g. `--target`, `prod`.
    """
    from dbt.cli.main import dbtRunner  # takes a second

    begun = time.monotonic()
    written = Path(os.environ.get("DBT_TARGET_PATH") or project / "target")
    parsed, shared = written / PARSED, f"{STATE}runs/{run}/{PARSED}"
    is_parsed = parsed.exists() or _fetch(store, shared, parsed)
    command = ["build", "--exclude-resource-type", "unit_test"] if stage == CHECKS else ["run"]
    ended = dbtRunner().invoke(
        ["--quiet", "--write-json", *command, "--selector", stage, "--project-dir", str(project), *arguments]
    )
    results: Sequence[Any] = getattr(ended.result, "results", ())
    counts = Counter(str(result.status) for result in results if result.node.resource_type != "operation")  # hooks
    failures = tuple(
        (str(result.node.name), str(result.message or result.status))
        for result in results
        if result.status in ("error", "fail", "runtime error", "partial success")
    )
    if not ended.success and not failures:
        failures = ((stage, str(ended.exception or "dbt says no more than that it failed")),)
    if results:
        _keep(store, written / "run_results.json", f"{STATE}runs/{run}/{stage}/run_results.json")
        _keep(store, written / "manifest.json", f"{STATE}runs/{run}/manifest.json")
        if not is_parsed and parsed.exists():  # there is none where partial parsing is off
            _keep(store, parsed, shared)
        if stage == CHECKS and not failures:
            _keep(store, written / "manifest.json", f"{STATE}manifest.json")
    return Outcome(stage, counts, failures, time.monotonic() - begun)


def _fetch(store: Store, key: str, file: Path) -> bool:
    """Write an object to a file, if there is one; return whether there was."""
    if not store.exists(key):
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    with store.read(key) as kept:
        file.write_bytes(kept.read())
    return True


def _keep(store: Store, file: Path, key: str) -> None:
    store.put(key, file.read_bytes())


@contextmanager
def environment(**settings: str) -> Iterator[None]:
    """Hold settings in the environment, where dbt looks for them."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
