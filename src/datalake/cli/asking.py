"""The commands that ask the lake: `query`, `summary`, `cost`."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import duckdb
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from datalake.athena import Answer
from datalake.cli.options import OfTarget, Root, console, require_local, table_style, to_read
from datalake.cli.rows import Form, print_rows
from datalake.cost import DOLLARS_PER_TB, Report, bill, read_history, read_run
from datalake.errors import DatalakeError
from datalake.lake import open_lake
from datalake.settings import workgroup
from datalake.summary import Summary, summarize
from datalake.targets import Target, open_athena, open_client


def query(
    sql: Annotated[str, typer.Argument(help="A query, e.g. 'select * from analytics_db.daily_sales'.")],
    root: Root,
    form: Annotated[Form, typer.Option("--format", help="A table of the first 100 rows, or all of them.")] = Form.table,
    timeout: Annotated[float, typer.Option(help="Seconds after which a query on Athena is cancelled.", min=1)] = 600,
    reuse: Annotated[
        int, typer.Option(help="Minutes within which Athena may give an earlier answer again, free.", min=0, max=10080)
    ] = 0,
    target: OfTarget = Target.local,
) -> None:
    """Ask the lake and print the answer."""
    if not sql.strip():
        raise DatalakeError("There is no query. Say what to ask, e.g. 'select * from analytics_db.daily_sales'.")
    if target is Target.local:
        with open_lake(to_read(root), read_only=True) as connection:
            try:
                answer = connection.execute(sql)
                print_rows([column[0] for column in answer.description or ()], iter(answer.fetchone, None), form)
            except duckdb.Error as error:
                raise DatalakeError(f"The query failed: {error}") from error
    else:
        from datalake.read_only import require_read_only  # sqlglot, of no use on the local target

        require_read_only(sql)
        with open_athena() as athena:
            found = athena.query(sql, timedelta(seconds=timeout), timedelta(minutes=reuse))
            print_rows([column.name for column in found.columns], found.rows, form)
            _say(_price(found))


def _price(found: Answer) -> str:
    if found.is_reused:
        return "An earlier answer, given again: nothing was scanned."
    return f"Scanned {found.scanned_bytes:,} bytes for {found.dollars:.6f} dollars in {found.seconds:.1f} s."


def _say(sentence: str) -> None:
    """Print beside the answer, which may go to a file."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(sentence)


def summary(
    root: Root,
    results: Annotated[Path, typer.Option(help="dbt's results of the last build.")] = Path("target/run_results.json"),
    target: OfTarget = Target.local,
) -> None:
    """Show what stands in the lake: tables, the account of every raw row, the quarantine, the tests."""
    require_local(target, "summary")
    with open_lake(to_read(root), read_only=True) as connection:
        _print_summary(summarize(connection, results), root)


def cost(
    target_path: Annotated[Path, typer.Option(help="Where dbt wrote what it did.")] = Path("target"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON, to the last byte.")] = False,
) -> None:
    """Show what the last run of dbt scanned on Athena, and what that costs: each model, each test, in total."""
    run = read_run(target_path)
    if run.adapter != "athena":
        console.print(f"Nothing to pay: the last run was on {run.adapter}, on this machine; only Athena sends a bill.")
        return
    with open_client("athena") as client:
        report = bill(run, read_history(client, workgroup(), run.started_at))
    if as_json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        _print_cost(report)


def _print_cost(report: Report) -> None:
    table = Table("Kind", "Name", **table_style(f"What the run {report.invocation_id} scanned on Athena"))
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


def _print_summary(found: Summary, root: Path) -> None:
    tables = Table("Table", "Rows", **table_style("Tables"))
    tables.columns[1].justify = "right"
    for table in found.tables:
        tables.add_row(f"{table.schema}.{table.name}", f"{table.rows:,}")
    console.print(tables)

    figures = ("raw", "curated", "superseded", "deleted", "quarantined", "unexplained")
    account = Table("Data set", **table_style("Every raw row accounted for"))
    for figure in figures:
        account.add_column(figure.capitalize(), justify="right")
    for row in found.accounted:
        account.add_row(row.dataset, *(f"{getattr(row, figure):,}" for figure in figures))
    console.print(account)

    if found.rejected:
        rejected = Table("Data set", "Reason", "Rows", **table_style("Quarantine"))
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
