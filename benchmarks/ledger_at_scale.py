"""Let the ledger of raw files hold millions of them, and measure what a day more costs, beside a ledger that holds few.

    python benchmarks/ledger_at_scale.py                            # 10,000,000 files beside 100,000
    python benchmarks/ledger_at_scale.py --files 1000000 --repeats 1

The files themselves are not there: a store tells their names, and each holds the same two orders. All else is the code
of `datalake check`. Each measurement is a process of its own; figures are CPU time, so that other work on the machine
counts little, and the table has their ratios.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import BinaryIO

import duckdb
import pyarrow.parquet as pq

from datalake.inspect import Inspection
from datalake.lake import open_lake
from datalake.layout import raw_key
from datalake.ledger import ERRORS, DuckDBLedger, check, check_arrivals, entries
from datalake.sources import RawTable, load_sources
from datalake.storage import About, FolderStore, StoredObject

PROJECT = Path(__file__).parents[1]
DAYS = 1_000
"""Over which the history of files is spread."""

NEW = 10_000
"""Files of the day that comes."""

ARRIVALS = 100
"""Files that the function of arrivals takes at once."""

BROKEN_IN = 1_000
"""One of so many files is broken."""

FIRST = datetime(2020, 1, 1, tzinfo=UTC)
NOW = FIRST + timedelta(days=DAYS + 1)
BODY = gzip.compress(
    b'{"order_id":"1","customer_id":"1","product_id":"1","quantity":1,"price":2.50,"discount":0.5,'
    b'"created_at":"2024-01-15T10:00:00Z","updated_at":"2024-01-15T10:00:00Z"}\n' * 2,
    mtime=0,
)

# What a run asks: macros/engines/sound_files.sql, models/curated/reconciliation.sql, macros/raw/newest_arrival.sql.
SOUND_FILES = """
select string_agg(raw_files.file, chr(10) order by raw_files.file_id)
from curated_db.raw_files as raw_files
where raw_files.dataset = 'orders' and raw_files.state = 'sound' and raw_files.rows > 0
    and raw_files.file_id not in (select taken.file_id from curated_db.orders_parsed as taken)
"""
COUNTS = """
select files.dataset, sum(files."rows") as raw_rows, count(case when files.state = 'broken' then 1 end) as broken_files
from curated_db.raw_files as files
group by files.dataset
"""
NEWEST = "select max(checked_at) from curated_db.raw_files where dataset = 'orders'"


def day_of_files(day: int, files: int) -> Iterator[StoredObject]:
    """Yield the raw files of a day, counted from 0."""
    hour, stem = -1, ""
    for number in range(files):
        if number * 24 // files != hour:
            hour = number * 24 // files
            stem = raw_key("orders", FIRST + timedelta(days=day, hours=hour), "-")
        name = ((day * 1_000_003 + number) * 0x9E3779B97F4A7C15) % (1 << 48)
        yield StoredObject(f"{stem}{name:012x}.json.gz", len(BODY))


class NamedFiles:
    """A store that knows the names of files, and for all of them the same bytes."""

    def __init__(self, files: int, new: int) -> None:
        """Name the files of a history, and of the day after it."""
        self._days = [files // DAYS] * DAYS + [new]
        self.copies = 0

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield all files under raw/; there are none elsewhere."""
        if prefix != ERRORS:
            for day, files in enumerate(self._days):
                yield from day_of_files(day, files)

    def find(self, key: str) -> StoredObject | None:
        """Return the object that has this key."""
        return StoredObject(key, len(BODY))

    def read(self, key: str) -> BinaryIO:
        """Open the object for reading."""
        return io.BytesIO(BODY)

    def put_if_absent(self, key: str, body: bytes | BinaryIO, about: About | None = None) -> bool:
        """Count the copy of a broken file."""
        self.copies += 1
        return True


def inspections_of(files: int) -> list[Inspection]:
    """Return what files hold: two rows, or one of them nothing that can be read."""
    return [
        Inspection(1, "not_gzip", "Not a gzip file.") if number % BROKEN_IN == 1 else Inspection(2)
        for number in range(files)
    ]


def fill(root: Path, files: int) -> None:
    """Make a lake whose ledger holds a history of files, entered as checks enter them, all of them parsed."""
    with open_lake(FolderStore.open(root)) as connection:
        ledger = DuckDBLedger(connection)
        ledger.create()
        days = max(1, 100_000 * DAYS // files)  # a check of some days at once, for time's sake
        for first in range(0, DAYS, days):
            new = [file for day in range(first, min(first + days, DAYS)) for file in day_of_files(day, files // DAYS)]
            ledger.enter(new, inspections_of(len(new)), FIRST + timedelta(days=first + 1))
        connection.execute("create table curated_db.orders_parsed as select file_id from curated_db.raw_files")
        connection.execute("checkpoint")


Work = Callable[[duckdb.DuckDBPyConnection, int], object]


def _enter(connection: duckdb.DuckDBPyConnection, files: int) -> object:
    new = list(day_of_files(DAYS, NEW))
    begun = time.process_time()
    DuckDBLedger(connection).enter(new, inspections_of(NEW), NOW)
    return time.process_time() - begun


def _check(new: int) -> Work:
    def work(connection: duckdb.DuckDBPyConnection, files: int) -> object:
        begun = time.process_time()
        checked = check(NamedFiles(files, new), DuckDBLedger(connection), _tables(), NOW)  # type: ignore[arg-type]
        seconds = time.process_time() - begun
        assert checked.files == new
        return seconds

    return work


def _arrivals(connection: duckdb.DuckDBPyConnection, files: int) -> object:
    keys = [file.key for file in day_of_files(DAYS, ARRIVALS)]
    begun = time.process_time()
    arrived = check_arrivals(NamedFiles(files, 0), DuckDBLedger(connection), _tables(), keys, NOW)  # type: ignore[arg-type]
    seconds = time.process_time() - begun
    assert arrived.checked.files == ARRIVALS
    return seconds


def _sound_files(connection: duckdb.DuckDBPyConnection, files: int) -> object:
    DuckDBLedger(connection).enter(list(day_of_files(DAYS, NEW)), [Inspection(2)] * NEW, NOW)
    seconds, names = _ask(connection, SOUND_FILES)
    assert len(str(names).split("\n")) == NEW
    return seconds


def _counts(connection: duckdb.DuckDBPyConnection, files: int) -> object:
    return _ask(connection, COUNTS)[0]


def _newest(connection: duckdb.DuckDBPyConnection, files: int) -> object:
    return _ask(connection, NEWEST)[0]


def _ask(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[float, object]:
    begun = time.process_time()
    found = connection.execute(sql).fetchall()
    return time.process_time() - begun, found[0][0]


def _tables() -> dict[str, RawTable]:
    return load_sources(PROJECT / "models" / "raw")


WORKS: dict[str, tuple[str, Work]] = {
    "enter": (f"Enter a day of {NEW:,} files", _enter),
    "arrivals": (f"Check {ARRIVALS} files that S3 tells of", _arrivals),
    "find": ("`datalake check` with nothing new", _check(0)),
    "check": (f"`datalake check` with a day of {NEW:,} files", _check(NEW)),
    "sound_files": ("A run: which sound files are new", _sound_files),
    "counts": ("A run: raw rows by data set", _counts),
    "newest": ("A run: the newest arrival", _newest),
}


@dataclass(frozen=True)
class Measured:
    """What work took: CPU seconds, the median of its repeats, and the process's most memory in bytes."""

    seconds: float
    memory: int


def measure(root: Path, files: int, name: str, repeats: int) -> Measured:
    """Do work on a lake some times in this process; what it enters is taken back each time."""
    seconds = []
    with open_lake(FolderStore.open(root)) as connection:
        for _ in range(repeats):
            connection.execute("begin")
            seconds.append(float(str(WORKS[name][1](connection, files))))
            connection.execute("rollback")
    return Measured(median(seconds), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def bytes_of_entries() -> dict[str, float]:
    """Return the bytes that an entry takes in Parquet with Snappy, as Athena keeps it, by column."""
    new = sorted(day_of_files(DAYS, NEW), key=lambda file: file.key)
    with tempfile.TemporaryFile() as file:
        pq.write_table(entries(range(1, NEW + 1), new, inspections_of(NEW)), file)
        group = pq.read_metadata(file).row_group(0)
    columns = [group.column(index) for index in range(group.num_columns)]
    return {column.path_in_schema: column.total_compressed_size / NEW for column in columns}


def simulate(root: Path, few: int, many: int, repeats: int) -> dict[str, tuple[Measured, Measured]]:
    """Measure all work on a ledger of few files and on one of many, each in a process of its own."""
    for files in (few, many):
        if not (root / str(files) / "lake.duckdb").exists():
            _own_process(root, files, "fill")
    found = {}
    for name in WORKS:
        pair = [Measured(**json.loads(_own_process(root, files, name, repeats))) for files in (few, many)]
        found[name] = (pair[0], pair[1])
    return found


def _own_process(root: Path, files: int, name: str, repeats: int = 1) -> str:
    arguments = ["--folder", str(root), "--files", str(files), "--only", name, "--repeats", str(repeats)]
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def table(found: dict[str, tuple[Measured, Measured]], few: int, many: int, sizes: tuple[int, int]) -> str:
    """Return what was measured as a table in Markdown."""
    lines = [f"| {many:,} files beside {few:,} | CPU time | Memory, MiB |", "|---|---|---|"]
    for name, (little, much) in found.items():
        memory = f"{little.memory >> 20:,} and {much.memory >> 20:,}"
        lines.append(f"| {WORKS[name][0]} | {much.seconds / little.seconds:.1f} times | {memory} |")
    per_file = sizes[1] / many
    lines.append(
        f"| Bytes of a file in the database | {sizes[1] / sizes[0]:.1f} times, {per_file:.0f} bytes a file | |"
    )
    return "\n".join(lines)


def main() -> None:
    """Simulate, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000_000)
    parser.add_argument("--against", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=PROJECT / "target" / "bench" / "ledger")
    parser.add_argument("--only", choices=["fill", *WORKS], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    root = asked.folder / str(asked.files)
    if asked.only == "fill":
        fill(root, asked.files)
    elif asked.only:
        print(json.dumps(vars(measure(root, asked.files, asked.only, asked.repeats))))
    else:
        found = simulate(asked.folder, asked.against, asked.files, asked.repeats)
        few, many = (
            (asked.folder / str(files) / "lake.duckdb").stat().st_size for files in (asked.against, asked.files)
        )
        print(table(found, asked.against, asked.files, (few, many)))
        print()
        for column, size in bytes_of_entries().items():
            print(f"{column}: {size:.2f} bytes an entry in Parquet")
        print("seconds: " + ", ".join(f"{name} {much.seconds:.2f}" for name, (_, much) in found.items()))


if __name__ == "__main__":
    main()
