"""What breaks first as raw grows: the tables of docs/scaling.md, computed.

    python benchmarks/scaling.py

A demand is a formula over a lake's size; a limit is a quota of AWS with its source, or a setting of this project.
`ledger_at_scale.py` measured what is measured here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DAYS = 1_000
"""Over which raw came, day by day the same."""

ROW = 30
"""Bytes of an order in raw, gzipped JSON lines: 25 measured on made-up ones, more with longer ids and updated_at."""

NAME = 84
"""Bytes of a raw file's name."""

PATH = NAME + 32
"""Bytes of its path in a statement, with the bucket's name and quotes."""

DAY = 29
"""Bytes of a day's folder in a statement."""

CHECK_RATE = 20e6
"""Gzipped bytes a second that a core reads when a file is checked (25e6 measured)."""

LIST_SECONDS = 0.1
"""Seconds of a request that lists 1,000 keys."""

ENTRY_MEMORY = 350
"""Bytes of memory that `datalake check` takes for each file of the ledger (333 measured by ledger_at_scale.py)."""

ENTRY_LOOKED_UP = 48
"""Bytes of an entry that a batch of arrivals reads in Parquet: file, bytes and state, then file and file_id."""

BROKEN = 1_000
"""One file of so many is broken."""

WINDOW = 60
"""Seconds that the queue of arrivals gathers messages (ingestion_lambda.tf)."""

AT_ONCE = 2
"""Batches of arrivals at once."""

BATCH = 100
"""Messages of a batch."""

SNAPSHOT = 1_000
"""Bytes of a snapshot in an Iceberg table's metadata file."""

KEPT_DAYS = 5
"""How long snapshots are kept (docs/athena.md)."""

DATA_FILE = 128e6
"""Bytes of a data file of a large Iceberg table."""

MANIFEST_ENTRY = 500
"""Bytes of a data file in a manifest, with the bounds of some twenty columns, compressed."""

DOLLARS_PER_TB = 5.0
"""Athena, for each TB of 2^40 bytes that a query reads."""

TB = 1 << 40


@dataclass(frozen=True)
class Size:
    """A lake.

    Attributes:
        name: how it is called.
        raw: bytes of raw.
        file: bytes of a raw file.
    """

    name: str
    raw: float
    file: float

    @property
    def files(self) -> float:
        """Raw files."""
        return self.raw / self.file

    @property
    def daily_files(self) -> float:
        """Raw files of a day."""
        return self.files / DAYS

    @property
    def daily_bytes(self) -> float:
        """Raw bytes of a day."""
        return self.raw / DAYS

    @property
    def rows(self) -> float:
        """Raw rows."""
        return self.raw / ROW

    @property
    def batches(self) -> float:
        """Batches of arrivals in a day: one a window while files come all day, more where a window brings over 100."""
        return max(min(self.daily_files, 86_400 / WINDOW), self.daily_files / BATCH)


SIZES = (Size("1 TB", 1e12, 1e6), Size("100 TB", 1e14, 1e7), Size("1 PB", 1e15, 1e8))


@dataclass(frozen=True)
class Limit:
    """A bound: its figure, in the demand's unit, and where it stands."""

    figure: float
    shown: str
    source: str


STATEMENT = Limit(
    262_144, "262,144 bytes a statement", "https://docs.aws.amazon.com/athena/latest/ug/service-limits.html"
)
PARTITIONS = Limit(100, "100 partitions a write", "https://docs.aws.amazon.com/athena/latest/ug/ctas-insert-into.html")
DML = Limit(200, "200 DML queries, running and queued", "https://docs.aws.amazon.com/general/latest/gr/athena.html")
MINUTES = Limit(30, "30 minutes a DML query", "https://docs.aws.amazon.com/general/latest/gr/athena.html")
REQUESTS = Limit(
    5_500,
    "5,500 GETs a second and prefix",
    "https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html",
)
JOB = Limit(120, "120 minutes, the job's time-out", "terraform/aws/data-lake/workflow.tf")
JOB_MEMORY = Limit(16, "16 GB, a worker G.1X", "https://docs.aws.amazon.com/glue/latest/dg/worker-types.html")
FUNCTION = Limit(300, "300 seconds, the function's time-out", "terraform/aws/data-lake/ingestion_lambda.tf")
PAGE = 1_000
"""Keys that a request lists. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""

LIMITS = (STATEMENT, PARTITIONS, DML, MINUTES, REQUESTS, JOB, JOB_MEMORY, FUNCTION)


@dataclass(frozen=True)
class Demand:
    """What a lake asks for.

    Attributes:
        what: of what.
        formula: how it is computed, for a reader.
        unit: of the figure.
        of: computes it.
        limit: what bounds it, or None.
    """

    what: str
    formula: str
    unit: str
    of: Callable[[Size], float]
    limit: Limit | None = None


FACTS = (
    Demand("Files, all days", "raw / file", "", lambda size: size.files),
    Demand("Files, one day", "files / 1,000", "", lambda size: size.daily_files),
    Demand("Rows", "raw / 30 bytes", "", lambda size: size.rows),
    Demand("Ledger in Parquet", "files * 30 bytes", "GB", lambda size: size.files * 30 / 1e9),
    Demand("Data files of parsed and curated rows", "raw * 1.4 / 128 MB", "", lambda size: size.raw * 1.4 / DATA_FILE),
    Demand(
        "Manifests of these tables",
        "data files * 500 bytes",
        "GB",
        lambda size: size.raw * 1.4 / DATA_FILE * MANIFEST_ENTRY / 1e9,
    ),
)

DEMANDS = (
    Demand(
        "A day's new files, were all of them named",
        "daily files * 116 bytes",
        "bytes",
        lambda size: size.daily_files * PATH,
        STATEMENT,
    ),
    Demand("A first load's days as literals", "1,000 * 29 bytes", "bytes", lambda size: DAYS * DAY, STATEMENT),
    Demand(
        "Broken files of a day's folders by name",
        "daily files / 1,000 * 116 bytes",
        "bytes",
        lambda size: size.daily_files / BROKEN * PATH,
        STATEMENT,
    ),
    Demand(
        "Broken files of all days by name, in a first load",
        "files / 1,000 * 116 bytes",
        "bytes",
        lambda size: size.files / BROKEN * PATH,
        STATEMENT,
    ),
    Demand(
        "Days that a first load writes",
        "1,000 days in batches of 100",
        "partitions",
        lambda size: min(DAYS, 100),
        PARTITIONS,
    ),
    Demand(
        "Statements at once",
        "4 jobs * 4 threads + 2 batches",
        "",
        lambda size: 4 * 4 + AT_ONCE,
        DML,
    ),
    Demand(
        "Check: listing raw",
        "files / 1,000 * 0.1 s",
        "minutes",
        lambda size: size.files / PAGE * LIST_SECONDS / 60,
        JOB,
    ),
    Demand("Check: its memory", "files * 350 bytes", "GB", lambda size: size.files * ENTRY_MEMORY / 1e9, JOB_MEMORY),
    Demand(
        "Check: reading a day on one core",
        "daily bytes / 20 MB/s",
        "minutes",
        lambda size: size.daily_bytes / CHECK_RATE / 60,
        JOB,
    ),
    Demand(
        "Arrivals: reading a full batch",
        "100 * file / 20 MB/s",
        "seconds",
        lambda size: BATCH * size.file / CHECK_RATE,
        FUNCTION,
    ),
    Demand(
        "Arrivals: reading a day, two batches at once",
        "daily bytes / 40 MB/s",
        "minutes",
        lambda size: size.daily_bytes / CHECK_RATE / AT_ONCE / 60,
        Limit(24 * 60, "a day", ""),
    ),
    Demand(
        "Full refresh: opening every file, all of a data set",
        "2 * files / 5,500 a second",
        "minutes",
        lambda size: 2 * size.files / REQUESTS.figure / 60,
        MINUTES,
    ),
)

DOLLARS = (
    Demand(
        "Check, a day: listing raw, LIST at 0.005 $ a 1,000",
        "files / 1,000 * 5e-6 $",
        "$",
        lambda size: size.files / PAGE * 5e-6,
    ),
    Demand(
        "Check, a day: reading the ledger",
        "files * 23 bytes at 5 $/TB",
        "$",
        lambda size: max(size.files * 23, 10e6) / TB * DOLLARS_PER_TB,
    ),
    Demand(
        "Arrivals, a day: looking into the ledger",
        "batches * files * 48 bytes at 5 $/TB",
        "$",
        lambda size: size.batches * max(size.files * ENTRY_LOOKED_UP, 20e6) / TB * DOLLARS_PER_TB,
    ),
    Demand(
        "A run: the day's raw bytes",
        "daily bytes at 5 $/TB",
        "$",
        lambda size: size.daily_bytes / TB * DOLLARS_PER_TB,
    ),
    Demand("A full refresh: raw", "raw at 5 $/TB", "$", lambda size: size.raw / TB * DOLLARS_PER_TB),
)

GROWTH = (
    Demand("Batches of arrivals in a day", "60 s a batch, 100 files at most", "", lambda size: size.batches),
    Demand(
        "The ledger's metadata file, written with each batch",
        "batches * 5 days * 1,000 bytes",
        "MB",
        lambda size: size.batches * KEPT_DAYS * SNAPSHOT / 1e6,
    ),
    Demand("Parsed rows that a run's question for new files passes", "rows", "", lambda size: size.rows),
    Demand(
        "Memory of a full refresh's count of versions by key, in all workers",
        "rows * 40 bytes",
        "GB",
        lambda size: size.rows * 40 / 1e9,
    ),
)


def figure(value: float) -> str:
    """Return a figure to three digits."""
    if value >= 1e9:
        return f"{value:.2e}".replace("e+", "e").replace("e0", "e")
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def table(demands: tuple[Demand, ...]) -> str:
    """Return demands by size as a table in Markdown; what passes its limit is bold."""
    limited = any(demand.limit for demand in demands)
    heads = ["", "Formula", *(size.name for size in SIZES), *(["Limit"] if limited else [])]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for demand in demands:
        shown = [_shown(demand, size) for size in SIZES]
        limit = [demand.limit.shown if demand.limit else ""] if limited else []
        unit = f", {demand.unit}" if demand.unit else ""
        lines.append(f"| {' | '.join([f'{demand.what}{unit}', demand.formula, *shown, *limit])} |")
    return "\n".join(lines)


def _shown(demand: Demand, size: Size) -> str:
    value = demand.of(size)
    return f"**{figure(value)}**" if demand.limit and value > demand.limit.figure else figure(value)


def sources() -> str:
    """Return where the limits stand as a table in Markdown."""
    return "\n".join(
        ["| Limit | Stands in |", "|---|---|", *(f"| {limit.shown} | {limit.source} |" for limit in LIMITS)]
    )


TABLES = (table(FACTS), table(DEMANDS), table(GROWTH), table(DOLLARS), sources())


def main() -> None:
    """Print the tables."""
    print("\n\n".join(TABLES))


if __name__ == "__main__":
    main()
