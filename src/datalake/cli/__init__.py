"""The command line `datalake`."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from datalake.cli import (
    asking,
    checking,
    delivering,
    examining,
    landing,
    orchestrating,
    packaging,
    quality,
    tables,
    watching,
)
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
app.command("dist")(packaging.dist)
app.command("register")(tables.register_partitions)

quality_app = typer.Typer(help="The quality rules: what they found, and their form for Glue.", no_args_is_help=True)
quality_app.command("report")(quality.report_quality)
quality_app.command("publish")(quality.publish_quality)
quality_app.command("dqdl")(quality.print_ruleset)
app.add_typer(quality_app, name="quality")

table_app = typer.Typer(help="Tables with a partition strategy on Athena.", no_args_is_help=True)
table_app.command("create")(tables.create_table)
app.add_typer(table_app, name="table")

state_app = typer.Typer(help="The project as it was built, for builds to compare with.", no_args_is_help=True)
state_app.command("fetch")(delivering.fetch_state)
state_app.command("publish")(delivering.publish_state)
app.add_typer(state_app, name="state")

site_app = typer.Typer(help="The lineage site.", no_args_is_help=True)
site_app.command("publish")(delivering.publish_lineage)
app.add_typer(site_app, name="site")

pull_request_app = typer.Typer(help="What a pull request's build made on Athena.", no_args_is_help=True)
pull_request_app.command("drop")(delivering.drop_pull_request)
app.add_typer(pull_request_app, name="pull-request")


def main() -> None:
    """Run the command line; an error of this package is one sentence, not a stack trace."""
    try:
        app()
    except DatalakeError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]datalake:[/] {escape(str(error))}")
        sys.exit(1)
