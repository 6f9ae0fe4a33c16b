"""What the stack costs in a month, for three sizes of lake: the table of docs/deploy.md, computed from prices.yml.

    python benchmarks/costs.py

Each line is a quantity times a price. What is assumed of a lake is a constant here, with its reason; other figures are
those of the stack in terraform/aws/data-lake/.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

PRICES: dict[str, float] = {
    name: price["dollars"]
    for name, price in yaml.safe_load((Path(__file__).parent / "prices.yml").read_text(encoding="utf-8"))[
        "prices"
    ].items()
}

HOURS = 730
DAYS = 30
"""Of a month."""

AGE = 365
"""Days of raw that are there: the month after the first year."""

RAW_CLASSES = (("s3_standard", 60), ("s3_infrequent", 60), ("s3_archive_instant", 60), ("s3_glacier", AGE - 180))
"""Days of raw by class: INTELLIGENT_TIERING from day 30 moves what nobody reads after 30 and 90 days more."""

CURATED = 1.5
"""Bytes of tables for a byte of raw: parsed and current rows 0.7 each, all else 0.1."""

OLD_VERSIONS = 0.3
"""Bytes of tables that increments replace, for a byte of raw; they stay for 30 days."""

EVENTS = 0.4
"""The part of raw that comes through Kinesis; 0.05 come by DMS, 0.01 by AppFlow, the rest as files."""

INFLATED = 4
"""Bytes of an event as JSON in the stream for a byte of it in raw."""

INCREMENT = 3.0
"""Bytes that a run's models read for a byte of the day's raw, which is read once besides."""

NIGHTLY = 0.15
"""The part of all tables that the night's tests and recount read: key columns, whole."""

ANALYSTS = 10
"""Who ask 20 queries each on 22 days, and have half an hour of Redshift together on each."""

QUERY = 0.01
"""The part of a year's curated rows that a query reads: a month of few columns; the workgroup cuts it off at 10 GB."""

CUT_OFF = 10.7
"""GB."""

LEDGER_ENTRY = 48e-9
"""GB of the ledger that a batch of arrivals reads for each of its files (scaling.py)."""

TIB = 1099.5
"""GB of Athena's TB."""


@dataclass(frozen=True)
class Size:
    """A lake.

    Attributes:
        name: how it is called.
        daily: GB of raw a day.
        files: raw files a day.
        batches: of arrivals a day; one a minute where files come all day.
        job_hours: hours that each of the six Glue jobs of the daily run waits for Athena.
        crawl_hours: DPU hours of both crawlers a day, each at least 10 minutes of 2 DPU.
        requests: million requests of the API in the month.
        logs: GB of logs in the month.
    """

    name: str
    daily: float
    files: int
    batches: int
    job_hours: float
    crawl_hours: float
    requests: float
    logs: float


SIZES = (
    Size("1 GB a day", 1, 1_000, 1_000, 0.15, 0.7, 0.1, 2),
    Size("50 GB a day", 50, 5_000, 1_440, 0.3, 0.7, 1, 10),
    Size("1 TB a day", 1_000, 10_000, 1_440, 1, 1.5, 10, 50),
)


@dataclass(frozen=True)
class Line:
    """A line of the bill: what it is for, how it comes to be, and the dollars of a month.

    Attributes:
        what: what it is for.
        how: the quantity, for a reader.
        dollars: computes it.
        switch: the variable of the stack that leaves it out.
    """

    what: str
    how: str
    dollars: Callable[[Size], float]
    switch: str = ""


def _storage_of_raw(size: Size) -> float:
    by_class = sum(PRICES[name] * days for name, days in RAW_CLASSES) * size.daily
    files = size.files / 1_000
    moved = DAYS * files * (PRICES["s3_to_tiering"] + PRICES["s3_to_glacier"])
    return by_class + 150 * files * PRICES["s3_tiering"] + moved


def _storage_of_tables(size: Size) -> float:
    return size.daily * (AGE * CURATED + DAYS * OLD_VERSIONS) * PRICES["s3_standard"]


def _requests(size: Size) -> float:
    listed = size.files * AGE / 1_000_000  # thousand requests of 1,000 keys each
    written = 1.5 * size.files / 1_000
    read = 6 * size.files / 1_000
    return DAYS * ((listed + written) * PRICES["s3_put"] + read * PRICES["s3_get"])


def _athena(gb: float) -> float:
    return gb / TIB * PRICES["athena"]


def _arrivals(size: Size) -> float:
    waits, reads = size.batches * 15, size.daily * 1_000 / 20  # seconds
    return DAYS * (
        (waits + reads) * 2 * PRICES["lambda"]
        + _athena(size.batches * max(size.files * AGE * LEDGER_ENTRY, 0.02))
        + size.files * 3e-6 * PRICES["sqs"]
    )


def _kinesis(size: Size) -> float:
    streamed = size.daily * EVENTS * INFLATED
    moved = DAYS * streamed * (PRICES["kinesis_in"] + PRICES["kinesis_out"])
    return HOURS * PRICES["kinesis_hour"] + moved + 6 * streamed * PRICES["kinesis_kept"]


def _firehose(size: Size) -> float:
    return DAYS * size.daily * EVENTS * INFLATED * (PRICES["firehose"] + PRICES["firehose_conversion"])


def _analysts(size: Size) -> float:
    query = min(size.daily * AGE * 0.7 * QUERY, CUT_OFF)
    return ANALYSTS * 20 * 22 * _athena(query)


def _api(size: Size) -> float:
    return size.requests * (PRICES["api_gateway"] + PRICES["lambda_request"] + 0.2e6 * PRICES["lambda"])


def _watch(size: Size) -> float:
    fixed = 30 * PRICES["alarm"] + 25 * PRICES["metric"] + PRICES["dashboard"]
    return fixed + size.logs * PRICES["logs"]


def _keys(size: Size) -> float:
    return PRICES["kms_key"] + 3 * PRICES["secret"] + (100 + size.files * DAYS / 1_000) * PRICES["kms"]


LINES = (
    Line("S3: raw, of a year", "60 days Standard, 120 colder, 185 in Glacier", _storage_of_raw),
    Line("S3: tables, of a year", "1.5 bytes for a byte of raw, old versions for 30 days", _storage_of_tables),
    Line("S3: requests", "1.5 writes and 6 reads a file, one listing of raw a day", _requests),
    Line(
        "Athena: the daily run",
        "4 bytes for a byte of the day's raw",
        lambda size: DAYS * _athena(size.daily * (1 + INCREMENT)),
    ),
    Line(
        "Athena: the night's tests and recount",
        "0.15 of all tables, each night",
        lambda size: DAYS * _athena(size.daily * AGE * CURATED * NIGHTLY),
    ),
    Line("Athena: analysts", "10 people, 20 queries each on 22 days, at most 10 GB a query", _analysts),
    Line(
        "Glue: jobs and crawlers",
        "6 jobs of 2 DPU; 2 crawlers",
        lambda size: DAYS * (6 * 2 * size.job_hours + size.crawl_hours) * PRICES["glue"],
    ),
    Line("Arrivals: Lambda, SQS, the ledger", "a batch a minute; 20 MB/s", _arrivals),
    Line("Kinesis", "0.4 of raw, 4 times as long as JSON, kept for 7 days", _kinesis),
    Line("Firehose", "the same, converted to Parquet", _firehose),
    Line("DMS", "dms.t3.medium in one zone", lambda size: HOURS * PRICES["dms"], "enable_dms"),
    Line(
        "AppFlow",
        "2 flows a day; 0.01 of raw",
        lambda size: DAYS * (2 * PRICES["appflow_run"] + size.daily * 0.01 * PRICES["appflow_gb"]),
        "enable_appflow",
    ),
    Line("API: gateway and Lambda", "0.1, 1 and 10 million requests", _api),
    Line(
        "Network", "3 interface endpoints in 3 zones (1 outside of prod)", lambda size: 9 * HOURS * PRICES["endpoint"]
    ),
    Line("CloudWatch", "30 metrics of alarms, 25 metrics, a dashboard; logs", _watch),
    Line("Keys and secrets", "1 key, 3 secrets, requests under bucket keys", _keys),
    Line(
        "Redshift Serverless",
        "8 RPU, half an hour on 22 days",
        lambda size: 8 * 0.5 * 22 * PRICES["redshift"],
        "enable_redshift",
    ),
    Line(
        "QuickSight",
        "2 authors, 10 readers",
        lambda size: 2 * PRICES["quicksight_author"] + 10 * PRICES["quicksight_reader"],
        "enable_quicksight",
    ),
    Line(
        "SageMaker notebook",
        "ml.t3.medium, always on",
        lambda size: HOURS * PRICES["notebook"] + 5 * PRICES["notebook_disk"],
        "enable_notebook",
    ),
)


def table() -> str:
    """Return the bill of a month by size, in USD, as a table in Markdown."""
    heads = ["USD a month", "Quantity", *(size.name for size in SIZES), "Left out by"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for line in LINES:
        switch = f"`{line.switch} = false`" if line.switch else ""
        cells = [line.what, line.how, *(_dollars(line.dollars(size)) for size in SIZES), switch]
        lines.append(f"| {' | '.join(cells)} |")
    totals = [_dollars(sum(line.dollars(size) for line in LINES)) for size in SIZES]
    least = [_dollars(sum(line.dollars(size) for line in LINES if not line.switch)) for size in SIZES]
    lines.append(f"| **All** | | {' | '.join(f'**{total}**' for total in totals)} | |")
    lines.append(f"| All, with every switch off | | {' | '.join(least)} | |")
    return "\n".join(lines)


def _dollars(amount: float) -> str:
    return f"{amount:,.2f}" if amount < 10 else f"{amount:,.0f}"


def main() -> None:
    """Print the table."""
    print(table())


if __name__ == "__main__":
    main()
