"""The commands about tables on Athena: `register`, `table create`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from datalake.catalog import Registered, raw_tables, register
from datalake.cli.options import OfTarget, Project, console, require_athena
from datalake.errors import TableDefinitionError
from datalake.optimized_table import (
    ByCategory,
    ByDate,
    ByHash,
    Column,
    Part,
    Strategy,
    TableFormat,
    create_optimized_table,
    ddl,
    derived_column,
)
from datalake.sources import load_sources
from datalake.targets import Target, lake_bucket, open_athena, open_client


def register_partitions(
    tables: Annotated[
        list[str] | None, typer.Argument(help="Tables, each as database.table; by default the raw tables.")
    ] = None,
    project: Project = Path(),
    target: OfTarget = Target.local,
) -> None:
    """Make partitions known to Glue where they are not projected; ends with 1 where a folder is seen by no query."""
    require_athena(target, "register")
    names = tables or raw_tables(load_sources(project / "models" / "raw"))
    with open_client("glue") as glue, open_client("s3") as s3:
        registered = register(glue, s3, names)
    for each in registered:
        _print_registered(each)
    if any(each.outside for each in registered):
        raise typer.Exit(1)


def create_table(
    name: Annotated[str, typer.Argument(help="The table, as database.table.")],
    columns: Annotated[list[str], typer.Option("--column", help="A column and its type, as 'price:decimal(10,2)'.")],
    by_date: Annotated[str | None, typer.Option(help="Partition by this date or timestamp.")] = None,
    part: Annotated[Part, typer.Option(help="What a partition by date holds.")] = Part.day,
    by_category: Annotated[str | None, typer.Option(help="Partition by this column of few values.")] = None,
    by_hash: Annotated[str | None, typer.Option(help="Partition by the hash of this column of many values.")] = None,
    buckets: Annotated[int, typer.Option(help="How many partitions by hash.")] = 16,
    table_format: Annotated[TableFormat, typer.Option("--format", help="Iceberg, or Hive Parquet.")] = (
        TableFormat.iceberg
    ),
    location: Annotated[
        str | None, typer.Option(help="The table's folder, s3://bucket/folder/; by default one in the lake's bucket.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the statement, and run nothing.")] = False,
    target: OfTarget = Target.local,
) -> None:
    """Make an empty table that is partitioned by date, by category or by hash."""
    schema = [Column(*map(str.strip, each.split(":", 1))) if ":" in each else Column(each, "") for each in columns]
    strategies: list[Strategy] = []
    if by_date is not None:
        strategies.append(ByDate(by_date, part))
    if by_category is not None:
        strategies.append(ByCategory(by_category))
    if by_hash is not None:
        strategies.append(ByHash(by_hash, buckets))
    if len(strategies) != 1:
        raise TableDefinitionError("Name one strategy: --by-date, --by-category or --by-hash, and its column.")
    (strategy,) = strategies
    location = location or f"s3://{lake_bucket()}/{name.replace('.', '/')}/"
    if dry_run:
        print(ddl(name, schema, strategy, location=location, table_format=table_format))
        return
    require_athena(target, "table create")
    with open_athena() as athena:
        create_optimized_table(athena, name, schema, strategy, location=location, table_format=table_format)
    console.print(f"Made the table {escape(name)} in {escape(location)}.", soft_wrap=True, highlight=False)
    if table_format is TableFormat.hive:
        derived = derived_column(schema, strategy)
        console.print(
            f"Its partition column {derived.name} is {escape(derived.expression)}. "
            f"Files that lie there already: `datalake register {escape(name)}`.",
            soft_wrap=True,
            highlight=False,
        )


def _print_registered(registered: Registered) -> None:
    created = "projected" if registered.is_projected else f"{len(registered.created):,} made known"
    console.print(
        f"{escape(registered.table)}: {created}, {registered.known:,} known before.", soft_wrap=True, highlight=False
    )
    for outside in registered.outside:
        console.print(
            f"  [red]no query sees[/] {escape(outside.place)}: {escape(outside.reason)}.",
            soft_wrap=True,
            highlight=False,
        )
