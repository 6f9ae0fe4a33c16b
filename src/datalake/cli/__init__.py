"""The command line `datalake`."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from datalake.cli import asking, checking, examining, landing, orchestrating, packaging, quality, tables, watching
from datalake.errors import DatalakeError

app = typer.Typer(
    help="A trustworthy data lake from raw files: land them, check them, ask about them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("example")(landing.example)
app.command("ingest")(landing.ingest_file)
app.command("check")(checking.check)
app.command("replay")(checking.replay)
app.command("run")(orchestrating.run)
app.command("process")(orchestrating.process)
app.command("query")(asking.query)
app.command("summary")(asking.summary)
app.command("cost")(asking.cost)
app.command("monitor")(watching.monitor)
app.command("doctor")(examining.doctor)
app.command("package")(packaging.package)
app.command("register")(tables.register_partitions)

quality_app = typer.Typer(help="The quality rules: what they found, and their form for Glue.", no_args_is_help=True)
quality_app.command("report")(quality.report_quality)
quality_app.command("publish")(quality.publish_quality)
quality_app.command("dqdl")(quality.print_ruleset)
app.add_typer(quality_app, name="quality")

table_app = typer.Typer(help="Tables with a partition strategy on Athena.", no_args_is_help=True)
table_app.command("create")(tables.create_table)
app.add_typer(table_app, name="table")


def main() -> None:
    """Run the command line; an error of this package is one sentence, not a stack trace."""
    try:
        app()
    except DatalakeError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]datalake:[/] {escape(str(error))}")
        sys.exit(1)
