"""The command line `datalake`."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast, get_args

import duckdb
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from datalake.cost import DOLLARS_PER_TB, Report, bill, read_history, read_run
from datalake.errors import DatalakeError, DeclarationError, RecordError
from datalake.example import QUARTER_END, YEAR_END, land_example
from datalake.ingest import Unfit, ingest
from datalake.lake import default_root, open_lake
from datalake.ledger import RAW
from datalake.ledger import check as check_raw
from datalake.quality import RESULTS, Result, junit, load_rules, masked, publish, read_results, report, ruleset
from datalake.records import format_of, read_records
from datalake.replay import replay as replay_raw
from datalake.sources import FileFormat, load_sources
from datalake.storage import FolderStore
from datalake.summary import Summary, summarize
from datalake.targets import Target, open_athena, open_cloudwatch, open_history, open_ledger, open_store

app = typer.Typer(
    help="A trustworthy data lake from raw files: land them, check them, ask about them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
quality_app = typer.Typer(help="The quality rules: what they found, and their form for Glue.", no_args_is_help=True)
app.add_typer(quality_app, name="quality")
console = Console()

_ROWS_SHOWN = 100
_READS = re.compile(r"[\s(]*(?:select|with|values|show|describe|explain(?!\s+analyze))\b", re.IGNORECASE)

Root = Annotated[
    Path,
    typer.Option("--root", envvar="DATALAKE_ROOT", help="The lake's root folder.", default_factory=default_root),
]
OfTarget = Annotated[
    Target,
    typer.Option(
        "--target", envvar="DATALAKE_TARGET", help="The target of the dbt profile; all but local are on Athena."
    ),
]
Project = Annotated[Path, typer.Option("--project", help="The dbt project's folder.")]


class Stage(StrEnum):
    """Where the quality rules were measured."""

    incoming = "incoming"
    curated = "curated"


class Period(StrEnum):
    """How much of the example data to land."""

    quarter = "quarter"
    year = "year"


@app.command()
def example(
    root: Root,
    period: Annotated[Period, typer.Option(help="How much to land: a quarter or the year.")] = Period.quarter,
    target: OfTarget = Target.local,
) -> None:
    """Land the example data: a real grocer's orders, customers, products, users and events."""
    until = QUARTER_END if period is Period.quarter else YEAR_END
    with (
        open_store(target, root) as store,
        Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        ) as bar,
    ):
        tasks: dict[str, Any] = {}

        def advance(dataset: str, records: int) -> None:
            if dataset not in tasks:
                tasks[dataset] = bar.add_task(f"Landing {dataset}", total=None)
            bar.advance(tasks[dataset], records)

        landed = land_example(store, until, advance)
        for task in bar.tasks:
            bar.update(task.id, total=task.completed)
    written = sum(each.written for each in landed.values())
    present = sum(each.present for each in landed.values())
    records = sum(each.records for each in landed.values())
    console.print(
        f"Landed {records:,} records in {written:,} new files under {escape(store.uri('raw'))} "
        f"({present:,} were there).",
        soft_wrap=True,
    )


@app.command("ingest")
def ingest_file(
    file: Annotated[Path, typer.Argument(help="A file of records, or - for standard input.", metavar="FILE")],
    dataset: Annotated[str, typer.Option(help="The data set, e.g. orders.")],
    root: Root,
    source: Annotated[str | None, typer.Option(help="The producer, for a data set with several.")] = None,
    batch: Annotated[
        str | None, typer.Option(help="The batch's name, by which a retry is known; by default, what it holds.")
    ] = None,
    file_format: Annotated[
        str | None,
        typer.Option("--format", help="json (a record a line), csv or parquet; by default as FILE is named."),
    ] = None,
    unfit: Annotated[
        Unfit, typer.Option(help="For a record that can't be landed: stop, or reject it and land the rest.")
    ] = Unfit.stop,
    project: Project = Path(),
    target: OfTarget = Target.local,
) -> None:
    """Land the records of a file, once: the same records again are taken for a retry."""
    tables = load_sources(project / "models" / "raw")
    if dataset not in tables:
        raise DeclarationError(f"No source YAML declares the data set {dataset}; declared are {', '.join(tables)}.")
    with (
        _open_records(file) as records,
        open_store(target, root) as store,
        Progress(
            TextColumn("Reading {task.fields[name]}"),
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[records]:,} records"),
            console=console,
        ) as bar,
    ):
        size = records.seek(0, os.SEEK_END)
        records.seek(0)
        task = bar.add_task(
            "ingest", total=size, name="standard input" if file == Path("-") else escape(file.name), records=0
        )
        done = ingest(
            store,
            tables[dataset],
            read_records(bar.wrap_file(records, task_id=task), _format(file, file_format)),
            batch=batch,
            source=source,
            unfit=unfit,
            progress=lambda position: bar.update(task, records=position),
        )
    already = f", {len(done.keys) - done.written:,} of them there already" if done.written < len(done.keys) else ""
    console.print(
        f"Landed {done.records:,} records of {escape(dataset)} as batch {done.batch} in {len(done.keys):,} "
        f"files{already}.",
        soft_wrap=True,
        highlight=False,
    )
    for key in done.keys:
        console.print(f"  {escape(store.uri(key))}", soft_wrap=True, highlight=False)
    if done.rejects_key:
        console.print(
            f"[red]Rejected {done.rejected:,} records:[/] {escape(store.uri(done.rejects_key))} says which and why.",
            soft_wrap=True,
            highlight=False,
        )
    if done.keys:
        console.print("Next: `datalake check`, then `dbt build`.", soft_wrap=True)


@app.command()
def check(root: Root, project: Project = Path(), target: OfTarget = Target.local) -> None:
    """Read each raw file that is new, and enter it in the ledger: sound, or broken and why."""
    tables = load_sources(project / "models" / "raw")
    with (
        open_ledger(target, root) as (store, ledger),
        Progress(TextColumn("Checking raw files"), BarColumn(), MofNCompleteColumn(), console=console) as bar,
    ):
        task = bar.add_task("check", total=None)
        checked = check_raw(
            store,
            ledger,
            tables,
            datetime.now(UTC),
            lambda done, of: bar.update(task, completed=done, total=of),
        )
        bar.update(task, completed=checked.files, total=checked.files)
        has_raw = next(store.list(RAW), None) is not None
    console.print(f"Checked {checked.files:,} new files with {checked.rows:,} rows.")
    if not has_raw:
        named_by = "DATALAKE_ROOT" if target is Target.local else "DATALAKE_BUCKET"
        console.print(
            f"There is no folder raw/ in {escape(store.uri('').rstrip('/'))}; is {named_by} the one you mean?",
            soft_wrap=True,
        )
    for key, detail in checked.broken:
        console.print(f"[red]broken[/] {escape(key)}: {escape(detail)}", soft_wrap=True, highlight=False)
    if checked.broken:
        console.print("Broken files are in the quarantine and, whole, under errors/; the rest goes on.")


@app.command()
def replay(
    dataset: Annotated[str, typer.Argument(help="The data set, e.g. orders.")],
    root: Root,
    reason: Annotated[
        list[str] | None, typer.Option(help="Only files quarantined for it, or with rows that are; may be repeated.")
    ] = None,
    file: Annotated[list[str] | None, typer.Option(help="Only this file, by its key raw/...; may be repeated.")] = None,
    project: Project = Path(),
    target: OfTarget = Target.local,
) -> None:
    """Take quarantined files and rows back in after a fix of their source, or of a rule."""
    _require_local(target, "replay")
    store = _to_read(root)
    tables = load_sources(project / "models" / "raw")
    with (
        open_lake(store, create=False) as connection,
        Progress(TextColumn("Reading files again"), BarColumn(), MofNCompleteColumn(), console=console) as bar,
    ):
        task = bar.add_task("replay", total=None)
        replayed = replay_raw(
            store,
            connection,
            tables,
            dataset,
            datetime.now(UTC),
            reason or (),
            file or (),
            lambda done, of: bar.update(task, completed=done, total=of),
        )
        read = replayed.files + len(replayed.broken)
        bar.update(task, completed=read, total=read)
    if not read:
        narrowed = " that was asked for" if reason or file else ""
        console.print(
            f"Nothing to replay: the quarantine holds nothing of {escape(dataset)}{narrowed}.", soft_wrap=True
        )
        return
    console.print(
        f"Took {replayed.files:,} files of {escape(dataset)} back in, with {replayed.quarantined:,} quarantined rows "
        "(a broken file counts as one).",
        soft_wrap=True,
    )
    for key, detail in replayed.broken:
        console.print(f"[red]broken[/] {escape(key)}: {escape(detail)}", soft_wrap=True, highlight=False)
    console.print("Run `dbt build` (or `dbt run`) now: until then the tables are those of before.", soft_wrap=True)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="A query, e.g. 'select * from analytics_db.daily_sales'.")],
    root: Root,
    target: OfTarget = Target.local,
) -> None:
    """Ask the lake and print the answer."""
    if not sql.strip():
        raise DatalakeError("There is no query. Say what to ask, e.g. 'select * from analytics_db.daily_sales'.")
    if target is not Target.local:
        _query_athena(sql)
        return
    with open_lake(_to_read(root), read_only=True) as connection:
        try:
            answer = connection.sql(sql)
            if answer is not None:  # runs only now
                answer.show(max_width=console.width, max_rows=_ROWS_SHOWN)
        except duckdb.Error as error:
            raise DatalakeError(f"The query failed: {error}") from error


@app.command()
def summary(
    root: Root,
    results: Annotated[Path, typer.Option(help="dbt's results of the last build.")] = Path("target/run_results.json"),
    target: OfTarget = Target.local,
) -> None:
    """Show what stands in the lake: tables, the account of every raw row, the quarantine, the tests."""
    _require_local(target, "summary")
    with open_lake(_to_read(root), read_only=True) as connection:
        _print_summary(summarize(connection, results), root)


@app.command()
def cost(
    target_path: Annotated[Path, typer.Option(help="Where dbt wrote what it did.")] = Path("target"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON, to the last byte.")] = False,
) -> None:
    """Show what the last run of dbt scanned on Athena, and what that costs: each model, each test, in total."""
    run = read_run(target_path)
    if run.adapter != "athena":
        console.print(f"Nothing to pay: the last run was on {run.adapter}, on this machine; only Athena sends a bill.")
        return
    with open_history() as (client, workgroup):
        report = bill(run, read_history(client, workgroup, run.started_at))
    if as_json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        _print_cost(report)


@contextmanager
def _open_records(file: Path) -> Iterator[BinaryIO]:
    """Open a file of records; standard input is kept in one, since Parquet is read from its end."""
    if file != Path("-"):
        try:
            opened = file.open("rb")
        except OSError as error:
            raise RecordError(f"{file} can't be read: {error.strerror}.") from error
        with opened:
            yield opened
    else:
        with tempfile.TemporaryFile() as kept:
            shutil.copyfileobj(sys.stdin.buffer, kept)
            yield cast(BinaryIO, kept)


def _format(file: Path, named: str | None) -> FileFormat:
    if named is None:
        return "json" if file == Path("-") else format_of(file)
    if named not in get_args(FileFormat):
        raise RecordError(f"There is no format {named}. Give --format {', '.join(get_args(FileFormat))}.")
    return cast(FileFormat, named)


@quality_app.command("report")
def report_quality(
    root: Root,
    stage: Annotated[Stage, typer.Option(help="The curated table, or what came in.")] = Stage.curated,
    as_json: Annotated[bool, typer.Option("--json", help="Print {passed, violations} as JSON.")] = False,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", help="Write all stages to this file, as JUnit's XML.", dir_okay=False)
    ] = None,
    target: OfTarget = Target.local,
) -> None:
    """Show which quality rules hold, with counts and masked examples; ends with 1 where one does not."""
    results = _quality_results(target, root)
    shown = [result for result in results if result.stage == stage]
    found = report(shown)
    if junit_file:
        junit_file.write_text(junit(results), encoding="utf-8")
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        _print_quality(shown)
    if not found["passed"]:
        raise typer.Exit(1)


@quality_app.command("publish")
def publish_quality(root: Root, target: OfTarget = Target.local) -> None:
    """Send the results to CloudWatch, each model's under its context, e.g. orders_quality."""
    results = _quality_results(target, root)
    with open_cloudwatch() as client:
        sent = publish(client, results, datetime.now(UTC))
    console.print(f"Sent {sent:,} figures to CloudWatch.")


@quality_app.command("dqdl")
def print_ruleset(
    model: Annotated[str, typer.Argument(help="The model, e.g. orders.")], project: Project = Path()
) -> None:
    """Print the rules of a model as a ruleset of Glue Data Quality."""
    rules = load_rules(project)
    if model not in rules:
        raise DeclarationError(f"The model {model} has no quality_rule; these have: {', '.join(rules)}.")
    print(ruleset(rules[model]), end="")


def _quality_results(target: Target, root: Path) -> tuple[Result, ...]:
    if target is not Target.local:
        with open_athena() as athena:
            return read_results(athena.ask(RESULTS).rows)
    with open_lake(_to_read(root), read_only=True) as connection:
        try:
            return read_results(connection.execute(RESULTS).fetchall())
        except duckdb.CatalogException as error:
            raise DatalakeError("The rules are not measured yet. Run `dbt build`, or `make build`.") from error


def _print_quality(results: Sequence[Result]) -> None:
    table = Table("Model", "Rule", "Holds", **_style("Quality rules"))
    for figure in ("Measured", "Threshold", "Violations"):
        table.add_column(figure, justify="right")
    table.add_column("Examples")
    for result in results:
        table.add_row(
            result.model,
            result.description,
            "yes" if result.passed else "[red]no[/]",
            "none" if result.measured is None else f"{result.measured:,.10g}",
            f"{result.threshold:,.10g}",
            f"{result.violation_count:,}",
            escape(", ".join(map(masked, result.examples))),
        )
    console.print(table)


def _require_local(target: Target, command: str) -> None:
    if target is not Target.local:
        raise DatalakeError(
            f"`datalake {command}` knows the local lake only, not the target {target}. "
            "On Athena, ask with `datalake query`."
        )


def _query_athena(sql: str) -> None:
    if not _READS.match(sql):
        raise DatalakeError(
            "`datalake query` only reads: begin the statement with select, with, values, show, describe or explain."
        )
    with open_athena() as athena:
        answer = athena.ask(sql)
        table = Table(*answer.columns)
        for row in islice(answer.rows, _ROWS_SHOWN):
            table.add_row(*("NULL" if cell is None else escape(cell) for cell in row))
        console.print(table)
        if next(answer.rows, None) is not None:
            console.print(f"Only the first {_ROWS_SHOWN} rows are shown.")


def _print_cost(report: Report) -> None:
    table = Table("Kind", "Name", **_style(f"What the run {report.invocation_id} scanned on Athena"))
    for figure in ("Statements", "Scanned bytes", "Dollars"):
        table.add_column(figure, justify="right")
    for each in (*report.items, *report.kinds, report.total):
        table.add_row(each.kind, escape(each.name), f"{each.statements:,}", f"{each.scanned:,}", f"{each.dollars:.6f}")
    console.print(table)
    console.print(
        f"A TB (2^40 bytes) is {DOLLARS_PER_TB:g} dollars; a query counts up to the whole MB, at least 10 MB; "
        "DDL and failed queries are free.",
        soft_wrap=True,
    )
    if unnamed := report.unnamed.statements:
        console.print(
            f"Not in the total: {unnamed:,} statements of the workgroup in that time that name no run, such as "
            f"OPTIMIZE and DDL, or other people's; they scanned {report.unnamed.scanned:,} bytes.",
            soft_wrap=True,
        )
    if report.incomplete:
        console.print(
            f"[red]Too low:[/] the history lacks statements of {escape(', '.join(report.incomplete))}.", soft_wrap=True
        )


def _to_read(root: Path) -> FolderStore:
    """Return the store at `root` without making a folder that is not there."""
    return FolderStore.open(root) if root.exists() else FolderStore(root)


def _style(title: str) -> dict[str, Any]:
    return {"title": f"\n{title}", "title_justify": "left", "title_style": "bold", "box": None, "padding": (0, 2, 0, 0)}


def _print_summary(found: Summary, root: Path) -> None:
    tables = Table("Table", "Rows", **_style("Tables"))
    tables.columns[1].justify = "right"
    for table in found.tables:
        tables.add_row(f"{table.schema}.{table.name}", f"{table.rows:,}")
    console.print(tables)

    figures = ("raw", "curated", "superseded", "deleted", "quarantined", "unexplained")
    account = Table("Data set", **_style("Every raw row accounted for"))
    for figure in figures:
        account.add_column(figure.capitalize(), justify="right")
    for row in found.accounted:
        account.add_row(row.dataset, *(f"{getattr(row, figure):,}" for figure in figures))
    console.print(account)

    if found.rejected:
        rejected = Table("Data set", "Reason", "Rows", **_style("Quarantine"))
        rejected.columns[2].justify = "right"
        for each in found.rejected:
            rejected.add_row(each.dataset, each.reason, f"{each.rows:,}")
        console.print(rejected)

    tests = ", ".join(f"{count} {status}" for status, count in sorted(found.tests.items())) or "none run yet"
    console.print(f"Tests of the last build: {tests}.")
    console.print(
        f'The lake is {root}/lake.duckdb. Next: `make query SQL="select * from analytics_db.daily_sales"`, '
        "`make docs` for the lineage.",
        highlight=False,
        soft_wrap=True,
    )


def main() -> None:
    """Run the command line; an error of this package is one sentence, not a stack trace."""
    try:
        app()
    except DatalakeError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]datalake:[/] {escape(str(error))}")
        sys.exit(1)
