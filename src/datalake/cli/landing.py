"""The commands that land raw files: `example`, `ingest`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast, get_args

import typer
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

from datalake.cli.options import OfTarget, Project, Root, console
from datalake.errors import DeclarationError, RecordError
from datalake.example import QUARTER_END, YEAR_END, land_example
from datalake.ingest import Unfit, ingest
from datalake.records import format_of, read_records
from datalake.sources import FileFormat, load_sources
from datalake.targets import Target, open_store


class Period(StrEnum):
    """How much of the example data to land."""

    quarter = "quarter"
    year = "year"


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
