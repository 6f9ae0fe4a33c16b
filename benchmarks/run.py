"""Measure the models against other ways to build the same tables, all in one run, and print ratios.

Every build is a fresh process, the ways take turns, and the figure is the median of the repeats.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from datalake.encode import ndjson
from datalake.example import land_example
from datalake.ingest import ingest
from datalake.landing import land_hourly
from datalake.records import read_records
from datalake.sources import load_sources
from datalake.storage import FolderStore

HERE = Path(__file__).parent
PROJECT = HERE.parent
BIN = Path(sys.executable).parent
BENCH_PYTHON = PROJECT / ".venv-bench" / "bin" / "python"

SHORT = 30
"""Days of the lake that has little history, for the increments."""

GIB = 1024**3
"""Bytes of a GiB."""

console = Console()


@dataclass(frozen=True)
class Finished:
    """A process that has ended: its seconds by the wall, its peak memory in bytes and what it printed."""

    seconds: float
    peak: int
    output: str


@dataclass(frozen=True)
class Built:
    """A build by dbt.

    Attributes:
        wall: seconds of the whole process.
        span: seconds from the start of the first model to the end of the last.
        peak: memory of the process in bytes.
        models: seconds of all model nodes together, but for the quality results.
        rules: seconds of all tests and of the quality results together.
    """

    wall: float
    span: float
    peak: int
    models: float
    rules: float


@dataclass(frozen=True)
class Bench:
    """What was asked for."""

    folder: Path
    orders: int
    days: int
    repeats: int


@dataclass(frozen=True)
class Lake:
    """A lake to be built again and again: raw files and the ledger as `datalake check` left it."""

    root: Path
    orders: int
    days: int

    @property
    def database(self) -> Path:
        """The DuckDB database with the ledger and every table."""
        return self.root / "lake.duckdb"

    @property
    def target(self) -> Path:
        """Where dbt leaves its artifacts."""
        return self.root / "target"

    def make(self) -> None:
        """Write and check the raw files, unless they are there."""
        if not self._kept("checked").exists():
            console.print(f"Writing {self.orders:,} orders in {self.days} days under {self.root} ...")
            self.write(self.root, 1, self.days)
            self.check()
            self.keep("checked")

    def write(self, root: Path, first: int, last: int) -> None:
        """Write the raw files of some days, in a process of its own, whose memory no later one inherits."""
        size = ["--orders", str(self.orders), "--days", str(self.days)]
        some = ["--from-day", str(first), "--to-day", str(last)]
        run([sys.executable, str(HERE / "raw_data.py"), str(root), *size, *some])

    def check(self) -> None:
        """Enter new files in the ledger."""
        run([str(BIN / "datalake"), "check"], {"DATALAKE_ROOT": str(self.root)})

    def keep(self, name: str) -> None:
        """Keep the database as it is now under a name."""
        shutil.copy(self.database, self._kept(name))

    def restore(self, name: str) -> None:
        """Bring back the database that was kept under a name."""
        shutil.copy(self._kept(name), self.database)

    def _kept(self, name: str) -> Path:
        return self.root / f"{name}.duckdb"

    def dbt(self, *command: str) -> Built:
        """Run dbt on this lake."""
        done = run(
            [str(BIN / "dbt"), "--quiet", *command, "--target-path", str(self.target), "--log-path", str(self.root)],
            {"DATALAKE_ROOT": str(self.root), "DBT_PROFILES_DIR": str(PROJECT)},
        )
        results = json.loads((self.target / "run_results.json").read_text(encoding="utf-8"))["results"]
        models = {
            result["unique_id"]: _period(result) for result in results if result["unique_id"].startswith("model.")
        }
        rules = [_period(result) for result in results if result["unique_id"].startswith("test.")]
        rules += [models[node] for node in models if node.endswith(".quality_results")]
        return Built(
            wall=done.seconds,
            span=max(end for _, end in models.values()) - min(start for start, _ in models.values()),
            peak=done.peak,
            models=sum(end - start for node, (start, end) in models.items() if not node.endswith(".quality_results")),
            rules=sum(end - start for start, end in rules),
        )

    def full_refresh(self) -> Built:
        """Build every model from nothing."""
        self.restore("checked")
        return self.dbt("run", "--full-refresh")


def _period(result: dict[str, Any]) -> tuple[float, float]:
    times = [
        datetime.fromisoformat(timing[edge]).timestamp()
        for timing in result["timing"]
        for edge in ("started_at", "completed_at")
    ]
    return (min(times), max(times)) if times else (0.0, 0.0)


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> Finished:
    """Run a command to its end.

    A process starts with the peak memory of the one that starts it, so all that needs much runs in one of its own.

    Raises:
        RuntimeError: it failed; the text ends with what it printed.
    """
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{output[-4000:]}")
    return Finished(time.perf_counter() - started, usage.ru_maxrss * 1024, output)


def printed_seconds(done: Finished) -> float:
    """Return the seconds that one of the other ways printed as its last line."""
    return float(done.output.strip().splitlines()[-1])


Rows = list[tuple[str, str]]
"""What was measured, and the figure."""


def full(bench: Bench) -> Rows:
    """Compare a full refresh with the other ways, each checked to make the same rows."""
    lake = lake_of(bench)
    by_hand, spark, mesh = (lake.root / name for name in ("by_hand.duckdb", "spark", "mesh"))
    ways: dict[str, tuple[list[str], Path]] = {
        "a script by hand": ([sys.executable, str(HERE / "by_hand.py"), str(lake.root), str(by_hand)], by_hand),
        "PySpark": ([str(BENCH_PYTHON), str(HERE / "spark.py"), str(lake.root), str(spark)], spark),
        "SQLMesh": (
            [str(BENCH_PYTHON), str(HERE / "mesh.py"), str(lake.root), str(lake.target), str(mesh)],
            mesh / "built.duckdb",
        ),
    }
    built: list[Built] = []
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    peaks: dict[str, list[int]] = {name: [] for name in ways}
    for repeat in range(bench.repeats):
        built.append(lake.full_refresh())
        for name, (command, output) in ways.items():
            if repeat and name == "PySpark":
                continue  # minutes for a figure that is far away
            done = run(command)
            seconds[name].append(printed_seconds(done))
            peaks[name].append(done.peak)
            if repeat == 0:
                run([sys.executable, str(HERE / "equality.py"), str(lake.database), str(output)])
    span = median(each.span for each in built)
    rows = [(f"Full refresh / {name}", f"{span / median(took):.2f}") for name, took in seconds.items()]
    start = median(each.wall - each.span for each in built)
    by_hand_peak = median(peaks["a script by hand"])
    return [
        *rows,
        ("Start of dbt / full refresh", f"{start / span:.2f}"),
        ("Memory of the full refresh / a script by hand", f"{median(each.peak for each in built) / by_hand_peak:.2f}"),
        ("Memory of the full refresh", f"{median(each.peak for each in built) / GIB:.2f} GiB"),
    ]


def increment(bench: Bench) -> Rows:
    """Compare one more day on a long history with one on a short history and with a full refresh."""
    lakes = (lake_of(bench), short_lake(bench))
    for lake in lakes:
        lake.make()
        lake.full_refresh()
        lake.keep("built")
    spans: dict[Path, list[Built]] = {lake.root: [] for lake in lakes}
    idle: list[Built] = []
    refreshed: list[Built] = []
    for lake in lakes:
        _add_day(lake)
    try:
        for _ in range(bench.repeats):
            for lake in lakes:
                lake.restore("one_day_more")
                spans[lake.root].append(lake.dbt("run"))
            idle.append(lakes[1].dbt("run"))
            lakes[0].restore("one_day_more")
            refreshed.append(lakes[0].dbt("run", "--full-refresh"))
    finally:
        for lake in lakes:
            _remove_day(lake)
    long, short = (median(each.span for each in spans[lake.root]) for lake in lakes)
    whole = median(each.span for each in refreshed)
    peak = median(each.peak for each in spans[lakes[0].root]) / median(each.peak for each in refreshed)
    return [
        (f"One more day on {bench.days} days / on {lakes[1].days} days", f"{long / short:.2f}"),
        ("One more day / full refresh", f"{long / whole:.3f}"),
        (
            f"  of that, dbt's own for each model (nothing new, {lakes[1].days} days)",
            f"{median(each.span for each in idle) / whole:.3f}",
        ),
        ("Memory of one more day / full refresh", f"{peak:.2f}"),
    ]


def _add_day(lake: Lake) -> None:
    """Write the raw files of one more day and check them, in a database kept as one_day_more."""
    lake.write(lake.root / "next", lake.days + 1, lake.days + 1)
    for file in _next_day(lake):
        place = lake.root / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)  # a run that was killed left it
        os.link(lake.root / "next" / file, place)
    lake.restore("built")
    lake.check()
    lake.keep("one_day_more")


def _remove_day(lake: Lake) -> None:
    for file in _next_day(lake):
        (lake.root / file).unlink(missing_ok=True)
    shutil.rmtree(lake.root / "next")


def _next_day(lake: Lake) -> list[Path]:
    return [path.relative_to(lake.root / "next") for path in (lake.root / "next").rglob("*") if path.is_file()]


def growth(bench: Bench) -> Rows:
    """Compare a full refresh of a fifth, of all and of four times the orders."""
    sizes = (bench.orders // 5, bench.orders, bench.orders * 4)
    lakes = [lake_of(Bench(bench.folder, orders, bench.days, bench.repeats)) for orders in sizes]
    built: list[list[Built]] = [[] for _ in lakes]
    for _ in range(bench.repeats):
        for lake, builds in zip(lakes, built, strict=True):
            builds.append(lake.full_refresh())
    spans = [median(each.span for each in builds) for builds in built]
    peaks = [median(each.peak for each in builds) for builds in built]
    return [
        row
        for smaller, larger in ((0, 1), (1, 2))
        for row in (
            (
                f"Full refresh of {sizes[larger]:,} orders / of {sizes[smaller]:,}",
                f"{spans[larger] / spans[smaller]:.2f} for {sizes[larger] / sizes[smaller]:.0f} times the orders",
            ),
            (f"  memory of {sizes[larger]:,}", f"{peaks[larger] / GIB:.2f} GiB"),
        )
    ]


def landing(bench: Bench) -> Rows:
    """Compare landing and ingesting a quarter of the example's orders with the command gzip -6 on the same bytes."""
    folder = bench.folder / "landing"
    example = FolderStore.open(folder / "example")
    land_example(example)
    whole = folder / "orders.json"
    with whole.open("wb") as file:
        for stored in example.list("raw/orders/"):
            with example.read(stored.key) as packed:
                file.write(gzip.decompress(packed.read()))
    records = [orjson.loads(line) for line in whole.read_bytes().splitlines()]
    day = datetime(2024, 1, 1, tzinfo=UTC)
    timed = [(day + timedelta(hours=position // 100_000), record) for position, record in enumerate(records)]
    table = load_sources(PROJECT / "models" / "raw")["orders"]

    def ingest_file(store: FolderStore) -> None:
        with whole.open("rb") as file:
            ingest(store, table, read_records(file, "json"))

    ways: dict[str, Callable[[FolderStore], object]] = {
        "landing them by the hour": lambda store: land_hourly(store, "orders", timed, ndjson, ".json.gz"),
        "ingesting them": lambda store: ingest(store, table, iter(records)),
        "ingesting them from a file": ingest_file,
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    compressed = []
    for _ in range(max(bench.repeats, 3)):
        for way, land in ways.items():
            shutil.rmtree(folder / "lake", ignore_errors=True)
            store = FolderStore.open(folder / "lake")
            started = time.perf_counter()
            land(store)
            taken[way].append(time.perf_counter() - started)
        compressed.append(run(["gzip", "-6", "--keep", "--force", str(whole)]).seconds)
    size = whole.stat().st_size / 1e6
    return [
        (f"gzip -6 of {len(records):,} orders ({size:.0f} MB) / {way}", f"{median(compressed) / median(seconds):.2f}")
        for way, seconds in taken.items()
    ]


def tests(bench: Bench) -> Rows:
    """Compare all tests and quality rules with the models, in a full build and in one of one more day."""
    lake = lake_of(bench)
    build = ("build", "--exclude-resource-type", "unit_test")
    whole, more = [], []
    lake.restore("checked")
    for _ in range(bench.repeats):
        lake.restore("checked")
        whole.append(lake.dbt(*build, "--full-refresh"))
    lake.keep("built")
    _add_day(lake)
    try:
        for _ in range(bench.repeats):
            lake.restore("one_day_more")
            more.append(lake.dbt(*build))
    finally:
        _remove_day(lake)
    return [
        (
            f"Tests and quality rules / models, {name}",
            f"{median(each.rules / each.models for each in builds):.2f}",
        )
        for name, builds in (("full build", whole), ("one more day", more))
    ]


def cold_start(bench: Bench) -> Rows:
    """Time the import of the Lambda function's module, and of the libraries alone that it can't do without."""
    ways = {
        "the Lambda function's module": "import datalake.handler",
        "pydantic and Powertools alone": "import aws_lambda_powertools; from pydantic import BaseModel, TypeAdapter",
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(max(bench.repeats, 15)):
        for way, code in ways.items():
            taken[way].append(run([sys.executable, "-c", code]).seconds)
    return [(f"Starting Python and importing {way}", f"{median(each) * 1000:.0f} ms") for way, each in taken.items()]


def lake_of(bench: Bench) -> Lake:
    """Return the lake that was asked for, made and checked."""
    lake = Lake(bench.folder / f"{bench.orders}-orders-{bench.days}-days", bench.orders, bench.days)
    lake.make()
    return lake


def short_lake(bench: Bench) -> Lake:
    """Return a lake of few days that each bring as much."""
    days = min(SHORT, max(bench.days // 3, 1))
    orders = bench.orders * days // bench.days
    return Lake(bench.folder / f"{orders}-orders-{days}-days", orders, days)


SECTIONS: dict[str, Callable[[Bench], Rows]] = {
    "full": full,
    "increment": increment,
    "growth": growth,
    "landing": landing,
    "tests": tests,
    "cold_start": cold_start,
}


def main() -> None:
    """Measure what the command line asks for and print one table."""
    parser = argparse.ArgumentParser(description="Measure the models against other ways, and print ratios.")
    parser.add_argument("--orders", type=int, default=5_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--folder", type=Path, default=PROJECT / "target" / "bench", help="where the lakes are made")
    asked = parser.parse_args()
    if unknown := set(asked.only.split(",")) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(sorted(unknown))}; take some of {','.join(SECTIONS)}")
    bench = Bench(asked.folder.resolve(), asked.orders, asked.days, asked.repeats)
    table = Table("Measured", "Ratio", title=f"{bench.orders:,} orders in {bench.days} days", title_justify="left")
    for name in asked.only.split(","):
        console.print(f"Measuring {name} ...")
        for row in SECTIONS[name](bench):
            table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    main()
