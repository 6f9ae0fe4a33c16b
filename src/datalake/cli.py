"""The command line `datalake`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from datalake.errors import DatalakeError
from datalake.example import QUARTER_END, YEAR_END, land_example
from datalake.lake import default_root, open_lake
from datalake.ledger import check as check_raw
from datalake.replay import replay as replay_raw
from datalake.sources import load_sources
from datalake.storage import FolderStore
from datalake.summary import Summary, summarize

app = typer.Typer(
    help="A trustworthy data lake from raw files: land them, check them, ask about them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console()

Root = Annotated[
    Path,
    typer.Option("--root", envvar="DATALAKE_ROOT", help="The lake's root folder.", default_factory=default_root),
]
Project = Annotated[Path, typer.Option("--project", help="The dbt project's folder.")]


class Period(StrEnum):
    """How much of the example data to land."""

    quarter = "quarter"
    year = "year"


@app.command()
def example(
    root: Root,
    period: Annotated[Period, typer.Option(help="How much to land: a quarter or the year.")] = Period.quarter,
) -> None:
    """Land the example data: a real grocer's orders, customers, products, users and events."""
    until = QUARTER_END if period is Period.quarter else YEAR_END
    store = FolderStore.open(root)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    ) as bar:
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
        f"Landed {records:,} records in {written:,} new files under {root}/raw ({present:,} were there).",
        soft_wrap=True,
    )


@app.command()
def check(root: Root, project: Project = Path()) -> None:
    """Read each raw file that is new, and enter it in the ledger: sound, or broken and why."""
    store = FolderStore.open(root)
    tables = load_sources(project / "models" / "raw")
    with (
        open_lake(store) as connection,
        Progress(TextColumn("Checking raw files"), BarColumn(), MofNCompleteColumn(), console=console) as bar,
    ):
        task = bar.add_task("check", total=None)
        checked = check_raw(
            store,
            connection,
            tables,
            datetime.now(UTC),
            lambda done, of: bar.update(task, completed=done, total=of),
        )
        bar.update(task, completed=checked.files, total=checked.files)
    console.print(f"Checked {checked.files:,} new files with {checked.rows:,} rows.")
    if not (root / "raw").exists():
        console.print(
            f"There is no folder raw/ in {escape(str(root))}; is DATALAKE_ROOT the one you mean?", soft_wrap=True
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
) -> None:
    """Take quarantined files and rows back in after a fix of their source, or of a rule."""
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
) -> None:
    """Ask the lake and print the answer."""
    if not sql.strip():
        raise DatalakeError("There is no query. Say what to ask, e.g. 'select * from analytics_db.daily_sales'.")
    with open_lake(_to_read(root), read_only=True) as connection:
        try:
            answer = connection.sql(sql)
            if answer is not None:  # runs only now
                answer.show(max_width=console.width, max_rows=100)
        except duckdb.Error as error:
            raise DatalakeError(f"The query failed: {error}") from error


@app.command()
def summary(
    root: Root,
    results: Annotated[Path, typer.Option(help="dbt's results of the last build.")] = Path("target/run_results.json"),
) -> None:
    """Show what stands in the lake: tables, the account of every raw row, the quarantine, the tests."""
    with open_lake(_to_read(root), read_only=True) as connection:
        _print_summary(summarize(connection, results), root)


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
