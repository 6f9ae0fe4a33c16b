"""The commands that read raw files: `check`, `replay`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
)

from datalake.cli.options import OfTarget, Project, Root, console, require_local, to_read
from datalake.lake import open_lake
from datalake.ledger import RAW
from datalake.ledger import check as check_raw
from datalake.replay import replay as replay_raw
from datalake.sources import load_sources
from datalake.targets import Target, open_ledger


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
    require_local(target, "replay")
    store = to_read(root)
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
