"""The commands of the quality rules: `quality report`, `quality publish`, `quality dqdl`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import duckdb
import typer
from rich.markup import escape
from rich.table import Table

from datalake.cli.options import OfTarget, Project, Root, console, table_style, to_read
from datalake.errors import DatalakeError, DeclarationError
from datalake.lake import open_lake
from datalake.quality import RESULTS, Result, junit, load_rules, masked, publish, read_results, report, ruleset
from datalake.targets import Target, open_athena, open_client


class Stage(StrEnum):
    """Where the quality rules were measured."""

    incoming = "incoming"
    curated = "curated"


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


def publish_quality(root: Root, target: OfTarget = Target.local) -> None:
    """Send the results to CloudWatch, each model's under its context, e.g. orders_quality."""
    results = _quality_results(target, root)
    with open_client("cloudwatch") as client:
        sent = publish(client, results, datetime.now(UTC))
    console.print(f"Sent {sent:,} figures to CloudWatch.")


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
            return read_results(athena.query(RESULTS).rows)
    with open_lake(to_read(root), read_only=True) as connection:
        try:
            return read_results(connection.execute(RESULTS).fetchall())
        except duckdb.CatalogException as error:
            raise DatalakeError("The rules are not measured yet. Run `dbt build`, or `make build`.") from error


def _print_quality(results: Sequence[Result]) -> None:
    table = Table("Model", "Rule", "Holds", **table_style("Quality rules"))
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
